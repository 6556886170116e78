"""The command line of `dot1x`."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from heiiki_agent import config, dot1x, journal, status
from heiiki_agent.dot1x import authenticator, begin, places, port, supplicant


def main(arguments: Sequence[str]) -> int:
    """Run from the command line and return the exit status."""
    journal.set_up("%(name)s: %(message)s")
    chosen = _parser().parse_args(arguments)
    if chosen.command == "begin":
        begin.begin(chosen.unit, chosen.interface)
    if chosen.command == "port":
        port.Port(config.read(port.Settings, chosen.file)).run()
    if chosen.command == "guard":
        # Loaded only now: a health check needs none of it, and loading cryptography takes most of its time.
        from heiiki_agent.wlan import guard  # noqa: PLC0415

        guard.Guard(config.read(guard.Settings, chosen.file), places.GUARD_STATE).run()
    if chosen.command in _OF_INTERFACE:
        return _OF_INTERFACE[chosen.command](chosen.interface)
    if chosen.command == "guarded":
        return status.check(places.GUARD_STATE, places.GUARD)
    if chosen.command == "ported":
        return port.health()
    port.shut()
    return 0


_OF_INTERFACE = {
    "authenticator": authenticator.health,
    "supplicant": supplicant.health,
    "renew": authenticator.renew,
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="heiiki-agent dot1x",
        description=dot1x.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name in _OF_INTERFACE:
        commands.add_parser(name).add_argument("interface")
    started = commands.add_parser("begin")
    started.add_argument("unit", choices=(places.AUTHENTICATOR, places.SUPPLICANT))
    started.add_argument("interface")
    for name in ("guard", "port"):
        commands.add_parser(name).add_argument("file", type=Path)
    for name in ("guarded", "ported", "shut"):
        commands.add_parser(name)
    return parser
