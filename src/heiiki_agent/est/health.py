"""The program `health`: exit 0 when the registration authority lives, and say what it says of itself."""

import argparse
from collections.abc import Sequence

from heiiki_agent import status
from heiiki_agent.est.places import STATUS, UNIT


def main(argv: Sequence[str]) -> int:
    """Print its status, or what is wrong with it; return the exit status of a health check."""
    argparse.ArgumentParser(prog="est health", description="Whether it lives.").parse_args(argv)
    return status.check(STATUS, UNIT)
