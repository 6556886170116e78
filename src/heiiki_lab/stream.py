"""A program on a node with its standard streams open."""

import os
import selectors
import socket
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Literal, Self

from heiiki.errors import LabError
from heiiki_lab.agent.frames import Frame, FrameError, receive, send

_CHUNK = 1 << 16


class Stream:
    """A running program on a node, its streams open. Close it, or use it as a context manager.

    Attributes:
        rc: exit code once `recv` has returned None.
    """

    def __init__(self, node: str, argv: tuple[str, ...], connection: socket.socket) -> None:
        self.rc: int | None = None
        self._node = node
        self._argv = argv
        self._connection = connection
        self.pid = int(self._frame()["pid"])
        self._connection.settimeout(None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def fileno(self) -> int:
        """For select: readable means that `recv` will not wait long."""
        return self._connection.fileno()

    def send(self, data: bytes) -> None:
        """To the program's standard input."""
        send(self._connection, {}, data)

    def close_stdin(self) -> None:
        """The program reads end of file."""
        send(self._connection, {"eof": True})

    def recv(self, timeout: float | None = None) -> tuple[Literal["stdout", "stderr"], bytes] | None:
        """What the program wrote next; None when it has ended.

        Raises:
            LabError: nothing came in `timeout` seconds, or the node went away.
        """
        self._connection.settimeout(timeout)
        frame = self._receive()
        self._connection.settimeout(None)
        if "rc" in frame[0]:
            self.rc = int(frame[0]["rc"])
            return None
        return frame[0]["stream"], frame[1]

    def pump(self, stdin: int = 0, stdout: int = 1, stderr: int = 2) -> int:
        """Carry three descriptors to the program and back until it ends; returns its exit code."""
        with selectors.DefaultSelector() as selector:
            selector.register(self, selectors.EVENT_READ)
            selector.register(stdin, selectors.EVENT_READ)
            while self.rc is None:
                for key, _ in selector.select():
                    if key.fd != stdin:
                        self._pump_out({"stdout": stdout, "stderr": stderr})
                    elif not self._pump_in(stdin):
                        selector.unregister(stdin)
        return self.rc

    def close(self) -> None:
        """Let go; a program that still runs is killed."""
        self._connection.close()

    def _pump_out(self, places: Mapping[str, int]) -> None:
        if (part := self.recv()) is not None:
            view = memoryview(part[1])
            while view:
                view = view[os.write(places[part[0]], view) :]

    def _pump_in(self, stdin: int) -> bool:
        data = os.read(stdin, _CHUNK)
        try:
            self.send(data) if data else self.close_stdin()
        except OSError:
            return False  # the program has ended; its exit code is on the way
        return bool(data)

    def _frame(self) -> dict[str, Any]:
        try:
            return self._receive()[0]
        except LabError:
            self.close()
            raise

    def _receive(self) -> Frame:
        try:
            frame = receive(self._connection)
        except (OSError, FrameError) as error:
            raise LabError(f"{self._node}: stream of `{' '.join(self._argv)}`: {error}") from error
        if frame is None:
            raise LabError(f"{self._node}: stream of `{' '.join(self._argv)}` ended without an exit code")
        if "error" in frame[0]:
            raise LabError(f"{self._node}: {frame[0]['error']}")
        return frame
