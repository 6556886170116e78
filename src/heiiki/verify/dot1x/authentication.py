"""Whether both ends of a wired LAN have let in each other alone, by daemons and kernels of both (live)."""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from heiiki.design.dot1x import ControlledLan, is_open, lans, not_there
from heiiki.plan.model import Plan
from heiiki.render import agent
from heiiki.render.dot1x import REQUIREMENT
from heiiki.requirements import Result, Stage, Verdict
from heiiki.requirements.verdict import Evidence
from heiiki.verify.fleet import Answer, Fleet, printed, told
from heiiki.verify.verdicts import Keep, judged, live, summarise, unknown

_TLS = ("TLSv1.2", "TLSv1.3")
_FAMILIES = ("inet", "arp")
_PASSED = (
    "both ends have authenticated (EAP-TLS, {tls}), and the kernel of each lets in the other's link address "
    "alone; frames are not encrypted: what crosses, R-SEC-LAN/data says; whom each lets in, trials"
)


def verdicts(plan: Plan, fleet: Fleet, keep: Keep) -> Iterator[Verdict]:
    """Yield a verdict for each wired LAN with controlled ports; one that says so where there is none."""
    found = tuple(lans(plan))
    if is_open(plan):
        yield not_there(Stage.LIVE)
    answers = fleet.ask("read", dict(_questions([lan for lan in found if lan.in_service])))
    for lan in found:
        if not lan.in_service:
            yield live(REQUIREMENT, lan.subject, Result.NOT_APPLICABLE, "an end of it is revoked")
            continue
        both = answers[lan.gateway.name], answers[lan.controller.name]
        evidence = tuple(keep(f"dot1x/{one.device}.json", one.raw) for one in both)
        yield judged(
            lan.subject,
            partial(_verdict, lan, both, evidence),
            partial(unknown, REQUIREMENT, lan.subject, evidence=evidence),
        )


def _questions(found: Sequence[ControlledLan]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    sets = {family: ["nft", "-j", "list", "set", family, "heiiki", "let_in"] for family in _FAMILIES}
    for lan in found:
        served = list(agent.command("dot1x", "authenticator", lan.authenticator.interface))
        joined = list(agent.command("dot1x", "supplicant", lan.supplicant.interface))
        guarded = list(agent.command("dot1x", "guarded"))
        certificate = list(agent.command("credentials", "summary"))
        yield lan.gateway.name, {"commands": {"end": served, "credentials": certificate, **sets}}
        yield lan.controller.name, {"commands": {"end": joined, "guard": guarded, **sets}}


def _verdict(lan: ControlledLan, both: tuple[Answer, Answer], evidence: tuple[Evidence, ...]) -> Verdict:
    gateway, controller = both
    asked = ((gateway, "end"), (gateway, "credentials"), (controller, "end"), (controller, "guard"))
    said = [told(dict[str, Any], answer, command) for answer, command in asked]
    if silent := [one for one in said if isinstance(one, str)]:
        return unknown(REQUIREMENT, lan.subject, summarise(silent), evidence)
    served, credentials, joined, guard = (one for one in said if not isinstance(one, str))
    wrong = [*_of_authenticator(lan, served), *_of_supplicant(lan, joined), *_of_kernels(lan, both)]
    serial = credentials["certificate"]["serial"] if credentials["certificate"] else None
    if guard["serial"] != serial:
        wrong.append(f"the guard of {lan.controller.name} has not seen the certificate of {lan.gateway.name}")
    if wrong:
        return live(REQUIREMENT, lan.subject, Result.FAIL, summarise(wrong), evidence)
    reason = _PASSED.format(tls=joined["status"]["eap_tls_version"])
    return live(REQUIREMENT, lan.subject, Result.PASS, reason, evidence)


def _of_authenticator(lan: ControlledLan, said: Mapping[str, Any]) -> Iterator[str]:
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


def _of_supplicant(lan: ControlledLan, said: Mapping[str, Any]) -> Iterator[str]:
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
    status = said["status"]
    for key, value in planned.items():
        if status.get(key) != value:
            yield f"{name}: {key} is {status.get(key)}, not {value}"
    if status.get("eap_tls_version") not in _TLS:
        yield f"{name}: EAP-TLS by {status.get('eap_tls_version')}"


def _of_kernels(lan: ControlledLan, both: tuple[Answer, Answer]) -> Iterator[str]:
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
