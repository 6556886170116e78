"""The program `server-book`: what a controller was ordered, what it answered, and of what it told."""

from collections.abc import Sequence

from heiiki_agent import config
from heiiki_agent.database import OthersDatabase
from heiiki_agent.mms.asked import asked, line, say
from heiiki_agent.mms.books import Event, ServerBook, Taken
from heiiki_agent.mms.server.cli import Settings
from heiiki_agent.resource_socket import book

_ORDERS = "SELECT * FROM orders WHERE substr(order_id, 1, length(?1)) = ?1 ORDER BY number"
_EVENTS = "SELECT * FROM event WHERE made >= ? ORDER BY entry_id"


def main(argv: Sequence[str]) -> int:
    """Print the book, and the resource's own, as JSON and return 0.

    Raises:
        AgentError: configuration or state cannot be read.
    """
    wanted = asked("server", argv)
    settings = config.read(Settings, wanted.config)
    database = OthersDatabase(settings.database)
    done, problem = book(settings.resource, wanted.orders)
    say(
        ServerBook(
            orders=tuple(line(Taken, row) for row in database.rows(_ORDERS, wanted.orders)),
            events=tuple(line(Event, row) for row in database.rows(_EVENTS, wanted.since)),
            done=done,
            problem=problem,
        )
    )
    return 0
