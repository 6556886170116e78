"""The program `ven-book`: what a VEN and its resource have kept of some events, and of newer reports."""

from collections.abc import Iterator, Sequence

from heiiki_agent import config
from heiiki_agent.database import Database, OthersDatabase, Row
from heiiki_agent.openadr.asked import asked, say
from heiiki_agent.openadr.books import Act, Answer, Sent, VenBook
from heiiki_agent.openadr.codec import decode
from heiiki_agent.openadr.kept import report_body, report_digest, stored
from heiiki_agent.openadr.messages import CreatedEvent, UpdateReport
from heiiki_agent.openadr.ven.cli import Settings
from heiiki_agent.openadr.ven.events import key_of
from heiiki_agent.resource_socket import book

_ANSWERS = "SELECT about, body, state, queued FROM outbox WHERE about LIKE 'event:%' ORDER BY number"
_ACTS = "SELECT * FROM action WHERE substr(event_id, 1, length(?1)) = ?1 ORDER BY number"
_REPORTS = "SELECT body, state FROM outbox WHERE about LIKE 'report:%' AND queued >= ? ORDER BY number"


def main(argv: Sequence[str]) -> int:
    """Print the book as JSON and return 0.

    Raises:
        AgentError: configuration or state cannot be read.
    """
    wanted = asked("ven", argv)
    settings = config.read(Settings, wanted.config)
    database = OthersDatabase(settings.database)
    done, problem = book(settings.resource, wanted.events)
    say(
        VenBook(
            answers=tuple(_answers(database, wanted.events)),
            acts=tuple(_act(row) for row in database.rows(_ACTS, wanted.events)),
            reports=tuple(_reports(database, wanted.since)),
            done=done,
            problem=problem,
        )
    )
    return 0


def _answers(database: Database, events: str) -> Iterator[Answer]:
    for row in database.rows(_ANSWERS):
        # "event:MODIFICATION:ID": a message is decoded only where it is about an event that was asked for.
        if not row["about"].split(":", 2)[2].startswith(events):
            continue
        message = decode(row["body"])
        assert isinstance(message, CreatedEvent)  # noqa: S101  # the names of rows say what they hold
        for one in message.events:
            yield Answer(
                event_id=one.event.event_id,
                modification=one.event.modification,
                opt=one.opt,
                queued=row["queued"],
                state=row["state"],
            )


def _act(row: Row) -> Act:
    return Act(
        key=key_of(row),
        event_id=row["event_id"],
        modification=row["modification"],
        kind=row["kind"],
        done=bool(row["done"]),
    )


def _reports(database: Database, since: str) -> Iterator[Sent]:
    for row in database.rows(_REPORTS, since):
        message = decode(row["body"])
        assert isinstance(message, UpdateReport)  # noqa: S101
        for one in message.reports:
            if (created := stored(one.created)) >= since:
                digest = report_digest(report_body(one))
                yield Sent(created=created, digest=digest, state=row["state"])
