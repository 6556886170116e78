"""What an ESP sees and changes of a VTN's book: its own events, and the sites that it may address.

What belongs to another is as what does not exist, in words too: no answer tells one from the other.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus

from heiiki_agent.database import Row
from heiiki_agent.openadr.codec import decode
from heiiki_agent.openadr.events import is_test
from heiiki_agent.openadr.kept import new_id, unpacked
from heiiki_agent.openadr.messages import UpdateReport
from heiiki_agent.openadr.reports import PayloadFloat, Report
from heiiki_agent.openadr.rest import documents as d
from heiiki_agent.openadr.rest.problems import RefusedError
from heiiki_agent.openadr.values import format_date_time, format_duration, parse_date_time, parse_duration
from heiiki_agent.openadr.vtn.context import Context
from heiiki_agent.openadr.vtn.operator import Operator, OrderError
from heiiki_agent.openadr.vtn.orders import EventOrder

BEHIND, AHEAD, LONGEST = timedelta(hours=1), timedelta(days=366), timedelta(days=7)
"""How late an event may begin that is sent now, how early it may be sent, and how long it may last."""

_EVENTS = "SELECT event_id AS name FROM rest_event WHERE esp = ? AND number > ? ORDER BY number LIMIT ?"
_OPTS = """
SELECT rowid AS number, opt.* FROM opt WHERE ven_id = ? AND rowid > ?
    AND (event_id IS NULL OR event_id IN (SELECT event_id FROM rest_event WHERE esp = ?))
ORDER BY rowid LIMIT ?
"""
_REPORTS = "SELECT * FROM report WHERE ven_id = ? AND number > ? ORDER BY number LIMIT ?"
_LIVE = """
SELECT count(*) AS live FROM rest_event JOIN event USING (event_id)
WHERE esp = ? AND NOT cancelled AND (ends IS NULL OR ends > ?)
"""


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list is asked for: so many items after the one that is named; first: the beginning."""

    after: str = ""
    limit: int = 100


