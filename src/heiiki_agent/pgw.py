"""What the packet gateway runs with, from the report that it writes on itself every second."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from heiiki_agent import status

STATE = Path("/run/heiiki/pgw.json")
UNIT = "heiiki-pgw"


def main(arguments: Sequence[str]) -> int:
    """Print the report, or what is wrong with it, and return the exit status."""
    parser = argparse.ArgumentParser(prog="heiiki-agent pgw")
    parser.add_argument("action", choices=("status",))
    parser.parse_args(arguments)
    return status.check(STATE, UNIT)
