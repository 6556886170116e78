"""One program for everything that runs on a device: the first argument says which part."""

import sys
from collections.abc import Mapping, Sequence
from importlib import import_module

from heiiki_agent.errors import AgentError

PROGRAMS: Mapping[str, str] = {
    "clock": "clock",
    "credentials": "pki.cli",
    "crl-mirror": "crl_mirror",
    "dot1x": "dot1x.cli",
    "frr": "frr",
    "lan-watch": "lan_watch.daemon",
    "links": "links.cli",
    "pgw": "pgw",
    "pppoe": "pppoe",
    "radius": "radius",
    "stamp": "stamp.cli",
    "vault-node": "vault_node",
    "vrrp": "vrrp",
    "wlan": "wlan.cli",
    "xmpp": "xmpp.prove",
}
"""Module of each part. Only the one that was asked for is loaded: starting is most of what a call costs."""


def main(arguments: Sequence[str]) -> int:
    """Run the part that the first argument names and return its exit status."""
    return run("heiiki-agent", "heiiki_agent", PROGRAMS, "...", arguments)


def run(program: str, package: str, parts: Mapping[str, str], others: str, arguments: Sequence[str]) -> int:
    """Run the part that the first argument names and return its exit status.

    Args:
        program: what its user calls it.
        package: what holds the modules of its parts.
        parts: the module of each part, by its name.
        others: the arguments of a part, for the usage.
        arguments: the name of a part, and its arguments.
    """
    if not arguments or arguments[0] not in parts:
        print(f"usage: {program} {{{','.join(parts)}}} {others}", file=sys.stderr)
        return 2
    part = import_module(f"{package}.{parts[arguments[0]]}")
    try:
        status: int = part.main(arguments[1:])
    except (AgentError, OSError) as error:
        print(error, file=sys.stderr)
        return error.exit_status if isinstance(error, AgentError) else 1
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
