"""The way of an event through one site, from the order to the last confirmation, as the books have it."""

from collections.abc import Iterator
from datetime import datetime

from heiiki.report.faults import Step
from heiiki_agent.openadr.books import VenBook, VtnBook

RESOURCE = "resource"
_Noted = tuple[float, str, str, str]


def steps(site: str, host: str, ven_id: str, vtn: VtnBook, ven: VenBook) -> tuple[Step, ...]:
    """Return the steps of the last event that concerned a site, in the order of their times."""
    mine = [one for one in vtn.versions if ven_id in one.vens]
    if not mine:
        return ()
    event_id = max(mine, key=lambda one: one.created).event_id
    began = min(_seconds(one.created) for one in mine if one.event_id == event_id)
    found = (*_at_vtn(event_id, host, ven_id, vtn), *_at_ven(event_id, host, ven_id, vtn, ven))
    return tuple(
        Step(site, round(at - began, 3), source, target, what)
        for at, source, target, what in sorted(found, key=lambda one: one[0])
    )


def _at_vtn(event_id: str, host: str, ven_id: str, vtn: VtnBook) -> Iterator[_Noted]:
    for one in (one for one in vtn.versions if one.event_id == event_id):
        yield _seconds(one.created), host, host, "cancelled" if one.cancelled else "ordered"
    cancelled = _cancelled(event_id, vtn)
    for taken in (one for one in vtn.answers if (one.event_id, one.ven_id) == (event_id, ven_id)):
        what = "acknowledged" if taken.modification in cancelled else taken.opt
        yield _seconds(taken.received), ven_id, host, what


def _at_ven(event_id: str, host: str, ven_id: str, vtn: VtnBook, ven: VenBook) -> Iterator[_Noted]:
    cancelled = _cancelled(event_id, vtn)
    for answer in (one for one in ven.answers if one.event_id == event_id):
        what = "cancellation" if answer.modification in cancelled else "event"
        yield _seconds(answer.queued), host, ven_id, what
    for done in (one for one in ven.done if one.event_id == event_id):
        yield done.at, ven_id, RESOURCE, done.kind


def _cancelled(event_id: str, vtn: VtnBook) -> frozenset[int]:
    return frozenset(one.modification for one in vtn.versions if one.event_id == event_id and one.cancelled)


def _seconds(stamp: str) -> float:
    return datetime.fromisoformat(stamp).timestamp()
