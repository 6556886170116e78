"""The control socket of a STAMP process: one question and one answer a connection, each a line of JSON."""

import json
import os
import socket
from pathlib import Path
from typing import Any

CONTROL = "/run/heiiki-stamp/control.sock"
"""In the runtime directory of the transient unit: systemd removes it with the process."""


def listen(path: str) -> socket.socket:
    """Return the socket at `path`, which only root may ask; a leftover makes way."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).unlink(missing_ok=True)
    control = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    old = os.umask(0o177)
    try:
        control.bind(path)
    finally:
        os.umask(old)
    control.listen(16)
    return control


def _line(connection: socket.socket) -> bytes:
    data = b""
    while b"\n" not in data and len(data) < 1 << 20:
        more = connection.recv(65536)
        if not more:
            break
        data += more
    return data


def ask(question: dict[str, Any], control: str = CONTROL) -> dict[str, Any]:
    """Ask the STAMP process of this host and return its answer.

    Raises:
        OSError: no process listens at `control`.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(5.0)
        connection.connect(control)
        connection.sendall(json.dumps(question).encode() + b"\n")
        answer: dict[str, Any] = json.loads(_line(connection))
    return answer
