"""The wireless LAN of the lab: a revoked station is thrown off, another stays; mutants of both ends."""

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib import resources

import pytest
from waiting import awaited

from heiiki.transport import Completed
from heiiki.verify.ipsec.test_certificates import Credential, VaultAuthority, signed
from heiiki_agent.wlan import places

from .mutants import AGENT, Act, Bench, TrustMutant, chosen, sh, try_trust_mutant
from .service import Service

GATEWAY, CONTROLLER = "namba-gw", "namba-erc"
CONTROL = str(places.control(places.ACCESS_POINT, "lan0").parent)
LAN = "R-SEC-LAN/wifi"
LAN_OF_NAMBA = (LAN, "live", "LAN of namba")
PROBE = resources.files("heiiki.verify.probes").joinpath("wlan.py").read_text(encoding="utf-8")
HOLD = """
import json
def held(given):
    with ExitStack() as stack:
        with station.connected("lan0") as daemon:
            running = dict(station.running(daemon))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir="/run")))
        stack.enter_context(_second("lan0", "trial0", "managed", given["address"]))
        certificate, key = _credentials(stack, given)
        network = _network(given, running, f"/proc/self/fd/{certificate}", f"/proc/self/fd/{key}")
        if given["answers"]:
            network["phase1"] = '"tls_disable_tlsv1_0=1"'
        (folder / "conf").write_text(_configuration(folder, network))
        argv = ["/usr/sbin/wpa_supplicant", "-D", "nl80211", "-i", "trial0", "-c", str(folder / "conf")]
        stack.enter_context(_running(argv, folder / "log", (certificate, key)))
        daemon = stack.enter_context(_reached(folder / "control" / "trial0"))
        daemon.ordered("ATTACH")
        inside, _ = _attended(daemon, guard.Settings("lan0", given["access_point"]))
        Path("/run/held").touch()
        until = time.monotonic() + given["seconds"]
        while inside and (left := until - time.monotonic()) > 0:
            if (daemon.event(left) or "").startswith("CTRL-EVENT-DISCONNECTED"):
                return {"in": inside, "thrown_off": True}
        return {"in": inside, "thrown_off": False}
"""
"""Is a second station for as long as it is let, and says how that ended; one that answers or goes silent."""


def held(service: Service, made: Credential, seconds: float, *, answers: bool = True) -> Completed:
    device = service.plan.device(CONTROLLER)
    assert device.station is not None
    given = {
        "address": "02:01:0a:10:01:74",
        "access_point": device.station.access_point,
        "frequency": device.station.air.frequency_mhz,
        "certificate": made.certificate,
        "key": made.key,
        "seconds": seconds,
        "answers": answers,
    }
    call = f"print(json.dumps(held(json.loads({json.dumps(given)!r}))))"
    text = f"import sys\nsys.path.insert(0, {AGENT!r})\n{PROBE}\n{HOLD}\n{call}\n"
    return service.transport.run(CONTROLLER, ("python3", "-"), stdin=text.encode(), timeout=seconds + 60)


def let_in(service: Service) -> set[str]:
    said = json.loads(service.run(GATEWAY, "python3", AGENT, "wlan", "access-point", "lan0"))
    return {one["address"] for one in said["stations"] if "[AUTHORIZED]" in one["flags"]}


def associated_since(service: Service, address: str) -> str:
    """When the kernel says that the association of a station began."""
    said = service.run(GATEWAY, "iw", "dev", "lan0", "station", "get", address)
    return next(line for line in said.splitlines() if "associated at [boottime]" in line)


