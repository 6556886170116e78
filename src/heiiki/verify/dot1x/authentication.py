"""Whether both ends of a wired LAN have let in each other alone, by daemons and kernels of both (live)."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from heiiki.design.dot1x import ABSENT, ControlledLan, lans
from heiiki.plan.model import Plan
from heiiki.render import agent
from heiiki.render.dot1x import REQUIREMENT
from heiiki.requirements import Stage, Verdict
from heiiki.requirements.verdict import Evidence
from heiiki.verify import both_ends, lan_daemons
from heiiki.verify.both_ends import Both
from heiiki.verify.fleet import Fleet, printed
from heiiki.verify.lan_daemons import Said, other_status
from heiiki.verify.verdicts import Keep

_FAMILIES = ("inet", "arp")
_PASSED = (
    "both ends have authenticated (EAP-TLS, {tls}), and the kernel of each lets in the other's link address "
    "alone; frames are not encrypted: what crosses, R-SEC-LAN/data says; whom each lets in, trials"
)


def verdicts(plan: Plan, fleet: Fleet, keep: Keep) -> Iterator[Verdict]:
    """Yield a verdict for each wired LAN with controlled ports; one that says so where there is none."""
    yield from ABSENT.verdicts(plan, Stage.LIVE)
    yield from both_ends.verdicts(lans(plan), REQUIREMENT, "dot1x", _questions, _verdict, fleet, keep)


def _questions(found: Sequence[ControlledLan]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    sets = {family: ["nft", "-j", "list", "set", family, "heiiki", "let_in"] for family in _FAMILIES}
    for lan in found:
        served = list(agent.command("dot1x", "authenticator", lan.authenticator.interface))
        joined = list(agent.command("dot1x", "supplicant", lan.supplicant.interface))
        guarded = list(agent.command("dot1x", "guarded"))
        certificate = list(agent.command("credentials", "summary"))
        yield lan.gateway.name, {"commands": {"end": served, "credentials": certificate, **sets}}
        yield lan.controller.name, {"commands": {"end": joined, "guard": guarded, **sets}}


def _verdict(lan: ControlledLan, both: Both, evidence: tuple[Evidence, ...]) -> Verdict:
    def wrong(served: Said, joined: Said) -> Iterator[str]:
        yield from _of_authenticator(lan, served)
        yield from _of_supplicant(lan, joined)
        yield from _of_kernels(lan, both)

    return lan_daemons.judged(lan, both, evidence, REQUIREMENT, "end", wrong, _PASSED)


def _of_authenticator(lan: ControlledLan, said: Said) -> Iterator[str]:
    name, own = lan.gateway.name, _controller_address(lan)
    if "waits" in said:
        yield f"{name}: {said['waits']}"
        return
    if said["runs"]["state"] != "ENABLED":
        yield f"{name} authenticates nobody: {said['runs']['state']}"
    # Any may begin to log in; one that is not let in reaches nothing.
    members = [one for one in said["supplicants"] if "[AUTHORIZED]" in one["flags"]]
    addresses = [one["address"] for one in members]
    if addresses != [own]:
        yield f"{name} has let in the supplicants {', '.join(addresses) or 'none'}, not {own} alone"
    planned = {"dot1xAuthSessionUserName": lan.supplicant.name, "last_eap_type_sta": "13 (TLS)"}
    for one in members:
        for key, value in planned.items():
            if one[key] != value:
                yield f"{name}: {key} of {one['address']} is {one[key]}, not {value}"


def _of_supplicant(lan: ControlledLan, said: Said) -> Iterator[str]:
    name = lan.controller.name
    if "waits" in said:
        yield f"{name}: {said['waits']}"
        return
    planned = {
        "wpa_state": "COMPLETED",
        "suppPortStatus": "Authorized",
        "key_mgmt": "IEEE 802.1X (no WPA)",
        "selectedMethod": "13 (EAP-TLS)",
        "address": _controller_address(lan),
    }
    yield from other_status(name, planned, said["status"])


def _of_kernels(lan: ControlledLan, both: Both) -> Iterator[str]:
    """Yield what a kernel lets in that is not the other end; what it does not ask for cannot be kept out."""
    gateway = lan.gateway.interface(lan.authenticator.interface).link_address
    for answer, other in zip(both, (_controller_address(lan), gateway), strict=True):
        for family in _FAMILIES:
            found = let_in(printed(answer, family))
            if found != [other]:
                yield f"{answer.device} lets in {', '.join(found) or 'nobody'} ({family}), not {other} alone"


def _controller_address(lan: ControlledLan) -> str | None:
    return lan.controller.interface(lan.supplicant.interface).link_address


def let_in(text: str) -> list[str]:
    """Return the link addresses of a set that ``nft -j list set`` printed."""
    (found,) = (one["set"] for one in json.loads(text)["nftables"] if "set" in one)
    return [one["elem"]["val"] if isinstance(one, dict) else one for one in found.get("elem", ())]
