"""The program `operate`: requests to the VTN's control socket, for root on its host."""

import argparse
import http.client
import socket
import sys
from collections.abc import Sequence
from http import HTTPStatus
from pathlib import Path

from heiiki_agent.errors import AgentError
from heiiki_agent.openadr.places import control_socket

_TIMEOUT_S = 20.0
_LONGEST = 1_048_576


class _Local(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=_TIMEOUT_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(_TIMEOUT_S)
        self.sock.connect(str(self._path))


def main(argv: Sequence[str]) -> int:
    """Send what is on standard input, print a line for each answer, and return 0; a refusal is an error."""
    parser = argparse.ArgumentParser(prog="openadr operate", description="Requests to the local VTN.")
    parser.add_argument("method", choices=("GET", "POST", "PUT", "DELETE"))
    parser.add_argument("paths", nargs="+", metavar="PATH", help="such as /LAB/events")
    parser.add_argument("--control", type=Path, default=control_socket())
    chosen = parser.parse_args(argv)
    body = sys.stdin.buffer.read(_LONGEST) if chosen.method in {"POST", "PUT"} else b""
    for path in chosen.paths:
        print(_asked(chosen.control, chosen.method, path, body))
    return 0


def _asked(control: Path, method: str, path: str, body: bytes) -> str:
    connection = _Local(control)
    try:
        connection.request(method, path, body)
        answer = connection.getresponse()
        text = answer.read().decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        raise AgentError(f"the VTN does not answer at {control}: {error}") from error
    finally:
        connection.close()
    if answer.status != HTTPStatus.OK:
        raise AgentError(text.strip() or f"the VTN answers with {answer.status}")
    return text
