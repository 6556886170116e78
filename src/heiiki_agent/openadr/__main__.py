"""One program for both ends: the first argument says which."""

import sys
from collections.abc import Mapping, Sequence
from importlib import import_module

from heiiki_agent.errors import AgentError

PROGRAMS: Mapping[str, str] = {"vtn": "vtn.cli", "ven": "ven.cli"}
"""Module of each. Only the one that was asked for is loaded: a VEN has no aiohttp."""


def main(arguments: Sequence[str]) -> int:
    """Run the end that the first argument names and return its exit status."""
    if not arguments or arguments[0] not in PROGRAMS:
        print(f"usage: openadr {{{','.join(PROGRAMS)}}} CONFIG", file=sys.stderr)
        return 2
    part = import_module(f"heiiki_agent.openadr.{PROGRAMS[arguments[0]]}")
    try:
        status: int = part.main(arguments[1:])
    except (AgentError, OSError) as error:
        print(error, file=sys.stderr)
        return error.exit_status if isinstance(error, AgentError) else 1
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
