"""The program `operate`: requests to the VTN's control socket, for root on its host."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from heiiki_agent.openadr.places import control_socket
from heiiki_agent.operate import LONGEST, asked


def main(argv: Sequence[str]) -> int:
    """Send what is on standard input, print a line for each answer, and return 0; a refusal is an error."""
    parser = argparse.ArgumentParser(prog="openadr operate", description="Requests to the local VTN.")
    parser.add_argument("method", choices=("GET", "POST", "PUT", "DELETE"))
    parser.add_argument("paths", nargs="+", metavar="PATH", help="such as /LAB/events")
    parser.add_argument("--control", type=Path, default=control_socket())
    chosen = parser.parse_args(argv)
    body = sys.stdin.buffer.read(LONGEST) if chosen.method in {"POST", "PUT"} else b""
    for path in chosen.paths:
        print(asked("the VTN", chosen.control, chosen.method, path, body))
    return 0
