"""Whether a site's controller is on the air as planned, by what both daemons and the beacon say (live)."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from heiiki.design.wlan import ABSENT, WirelessLan, lans
from heiiki.plan.model import Plan
from heiiki.render import agent
from heiiki.render.wlan import REQUIREMENT
from heiiki.requirements import Stage, Verdict
from heiiki.requirements.verdict import Evidence
from heiiki.verify import both_ends, lan_daemons
from heiiki.verify.both_ends import Both
from heiiki.verify.fleet import Fleet
from heiiki.verify.lan_daemons import Said, other_status
from heiiki.verify.verdicts import Keep

_AKM_SHA256, _CCMP = "00-0f-ac-5", "00-0f-ac-4"
"""Suite selectors (IEEE 802.11-2020 9.4.2.24)."""
_RSN = 48
_SUITE = 4
_REQUIRED = 1 << 6
"""Bit MFPR of the RSN capabilities: who does not protect management frames is not let in."""
_PASSED = (
    "associated by WPA2-EAP-SHA256 (EAP-TLS, {tls}), CCMP, management frames protected; the beacon requires "
    "it; the access point keeps no key; whom each lets in, trials say"
)


def verdicts(plan: Plan, fleet: Fleet, keep: Keep) -> Iterator[Verdict]:
    """Yield a verdict for each wireless LAN; one that says so where there is none."""
    yield from ABSENT.verdicts(plan, Stage.LIVE)
    yield from both_ends.verdicts(lans(plan), REQUIREMENT, "wlan", _questions, _verdict, fleet, keep)


def _questions(found: Sequence[WirelessLan]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for lan in found:
        served = list(agent.command("wlan", "access-point", lan.access_point.interface))
        joined = list(agent.command("wlan", "station", lan.station.interface))
        guarded = list(agent.command("wlan", "guarded"))
        certificate = list(agent.command("credentials", "summary"))
        yield lan.gateway.name, {"commands": {"air": served, "credentials": certificate}}
        yield lan.controller.name, {"commands": {"air": joined, "guard": guarded}}


def _verdict(lan: WirelessLan, both: Both, evidence: tuple[Evidence, ...]) -> Verdict:
    def wrong(served: Said, joined: Said) -> Iterator[str]:
        yield from _of_access_point(lan, served)
        yield from _of_station(lan, joined)

    return lan_daemons.judged(lan, both, evidence, REQUIREMENT, "air", wrong, _PASSED)


def _of_access_point(lan: WirelessLan, said: Said) -> Iterator[str]:
    name = lan.gateway.name
    if "waits" in said:
        yield f"{name}: {said['waits']}"
        return
    if said["runs"]["state"] != "ENABLED":
        yield f"{name} is not on the air: {said['runs']['state']}"
    if said["kept"]:
        yield f"{name} keeps {len(said['kept'])} keys of stations (PMKSA): with one a station needs no EAP"
    own = lan.controller.interface(lan.station.interface).link_address
    # Any station may begin to log in; one that is not let in reaches nothing (IEEE 802.1X-2004, 6.4).
    members = [one for one in said["stations"] if "[AUTHORIZED]" in one["flags"]]
    addresses = [one["address"] for one in members]
    if addresses != [own]:
        yield f"{name} has let in the stations {', '.join(addresses) or 'none'}, not {own} alone"
    for one in members:
        yield from _of_member(name, lan, one)


def _of_member(name: str, lan: WirelessLan, said: Mapping[str, str]) -> Iterator[str]:
    for flag in ("ASSOC", "MFP"):
        if f"[{flag}]" not in said["flags"]:
            yield f"{name}: {said['address']} is not {flag}"
    planned = {
        "AKMSuiteSelector": _AKM_SHA256,
        "dot11RSNAStatsSelectedPairwiseCipher": _CCMP,
        "dot1xAuthSessionUserName": lan.station.name,
    }
    for key, value in planned.items():
        if said.get(key) != value:
            yield f"{name}: {key} of {said['address']} is {said.get(key)}, not {value}"


def _of_station(lan: WirelessLan, said: Said) -> Iterator[str]:
    name = lan.controller.name
    if "waits" in said:
        yield f"{name}: {said['waits']}"
        return
    planned = {
        "wpa_state": "COMPLETED",
        "bssid": lan.gateway.interface(lan.access_point.interface).link_address,
        "ssid": lan.station.air.ssid,
        "freq": str(lan.station.air.frequency_mhz),
        "key_mgmt": "WPA2-EAP-SHA256",
        "pairwise_cipher": "CCMP",
        "group_cipher": "CCMP",
        "pmf": "2",
        "selectedMethod": "13 (EAP-TLS)",
    }
    yield from other_status(name, planned, said["status"])
    if said["beacon"] and not requires_protection(bytes.fromhex(said["beacon"])):
        yield f"{lan.gateway.name} does not require that management frames are protected, as its beacon says"


def requires_protection(elements: bytes) -> bool:
    """Tell whether the RSN element among `elements` of a beacon requires protected management frames."""
    while len(elements) > 1:
        kind, length = elements[0], elements[1]
        body, elements = elements[2 : 2 + length], elements[2 + length :]
        if kind == _RSN:
            return bool(_capabilities(body) & _REQUIRED)
    return False


def _capabilities(rsn: bytes) -> int:
    """Return the capabilities, which follow the group's suite and two lists of suites."""
    at = 2 + _SUITE
    for _ in range(2):
        at += 2 + _SUITE * int.from_bytes(rsn[at : at + 2], "little")
    return int.from_bytes(rsn[at : at + 2], "little")