@pytest.mark.parametrize(
    "answers", [True, pytest.param(False, marks=pytest.mark.long)], ids=["answers", "is silent"]
)
def test_a_revoked_station_is_thrown_off_the_air_and_another_stays(
    service: Service, record_property: Callable[[str, object], None], *, answers: bool
) -> None:
    authority = VaultAuthority(service.plan, service.access)
    identity = service.plan.device(CONTROLLER).identity
    assert identity
    made = signed(authority, identity, "10m")
    # A device is revoked when its newest certificate is, and this one is to lose another certificate only.
    signed(authority, identity, "10m")
    service.run(CONTROLLER, "rm", "-f", "/run/held")
    own = service.plan.device(CONTROLLER).interface("lan0").link_address
    assert own
    with ThreadPoolExecutor(1) as pool:
        stolen = pool.submit(held, service, made, 60.0, answers=answers)
        awaited("the other station is in", lambda: _is_held(service))
        since, began = associated_since(service, own), time.monotonic()
        assert len(let_in(service)) == 2
        authority.revoke(made.certificate)
        # hostapd reads its lists at this log-in, and for a second at no other.
        service.run(GATEWAY, "hostapd_cli", "-p", CONTROL, "raw", "EAPOL_REAUTH", own)
        service.pull(GATEWAY)
        done = stolen.result()
        record_property("thrown_off_s", round(time.monotonic() - began, 2))
    assert json.loads(done.stdout) == {"in": True, "thrown_off": True}, done.stderr
    assert let_in(service) == {own}
    assert associated_since(service, own) == since
    refused = held(service, made, 1.0)
    assert json.loads(refused.stdout) == {"in": False, "thrown_off": False}, refused.stderr


def _is_held(service: Service) -> bool:
    return service.transport.run(CONTROLLER, ("test", "-e", "/run/held")).rc == 0


# --- mutants

_CONF, _PID = "/run/mutant.conf", "/run/mutant.pid"
_SERVED = "hostapd -B -P {pid} {conf}"
_JOINED = "wpa_supplicant -B -D nl80211 -i lan0 -P {pid} -c {conf}"


def by_hand(device: str, unit: str, config: str, edit: str, start: str) -> Act:
    """The daemon runs with an edited configuration, outside of its unit."""
    folder = f"/run/{unit}"
    edited = f"mkdir -p {folder} && sed '{edit}' {config} > {_CONF}"
    started = start.format(pid=_PID, conf=_CONF)

    def act(bench: Bench) -> None:
        bench.run(device, (("systemctl", "stop", unit), sh(f"{edited} && {started} > /dev/null")))
        awaited("the station is associated", lambda: associated(bench))

    return act


def by_unit(device: str, unit: str) -> Act:
    def act(bench: Bench) -> None:
        gone = f"kill $(cat {_PID}); while test -e {_PID}; do sleep 0.1; done; rm -rf /run/{unit} {_CONF}"
        bench.run(device, (sh(gone), ("systemctl", "start", unit)))
        awaited("the station is associated", lambda: associated(bench))

    return act


def associated(bench: Bench) -> bool:
    asked = ("python3", AGENT, "wlan", "station", "lan0")
    done = bench.transport.run(CONTROLLER, asked)
    return done.rc == 0 and json.loads(done.stdout)["status"].get("wpa_state") == "COMPLETED"


_POSED = "on the air"
MUTANTS = (
    TrustMutant(
        "an access point that keeps the keys of stations",
        by_hand(
            GATEWAY,
            "heiiki-access-point",
            "/etc/heiiki/access_point.conf",
            "s/^disable_pmksa_caching=1/disable_pmksa_caching=0/",
            _SERVED,
        ),
        by_unit(GATEWAY, "heiiki-access-point"),
        ("wlan",),
        {LAN_OF_NAMBA: "keeps 1 keys of stations"},
        representative=True,
    ),
    TrustMutant(
        "a station that looks neither at the name nor at the lists",
        by_hand(
            CONTROLLER,
            "heiiki-station",
            "/etc/heiiki/station.conf",
            "/domain_match/d; s/ tls_ext_cert_check=1//",
            _JOINED,
        ),
        by_unit(CONTROLLER, "heiiki-station"),
        ("wlan-refusals",),
        {
            (LAN, "live", f"access point, another's name: {CONTROLLER} {_POSED}"): "let in",
            (LAN, "live", f"access point, revoked certificate: {CONTROLLER} {_POSED}"): "let in",
        },
    ),
)


@pytest.mark.parametrize("mutant", chosen(MUTANTS, "trust"))
def test_a_mutant_flips_its_verdicts_and_no_others(bench: Bench, mutant: TrustMutant) -> None:
    try_trust_mutant(bench, mutant)
