"""The program `operate`: one request to the client's operator socket, for root on its host."""

import argparse
import json
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from heiiki_agent.errors import AgentError
from heiiki_agent.mms.places import operator_socket

_TIMEOUT_S = 90.0
_LONGEST = 65_536


def main(argv: Sequence[str]) -> int:
    """Send what is on standard input, print the answer, and return 0; a refusal is an error."""
    parser = argparse.ArgumentParser(prog="mms operate", description="A request to the local MMS client.")
    parser.add_argument("--socket", type=Path, default=operator_socket())
    print(_asked(parser.parse_args(argv).socket, sys.stdin.buffer.read(_LONGEST)))
    return 0


def _asked(path: Path, question: bytes) -> str:
    try:
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(_TIMEOUT_S)
            line.connect(str(path))
            line.sendall(question.replace(b"\n", b" ") + b"\n")
            with line.makefile("rb") as stream:
                found = json.loads(stream.readline())
    except (OSError, ValueError) as error:
        raise AgentError(f"the MMS client does not answer at {path}: {error}") from error
    if "error" in found:
        raise AgentError(found["error"])
    return json.dumps(found["answer"])
