"""The command line of `wlan`."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from heiiki_agent import config, journal, wlan
from heiiki_agent.wlan import access_point, begin, places, station


def main(arguments: Sequence[str]) -> int:
    """Run from the command line and return the exit status."""
    journal.set_up("%(name)s: %(message)s")
    parser = argparse.ArgumentParser(
        prog="heiiki-agent wlan",
        description=wlan.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("access-point", "station", "renew"):
        commands.add_parser(name).add_argument("interface")
    started = commands.add_parser("begin")
    started.add_argument("unit", choices=(places.ACCESS_POINT, places.STATION))
    started.add_argument("interface")
    commands.add_parser("guarded")
    commands.add_parser("guard").add_argument("file", type=Path)
    chosen = parser.parse_args(arguments)
    if chosen.command == "access-point":
        return access_point.health(chosen.interface)
    if chosen.command == "station":
        return station.health(chosen.interface)
    if chosen.command == "renew":
        return access_point.renew(chosen.interface)
    if chosen.command == "begin":
        begin.begin(chosen.unit, chosen.interface)
    # Loaded only now: a health check needs none of it, and loading cryptography takes most of its time.
    from heiiki_agent.wlan import guard  # noqa: PLC0415

    if chosen.command == "guard":
        guard.Guard(config.read(guard.Settings, chosen.file)).run()
    return guard.health()
