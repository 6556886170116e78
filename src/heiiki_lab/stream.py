"""A program on a node with its standard streams open."""

import os
import selectors
import socket
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Literal, Self

from heiiki.errors import LabError
from heiiki_lab.agent.frames import Frame, FrameError, pack, receive, send

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
        """Carry three descriptors to the program and back until it ends; returns its exit code.

        Nothing is sent but what the node takes at once: a program that answers while it is written to would
        wait for its answer to be read, and its answer for us to end writing.
        """
        places = {"stdout": stdout, "stderr": stderr}
        # Files can be polled, where epoll refuses them.
        with selectors.PollSelector() as selector:
            way_in = _WayIn(self, stdin, selector)
            while self.rc is None:
                for key, events in selector.select():
                    if key.fd == stdin:
                        way_in.read()
                        continue
                    if events & selectors.EVENT_READ:
                        self._pump_out(places)
                    if events & selectors.EVENT_WRITE:
                        way_in.send()
        return self.rc

    def close(self) -> None:
        """Let go; a program that still runs is killed."""
        self._connection.close()

    def _pump_out(self, places: Mapping[str, int]) -> None:
        if (part := self.recv()) is not None:
            view = memoryview(part[1])
            while view:
                view = view[os.write(places[part[0]], view) :]

    def send_some(self, data: bytes) -> bytes:
        """Send what the node takes at once of `data`, and return the rest."""
        try:
            return data[self._connection.send(data, socket.MSG_DONTWAIT) :]
        except BlockingIOError:
            return data
        except OSError:
            return b""  # the program has ended; its exit code is on the way

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


class _WayIn:
    """What is on its way to the program: the next chunk is read when the one before is sent."""

    def __init__(self, stream: Stream, stdin: int, selector: selectors.BaseSelector) -> None:
        self._stream, self._stdin, self._selector = stream, stdin, selector
        self._unsent = b""
        self._ended = False
        selector.register(stream, selectors.EVENT_READ)
        selector.register(stdin, selectors.EVENT_READ)

    def read(self) -> None:
        data = os.read(self._stdin, _CHUNK)
        self._ended = not data
        self._unsent = pack({}, data) if data else pack({"eof": True})
        self._selector.unregister(self._stdin)
        self._selector.modify(self._stream, selectors.EVENT_READ | selectors.EVENT_WRITE)

    def send(self) -> None:
        self._unsent = self._stream.send_some(self._unsent)
        if self._unsent:
            return
        self._selector.modify(self._stream, selectors.EVENT_READ)
        if not self._ended:
            self._selector.register(self._stdin, selectors.EVENT_READ)
