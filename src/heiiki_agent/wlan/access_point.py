"""The access point, by hostapd's control interface: with what it runs, and what new lists ask of it."""

import json
import subprocess
import time
from collections.abc import Mapping

from heiiki_agent import files
from heiiki_agent.errors import AgentError
from heiiki_agent.wlan import places
from heiiki_agent.wlan.control import Control

_RESTART_S = 30.0
_ANEW_S = 4.0
_LISTS_S = 1.1
"""hostapd reads lists again when it read them longer than `crl_reload_interval`, a second, ago."""
_LOOK_S = 0.1


def connected(interface: str, unit: str = places.ACCESS_POINT) -> Control:
    """Return a connection to the access point, or to the hostapd of another unit.

    Raises:
        AgentError: it does not run.
    """
    return Control(places.control(unit, interface), unit)


def health(interface: str) -> int:
    """Print with what it runs, or that it waits for its certificate; return the exit status."""
    if not places.CERTIFICATE.is_file():
        print(json.dumps({"waits": f"{places.CERTIFICATE} is not there yet: enrol the device"}))
        return 0
    with connected(interface) as daemon:
        status, config = daemon.facts("STATUS"), daemon.facts("GET_CONFIG")
        kept = daemon.ask("PMKSA").splitlines()[1:]
        stations = [{"address": address, **facts} for address, facts in daemon.stations()]
    runs = {
        "state": status.get("state", ""),
        "channel": status.get("channel", ""),
        **{key: config.get(key, "") for key in ("ssid", "bssid", "key_mgmt", "group_cipher")},
        "cipher": config.get("rsn_pairwise_cipher", ""),
    }
    print(json.dumps({"runs": runs, "kept": kept, "stations": stations}))
    return 0 if runs["state"] == "ENABLED" else 1


def renew(interface: str, unit: str = places.ACCESS_POINT) -> int:
    """Have it use its certificate if that is new, else examine every station with the lists that are new.

    hostapd reads lists at a log-in, once a second at most, and its own certificate when it goes on the air
    only. So it is given a second: after a log-in just before the new lists came it would examine the next
    one with the old. Then a station that is there authenticates again while its packets go on; one that is
    refused is thrown off, and so is one that does not answer in time: hostapd would let it stay for a minute.

    Args:
        interface: its leg to the LAN.
        unit: whose hostapd it is; that of a wired LAN is told the same.
    """
    if not _running(unit):
        return 0  # it reads everything at its start
    used = places.used(unit)
    if not used.is_file():
        return 0  # it waits for its first certificate, and reads everything then
    if used.read_bytes() != places.CERTIFICATE.read_bytes():
        _begin_again(interface, unit)
        return 0
    time.sleep(_LISTS_S)
    with connected(interface, unit) as daemon:
        before = {address: _log_ins(facts) for address, facts in daemon.stations()}
        for address in before:
            daemon.ask(f"EAPOL_REAUTH {address}")
        for address in _silent(daemon, before):
            daemon.ask(f"DEAUTHENTICATE {address}")
            print(f"{address}: is thrown off, since it did not authenticate again within {_ANEW_S:g} s")
    return 0


def _log_ins(facts: Mapping[str, str]) -> int:
    """Return how often a station was let in since it came (IEEE 802.1X-2004 9.4.2)."""
    return int(facts.get("dot1xAuthBackendAuthSuccesses", "0"))


def _silent(daemon: Control, before: Mapping[str, int]) -> set[str]:
    """Return the stations that are still there after a while and were not let in again."""
    until = time.monotonic() + _ANEW_S
    while True:
        there = {
            address: _log_ins(facts)
            for address, facts in daemon.stations()
            if "[AUTHORIZED]" in facts.get("flags", "")
        }
        silent = {address for address, number in before.items() if there.get(address, number + 1) <= number}
        if not silent or time.monotonic() > until:
            return silent
        time.sleep(_LOOK_S)


def _running(unit: str) -> bool:
    done = subprocess.run(["systemctl", "--quiet", "is-active", unit], check=False)
    return done.returncode == 0


def _begin_again(interface: str, unit: str) -> None:
    """Take it off the air and on again, with the certificate that is there now.

    Its station misses it for half a second, and for 1.2 s when the whole daemon is started again: then it
    looks before anything answers, and looks again a second later.
    """
    text = places.CERTIFICATE.read_text(encoding="ascii")
    try:
        with connected(interface, unit) as daemon:
            daemon.ordered("DISABLE")
            daemon.ordered("ENABLE")
    except AgentError:
        _restart(unit)  # which notes the certificate itself
    else:
        files.write(places.used(unit), text)


def _restart(unit: str) -> None:
    done = subprocess.run(
        ["systemctl", "restart", unit],
        capture_output=True,
        text=True,
        timeout=_RESTART_S,
        check=False,
    )
    if done.returncode:
        raise AgentError(f"{unit} does not start again: {done.stderr.strip()}")
