"""What the operator of a VTN does: orders events, changes and cancels them, and reads the book."""

import json
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta

from heiiki_agent import config
from heiiki_agent.errors import AgentError
from heiiki_agent.openadr.events import Event, EventStatus
from heiiki_agent.openadr.kept import packed, stored, unpacked
from heiiki_agent.openadr.vtn.context import Context
from heiiki_agent.openadr.vtn.orders import EventOrder, event, status

ANSWERS_KEPT = timedelta(days=7)
"""How long a VEN that was away may take to ask again and be told the same. Later its repetitions still count
once, by the keys of events, opts and reports."""

_AT_ONCE = 1000
"""Rows that are dropped in one transaction: VENs wait for it."""


class OrderError(AgentError):
    """An order that cannot be taken; nothing has changed."""


@dataclass(frozen=True, kw_only=True)
class VenState:
    """What one VEN does about the newest version of an event.

    Attributes:
        opt: `optIn`, `optOut`, or nothing while it has not answered; an oadrCreateOpt takes precedence.
        acknowledged: it has answered this version.
        code: response code of its answer.
    """

    ven_id: str
    opt: str
    acknowledged: bool
    code: str


@dataclass(frozen=True, kw_only=True)
class EventState:
    """An event and its VENs."""

    event_id: str
    modification: int
    status: EventStatus
    vens: tuple[VenState, ...]


