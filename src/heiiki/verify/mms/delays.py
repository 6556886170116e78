"""R-DELAY/messages, live, of direct control (TR-1072 tables 5.6 and 5.8): each kind against its own bound.

Measurements and the running schedule are reports that every site sends by itself, so they are read from what
came lately. What an order causes is measured where one is given (`heiiki.verify.mms.orders`): the order's way
to the controller, and the event that says what was ordered last. Each time is by the clocks of its two ends,
which R-SEC-ACCESS/time holds together; a report that came before it was made says that they are apart.
"""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from random import Random

from heiiki.control import Arrival, Desk, Reported, controlled
from heiiki.design.volume import ALARM, CONTROL, MEASUREMENT, RUNNING, SCHEDULE
from heiiki.errors import HeiikiError
from heiiki.plan.model import Plan
from heiiki.report.samples import REQUIREMENT
from heiiki.requirements import Verdict
from heiiki.requirements.verdict import Evidence
from heiiki.transport import Transport
from heiiki.verify.isolation.sample import Population
from heiiki.verify.messages import DIRECT, Kind, Took, judged, kinds, longest
from heiiki.verify.verdicts import Keep, unknown
from heiiki_agent.mms import places

NOT_DRAWN = "not among the sites that were drawn"
_BY_THEMSELVES = {MEASUREMENT: places.MEASUREMENT, RUNNING: places.SCHEDULE}
"""Kinds that are sent whatever happens, and the reports that they come in."""
_BY_ORDERS = (ALARM, CONTROL, SCHEDULE)
_OFTEN_S = 10
"""What comes more often is judged by all that came while nothing else was done to the network."""
_FEWEST = 2
_AGAIN_S = 0.5
_REPORTED = "from the report's making to its coming to DRAS"
_ORDERED = "from its commit at DRAS to that at the controller"


def reported(
    plan: Plan, transport: Transport, keep: Keep, since: datetime, random: Random
) -> Iterator[Verdict]:
    """Yield a verdict for each kind that sites send by themselves.

    Args:
        plan: the service.
        transport: reaches its devices.
        keep: where raw output goes.
        since: what comes each second is judged from then on.
        random: by which the sites of a large service are drawn.
    """
    mine = [one for one in kinds(plan, DIRECT) if one.message.what in _BY_THEMSELVES]
    if not mine:
        return
    drawn = {site.name for site in Population(plan).some_sites(random)}
    asked = [site for site in controlled(plan) if site in drawn]
    try:
        found = {one.site: one for one in Desk(plan, transport).reports(asked)}
    except HeiikiError as error:
        yield from (unknown(REQUIREMENT, one.subject, str(error)) for one in mine)
        return
    now = datetime.now(UTC)
    evidence = {site: _kept(keep, one) for site, one in found.items()}
    took = [
        (kind, _by_itself(kind, found[kind.site.name], since, now) if kind.site.name in found else NOT_DRAWN)
        for kind in mine
    ]
    yield from judged(took, keep, evidence, _REPORTED)


def _kept(keep: Keep, reported: Reported) -> tuple[Evidence, ...]:
    text = json.dumps(asdict(reported), default=str)
    return (keep(f"messages/reports-{reported.site}.json", text.encode()),)


def _by_itself(kind: Kind, found: Reported, since: datetime, now: datetime) -> Took | str:
    """Return the longest that such a report took; of one that is overdue, for how long."""
    name = _BY_THEMSELVES[kind.message.what]
    arrivals, every_s = found.arrivals.get(name, ()), found.every_s.get(name, 0)
    if not arrivals:
        return found.problem or f"no {name} has been reported"
    often = every_s <= _OFTEN_S
    lately = [one for one in arrivals if one.came >= since] if often else arrivals[-1:]
    seconds, earlier = _seconds(lately), _seconds(arrivals[: len(arrivals) - len(lately)])
    overdue_s = (now - arrivals[-1].made).total_seconds() - every_s
    if overdue_s > kind.message.within_s:
        return _overdue(overdue_s, seconds, earlier)
    if often and len(lately) < _FEWEST:
        waited_s = (now - since).total_seconds()
        return f"{len(lately)} came in {waited_s:.0f} s: too few to judge by"
    return longest(seconds, earlier)


def _overdue(overdue_s: float, seconds: Sequence[float], earlier: Sequence[float]) -> Took:
    """Return for how long a report is overdue, beside what those before it took where that is known."""
    known = longest((*seconds, *earlier))
    if isinstance(known, str):
        return Took(overdue_s, arrived=False)
    return Took(overdue_s, arrived=False, samples=tuple(seconds), earlier=tuple(earlier))


def _seconds(arrivals: Sequence[Arrival]) -> list[float]:
    return [(one.came - one.made).total_seconds() for one in arrivals]


@dataclass(frozen=True, slots=True)
class Given:
    """When an order to one site was on its way.

    Attributes:
        ordered: when DRAS committed it.
        received: when the controller did; None where it has not.
    """

    ordered: datetime
    received: datetime | None

    def took(self, now: datetime) -> Took | str:
        """Return how long it took."""
        if self.received is None:
            return Took((now - self.ordered).total_seconds(), arrived=False)
        return longest([(self.received - self.ordered).total_seconds()])


Orders = Mapping[str, Mapping[str, Given]]
"""By site and by kind, `CONTROL` or `SCHEDULE`."""


def not_ordered(plan: Plan, why: str) -> Iterator[Verdict]:
    """Yield for each kind that follows from orders that none was given."""
    mine = (one for one in kinds(plan, DIRECT) if one.message.what in _BY_ORDERS)
    return (unknown(REQUIREMENT, one.subject, why) for one in mine)


def of_orders(plan: Plan, desk: Desk, given: Orders, why: Mapping[str, str], keep: Keep) -> Iterator[Verdict]:
    """Yield a verdict for each kind that follows from orders.

    Args:
        plan: the service.
        desk: of its DRAS.
        given: what was ordered.
        why: of a site to which nothing was ordered, the reason.
        keep: where the delays go.
    """
    events = {site: _event(plan, desk, site, orders[CONTROL]) for site, orders in given.items()}
    now = datetime.now(UTC)

    def took(kind: Kind) -> Took | str:
        site, what = kind.site.name, kind.message.what
        if site not in given:
            return why.get(site, NOT_DRAWN)
        return events[site] if what == ALARM else given[site][what].took(now)

    for how, whats in ((_REPORTED, {ALARM}), (_ORDERED, {CONTROL, SCHEDULE})):
        mine = [one for one in kinds(plan, DIRECT) if one.message.what in whats]
        yield from judged([(one, took(one)) for one in mine], keep, {}, how)


def _event(plan: Plan, desk: Desk, site: str, order: Given) -> Took | str:
    """Wait for the event that an order caused as long as it may take, and return how long it did."""
    within_s = max(
        one.message.within_s
        for one in kinds(plan, DIRECT)
        if one.site.name == site and one.message.what == ALARM
    )
    until = time.monotonic() + within_s
    while True:
        try:
            (found,) = desk.reports([site])
        except HeiikiError as error:
            return str(error)
        came = [one for one in found.arrivals.get(places.EVENT, ()) if one.made >= order.ordered]
        if came:
            return longest(_seconds(came))
        if time.monotonic() > until:
            return found.problem or Took((datetime.now(UTC) - order.ordered).total_seconds(), arrived=False)
        time.sleep(_AGAIN_S)
