"""One program to serve, and what is asked of it: the first argument says which."""

import sys
from collections.abc import Mapping, Sequence

from heiiki_agent.__main__ import run

PROGRAMS: Mapping[str, str] = {"serve": "cli", "health": "health", "operate": "operate"}
"""Module of each. Only the one that was asked for is loaded."""


def main(arguments: Sequence[str]) -> int:
    """Run what the first argument names and return its exit status."""
    return run("est", "heiiki_agent.est", PROGRAMS, "...", arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
