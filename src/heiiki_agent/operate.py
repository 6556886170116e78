"""Requests to the operator's socket of a service program, for root on its host."""

import http.client
import socket
from http import HTTPStatus
from pathlib import Path

from heiiki_agent.errors import AgentError

_TIMEOUT_S = 20.0
LONGEST = 1_048_576
"""Octets of a request's body at most."""


class _Local(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=_TIMEOUT_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(_TIMEOUT_S)
        self.sock.connect(str(self._path))


def asked(who: str, control: Path, method: str, path: str, body: bytes) -> str:
    """Return the answer to a request.

    Args:
        who: what the program is called in an error.
        control: its socket.
        method: of the request.
        path: of the request.
        body: of the request.

    Raises:
        AgentError: it does not answer, or refuses.
    """
    connection = _Local(control)
    try:
        connection.request(method, path, body)
        answer = connection.getresponse()
        text = answer.read().decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        raise AgentError(f"{who} does not answer at {control}: {error}") from error
    finally:
        connection.close()
    if answer.status != HTTPStatus.OK:
        raise AgentError(text.strip() or f"{who} answers with {answer.status}")
    return text
