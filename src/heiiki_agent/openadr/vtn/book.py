"""The program `vtn-book`: what the VTN of a host has kept of some events, and of newer reports."""

from collections.abc import Sequence

from heiiki_agent import config
from heiiki_agent.database import Database, OthersDatabase, Row
from heiiki_agent.openadr.asked import asked, say
from heiiki_agent.openadr.books import Received, Taken, Version, VtnBook
from heiiki_agent.openadr.events import is_test
from heiiki_agent.openadr.kept import unpacked
from heiiki_agent.openadr.vtn.settings import Settings

_VERSIONS = """
SELECT version.event_id, version.modification, version.created, version.body,
    event.cancelled AND version.modification = event.modification AS cancelled
FROM event_version AS version JOIN event USING (event_id)
WHERE substr(version.event_id, 1, length(?1)) = ?1 ORDER BY version.created
"""
_TARGETS = "SELECT ven_id, event_id FROM event_target WHERE substr(event_id, 1, length(?1)) = ?1"
_ANSWERS = "SELECT * FROM event_answer WHERE substr(event_id, 1, length(?1)) = ?1 ORDER BY received"
_REPORTS = "SELECT ven_id, created, digest, received FROM report WHERE created >= ? ORDER BY number"


def main(argv: Sequence[str]) -> int:
    """Print the book as JSON and return 0.

    Raises:
        AgentError: configuration or state cannot be read.
    """
    wanted = asked("vtn", argv)
    settings = config.read(Settings, wanted.config)
    books = [_book(OthersDatabase(one.database), wanted.events, wanted.since) for one in settings.vtns]
    say(
        VtnBook(
            versions=tuple(entry for book in books for entry in book.versions),
            answers=tuple(entry for book in books for entry in book.answers),
            reports=tuple(entry for book in books for entry in book.reports),
        )
    )
    return 0


def _book(database: Database, events: str, since: str) -> VtnBook:
    targets = [(row["event_id"], row["ven_id"]) for row in database.rows(_TARGETS, events)]
    return VtnBook(
        versions=tuple(_version(row, targets) for row in database.rows(_VERSIONS, events)),
        answers=tuple(
            Taken(
                ven_id=row["ven_id"],
                event_id=row["event_id"],
                modification=row["modification"],
                opt=row["opt"],
                received=row["received"],
            )
            for row in database.rows(_ANSWERS, events)
        ),
        reports=tuple(
            Received(
                ven_id=row["ven_id"],
                created=row["created"],
                digest=row["digest"],
                received=row["received"],
            )
            for row in database.rows(_REPORTS, since)
        ),
    )


def _version(row: Row, targets: Sequence[tuple[str, str]]) -> Version:
    return Version(
        event_id=row["event_id"],
        modification=row["modification"],
        created=row["created"],
        cancelled=bool(row["cancelled"]),
        test=is_test(unpacked(row["body"])),
        vens=tuple(ven for event, ven in targets if event == row["event_id"]),
    )
