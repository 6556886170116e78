"""R-COST/messages, live: what one message of each data type takes of the line, against what the bill counts.

The gateway of a site's primary path sees what crosses its line (`heiiki.verify.tapped`); which message that
was say the books and the times of reports and orders, by which delays are judged too. A bill counts a message
as long as its table or its program has it, whichever is more, with an acknowledgement for each packet.
"""

import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from heiiki.control import Entry, Reported
from heiiki.design import cost
from heiiki.design.sessions import SIGNATURE
from heiiki.design.volume import (
    ALARM,
    CONTROL,
    MEASUREMENT,
    OPT,
    REQUEST,
    RESULT,
    RUNNING,
    SCHEDULE,
    Message,
    megabytes_of,
    volume,
)
from heiiki.plan.model import Plan, SitePlan
from heiiki.plan.timers import PROFILES
from heiiki.requirements import Result, Verdict
from heiiki.verify.messages import INDIRECT, Books, Kind
from heiiki.verify.tapped import Connection, Crossed, View, mtu
from heiiki.verify.verdicts import live, unknown
from heiiki_agent.mms import places
from heiiki_agent.openadr.books import VenBook, VtnBook

REQUIREMENT = "R-COST/messages"
_CLOCKS_S = 1.0
"""How far clocks of devices may be apart (R-SEC-ACCESS/time)."""
_NEAR_S = 0.2
"""The same for what comes so often that one could be taken for another."""
_ALERT = 24
"""What says goodbye, whole (RFC 8446 6.1)."""
_REPORTS = {MEASUREMENT: places.MEASUREMENT, RUNNING: places.SCHEDULE, ALARM: places.EVENT}
_REQUESTS = {CONTROL: 1, SCHEDULE: 2}
"""How many requests an order is: a schedule is written, and then operated."""
_BILLED = PROFILES["production"]
_UNSEEN = "not every packet of it was seen on the line"


@dataclass(frozen=True, slots=True)
class Sizes:
    """What messages of one kind took of the line at a site, octets each.

    Attributes:
        session: what the session of an order took besides; None where it has none, or that is not known.
    """

    octets: tuple[int, ...]
    session: int | None = None


Found = Mapping[str, Sizes | str]
"""By kind of message; a text: why that is not known."""


def of_events(books: Books, site: str, view: View) -> Found:
    """Return what an event, its answer and reports took, by the books of both ends.

    An event is the largest that came to a VEN between its order and its answer, which follows it.
    """
    own, vtn = books.vens.get(site, books.trial.problem), books.vtn
    if isinstance(own, str) or isinstance(vtn, str):
        return dict.fromkeys((REQUEST, OPT, RESULT), vtn if isinstance(vtn, str) else str(own))
    ven = books.trial.sites[site]
    request, opt = _asked_and_answered(ven, vtn, own, view)
    came = [
        _at(one.received)
        for one in vtn.reports
        if one.ven_id == ven and view.began <= _at(one.received) <= view.ended
    ]
    sent = [one for connection in view.openadr for one in connection.messages() if one.up]
    reports = [_largest(_within(sent, at - _CLOCKS_S, at + _CLOCKS_S)) for at in came]
    return {
        REQUEST: request,
        OPT: opt,
        RESULT: _sizes([one for one in reports if one]) if came else _none(view),
    }


def _asked_and_answered(ven: str, vtn: VtnBook, own: VenBook, view: View) -> tuple[Sizes | str, Sizes | str]:
    ordered = [_at(one.created) for one in vtn.versions if ven in one.vens and not one.modification]
    queued = [_at(one.queued) for one in own.answers if not one.modification]
    if not ordered or not queued:
        why = "the event was not answered"
        return why, why
    since, until = ordered[0] - _CLOCKS_S, queued[0] + _CLOCKS_S
    found: list[tuple[Crossed, Crossed | None]] = []
    for connection in view.openadr:
        every = connection.messages()
        found += zip(every, [*every, None][1:], strict=True)
    pairs = [(one, after) for one, after in found if not one.up and since <= one.ended <= until]
    if not pairs:
        return _none(view), _none(view)
    asked, answered = max(pairs, key=lambda pair: pair[0].data)
    return _sizes([asked]), _sizes([answered]) if answered else _none(view)


def of_reports(reported: Reported, view: View, whats: Iterable[str]) -> Found:
    """Return what reports took that a site sent while its line was looked at; each is a record of its own.

    Of those that came at one time a measurement is the shortest, and what is no measurement the longest.
    """
    every = [
        one
        for connection in view.mms
        for one in connection.messages(by_record=True)
        if one.up and one.whole and len(one.records) == 1
    ]
    found = {what: _of_report(reported, view, every, what) for what in whats}
    return {what: _sizes(those) if those else _none(view) for what, those in found.items()}


def _of_report(reported: Reported, view: View, every: Sequence[Crossed], what: str) -> list[Crossed]:
    measured = [_least(near) for near in _near(reported, view, every, MEASUREMENT)]
    if what == MEASUREMENT:
        return measured
    usual = statistics.mode([tuple(one.records) for one in measured]) if measured else ()
    others = (
        [one for one in near if tuple(one.records) != usual] for near in _near(reported, view, every, what)
    )
    return [max(those, key=lambda one: one.data) for those in others if those]


def _near(reported: Reported, view: View, every: Sequence[Crossed], what: str) -> Iterator[list[Crossed]]:
    """Yield for each report of a kind what crossed the line when it did; others may come at the same time."""
    for made, came in _times(reported, view, what):
        if near := _within(every, made - _NEAR_S, came + _NEAR_S):
            yield near


