"""The access point, by hostapd's control interface: with what it runs, and what new lists ask of it."""

import json
import subprocess

from heiiki_agent.errors import AgentError
from heiiki_agent.wlan import places
from heiiki_agent.wlan.control import Control

_RESTART_S = 30.0


def connected(interface: str) -> Control:
    """Return a connection to the access point.

    Raises:
        AgentError: it does not run.
    """
    return Control(places.control(places.ACCESS_POINT, interface), places.ACCESS_POINT)


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


def renew(interface: str) -> int:
    """Have it use its certificate if that is new, else examine every station with the lists that are new.

    hostapd reads lists at each log-in, and its own certificate at its start only. A station that is there
    authenticates anew while its packets go on; one that is refused is thrown off.
    """
    if not _running():
        return 0  # it reads everything at its start
    used = places.used(places.ACCESS_POINT)
    if not used.is_file():
        return 0  # it waits for its first certificate, and reads everything then
    if used.read_bytes() != places.CERTIFICATE.read_bytes():
        _restart()
        return 0
    with connected(interface) as daemon:
        for address in [address for address, _ in daemon.stations()]:
            if (said := daemon.ask(f"EAPOL_REAUTH {address}")) != "OK":
                daemon.ordered(f"DEAUTHENTICATE {address}")
                print(f"{address}: is thrown off, since it cannot be examined: {said}")
    return 0


def _running() -> bool:
    done = subprocess.run(["systemctl", "--quiet", "is-active", places.ACCESS_POINT], check=False)
    return done.returncode == 0


def _restart() -> None:
    done = subprocess.run(
        ["systemctl", "restart", places.ACCESS_POINT],
        capture_output=True,
        text=True,
        timeout=_RESTART_S,
        check=False,
    )
    if done.returncode:
        raise AgentError(f"{places.ACCESS_POINT} does not start again: {done.stderr.strip()}")
