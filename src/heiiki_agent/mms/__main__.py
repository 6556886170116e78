"""One program for both ends, their health, their books and the operator: the first argument says which."""

import sys
from collections.abc import Mapping, Sequence

from heiiki_agent.__main__ import run

PROGRAMS: Mapping[str, str] = {
    "server": "server.cli",
    "client": "client.cli",
    "health": "health",
    "operate": "operate",
    "server-book": "server.book",
    "client-book": "client.book",
}
"""Module of each; only the one that was asked for is loaded."""


def main(arguments: Sequence[str]) -> int:
    """Run the end that the first argument names and return its exit status."""
    return run("mms", "heiiki_agent.mms", PROGRAMS, "...", arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
