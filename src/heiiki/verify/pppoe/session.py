"""Whether a site's session of PPPoE is up as planned, by what both ends say of it (live)."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from heiiki.design.pppoe import ABSENT, OpticalLine, lines
from heiiki.plan.model import Plan
from heiiki.render import agent
from heiiki.render.pppoe import REQUIREMENT
from heiiki.requirements import Result, Stage, Verdict
from heiiki.requirements.verdict import Evidence
from heiiki.verify import both_ends
from heiiki.verify.both_ends import Both
from heiiki.verify.fleet import Fleet, told
from heiiki.verify.verdicts import Keep, live, summarise, unknown


def verdicts(plan: Plan, fleet: Fleet, keep: Keep) -> Iterator[Verdict]:
    """Yield a verdict for each optical line; one that says so where there is none."""
    yield from ABSENT.verdicts(plan, Stage.LIVE)
    yield from both_ends.verdicts(lines(plan), REQUIREMENT, "pppoe", _questions, _verdict, fleet, keep)


def _questions(asked: Sequence[OpticalLine]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    wanted: dict[str, list[str]] = {}
    for line in asked:
        wanted.setdefault(line.router.name, []).append(line.session.interface)
        wanted.setdefault(line.pe.name, []).append(line.line.interface)
    for device, interfaces in wanted.items():
        yield device, {"commands": {"sessions": list(agent.command("pppoe", "status", *interfaces))}}


def _verdict(line: OpticalLine, both: Both, evidence: tuple[Evidence, ...]) -> Verdict:
    said = [told(dict[str, Any], answer, "sessions") for answer in both]
    if silent := [one for one in said if isinstance(one, str)]:
        return unknown(REQUIREMENT, line.subject, summarise(silent), evidence)
    at_site, at_pe = (one["sessions"] for one in said if not isinstance(one, str))
    wrong = [
        *_differs(line.router.name, line.session.interface, _at_site(line), at_site),
        *_differs(line.pe.name, line.line.interface, _at_pe(line), at_pe),
    ]
    if wrong:
        return live(REQUIREMENT, line.subject, Result.FAIL, summarise(wrong), evidence)
    reason = (
        f"a session stands with {line.session.address} as planned, {line.session.mtu} octets at both ends, "
        f"at the PE in VRF {line.line.vrf}; whom it refuses, trials say"
    )
    return live(REQUIREMENT, line.subject, Result.PASS, reason, evidence)


def _at_site(line: OpticalLine) -> dict[str, Any]:
    return _ends(line.session.address, line.session.peer, line.session.mtu, "")


def _at_pe(line: OpticalLine) -> dict[str, Any]:
    return _ends(line.line.address, line.line.peer, line.line.mtu, line.line.vrf)


def _ends(address: object, peer: object, mtu: int, vrf: str) -> dict[str, Any]:
    return {"address": str(address), "peer": str(peer), "mtu": mtu, "vrf": vrf, "kind": "ppp"}


def _differs(
    device: str, interface: str, planned: Mapping[str, Any], found: Mapping[str, Any]
) -> Iterator[str]:
    session = found[interface]
    if session is None:
        yield f"{device}: no session is up on {interface}"
        return
    for key, value in planned.items():
        if session[key] != value:
            yield f"{device}: {key} of {interface} is {session[key] or 'none'}, not {value or 'none'}"
