"""The way to the nodes of a running lab: its agent's sockets."""

import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from heiiki.errors import LabError, TransportError
from heiiki.transport.base import Completed
from heiiki_lab.client import NodeClient
from heiiki_lab.state import socket_path

_PYTHON = ("python3", "-")


class LabTransport:
    """Runs programs on lab nodes; keeps as many open connections to a node as were used at once."""

    def __init__(self, state_dir: Path) -> None:
        """Talk to the lab whose state stands in `state_dir`."""
        self._state_dir = state_dir
        self._lock = threading.Lock()
        self._idle: defaultdict[str, list[NodeClient]] = defaultdict(list)

    def run(
        self, device: str, argv: Sequence[str], *, stdin: bytes = b"", timeout: float = 30.0
    ) -> Completed:
        """Run `argv` on `device`; ``python3 - ARG...`` is answered by the node's preloaded interpreter."""
        with self._lent(device) as client:
            if tuple(argv[:2]) == _PYTHON:
                done = client.python(stdin, argv=tuple(argv[2:]), timeout=timeout)
            else:
                done = client.exec(argv, stdin=stdin, timeout=timeout)
        return Completed(done.rc, done.stdout, done.stderr)

    def spawn(self, device: str, argv: Sequence[str]) -> None:
        """Start `argv` on `device`, detached."""
        with self._lent(device) as client:
            client.spawn(argv)

    def close(self) -> None:
        """Close every connection that is not in use."""
        for device in tuple(self._idle):
            self._forget(device)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close every connection."""
        self.close()

    @contextmanager
    def _lent(self, device: str) -> Iterator[NodeClient]:
        """Lend a connection for one use."""
        client = self._taken(device)
        try:
            yield client
        except (LabError, OSError) as error:
            client.close()
            self._forget(device)  # the others may be as broken
            raise TransportError(f"{device}: {error}") from error
        with self._lock:
            self._idle[device].append(client)

    def _taken(self, device: str) -> NodeClient:
        with self._lock:
            if self._idle[device]:
                return self._idle[device].pop()
        socket = socket_path(self._state_dir, device)
        if not socket.exists():
            raise TransportError(f"{device}: no such node in the running lab; see `heiiki lab status`")
        return NodeClient(socket)

    def _forget(self, device: str) -> None:
        with self._lock:
            clients = self._idle.pop(device, [])
        for client in clients:
            client.close()
