"""The way to the nodes of a running lab: its agent's sockets."""

import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from heiiki.errors import LabError, TransportError
from heiiki.transport.base import Completed
from heiiki_lab.client import NodeClient
from heiiki_lab.state import socket_path

_PYTHON = ("python3", "-")


class LabTransport:
    """Runs programs on lab nodes; each thread keeps one open connection a node."""

    def __init__(self, state_dir: Path) -> None:
        """Talk to the lab whose state stands in `state_dir`."""
        self._state_dir = state_dir
        self._local = threading.local()
        self._lock = threading.Lock()
        self._clients: list[NodeClient] = []

    def run(
        self, device: str, argv: Sequence[str], *, stdin: bytes = b"", timeout: float = 30.0
    ) -> Completed:
        """Run `argv` on `device`; ``python3 - ARG...`` is answered by the node's preloaded interpreter."""
        client = self._client(device)
        try:
            if tuple(argv[:2]) == _PYTHON:
                done = client.python(stdin, argv=tuple(argv[2:]), timeout=timeout)
            else:
                done = client.exec(argv, stdin=stdin, timeout=timeout)
        except (LabError, OSError) as error:
            self._forget(device)
            raise TransportError(f"{device}: {error}") from error
        return Completed(done.rc, done.stdout, done.stderr)

    def spawn(self, device: str, argv: Sequence[str]) -> None:
        """Start `argv` on `device`, detached."""
        try:
            self._client(device).spawn(argv)
        except (LabError, OSError) as error:
            self._forget(device)
            raise TransportError(f"{device}: {error}") from error

    def close(self) -> None:
        """Close the connections of every thread."""
        with self._lock:
            clients, self._clients = self._clients, []
        for client in clients:
            client.close()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close every connection."""
        self.close()

    def _mine(self) -> dict[str, NodeClient]:
        if not hasattr(self._local, "clients"):
            self._local.clients = {}
        mine: dict[str, NodeClient] = self._local.clients
        return mine

    def _client(self, device: str) -> NodeClient:
        mine = self._mine()
        if device not in mine:
            socket = socket_path(self._state_dir, device)
            if not socket.exists():
                raise TransportError(f"{device}: no such node in the running lab; see `heiiki lab status`")
            mine[device] = NodeClient(socket)
            with self._lock:
                self._clients.append(mine[device])
        return mine[device]

    def _forget(self, device: str) -> None:
        client = self._mine().pop(device, None)
        if client is None:
            return
        client.close()
        with self._lock:
            self._clients = [kept for kept in self._clients if kept is not client]
