"""Events that sites have told of: each is on the disk once, however often it comes."""

from datetime import datetime

from heiiki_agent.database import Database
from heiiki_agent.mms.books import digest
from heiiki_agent.mms.orders import milliseconds, stamp

SCHEMA = """
CREATE TABLE IF NOT EXISTS event (
    number INTEGER PRIMARY KEY,
    site TEXT NOT NULL,
    entry_id INTEGER NOT NULL,
    made TEXT NOT NULL,
    came TEXT NOT NULL,
    digest TEXT NOT NULL,
    UNIQUE (site, entry_id, made, digest)
) STRICT;
"""
_KEPT = 1000
"""Events of each site that are kept, as many as a site does."""
_PRUNE = """
DELETE FROM event WHERE site = ?1 AND number <=
    (SELECT number FROM event WHERE site = ?1 ORDER BY number DESC LIMIT 1 OFFSET ?2)
"""


class Inbox:
    """Every change is committed when its method returns."""

    def __init__(self, database: Database) -> None:
        """Keep events in `database`."""
        self._database = database

    def take(self, site: str, entry_id: bytes, values: bytes, made: datetime, came: datetime) -> bool:
        """Note an event; returns whether it is a new one."""
        number, when = int.from_bytes(entry_id, "big"), (milliseconds(made), stamp(came))
        with self._database.transaction():
            new = self._database.execute(
                "INSERT INTO event (site, entry_id, made, came, digest) VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT DO NOTHING",
                site,
                number,
                *when,
                digest(values),
            )
            self._database.execute(_PRUNE, site, _KEPT)
        return bool(new)

    def last(self, site: str) -> bytes:
        """Return the EntryID of the last event of a site, from which on it is to tell more; zero: of all."""
        row = self._database.row(
            "SELECT entry_id FROM event WHERE site = ? ORDER BY number DESC LIMIT 1", site
        )
        return int(row[0] if row else 0).to_bytes(8, "big")
