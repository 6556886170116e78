"""Events of a site, kept: one that DRAS has not been told of outlives the program that made it.

The library keeps the events of a buffered control block in memory (IEC 61850-7-2 clause 17), and only since a
client has enabled it. Here each is on the disk before it is sent, and is there again when the program begins
again, under the EntryID that it had.
"""

import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from open61850.mms import ObjectName
from open61850.server.reporting import BUFFER_ENTRIES, ReportControl, ReportEngine

from heiiki_agent.database import Database
from heiiki_agent.mms.books import digest
from heiiki_agent.mms.orders import milliseconds

SCHEMA = """
CREATE TABLE IF NOT EXISTS event (
    entry_id INTEGER PRIMARY KEY,
    made TEXT NOT NULL,
    members TEXT NOT NULL,
    contents BLOB NOT NULL,
    reasons BLOB NOT NULL,
    digest TEXT NOT NULL,
    order_id TEXT NOT NULL,
    operations INTEGER NOT NULL
) STRICT;
"""
_INSERT = """
INSERT INTO event (entry_id, made, members, contents, reasons, digest, order_id, operations)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """An event as it will be sent; its fields are those of the library's own.

    Attributes:
        indexes: which members of the data set it has.
        values, reasons: theirs, encoded.
    """

    entry_id: int
    time: datetime
    indexes: tuple[int, ...]
    values: bytes
    reasons: bytes

    @property
    def size(self) -> int:
        """What it needs of the buffer, octets."""
        return len(self.values) + len(self.reasons)


class EventBook:
    """Every event is committed when `keep` returns.

    The connection is one of its own: events are made in several threads, one at a time.

    Attributes:
        operations: how many orders were done when the last event of one was made.
    """

    def __init__(self, database: Database) -> None:
        """Keep the book in `database`."""
        self._database, self._local = database, threading.local()
        last = database.row("SELECT operations FROM event ORDER BY entry_id DESC LIMIT 1")
        self.operations: int = last[0] if last else 0

    @contextmanager
    def about(self, order_id: str, operations: int) -> Iterator[None]:
        """Have the event that this thread makes inside be that of an order, the `operations`-th of all."""
        self._local.order = order_id, operations
        try:
            yield
        finally:
            self._local.order = None

    def keep(self, entry: Entry, members: Sequence[ObjectName]) -> None:
        """Note an event, and forget those that the library's buffer has no room for."""
        order_id, number = getattr(self._local, "order", None) or ("", self.operations)
        names = json.dumps([str(members[at]) for at in entry.indexes])
        made, content = milliseconds(entry.time), digest(entry.values)
        encoded = names, entry.values, entry.reasons, content
        self._database.execute(_INSERT, entry.entry_id, made, *encoded, order_id, number)
        self._database.execute("DELETE FROM event WHERE entry_id <= ?", entry.entry_id - BUFFER_ENTRIES)
        self.operations = number

    def entries(self, members: Sequence[ObjectName]) -> Iterator[Entry]:
        """Yield what was kept, the oldest first; what has a member that is no more is left out."""
        places = {str(name): at for at, name in enumerate(members)}
        for row in self._database.rows("SELECT * FROM event ORDER BY entry_id"):
            names = json.loads(row["members"])
            if all(name in places for name in names):
                moment = datetime.fromisoformat(row["made"])
                indexes = tuple(places[name] for name in names)
                yield Entry(row["entry_id"], moment, indexes, row["contents"], row["reasons"])

    @property
    def next_id(self) -> int:
        """The EntryID of the next event.

        The first of all is the time in milliseconds: a controller that takes another's place, with a book of
        its own, has later ones than that had, and DRAS asks for what comes after the last that it knows.
        """
        last = self._database.row("SELECT max(entry_id) FROM event")
        return last[0] + 1 if last and last[0] is not None else int(time.time() * 1000)

    def clear(self) -> None:
        """Forget every event: the client has said so (PurgeBuf)."""
        self._database.execute("DELETE FROM event")


class KeptControl(ReportControl):
    """A buffered control block whose buffer is in a book, too."""

    def __init__(self, engine: ReportEngine, domain: str, node: Any, book: EventBook) -> None:
        """Take up what `book` has; from now on events are kept, whether a client has enabled it or not."""
        super().__init__(engine, domain, node)
        self._book = book
        for entry in book.entries(self.members()):
            super().keep(entry)  # type: ignore[arg-type]  # what the library asks of one, it has
        self.next_entry = book.next_id
        self.sent = self.next_entry - 1
        self.ever_enabled = True

    def keep(self, entry: Any) -> None:
        """Keep an event in the book, then in the buffer."""
        self._book.keep(entry, self.members())
        super().keep(entry)

    def purge(self) -> None:
        """Forget every event."""
        super().purge()
        self._book.clear()


def keep(engine: ReportEngine, block: ObjectName, book: EventBook) -> None:
    """Have `block` of `engine` keep its events in `book`."""
    place = (block.domain or "", block.item)
    engine.controls[place] = KeptControl(engine, place[0], engine.controls[place].node, book)
