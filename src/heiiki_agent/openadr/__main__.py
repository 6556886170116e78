"""One program for both ends, what is asked of them, and their books: the first argument says which."""

import sys
from collections.abc import Mapping, Sequence

from heiiki_agent.__main__ import run

PROGRAMS: Mapping[str, str] = {
    "vtn": "vtn.cli",
    "ven": "ven.cli",
    "health": "health",
    "operate": "operate",
    "vtn-book": "vtn.book",
    "ven-book": "ven.book",
    "describe": "rest.describe",
}
"""Module of each. Only the one that was asked for is loaded: a VEN has no aiohttp."""


def main(arguments: Sequence[str]) -> int:
    """Run the end that the first argument names and return its exit status."""
    return run("openadr", "heiiki_agent.openadr", PROGRAMS, "...", arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
