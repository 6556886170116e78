"""What the programs `client-book` and `server-book` have in common: what is asked, and how they answer."""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from heiiki_agent.mms.books import ClientBook, ServerBook
from heiiki_agent.mms.places import End, config_file

_EVER = ""
_Line = TypeVar("_Line")


@dataclass(frozen=True)
class Asked:
    """A question.

    Attributes:
        config: configuration of the end.
        orders: how the names of orders begin.
        since: events of that time or later count; empty: all that are kept.
    """

    config: Path
    orders: str
    since: str


def asked(end: End, argv: Sequence[str]) -> Asked:
    """Return what the arguments ask for."""
    parser = argparse.ArgumentParser(prog=f"mms {end}-book", description="What an end has kept, as JSON.")
    parser.add_argument("--config", type=Path, default=config_file(end))
    parser.add_argument("--orders", required=True, help="how their names begin")
    parser.add_argument("--since", default=_EVER, help="for events, such as 2026-12-01T08:00:00.000000Z")
    chosen = parser.parse_args(argv)
    return Asked(chosen.config, chosen.orders, chosen.since)


def say(book: ClientBook | ServerBook) -> None:
    """Print a book."""
    print(json.dumps(asdict(book)))


def line(kind: type[_Line], found: Any) -> _Line:
    """Return a row of a table, or an object of JSON, as a line of a book; an empty text is None there.

    Raises:
        KeyError, IndexError: a field of it is missing.
    """
    names = [one.name for one in fields(kind)]  # type: ignore[arg-type]  # lines are dataclasses
    return kind(**{name: None if found[name] == "" else found[name] for name in names})
