"""What the programs `vtn-book` and `ven-book` have in common: what they are asked, and how they answer."""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from heiiki_agent.openadr.books import VenBook, VtnBook
from heiiki_agent.openadr.places import End, config_file


@dataclass(frozen=True)
class Asked:
    """A question.

    Attributes:
        config: configuration of the end.
        events: how the names of events begin.
        since: reports of that time or later count.
    """

    config: Path
    events: str
    since: str


def asked(end: End, argv: Sequence[str]) -> Asked:
    """Return what the arguments ask for."""
    parser = argparse.ArgumentParser(prog=f"openadr {end}-book", description="What an end has kept, as JSON.")
    parser.add_argument("--config", type=Path, default=config_file(end))
    parser.add_argument("--events", required=True, help="how their names begin")
    parser.add_argument("--since", required=True, help="for reports, such as 2026-12-01T08:00:00.000000Z")
    chosen = parser.parse_args(argv)
    return Asked(chosen.config, chosen.events, chosen.since)


def say(book: VtnBook | VenBook) -> None:
    """Print a book."""
    print(json.dumps(asdict(book)))
