"""The command line of `credentials`."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from heiiki_agent import journal, pki, status
from heiiki_agent.pki.settings import CONFIG, STATE, UNIT

_COMMANDS = (
    "request",
    "reach",
    "install",
    "anchors",
    "load",
    "reload",
    "status",
    "summary",
    "pull",
    "mirrors",
    "watch",
    "check",
)
_READING = frozenset({"install", "reach", "anchors"})


def main(arguments: Sequence[str]) -> int:
    """Run from the command line and return the exit status; 3 means that Vault is away or refuses."""
    journal.set_up("%(name)s: %(message)s")
    parser = argparse.ArgumentParser(
        prog="heiiki-agent credentials",
        description=pki.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--config", type=Path, default=CONFIG)
    parser.add_argument("--state", type=Path, default=STATE)
    parser.add_argument("command", choices=_COMMANDS)
    chosen = parser.parse_args(arguments)
    if chosen.command == "check":
        return status.check(chosen.state, UNIT)
    # Loaded only now: a health check needs none of it, and loading cryptography takes most of its time.
    from heiiki_agent.pki import commands, daemon  # noqa: PLC0415

    if chosen.command == "watch":
        daemon.Daemon(chosen.config, chosen.state).run()
    # Secrets come by standard input, and no other way.
    given = sys.stdin.read() if chosen.command in _READING else ""
    print(json.dumps(commands.answer(chosen.command, chosen.config, given)))
    return 0
