"""R-EVENT/control, live: an order goes from DRAS to the resource and its result back, and three books agree.

What is ordered is the power that the resource has: it goes on as it is. The same order is given twice, and
the books of DRAS, of the controller and of the resource must have it once each. Until something else is
ordered the resource is under direct control then, so this is done only where it is asked for.
"""

import json
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from heiiki.control import Desk, Entry, SetPoint, Shown, controlled
from heiiki.errors import HeiikiError
from heiiki.plan.model import Plan
from heiiki.render import mms
from heiiki.requirements import Result, Verdict
from heiiki.transport import Transport
from heiiki.verify.fleet import Answer, Fleet
from heiiki.verify.isolation.sample import Population
from heiiki.verify.verdicts import Keep, judged, live, summarise, unknown

REQUIREMENT = mms.CONTROL
NAME = "control"
"""What it is asked for by, beside all faults or a sample of them."""
NOT_ASKED = "nothing was ordered: ask for the faults, or for `control` of them, to have an order given"
_VALID_S, _WAIT_S = 30.0, 45.0
_POWER, _KW = "MMXU1.TotW", 1000


def subject(site: str) -> str:
    """Subject of the verdict on one site."""
    return f"{site} under direct control"


def subjects(plan: Plan) -> Iterator[str]:
    """Yield the subjects of the verdicts: each site under direct control."""
    return map(subject, controlled(plan))


def not_tried(plan: Plan) -> Iterator[Verdict]:
    """Yield for each site that nothing was ordered."""
    return (unknown(REQUIREMENT, name, NOT_ASKED) for name in subjects(plan))


def verdicts(plan: Plan, fleet: Fleet, transport: Transport, keep: Keep, random: Random) -> Iterator[Verdict]:
    """Yield one verdict for each site; of a large service some are tried, and the others are unknown."""
    devices = controlled(plan)
    if not devices:
        return
    drawn = {site.name for site in Population(plan).some_sites(random)}
    tried = [site for site in devices if site in drawn]
    try:
        found = _Run(Desk(plan, transport), f"verify-{secrets.token_hex(6)}-").ordered(tried)
    except HeiikiError as error:
        yield from (unknown(REQUIREMENT, subject(site), str(error)) for site in devices)
        return
    asked = {
        devices[site]: {"commands": {"book": list(mms.book(one.order_id))}} for site, one in found.items()
    }
    answers = fleet.ask("read", asked)
    for site, device in devices.items():
        if site not in found:
            yield unknown(REQUIREMENT, subject(site), "not among those that were drawn")
            continue
        yield _verdict(site, found[site], answers[device], keep)


@dataclass(frozen=True, slots=True)
class Ordered:
    """What DRAS says of an order to one site.

    Attributes:
        problem: why nothing was ordered, or nothing.
        entries: of the order, each time it was given.
        after: how the resource was afterwards; None where nothing was ordered.
    """

    order_id: str
    problem: str
    entries: tuple[Entry, ...] = ()
    after: Shown | None = None


class _Run:
    """Orders of one verification."""

    def __init__(self, desk: Desk, prefix: str) -> None:
        self._desk, self._prefix = desk, prefix

    def ordered(self, sites: list[str]) -> dict[str, Ordered]:
        return {shown.site: self._order(shown) for shown in self._desk.show(sites)}

    def _order(self, before: Shown) -> Ordered:
        name = f"{self._prefix}{before.site}"
        if before.problem:
            return Ordered(name, before.problem)
        order, where = SetPoint(name, before.values[_POWER][0] / _KW), [before.site]
        entries = [one for _ in range(2) for one in self._desk.order(order, where, _VALID_S, _WAIT_S)]
        (after,) = self._desk.show(where)
        return Ordered(name, "", tuple(entries), after)


def _verdict(site: str, ordered: Ordered, answer: Answer, keep: Keep) -> Verdict:
    evidence = (keep(f"mms/book-{answer.device}.json", answer.raw),)
    what = subject(site)

    def otherwise(reason: str) -> Verdict:
        return unknown(REQUIREMENT, what, reason, evidence)

    def judge() -> Verdict:
        if ordered.problem or answer.error:
            return live(REQUIREMENT, what, Result.FAIL, ordered.problem or answer.error, evidence)
        done = answer.data["commands"]["book"]
        if done["rc"] != 0:
            return otherwise(f"{answer.device}: {done['err'].strip()}")
        book = json.loads(done["out"])
        if book["problem"]:
            return otherwise(f"{answer.device}: {book['problem']}")
        if wrong := list(_wrong(ordered, book)):
            return live(REQUIREMENT, what, Result.FAIL, summarise(wrong), evidence)
        reason = "given twice, done once: DRAS, controller and resource have it so, and it is read back"
        return live(REQUIREMENT, what, Result.PASS, reason, evidence)

    return judged(answer.device, judge, otherwise)


def _wrong(ordered: Ordered, book: Mapping[str, Any]) -> Iterator[str]:
    """Yield what the books have too little or too much of an order."""
    for entry in ordered.entries:
        if entry.state != "done":
            yield f"the book of DRAS: {entry.state} ({entry.reason or 'no reason'})"
    answered = [one for one in book["orders"] if one["answered"] is not None and one["cause"] is None]
    if len(answered) != 1:
        yield f"the controller's book has it {len(answered)} times"
    if len(book["done"]) != 1:
        yield f"the resource's book has it {len(book['done'])} times"
    if ordered.after is not None and ordered.after.set_point_kw[1] != ordered.order_id:
        said = ordered.after.problem or f"the last order is {ordered.after.set_point_kw[1] or 'none'}"
        yield f"read back: {said}"
