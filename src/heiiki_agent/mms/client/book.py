"""The program `client-book`: what DRAS has kept of some orders, and of newer events of the sites."""

from collections.abc import Sequence

from heiiki_agent import config
from heiiki_agent.database import OthersDatabase
from heiiki_agent.mms.asked import asked, line, say
from heiiki_agent.mms.books import ClientBook, Given, Heard
from heiiki_agent.mms.client.cli import Settings

_ORDERS = "SELECT * FROM orders WHERE substr(order_id, 1, length(?1)) = ?1 ORDER BY number"
_EVENTS = "SELECT * FROM event WHERE made >= ? ORDER BY number"


def main(argv: Sequence[str]) -> int:
    """Print the book as JSON and return 0.

    Raises:
        AgentError: configuration or state cannot be read.
    """
    wanted = asked("client", argv)
    database = OthersDatabase(config.read(Settings, wanted.config).database)
    say(
        ClientBook(
            orders=tuple(line(Given, row) for row in database.rows(_ORDERS, wanted.orders)),
            events=tuple(line(Heard, row) for row in database.rows(_EVENTS, wanted.since)),
        )
    )
    return 0
