"""What is judged of the tables' messages, each data type by itself: how long it takes, and how large it is.

A test event and orders are given, and sites report by themselves, while the gateways of their primary paths
look at their lines (`heiiki.verify.tapped`). So one look is at both: R-DELAY/messages and R-COST/messages.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from random import Random

from heiiki import vtn_hosts
from heiiki.control import Desk, Reported, controlled
from heiiki.design.sessions import REPORT_EVERY_S
from heiiki.design.volume import ALARM, CONTROL, MEASUREMENT, RUNNING, SCHEDULE
from heiiki.errors import HeiikiError
from heiiki.plan.model import Plan
from heiiki.render import openadr
from heiiki.requirements import Verdict
from heiiki.transport import Transport
from heiiki.verify import messages, octets
from heiiki.verify.fleet import Fleet, told
from heiiki.verify.isolation.sample import Population
from heiiki.verify.messages import DIRECT, INDIRECT, Kind, kinds
from heiiki.verify.mms import orders
from heiiki.verify.mms.orders import Ordered
from heiiki.verify.octets import Sizes
from heiiki.verify.tapped import View, watching
from heiiki.verify.verdicts import Keep
from heiiki_agent.openadr.books import VtnBook

ORDERED_S = 15.0
"""For so long is looked while orders are given."""
_MARGIN_S = 3.0
_LATELY = timedelta(seconds=2 * REPORT_EVERY_S)
_BY_THEMSELVES, _BY_ORDERS = (MEASUREMENT, RUNNING), (ALARM, CONTROL, SCHEDULE)


def verdicts(plan: Plan, fleet: Fleet, transport: Transport, keep: Keep, random: Random) -> Iterator[Verdict]:
    """Send a test event, ask for a report of each kind, and judge what crossed the lines meanwhile."""
    drawn = tuple(Population(plan).some_sites(random))
    with watching(plan, fleet, drawn, _seconds(plan, fleet, transport)) as watch:
        trial = messages.tried(plan, transport)
        asked = _reported(plan, transport, [site.name for site in drawn], now=True)
        views = watch.views(keep, "messages")
    later = _reported(plan, transport, [site.name for site in drawn])
    books = messages.read(fleet, trial, keep)
    yield from messages.verdicts(plan, books, keep)

    def of_event(kind: Kind, view: View) -> Sizes | str:
        controller = plan.device(kind.site.controller)
        if controller.ven is not None and controller.ven.xmpp is not None:
            return "it is sent by XMPP, where messages are not told apart"
        return octets.of_events(books, kind.site.name, view)[kind.message.what]

    yield from octets.verdicts(plan, kinds(plan, INDIRECT), views, of_event)
    yield from _of_reports(plan, _BY_THEMSELVES, views, _joined(asked, later))


def _seconds(plan: Plan, fleet: Fleet, transport: Transport) -> float:
    """Return for how long is looked: until the next report of each VEN, by when it sent the last one.

    It leaves with a poll. Where that is not known, it is as long as it takes from one report to the next.
    """
    poll_s, now = plan.timers.openadr_poll_s, datetime.now(UTC)
    most, least = REPORT_EVERY_S + poll_s + _MARGIN_S, 2 * poll_s + _MARGIN_S
    vens = messages.vens(plan).values()
    if not vens:
        return least
    try:
        host = vtn_hosts.writer(plan, transport).name
    except HeiikiError:
        return least
    asked = {
        "commands": {"book": [*openadr.book("vtn", "verify-", f"{now - _LATELY:%Y-%m-%dT%H:%M:%S.%fZ}")]}
    }
    book = told(VtnBook, fleet.ask("read", {host: asked})[host], "book")
    if isinstance(book, str):
        return most
    last = {one.ven_id: datetime.fromisoformat(one.created) for one in book.reports}
    ago_s = [(now - last[ven]).total_seconds() if ven in last else 0.0 for ven in vens]
    return min(most, max(least, most - min(ago_s)))


Reports = Mapping[str, Reported] | str
"""When reports were made and came, by site; or why that is not known."""


def _reported(plan: Plan, transport: Transport, sites: Sequence[str], *, now: bool = False) -> Reports:
    """Return what sites have reported by themselves; `now`: have them report, and return that alone."""
    those = [site for site in sites if site in controlled(plan)]
    try:
        desk = Desk(plan, transport)
        return {one.site: one for one in (desk.interrogate(those) if now else desk.reports(those))}
    except HeiikiError as error:
        return str(error)


def _joined(asked: Reports, later: Reports) -> Reports:
    """Return what was asked for beside what came by itself."""
    if isinstance(asked, str) or isinstance(later, str):
        return asked if isinstance(asked, str) else later
    return {site: _both(asked[site], one) for site, one in later.items()}


def _both(asked: Reported, later: Reported) -> Reported:
    arrivals = {name: (*those, *asked.arrivals.get(name, ())) for name, those in later.arrivals.items()}
    return replace(later, problem=asked.problem or later.problem, arrivals=arrivals)


def _of_reports(
    plan: Plan,
    whats: Sequence[str],
    views: Mapping[str, View | str],
    reports: Reports,
) -> Iterator[Verdict]:
    def found(kind: Kind, view: View) -> Sizes | str:
        if isinstance(reports, str):
            return reports
        own = reports.get(kind.site.name)
        if own is None:
            return "it was not asked"
        sizes = octets.of_reports(own, view, [kind.message.what])[kind.message.what]
        return own.problem or sizes if isinstance(sizes, str) else sizes

    return octets.verdicts(plan, _of(plan, whats), views, found)


def not_ordered(plan: Plan) -> Iterator[Verdict]:
    """Yield that nothing was ordered."""
    yield from orders.not_tried(plan)
    yield from octets.not_known(_of(plan, _BY_ORDERS), orders.NOT_ASKED)


def ordered(plan: Plan, fleet: Fleet, transport: Transport, keep: Keep, random: Random) -> Iterator[Verdict]:
    """Give orders, and judge these, the events of them, and what crossed the lines meanwhile."""
    given: dict[str, Ordered] = {}
    drawn = tuple(orders.drawn(plan, random))
    with watching(plan, fleet, drawn, ORDERED_S) as watch:
        found = [*orders.verdicts(plan, fleet, transport, keep, drawn, given.update)]
        views = watch.views(keep, "orders")
    yield from found
    reports = _reported(plan, transport, list(given)) if given else "nothing was ordered"
    yield from octets.verdicts(plan, _of(plan, (CONTROL, SCHEDULE)), views, partial(_order, given))
    yield from _of_reports(plan, (ALARM,), views, reports)


def _of(plan: Plan, whats: Sequence[str]) -> Iterator[Kind]:
    return (one for one in kinds(plan, DIRECT) if one.message.what in whats)


def _order(given: Mapping[str, Ordered], kind: Kind, view: View) -> Sizes | str:
    own = given.get(kind.site.name)
    if own is None or own.problem:
        return own.problem if own else "nothing was ordered"
    entries = own.entries if kind.message.what == CONTROL else own.schedule
    return octets.of_order(entries[0], view, kind.message.what) if entries else "nothing was ordered"
