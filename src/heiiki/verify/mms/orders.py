"""R-EVENT/control, live: an order goes from DRAS to the resource and its result back, and three books agree.

What is ordered is the power that the resource has: it goes on as it is. The same order is given twice, and
the books of DRAS, of the controller and of the resource must have it once each. A battery is given a schedule
of that power before, of one second. Until something else is ordered the resource is under direct control
then, so this is done only where it is asked for. How long orders, and the events of them, took is judged
besides (R-DELAY/messages).
"""

import json
import secrets
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import Any

from heiiki.control import Desk, Entry, Schedule, SetPoint, Shown, controlled
from heiiki.design.volume import CONTROL, SCHEDULE
from heiiki.errors import HeiikiError
from heiiki.plan.model import Plan, SitePlan
from heiiki.render import mms
from heiiki.requirements import Result, Verdict
from heiiki.transport import Transport
from heiiki.verify.fleet import Answer, Fleet
from heiiki.verify.isolation.sample import Population
from heiiki.verify.mms import delays
from heiiki.verify.verdicts import Keep, judged, live, summarise, unknown

REQUIREMENT = mms.CONTROL
NAME = "control"
"""What it is asked for by, beside all faults or a sample of them."""
NOT_ASKED = "nothing was ordered: ask for the faults, or for `control` of them, to have an order given"
_VALID_S, _WAIT_S = 30.0, 45.0
POWER, _KW = "MMXU1.TotW", 1000
"""What a resource takes from the network, by the name of its data object."""
_BATTERY = ("battery", "direct")
SCHEDULED = "-schedule"
"""How the name of an order ends that is the schedule before it."""
_WORDS = {"set": "set point", "schedule": "schedule"}


def subject(site: str) -> str:
    """Subject of the verdict on one site."""
    return f"{site} under direct control"


def subjects(plan: Plan) -> Iterator[str]:
    """Yield the subjects of the verdicts: each site under direct control."""
    return map(subject, controlled(plan))


def not_tried(plan: Plan) -> Iterator[Verdict]:
    """Yield for each site that nothing was ordered."""
    yield from (unknown(REQUIREMENT, name, NOT_ASKED) for name in subjects(plan))
    yield from delays.not_ordered(plan, NOT_ASKED)


def drawn(plan: Plan, random: Random) -> Iterator[SitePlan]:
    """Yield the sites under direct control, or of a large service those that are drawn."""
    devices = controlled(plan)
    return (site for site in Population(plan).some_sites(random) if site.name in devices)


def verdicts(
    plan: Plan,
    fleet: Fleet,
    transport: Transport,
    keep: Keep,
    sites: Iterable[SitePlan],
    tell: Callable[[Mapping[str, "Ordered"]], None] = lambda _: None,
) -> Iterator[Verdict]:
    """Order something of some sites, and yield one verdict for each site; of the others it is unknown.

    Args:
        plan: the service.
        fleet: its devices.
        transport: reaches its DRAS.
        keep: where raw output goes.
        sites: those that were drawn.
        tell: is told what was ordered, by site.
    """
    devices = controlled(plan)
    if not devices:
        return
    tried = [site.name for site in sites]
    try:
        desk = Desk(plan, transport)
        found = _Run(desk, f"verify-{secrets.token_hex(6)}-", batteries(plan)).ordered(tried)
    except HeiikiError as error:
        yield from (unknown(REQUIREMENT, subject(site), str(error)) for site in devices)
        yield from delays.not_ordered(plan, str(error))
        return
    tell(found)
    asked = {
        devices[site]: {"commands": {"book": list(mms.book(one.order_id))}} for site, one in found.items()
    }
    answers = fleet.ask("read", asked)
    for site, device in devices.items():
        if site not in found:
            yield unknown(REQUIREMENT, subject(site), "not among those that were drawn")
            continue
        yield _verdict(site, found[site], answers[device], keep)
    given = {site: _given(one, answers[devices[site]]) for site, one in found.items() if one.entries}
    why = {site: one.problem for site, one in found.items() if one.problem}
    yield from delays.of_orders(plan, desk, given, why, keep)


@dataclass(frozen=True, slots=True)
class Ordered:
    """What DRAS says of an order to one site.

    Attributes:
        problem: why nothing was ordered, or nothing.
        entries: of the set point, each time it was given.
        schedule: of the schedule before it; none: there was none.
        after: how the resource was afterwards; None where nothing was ordered.
    """

    order_id: str
    problem: str
    entries: tuple[Entry, ...] = ()
    schedule: tuple[Entry, ...] = ()
    after: Shown | None = None


class _Run:
    """Orders of one verification."""

    def __init__(self, desk: Desk, prefix: str, batteries: Collection[str]) -> None:
        self._desk, self._prefix, self._batteries = desk, prefix, batteries

    def ordered(self, sites: list[str]) -> dict[str, Ordered]:
        return {shown.site: self._order(shown) for shown in self._desk.show(sites)}

    def _order(self, before: Shown) -> Ordered:
        name = f"{self._prefix}{before.site}"
        if before.problem:
            return Ordered(name, before.problem)
        power_kw = before.values[POWER][0] / _KW
        schedules = [schedule(f"{name}{SCHEDULED}", power_kw)] if before.site in self._batteries else []
        scheduled = tuple(entry for one in schedules for entry in self._give(one, before.site))
        order = SetPoint(name, power_kw)
        entries = (*self._give(order, before.site), *self._give(order, before.site))
        (after,) = self._desk.show([before.site])
        return Ordered(name, "", entries, scheduled, after)

    def _give(self, order: SetPoint | Schedule, site: str) -> tuple[Entry, ...]:
        return self._desk.order(order, [site], _VALID_S, _WAIT_S)


def batteries(plan: Plan) -> frozenset[str]:
    """Return the sites that have a battery under direct control, which alone are given schedules."""
    return frozenset(site.name for site in plan.sites if _BATTERY in site.resources)


def schedule(name: str, power_kw: float) -> Schedule:
    """Return a schedule of one power for one second, from now on."""
    return Schedule(name, f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}", 1, (power_kw,))


def _given(ordered: Ordered, answer: Answer) -> dict[str, delays.Given]:
    """Return when orders were on their way, by the books of DRAS and of the controller."""
    done = {} if answer.error else answer.data["commands"]["book"]
    book = json.loads(done["out"])["orders"] if done.get("rc") == 0 else []
    received = {one["order_id"]: datetime.fromisoformat(one["received"]) for one in book}
    first = {CONTROL: ordered.entries[:1], SCHEDULE: ordered.schedule[:1]}
    return {
        what: delays.Given(datetime.fromisoformat(entry.ordered), received.get(entry.order_id))
        for what, entries in first.items()
        for entry in entries
    }


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
    for entry in (*ordered.entries, *ordered.schedule):
        if entry.state != "done":
            yield f"the book of DRAS: {entry.state} ({entry.reason or 'no reason'})"
    answered = Counter(
        one["order_id"] for one in book["orders"] if one["answered"] is not None and one["cause"] is None
    )
    done = Counter(one["key"] for one in book["done"])
    for entry in {one.order_id: one for one in (*ordered.entries, *ordered.schedule)}.values():
        for whose, number in (("controller", answered), ("resource", done)):
            if number[entry.order_id] != 1:
                yield f"the {whose}'s book has the {_WORDS[entry.kind]} {number[entry.order_id]} times"
    if ordered.after is not None and ordered.after.set_point_kw[1] != ordered.order_id:
        said = ordered.after.problem or f"the last order is {ordered.after.set_point_kw[1] or 'none'}"
        yield f"read back: {said}"