def _least(those: Sequence[Crossed]) -> Crossed:
    return min(those, key=lambda one: one.data)


def _times(reported: Reported, view: View, what: str) -> Iterator[tuple[float, float]]:
    for one in reported.arrivals.get(_REPORTS[what], ()):
        if view.began <= one.came.timestamp() <= view.ended:
            yield one.made.timestamp(), one.came.timestamp()


def of_order(entry: Entry, view: View, what: str) -> Sizes | str:
    """Return what an order took, and its session beside: the one that stood while the order was under way."""
    first, last = _at(entry.ordered), _at(entry.answered or entry.ordered)
    sessions = [one for one in view.mms if one.opened and one.closed and one.packets[0].at < last + _NEAR_S]
    meanwhile = [one for one in sessions if one.packets[-1].at > first - _NEAR_S]
    if not meanwhile:
        return f"no whole session was seen while it was ordered, in {view.ended - view.began:.0f} s"
    session = max(meanwhile, key=lambda one: _overlap(one, first, last))
    given = [one for one in session.messages() if not one.up and one.data > _ALERT][-_REQUESTS[what] :]
    found = [one.octets for one in given if one.whole]
    known = [one for one in found if one is not None]
    if len(known) < _REQUESTS[what]:
        return _UNSEEN
    whole = session.octets
    return Sizes((sum(known),), None if whole is None else whole - sum(known))


def _overlap(session: Connection, first: float, last: float) -> float:
    return min(session.packets[-1].at, last) - max(session.packets[0].at, first)


def _within(those: Iterable[Crossed], since: float, until: float) -> list[Crossed]:
    return [one for one in those if since <= one.ended and one.began <= until]


def _largest(those: Sequence[Crossed]) -> Crossed | None:
    return max(those, key=lambda one: one.data, default=None)


def _sizes(those: Sequence[Crossed]) -> Sizes | str:
    known = tuple(one.octets for one in those if one.whole and one.octets is not None)
    return Sizes(known) if known else _UNSEEN


def _none(view: View) -> str:
    return f"none was seen to cross the primary line in {view.ended - view.began:.0f} s"


def _at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def verdicts(
    plan: Plan,
    those: Iterable[Kind],
    views: Mapping[str, View | str],
    found: Callable[[Kind, View], Sizes | str],
) -> Iterator[Verdict]:
    """Yield a verdict for each of some kinds of messages.

    Args:
        plan: the service.
        those: which kinds.
        views: what the gateways of sites that were drawn saw, or why that is not known.
        found: says what one of the kinds took by what its gateway saw.
    """
    for kind in those:
        seen = views.get(kind.site.name, "not among the sites whose lines were looked at")
        if isinstance(seen, str):
            yield unknown(REQUIREMENT, kind.subject, seen)
            continue
        sizes = found(kind, seen)
        if isinstance(sizes, str):
            yield unknown(REQUIREMENT, kind.subject, sizes, seen.evidence)
            continue
        yield _verdict(plan, kind, sizes, seen)


def _verdict(plan: Plan, kind: Kind, sizes: Sizes, seen: View) -> Verdict:
    measured, most = statistics.median_low(sizes.octets), counted(plan, kind)
    result = Result.PASS if measured <= most else Result.FAIL
    how_many = f"the median of {len(sizes.octets)}" if len(sizes.octets) > 1 else "one"
    reason = (
        f"{how_many}, on the line with what acknowledges it; {kind.message.octets} octets by its table; "
        f"{_month(plan, kind, measured, most)}{_session(kind.message, sizes, most)}"
    )
    figure = (float(measured), float(most), "octets")
    return live(REQUIREMENT, kind.subject, result, reason, seen.evidence, figure=figure)


def counted(plan: Plan, kind: Kind) -> int:
    """Return the octets on the line that the bill counts for a message."""
    controller = plan.device(kind.site.controller)
    signed = kind.resource[1] == INDIRECT and controller.ven is not None and controller.ven.signed
    return kind.message.on_line(mtu(plan, kind.site), SIGNATURE if signed else 0)


def _month(plan: Plan, kind: Kind, measured: int, most: int) -> str:
    """Return what as many as its table allows are in a month, and the line with them."""
    here, message = kind.site, kind.message
    network = next(one for one in plan.networks if one.name == here.primary)
    like_that, by_bill = (megabytes_of(message, one) for one in (measured, most))
    paper = volume(plan, here, network.name, _BILLED, carries=True).total
    yen = cost.yen(network, paper - by_bill + like_that)
    return (
        f"a month of {message.a_month:,} like that is {like_that:,.3g} of {by_bill:,.3g} MB that count; "
        f"with it the line is {yen:,.0f} yen of {cost.yen(network, paper):,.0f}, timers {_BILLED.profile}"
    )


def _session(message: Message, sizes: Sizes, most: int) -> str:
    if sizes.session is None:
        return ""
    covered = message.a_month * most // (sizes.session + statistics.median_low(sizes.octets))
    return f"; its session takes {sizes.session:,} more, so what is counted is enough for {covered:,} orders"


def not_known(those: Iterable[Kind], why: str) -> Iterator[Verdict]:
    """Yield for each of some kinds why nothing is known of it."""
    return (unknown(REQUIREMENT, one.subject, why) for one in those)


def sites_with(those: Iterable[Kind]) -> dict[str, SitePlan]:
    """Return the sites of some kinds of messages, by name."""
    return {one.site.name: one.site for one in those}
