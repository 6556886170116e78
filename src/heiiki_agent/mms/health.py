"""The program `health`: exit 0 when an end's program lives, and say what it says of itself."""

import argparse
from collections.abc import Sequence

from heiiki_agent import status
from heiiki_agent.mms.places import End, status_file, unit


def main(argv: Sequence[str]) -> int:
    """Print an end's status, or what is wrong with it; return the exit status of a health check."""
    parser = argparse.ArgumentParser(prog="mms health", description="Whether an end's program lives.")
    parser.add_argument("end", choices=("server", "client"))
    end: End = parser.parse_args(argv).end
    return status.check(status_file(end), unit(end))
