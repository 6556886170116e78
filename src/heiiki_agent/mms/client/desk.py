"""Orders and their answers: each is on the disk before it is given, and its answer before it is told.

A site is given one order at a time, in the order in which they were made. One that is not answered is given
again, under the same name, until it is or until its time is over: a power that was wanted an hour ago is none
that is wanted now.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from heiiki_agent.database import Database, Row
from heiiki_agent.errors import AgentError
from heiiki_agent.mms.client.session import AwayError
from heiiki_agent.mms.orders import Now, Order, kind, parsed, stamp, written
from heiiki_agent.mms.references import NOT_NOW

log = logging.getLogger(__name__)

SCHEMA = """
CREATE TABLE IF NOT EXISTS orders (
    number INTEGER PRIMARY KEY,
    order_id TEXT NOT NULL,
    site TEXT NOT NULL,
    kind TEXT NOT NULL,
    body TEXT NOT NULL,
    ordered TEXT NOT NULL,
    expires TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'done', 'refused', 'expired')),
    cause INTEGER,
    reason TEXT NOT NULL DEFAULT '',
    answered TEXT,
    UNIQUE (order_id, site)
) STRICT;
"""
_FIRST_AGAIN_S, _LAST_AGAIN_S = 0.5, 5.0

Give = Callable[[str, Order], Awaitable[int | None]]
"""Gives an order to a site; the answer is None for done, or an additional cause."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """An order to one site, in the book.

    Attributes:
        state: `pending`, `done`, `refused`, or `expired`: not answered in time.
        cause: additional cause of a refusal (IEC 61850-7-2 AddCause).
        reason: what went wrong the last time.
        ordered, answered: when, UTC.
    """

    order_id: str
    site: str
    kind: str
    body: str
    ordered: str
    state: str
    cause: int | None
    reason: str
    answered: str | None


class Desk:
    """Every change is committed when its method returns."""

    def __init__(self, database: Database, sites: Sequence[str], give: Give, now: Now) -> None:
        """Keep the book in `database`."""
        self._database, self._sites, self._give, self._now = database, frozenset(sites), give, now
        self._workers: dict[str, asyncio.Task[None]] = {}
        self._changed = asyncio.Condition()

    def resume(self) -> None:
        """Go on with what was pending when the program ended; what is for a site that is gone expires."""
        for row in self._database.rows("SELECT DISTINCT site FROM orders WHERE state = 'pending'"):
            if row["site"] in self._sites:
                self._work(row["site"])
            else:
                self._expire(row["site"])

    def take(self, order: Order, sites: Iterable[str], valid_s: float) -> None:
        """Note an order to some sites and begin to give it; the same order again does nothing.

        Raises:
            AgentError: a site is not known, or the name is taken by another order.
        """
        wanted = tuple(dict.fromkeys(sites))
        if strange := [site for site in wanted if site not in self._sites]:
            known = ", ".join(sorted(self._sites))
            raise AgentError(f"sites: {', '.join(strange)}: not controlled from here; use {known}")
        known_as = self._database.row("SELECT kind, body FROM orders WHERE order_id = ?", order.order_id)
        if known_as is not None and tuple(known_as) != (kind(order), written(order)):
            raise AgentError(f"order {order.order_id} is there already; give another name")
        now = self._now()
        values = kind(order), written(order), stamp(now), stamp(now + timedelta(seconds=valid_s))
        with self._database.transaction():
            for site in wanted:
                self._database.execute(
                    "INSERT INTO orders (order_id, site, kind, body, ordered, expires, state)"
                    " VALUES (?, ?, ?, ?, ?, ?, 'pending') ON CONFLICT DO NOTHING",
                    order.order_id,
                    site,
                    *values,
                )
        for site in wanted:
            self._work(site)

    async def settled(self, order_id: str, within_s: float) -> tuple[Entry, ...]:
        """Return an order as it is when every site has answered it, or after so many seconds."""
        try:
            async with asyncio.timeout(within_s), self._changed:
                await self._changed.wait_for(lambda: all(one.state != "pending" for one in self.of(order_id)))
        except TimeoutError:
            log.info("order %s is not answered by all within %s s", order_id, within_s)
        return self.of(order_id)

    def of(self, order_id: str) -> tuple[Entry, ...]:
        """Return the entries of an order."""
        return self._entries("WHERE order_id = ? ORDER BY site", order_id)

    def book(self, site: str, most: int) -> tuple[Entry, ...]:
        """Return the last entries, the oldest first; of one site, or of all where `site` is empty."""
        where = "WHERE ?1 IN ('', site) ORDER BY number DESC LIMIT ?2"
        return tuple(reversed(self._entries(where, site, most)))

    @property
    def pending(self) -> int:
        """How many orders are not answered."""
        return len(self._database.rows("SELECT 1 FROM orders WHERE state = 'pending'"))

    async def close(self) -> None:
        """End every work; what is pending goes on when the program begins again."""
        for worker in self._workers.values():
            worker.cancel()
        await asyncio.gather(*self._workers.values(), return_exceptions=True)

    def _work(self, site: str) -> None:
        worker = self._workers.get(site)
        if worker is None or worker.done():
            self._workers[site] = asyncio.create_task(self._answered(site))

    async def _answered(self, site: str) -> None:
        """Give a site its orders until none is left."""
        pause = _FIRST_AGAIN_S
        while (row := self._oldest(site)) is not None:
            if stamp(self._now()) >= row["expires"]:
                self._keep(row, "expired", None, row["reason"] or "no answer in time")
            else:
                state, cause, why = await self._given(site, row)
                self._keep(row, state, cause, why)
                if state == "pending":
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, _LAST_AGAIN_S)
                    continue
            pause = _FIRST_AGAIN_S
            async with self._changed:
                self._changed.notify_all()

    async def _given(self, site: str, row: Row) -> tuple[str, int | None, str]:
        order = parsed(row["kind"], row["body"], "the book")
        try:
            cause = await self._give(site, order)
        except AwayError as error:
            return "pending", None, str(error)
        if cause == NOT_NOW:
            return "pending", cause, "the resource does not answer its controller"
        return ("done", None, "") if cause is None else ("refused", cause, "")

    def _oldest(self, site: str) -> Row | None:
        where = "site = ? AND state = 'pending' ORDER BY number LIMIT 1"
        return self._database.row(f"SELECT * FROM orders WHERE {where}", site)  # noqa: S608 - a constant

    def _keep(self, row: Mapping[str, object] | Row, state: str, cause: int | None, reason: str) -> None:
        answered = None if state == "pending" else stamp(self._now())
        with self._database.transaction():
            self._database.execute(
                "UPDATE orders SET state = ?, cause = ?, reason = ?, answered = ? WHERE number = ?",
                state,
                cause,
                reason,
                answered,
                row["number"],
            )

    def _expire(self, site: str) -> None:
        with self._database.transaction():
            self._database.execute(
                "UPDATE orders SET state = 'expired', reason = 'it is not controlled any more', answered = ?"
                " WHERE site = ? AND state = 'pending'",
                stamp(self._now()),
                site,
            )

    def _entries(self, where: str, *values: object) -> tuple[Entry, ...]:
        rows = self._database.rows(f"SELECT * FROM orders {where}", *values)  # noqa: S608 - a constant
        names = Entry.__dataclass_fields__
        return tuple(Entry(**{name: row[name] for name in names}) for row in rows)
