"""The program `describe`: prints the OpenAPI description of the REST API."""

import argparse
from collections.abc import Sequence

from heiiki_agent.openadr.rest import description


def main(argv: Sequence[str]) -> int:
    """Print it and return 0."""
    about = "Print the OpenAPI description of the REST API."
    argparse.ArgumentParser(prog="openadr describe", description=about).parse_args(argv)
    print(description.text(), end="")
    return 0
