"""R-SEC-LAN/data: on a wired LAN the data of the service is TLS from end to end, by capture (live).

While controllers poll and report as they always do, the ports of gateways and controllers are looked at:
every packet must be what the plan has there (`heiiki.verify.wired.planned`), and every payload that is to be
protected must be. Looked at are all octets of TCP connections, from record to record of TLS; no payload
leaves the device that sees it. What of the application was seen to cross is the positive.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from heiiki.plan.model import Plan
from heiiki.requirements import Result, Verdict
from heiiki.requirements.verdict import Evidence
from heiiki.verify.fleet import Answer, Fleet
from heiiki.verify.verdicts import Keep, judged, live, summarise, unknown
from heiiki.verify.wired.planned import APPLICATION, WiredLan, lans

REQUIREMENT = "R-SEC-LAN/data"
NONE = "wired site LANs"
"""Subject of the verdict on a service that has no wired LAN."""

_NOT_WIRED = "every site's LAN is on the air"
_POLLS, _LEAST_S = 2, 8.0
"""A capture lasts for so many polls of a VEN, and a little longer."""
_TIMEOUT_S = 60.0
_PASSED = (
    "in {seconds:g} s {tls} in records of TLS, from end to end; {rest} beside them carry no data of the "
    "service; frames are not encrypted: who is on the wire sees who speaks, when and how much"
)

View = Mapping[str, Any]


def subjects(plan: Plan) -> Iterator[str]:
    """Return the subjects: every wired LAN, or that there is none."""
    found = tuple(lan.subject for lan in lans(plan))
    return iter(found or ((NONE,) if plan.sites else ()))


def seconds(plan: Plan) -> float:
    """Return how long is looked, seconds: each VEN polls meanwhile."""
    return max(_LEAST_S, _POLLS * plan.timers.openadr_poll_s + 2.0)


def verdicts(plan: Plan, fleet: Fleet, keep: Keep) -> Iterator[Verdict]:
    """Yield a verdict for every wired LAN; one that says so where there is none."""
    found, lasts = tuple(lans(plan)), seconds(plan)
    if plan.sites and not found:
        yield live(REQUIREMENT, NONE, Result.NOT_APPLICABLE, _NOT_WIRED)
    asked = {
        end.device: {"seconds": lasts, "interfaces": {end.interface: list(lan.rules)}}
        for lan in found
        if lan.in_service
        for end in lan.ends
    }
    answers = fleet.ask("capture", asked, lasts + _TIMEOUT_S)
    for lan in found:
        if not lan.in_service:
            reason = "its controller is out of service"
            yield live(REQUIREMENT, lan.subject, Result.NOT_APPLICABLE, reason)
            continue
        own = {end.device: answers[end.device] for end in lan.ends}
        raw = {name: one.data or one.error for name, one in own.items()}
        evidence = (keep(f"lan/{lan.site}.json", json.dumps(raw, indent=1, default=dict).encode()),)
        yield judged(
            lan.subject,
            partial(_verdict, lan, own, lasts, evidence),
            partial(unknown, REQUIREMENT, lan.subject, evidence=evidence),
        )


def _verdict(
    lan: WiredLan, answers: Mapping[str, Answer], lasted: float, evidence: tuple[Evidence, ...]
) -> Verdict:
    silent = [one.error for one in answers.values() if one.error]
    views = {
        str(end): answers[end.device].data["interfaces"][end.interface]
        for end in lan.ends
        if not answers[end.device].error
    }
    if wrong := [said for end, view in views.items() for said in _unprotected(end, view)]:
        return live(REQUIREMENT, lan.subject, Result.FAIL, summarise(wrong), evidence)
    doubts = [*silent, *(said for end, view in views.items() for said in _doubts(end, view))]
    if not any(_crossed(view) for view in views.values()):
        doubts.append(f"no data of the service ({', '.join(APPLICATION)}) was seen to cross both ways")
    if doubts:
        return unknown(REQUIREMENT, lan.subject, summarise(doubts), evidence)
    reason = _PASSED.format(seconds=lasted, tls=_in_tls(views), rest=_without_data(views))
    return live(REQUIREMENT, lan.subject, Result.PASS, reason, evidence)


def _unprotected(end: str, view: View) -> Iterator[str]:
    if view["else"]:
        said = "; ".join(f"{count} {text}" for text, count in view["samples"][:2])
        yield f"{end}: {view['else']} packets that the plan does not have there, or not like this: {said}"


def _doubts(end: str, view: View) -> Iterator[str]:
    """Reasons why seeing nothing wrong proves nothing."""
    if view["dropped"]:
        yield f"{end}: {view['dropped']} packets went by unseen"
    yield from (f"{end}: {said}" for said in view["undecided"])


def _crossed(view: View) -> bool:
    """Tell whether records of the application were seen in both directions."""
    return any(all(view["records"].get(name, {}).get(side) for side in ("in", "out")) for name in APPLICATION)


def _in_tls(views: Mapping[str, View]) -> str:
    """Return the records of each service, at the end that saw the most of them."""
    most: Counter[str] = Counter()
    for view in views.values():
        most |= Counter({name: sum(sides.values()) for name, sides in view["records"].items()})
    return ", ".join(f"{count} of {name}" for name, count in most.most_common() if count)


def _without_data(views: Mapping[str, View]) -> str:
    classes = {name for view in views.values() for name in view["classes"] if name not in view["records"]}
    return ", ".join(sorted(classes)) or "no other packets"
