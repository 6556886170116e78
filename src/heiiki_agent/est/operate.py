"""The program `operate`: a request to the registration authority's operator socket, for root on its host."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from heiiki_agent.est.places import CONTROL
from heiiki_agent.operate import LONGEST, asked


def main(argv: Sequence[str]) -> int:
    """Send what is on standard input, print the answer, and return 0; a refusal is an error."""
    parser = argparse.ArgumentParser(
        prog="est operate", description="A request to the local registration authority."
    )
    parser.add_argument("method", choices=("GET", "POST", "DELETE"))
    parser.add_argument("path", metavar="PATH", help="such as /secrets")
    parser.add_argument("--control", type=Path, default=CONTROL)
    chosen = parser.parse_args(argv)
    body = sys.stdin.buffer.read(LONGEST) if chosen.method == "POST" else b""
    print(asked("the registration authority", chosen.control, chosen.method, chosen.path, body))
    return 0
