"""The book of what a controller was ordered and answered: an order is done once, however often it comes.

An order is committed before the resource is told, and its answer before it leaves. What comes again gets the
answer that was given; where the program died in between, the resource is told again under the same key, and
does once what comes twice.
"""

from collections.abc import Callable
from dataclasses import dataclass

from heiiki_agent.database import Database
from heiiki_agent.mms.orders import Now, Order, kind, parsed, stamp, written
from heiiki_agent.mms.references import NOT_NOW, WRONG
from heiiki_agent.resource_socket import ResourceAwayError

SCHEMA = """
CREATE TABLE IF NOT EXISTS orders (
    number INTEGER PRIMARY KEY,
    order_id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    body TEXT NOT NULL,
    received TEXT NOT NULL,
    answered TEXT,
    cause INTEGER,
    reason TEXT NOT NULL DEFAULT ''
) STRICT;
"""


@dataclass(frozen=True, slots=True)
class Refused:
    """What a resource says of an order that it does not take, for good."""

    cause: int
    reason: str


Tell = Callable[[Order], Refused | None]
"""Has the resource do an order; None: done."""


class Ledger:
    """Every change is committed when its method returns.

    Attributes:
        done: how many orders were done.
    """

    def __init__(self, database: Database, tell: Tell, now: Now) -> None:
        """Keep the book in `database`."""
        self._database, self._tell, self._now = database, tell, now
        done = database.row("SELECT count(*) FROM orders WHERE answered IS NOT NULL AND cause IS NULL")
        self.done: int = done[0] if done else 0

    def answer(self, order: Order) -> int | None:
        """Return the answer to an order: None for done, or an additional cause."""
        body = written(order)
        known = self._database.row("SELECT * FROM orders WHERE order_id = ?", order.order_id)
        if known is None:
            values = order.order_id, kind(order), body, self._stamp()
            with self._database.transaction():
                self._database.execute(
                    "INSERT INTO orders (order_id, kind, body, received) VALUES (?, ?, ?, ?)", *values
                )
        elif (known["kind"], known["body"]) != (kind(order), body):
            return WRONG
        elif known["answered"] is not None:
            cause: int | None = known["cause"]
            return cause
        return self._done(order)

    def _done(self, order: Order) -> int | None:
        try:
            refused = self._tell(order)
        except ResourceAwayError:
            return NOT_NOW
        cause, reason = (refused.cause, refused.reason) if refused else (None, "")
        with self._database.transaction():
            self._database.execute(
                "UPDATE orders SET answered = ?, cause = ?, reason = ? WHERE order_id = ?",
                self._stamp(),
                cause,
                reason,
                order.order_id,
            )
        self.done += cause is None
        return cause

    def newest(self, word: str = "") -> Order | None:
        """Return the last order of a kind that was done; of any, where none is said."""
        row = self._database.row(
            "SELECT * FROM orders WHERE ?1 IN ('', kind) AND answered IS NOT NULL AND cause IS NULL"
            " ORDER BY answered DESC, number DESC LIMIT 1",
            word,
        )
        return parsed(row["kind"], row["body"], "the book") if row else None

    def _stamp(self) -> str:
        return stamp(self._now())
