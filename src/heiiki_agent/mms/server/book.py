"""The program `server-book`: what a controller was ordered, and what it answered."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from heiiki_agent import config
from heiiki_agent.database import OthersDatabase
from heiiki_agent.mms.places import config_file
from heiiki_agent.mms.server.cli import Settings
from heiiki_agent.resource_socket import ResourceAwayError, book

_COLUMNS = ("order_id", "kind", "body", "received", "answered", "cause", "reason")


def main(argv: Sequence[str]) -> int:
    """Print the book, and the resource's own, as JSON and return 0.

    Raises:
        AgentError: configuration or state cannot be read.
    """
    parser = argparse.ArgumentParser(prog="mms server-book", description="What was ordered, as JSON.")
    parser.add_argument("--config", type=Path, default=config_file("server"))
    parser.add_argument("--orders", required=True, help="how their names begin")
    chosen = parser.parse_args(argv)
    settings = config.read(Settings, chosen.config)
    where = "SELECT * FROM orders WHERE substr(order_id, 1, length(?1)) = ?1 ORDER BY number"
    rows = OthersDatabase(settings.database).rows(where, chosen.orders)
    done, problem = _done(settings.resource, chosen.orders)
    orders = [{name: row[name] for name in _COLUMNS} for row in rows]
    print(json.dumps({"orders": orders, "done": done, "problem": problem}))
    return 0


def _done(resource: Path, orders: str) -> tuple[list[object], str | None]:
    """Return the lines of the resource's book, or why it is not known what it did."""
    try:
        return list(book(resource, orders)), None
    except ResourceAwayError as error:
        return [], str(error)