class Operator:
    """Every change is committed when its method returns."""

    def __init__(self, context: Context) -> None:
        """Work on the state of `context`."""
        self._context = context
        self._database = context.database

    def order(self, order: EventOrder) -> None:
        """Send an event; the same order again does nothing.

        Raises:
            OrderError: the name is taken by another event, or a VEN or value is not known.
        """
        with self._database.transaction():
            self.place(order)

    def place(self, order: EventOrder) -> None:
        """Send an event within the transaction of who calls, where more is kept with it; else as `order`.

        Raises:
            OrderError: the name is taken by another event, or a VEN or value is not known.
        """
        self._check(order)
        if known := self._database.row(
            "SELECT body FROM event_version WHERE event_id = ? AND modification = 0", order.event_id
        ):
            if not _same(unpacked(known["body"]), order) or self._vens(order.event_id) != set(order.vens):
                raise OrderError(f"event {order.event_id} is there already; modify it, or give another name")
            return
        self._database.execute("INSERT INTO event VALUES (?, 0, NULL, 0)", order.event_id)
        self._version(order.event_id, _made(order, 0, self._context.now()))
        for ven_id in sorted(set(order.vens)):
            self._database.execute("INSERT INTO event_target VALUES (?, ?)", ven_id, order.event_id)

    def modify(self, order: EventOrder) -> int:
        """Send another version of an event to the same VENs; return its modificationNumber.

        Raises:
            OrderError: the event is not known, was cancelled, or has other VENs.
        """
        self._check(order)
        with self._database.transaction():
            newest = self._newest(order.event_id)
            if self._vens(order.event_id) != set(order.vens):
                raise OrderError(f"event {order.event_id}: the VENs cannot be changed; order another")
            if _same(newest, order):
                return newest.descriptor.modification
            if newest.descriptor.status == "cancelled":
                raise OrderError(f"event {order.event_id} was cancelled; order another")
            modification = newest.descriptor.modification + 1
            self._version(order.event_id, _made(order, modification, self._context.now()))
            return modification

    def cancel(self, event_id: str) -> None:
        """Cancel an event; a cancelled one stays so.

        Raises:
            OrderError: the event is not known.
        """
        with self._database.transaction():
            newest = self._newest(event_id)
            if newest.descriptor.status == "cancelled":
                return
            self._version(event_id, _cancelled(newest, self._context.now()))
            self._database.execute("UPDATE event SET cancelled = 1 WHERE event_id = ?", event_id)

    def show(self, event_id: str) -> EventState:
        """Return an event and what its VENs do.

        Raises:
            OrderError: the event is not known.
        """
        newest = self._newest(event_id)
        rows = self._database.rows(
            "SELECT target.ven_id, answer.opt, answer.code, (SELECT opt FROM opt WHERE opt.ven_id ="
            " target.ven_id AND opt.event_id = target.event_id AND opt.modification = ? AND NOT cancelled"
            " ORDER BY opt.rowid DESC LIMIT 1) AS changed FROM event_target AS target"
            " LEFT JOIN event_answer AS answer ON answer.ven_id = target.ven_id AND"
            " answer.event_id = target.event_id AND answer.modification = ?"
            " WHERE target.event_id = ? ORDER BY target.ven_id",
            newest.descriptor.modification,
            newest.descriptor.modification,
            event_id,
        )
        return EventState(
            event_id=event_id,
            modification=newest.descriptor.modification,
            status=status(newest, self._context.now()),
            vens=tuple(
                VenState(
                    ven_id=row["ven_id"],
                    opt=row["changed"] or row["opt"] or "",
                    acknowledged=row["opt"] is not None,
                    code=row["code"] or "",
                )
                for row in rows
            ),
        )

    def events(self) -> tuple[EventState, ...]:
        """Return every event, in the order of its name."""
        rows = self._database.rows("SELECT event_id FROM event ORDER BY event_id")
        return tuple(self.show(row["event_id"]) for row in rows)

    def registered(self) -> int:
        """Return how many VENs are registered."""
        return len(self._database.rows("SELECT 1 FROM ven"))

    def forget(self, older_than: timedelta) -> int:
        """Drop reports of before, and answers that are not asked for again, some of them at a time.

        Returns:
            How many rows went; 0: there are no more.
        """
        now = self._context.now()
        answers, reports = stored(now - min(older_than, ANSWERS_KEPT)), stored(now - older_than)
        with self._database.transaction():
            return sum(
                self._database.execute(
                    f"DELETE FROM {table} WHERE rowid IN"  # noqa: S608
                    f" (SELECT rowid FROM {table} WHERE received < ? LIMIT {_AT_ONCE})",
                    before,
                )
                for table, before in (("answer", answers), ("rest_answer", answers), ("report", reports))
            )

    def _check(self, order: EventOrder) -> None:
        unknown = sorted(set(order.vens) - set(self._context.identity.vens.values()))
        if unknown:
            raise OrderError(f"vens: {', '.join(unknown)}: not known to this VTN; see its configuration")

    def _vens(self, event_id: str) -> set[str]:
        rows = self._database.rows("SELECT ven_id FROM event_target WHERE event_id = ?", event_id)
        return {row["ven_id"] for row in rows}

    def _newest(self, event_id: str) -> Event:
        row = self._database.row(
            "SELECT body FROM event_version WHERE event_id = ? ORDER BY modification DESC LIMIT 1", event_id
        )
        if row is None:
            raise OrderError(f"event {event_id} is not known; list the events")
        return unpacked(row["body"])

    def _version(self, event_id: str, one: Event) -> None:
        modification, end = one.descriptor.modification, one.active.end
        self._database.execute(
            "INSERT INTO event_version VALUES (?, ?, ?, ?)",
            event_id,
            modification,
            packed(one),
            self._context.stamp(),
        )
        self._database.execute(
            "UPDATE event SET modification = ?, ends = ? WHERE event_id = ?",
            modification,
            stored(end) if end else None,
            event_id,
        )
        # Not committed yet: who reads the book at once waits its turn, which is after the commit.
        self._context.news()


def parse(text: str, where: str) -> EventOrder:
    """Read an order from JSON.

    Raises:
        AgentError: with every problem of it.
    """
    return config.parse(EventOrder, text, where)


def written(states: tuple[EventState, ...]) -> str:
    """Return states as JSON."""
    return json.dumps([asdict(state) for state in states])


def _made(order: EventOrder, modification: int, now: datetime) -> Event:
    try:
        one = event(order, modification, now)
        packed(one)
    except ValueError as error:
        raise OrderError(f"event {order.event_id}: {error}") from error
    return one


def _same(one: Event, order: EventOrder) -> bool:
    return _made(order, one.descriptor.modification, one.descriptor.created) == one


def _cancelled(one: Event, now: datetime) -> Event:
    descriptor = replace(
        one.descriptor, status="cancelled", modification=one.descriptor.modification + 1, modified=now
    )
    return replace(one, descriptor=descriptor)
