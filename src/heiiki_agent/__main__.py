"""One program for everything that runs on a device: the first argument says which part."""

import sys
from collections.abc import Mapping, Sequence
from importlib import import_module

PROGRAMS: Mapping[str, str] = {
    "credentials": "credentials",
    "lan-watch": "lan_watch",
    "links": "links",
    "stamp": "stamp",
    "vault-node": "vault_server",
}
"""Module of each part. Only the one that was asked for is loaded: starting is most of what a call costs."""


def main(arguments: Sequence[str]) -> int:
    """Run the part that the first argument names and return its exit status."""
    if not arguments or arguments[0] not in PROGRAMS:
        print(f"usage: heiiki-agent {{{','.join(PROGRAMS)}}} ...", file=sys.stderr)
        return 2
    part = import_module(f"heiiki_agent.{PROGRAMS[arguments[0]]}")
    status: int = part.main(arguments[1:])
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