class EspBook:
    """The book of a VTN as one ESP may see it. Every change is committed when its method returns."""

    def __init__(self, context: Context, esp: str, vens: Mapping[str, str], live_events: int) -> None:
        """Work on `context` for `esp`, who may address the sites of `vens` and have so many live events."""
        self._context, self._database, self._operator = context, context.database, Operator(context)
        self._esp, self._vens, self._most = esp, vens, live_events
        self._sites = {ven: site for site, ven in vens.items()}

    def sites(self) -> d.Sites:
        """Return every site that it may address."""
        known = {row["ven_id"] for row in self._database.rows("SELECT ven_id FROM ven")}
        return d.Sites(
            items=tuple(d.SiteState(site=site, registered=ven in known) for site, ven in self._vens.items())
        )

    def send(self, order: d.NewEvent, key: str, written: Callable[[d.EventState], bytes]) -> bytes:
        """Send an event and return the answer, which is kept with it: the same key gets the same bytes again.

        Raises:
            RefusedError: the key was used for another event, a site is not its own, or a value is none.
        """
        told = hashlib.sha256(repr(order).encode()).hexdigest()
        with self._database.transaction():
            if (answered := self._answered(key, told)) is not None:
                return answered
            event_id = new_id()
            self._place(event_id, order)
            body = written(self.event(event_id))
            self._database.execute(
                "INSERT INTO rest_answer VALUES (?, ?, ?, ?, ?)",
                self._esp,
                key,
                told,
                body,
                self._context.stamp(),
            )
            return body

    def cancel(self, event_id: str) -> d.EventState:
        """Cancel an event; a cancelled one stays so."""
        self._owned(event_id)
        self._operator.cancel(event_id)
        return self.event(event_id)

    def event(self, event_id: str) -> d.EventState:
        """Return an event and what its sites answer."""
        self._owned(event_id)
        row = self._database.row(
            "SELECT body FROM event_version WHERE event_id = ? ORDER BY modification DESC LIMIT 1", event_id
        )
        assert row  # noqa: S101  # it is written with its owner
        state, kept = self._operator.show(event_id), unpacked(row["body"])
        return d.EventState(
            event_id=event_id,
            version=state.modification,
            status=state.status,
            start=format_date_time(kept.active.start),
            duration=format_duration(kept.active.duration),
            test=is_test(kept),
            sites=tuple(
                d.SiteAnswer(site=self._sites[one.ven_id], opt=one.opt or None, acknowledged=one.acknowledged)
                for one in state.vens
                # A site that was taken from it since is as any that it may not address.
                if one.ven_id in self._sites
            ),
        )

    def events(self, page: Page) -> d.Events:
        """Return a page of its events."""
        after = self._number(
            page, "SELECT number FROM rest_event WHERE esp = ? AND event_id = ?", self._esp, page.after
        )
        rows, more = _paged(self._database.rows(_EVENTS, self._esp, after, page.limit + 1), page)
        return d.Events(items=tuple(self.event(row["name"]) for row in rows), more=more)

    def opts(self, site: str, page: Page) -> d.Opts:
        """Return a page of a site's opts: those about its own events, and those about none."""
        ven = self._ven(site, "site")
        after = self._number(
            page, "SELECT rowid AS number FROM opt WHERE ven_id = ? AND opt_id = ?", ven, page.after
        )
        rows, more = _paged(self._database.rows(_OPTS, ven, after, self._esp, page.limit + 1), page)
        return d.Opts(items=tuple(_opt(row) for row in rows), more=more)

    def reports(self, site: str, page: Page) -> d.Reports:
        """Return a page of a site's reports."""
        ven = self._ven(site, "site")
        after = self._number(
            page, "SELECT number FROM report WHERE ven_id = ? AND digest = ?", ven, page.after
        )
        rows, more = _paged(self._database.rows(_REPORTS, ven, after, page.limit + 1), page)
        return d.Reports(items=tuple(_report(row) for row in rows), more=more)

    def _answered(self, key: str, told: str) -> bytes | None:
        row = self._database.row(
            "SELECT digest, body FROM rest_answer WHERE esp = ? AND key = ?", self._esp, key
        )
        if row and row["digest"] != told:
            raise RefusedError(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                "Idempotency-Key: was used for another event; give each event a key of its own",
            )
        return bytes(row["body"]) if row else None

    def _place(self, event_id: str, order: d.NewEvent) -> None:
        self._check_times(order)
        vens = tuple(self._ven(site, f"sites[{number}]") for number, site in enumerate(order.sites))
        live = self._database.row(_LIVE, self._esp, self._context.stamp())
        if live and live["live"] >= self._most:
            raise RefusedError(
                HTTPStatus.CONFLICT,
                f"{self._most} events are live, which is the most; cancel one, or wait until one has ended",
            )
        try:
            self._operator.place(
                EventOrder(
                    event_id=event_id,
                    vens=vens,
                    start=order.start,
                    duration=order.duration,
                    signals=order.signals,
                    priority=order.priority,
                    ramp_up=order.ramp_up,
                    test=order.test,
                )
            )
        except OrderError as error:
            raise RefusedError(
                HTTPStatus.BAD_REQUEST, str(error).removeprefix(f"event {event_id}: ")
            ) from error
        self._database.execute("INSERT INTO rest_event (esp, event_id) VALUES (?, ?)", self._esp, event_id)

    def _check_times(self, order: d.NewEvent) -> None:
        now, start = self._context.now(), parse_date_time(order.start)
        if not now - BEHIND <= start <= now + AHEAD:
            raise RefusedError(
                HTTPStatus.BAD_REQUEST,
                f"start: {order.start} is not between {_moment(now - BEHIND)} and {_moment(now + AHEAD)}",
            )
        for name, length in (("duration", order.duration), ("ramp_up", order.ramp_up)):
            if not timedelta(0) <= parse_duration(length) <= LONGEST:
                raise RefusedError(
                    HTTPStatus.BAD_REQUEST,
                    f"{name}: {length} is not between PT0S and {format_duration(LONGEST)}",
                )

    def _ven(self, site: str, where: str) -> str:
        if site not in self._vens:
            raise RefusedError(
                HTTPStatus.FORBIDDEN,
                f"{where}: {site}: {self._esp} may not address it; it may address {', '.join(self._vens)}",
            )
        return self._vens[site]

    def _owned(self, event_id: str) -> None:
        if not self._database.row(
            "SELECT 1 FROM rest_event WHERE esp = ? AND event_id = ?", self._esp, event_id
        ):
            raise RefusedError(
                HTTPStatus.NOT_FOUND, f"event_id: {event_id}: {self._esp} has no such event; list the events"
            )

    def _number(self, page: Page, statement: str, *values: str) -> int:
        if not page.after:
            return 0
        if (row := self._database.row(statement, *values)) is None:
            raise RefusedError(
                HTTPStatus.BAD_REQUEST, f"after: {page.after} is not in this list; begin without it"
            )
        return int(row["number"])


def _paged(rows: Sequence[Row], page: Page) -> tuple[Sequence[Row], bool]:
    return rows[: page.limit], len(rows) > page.limit


def _moment(at: datetime) -> str:
    return format_date_time(at.replace(microsecond=0))


def _opt(row: Row) -> d.OptState:
    return d.OptState(
        opt_id=row["opt_id"],
        opt=row["opt"],
        event_id=row["event_id"],
        received=row["received"],
        cancelled=bool(row["cancelled"]),
    )


def _report(row: Row) -> d.ReportState:
    message = decode(row["body"])
    assert isinstance(message, UpdateReport)  # noqa: S101  # written by `report_body`
    return d.ReportState(
        report_id=row["digest"],
        created=row["created"],
        received=row["received"],
        values=tuple(_measured(message.reports[0])),
    )


def _measured(report: Report) -> Sequence[d.Measured]:
    return [
        d.Measured(
            r_id=payload.r_id,
            start=format_date_time(interval.start) if interval.start else None,
            duration=format_duration(interval.duration) if interval.duration is not None else None,
            value=payload.value.value,
        )
        for interval in report.intervals
        for payload in interval.payloads
        if isinstance(payload.value, PayloadFloat)
    ]
