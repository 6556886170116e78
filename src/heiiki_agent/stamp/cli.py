"""Command line of the STAMP programs."""

import argparse
import gc
import ipaddress
import json
import os
from collections.abc import Sequence
from contextlib import suppress

from heiiki_agent.stamp.daemon import Daemon, Settings
from heiiki_agent.stamp.round_trips import round_trips


def main(argv: Sequence[str]) -> int:
    """Do what the command line asks; return the exit status."""
    arguments = _arguments(argv)
    if arguments.command == "serve":
        _serve(Settings(arguments.address, tuple(arguments.peer), arguments.session, arguments.lease))
        return 0
    print(json.dumps(round_trips(arguments.peer, arguments.count, arguments.interval_ms / 1000, 2.0)))
    return 0


def _serve(settings: Settings) -> None:
    with suppress(OSError):
        # A prober that waits for its turn measures its own waiting.
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    daemon = Daemon(settings)
    gc.collect()
    gc.freeze()
    daemon.run()
    daemon.close()


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="heiiki-agent stamp", description="STAMP test packets (RFC 8762) of this host"
    )
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve", help="reflect, send streams and record while a measurement lasts")
    serve.add_argument("--address", type=_address, required=True, help="own address")
    serve.add_argument("--peer", type=_address, action="append", default=[], help="a peer's address")
    serve.add_argument("--session", required=True, help="name of the measurement, which its questions carry")
    serve.add_argument("--lease", type=float, required=True, help="end after so many seconds unasked")
    rtt = commands.add_parser("rtt", help="round-trip times to one reflector")
    rtt.add_argument("--peer", type=_address, required=True)
    rtt.add_argument("--count", type=int, default=50)
    rtt.add_argument("--interval-ms", type=float, default=20.0)
    return parser.parse_args(argv)


def _address(text: str) -> str:
    return str(ipaddress.IPv4Address(text))
