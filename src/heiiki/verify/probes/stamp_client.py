"""Probe: put questions to the STAMP daemon of this host."""

import json
import socket
from typing import Any

_CONTROL = "/run/heiiki/stamp.sock"


def main(parameters: dict[str, Any]) -> dict[str, Any]:
    """Return the daemon's answer to each of ``questions``, in order."""
    return {"answers": [_ask(question) for question in parameters["questions"]]}


def _ask(question: dict[str, Any]) -> dict[str, Any]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(5.0)
        try:
            connection.connect(_CONTROL)
            connection.sendall(json.dumps(question).encode() + b"\n")
            data = b""
            while not data.endswith(b"\n"):
                more = connection.recv(65536)
                if not more:
                    break
                data += more
            answer: dict[str, Any] = json.loads(data)
        except (OSError, ValueError) as error:
            return {"error": f"no answer from the STAMP daemon at {_CONTROL}: {error}"}
    return answer
