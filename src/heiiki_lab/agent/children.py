"""Processes that the fork server starts for the agent: their streams, and their end."""

import json
import os
import select
import signal
import socket
import time
from contextlib import ExitStack, suppress
from io import FileIO
from typing import Any, NoReturn

from heiiki_lab.agent.frames import FrameError, receive, send

OUTPUT_LIMIT = 64 << 20


PIPE_CHUNK = 1 << 16


Request = dict[str, Any]


class AgentError(Exception):
    """The request could not be done; the text goes back to the client."""


class Child:
    """A process that the fork server has started."""

    def __init__(self, reply: socket.socket) -> None:
        self.reply = reply
        self.pid = 0
        self.rc: int | None = None

    def await_start(self) -> None:
        """Wait for the pid.

        Raises:
            AgentError: it could not be started.
        """
        message = self._message()
        if "error" in message:
            self.close()
            raise AgentError(message["error"])
        self.pid = message["pid"]

    def await_end(self) -> None:
        """Read the exit code; blocks until the process has ended."""
        self.rc = int(self._message()["rc"])

    def kill(self) -> None:
        """End the process and its group."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    def close(self) -> None:
        """Let go of the fork server's answers."""
        self.reply.close()

    def _message(self) -> dict[str, Any]:
        data = self.reply.recv(1 << 16)
        message: dict[str, Any] = (
            json.loads(data) if data else {"error": "PID 1 of the node gave no answer", "rc": -9}
        )
        return message


def process(request: Request) -> Request:
    """Return the part of a request that the fork server needs."""
    return {key: request.get(key) for key in ("argv", "env", "cwd", "timeout")}


def pipe(stack: ExitStack) -> tuple[FileIO, FileIO]:
    """Both ends of a pipe, the reading one without blocking; the stack closes what is open then."""
    read, write = os.pipe2(os.O_CLOEXEC)
    os.set_blocking(read, False)
    return stack.enter_context(FileIO(read)), stack.enter_context(FileIO(write, "w"))


def as_file(stack: ExitStack, data: bytes) -> int:
    """A descriptor from which a process reads `data`; a file, so that no writer has to feed it."""
    descriptor = os.memfd_create("input", os.MFD_CLOEXEC)
    stack.callback(os.close, descriptor)
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def collect(
    child: Child, outputs: tuple[FileIO, FileIO], connection: socket.socket, request: Request
) -> list[bytes]:
    """What the process writes until it ends.

    The end is the end of the process itself: a daemon that it leaves behind may keep its pipes open.

    Raises:
        AgentError: it took longer than `timeout` seconds, wrote too much, or the client went away; it is
        killed.
    """
    buffers = {output.fileno(): bytearray() for output in outputs}
    deadline = time.monotonic() + float(request["timeout"])
    poll = _poll(child, outputs)
    poll.register(connection, select.POLLIN)
    while child.rc is None:
        ready = [descriptor for descriptor, _ in poll.poll(max(0.0, deadline - time.monotonic()) * 1000)]
        if not ready:
            _give_up(child, f"{_words(request)} did not end within {request['timeout']:g} s and was killed")
        for descriptor in ready:
            if not _attend(child, descriptor, buffers, connection):
                poll.unregister(descriptor)
        if sum(map(len, buffers.values())) > OUTPUT_LIMIT:
            _give_up(child, f"{_words(request)} wrote more than {OUTPUT_LIMIT >> 20} MiB and was killed")
    for descriptor, buffer in buffers.items():
        while _drain(descriptor, buffer, once=False):
            pass
    return [bytes(buffer) for buffer in buffers.values()]


def _attend(child: Child, ready: int, buffers: dict[int, bytearray], connection: socket.socket) -> bool:
    """Take what is ready; false if nothing more can come from there."""
    if ready == child.reply.fileno():
        child.await_end()
        return True
    if ready == connection.fileno():
        if connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b"":
            _give_up(child, "the client went away")
        return False
    return _drain(ready, buffers[ready])


def _give_up(child: Child, why: str) -> NoReturn:
    child.kill()
    raise AgentError(why)


def _words(request: Request) -> str:
    return " ".join(request.get("argv") or ["the Python source"])


def _poll(child: Child, outputs: tuple[FileIO, FileIO]) -> select.poll:
    poll = select.poll()
    for source in (child.reply, *outputs):
        poll.register(source, select.POLLIN)
    return poll


def _drain(descriptor: int, buffer: bytearray, *, once: bool = True) -> bool:
    """Read what is there; false at the end of the pipe, and (unless `once`) when there is nothing now."""
    try:
        data = os.read(descriptor, PIPE_CHUNK)
    except BlockingIOError:
        return once
    buffer += data
    return bool(data)


def carry(child: Child, outputs: tuple[FileIO, FileIO], connection: socket.socket) -> None:
    """Send what the process writes as frames until it has ended and its pipes are empty."""
    names = {outputs[0].fileno(): "stdout", outputs[1].fileno(): "stderr"}
    poll = _poll(child, outputs)
    while child.rc is None:
        for descriptor, _ in poll.poll():
            if descriptor == child.reply.fileno():
                child.await_end()
            elif not _pass_on(descriptor, names[descriptor], connection):
                poll.unregister(descriptor)
    for descriptor, name in names.items():
        while _pass_on(descriptor, name, connection, once=False):
            pass


def _pass_on(descriptor: int, name: str, connection: socket.socket, *, once: bool = True) -> bool:
    buffer = bytearray()
    more = _drain(descriptor, buffer, once=once)
    if buffer:
        send(connection, {"stream": name}, bytes(buffer))
    return more


def feed(connection: socket.socket, stdin: FileIO, child: Child) -> None:
    """Write the client's frames to the process; a client that goes away, or says so, ends the process."""
    with suppress(FrameError, OSError):
        while (frame := receive(connection)) is not None and not frame[0].get("kill"):
            if frame[0].get("eof"):
                stdin.close()
            else:
                _write(stdin, frame[1])
    if child.rc is None:
        child.kill()


def _write(stdin: FileIO, data: bytes) -> None:
    """All of it, unless the process no longer reads."""
    view = memoryview(data)
    with suppress(BrokenPipeError, ValueError):
        while view:
            view = view[stdin.write(view) or 0 :]
