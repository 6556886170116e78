"""The way to a node from outside: one class, blocking, standard library only.

`python -m heiiki_lab.client SOCKET -- PROGRAM ARGUMENT...` carries standard input and output to a program on
the node and back, as OpenSSH wants of a ProxyCommand.
"""

import os
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from heiiki.errors import LabError
from heiiki_lab.agent.frames import Frame, FrameError, receive, send
from heiiki_lab.state import not_up
from heiiki_lab.stream import Stream

_MARGIN = 15.0  # seconds that an answer may take beyond the time that was given to the work itself
_USUAL = 30.0
_BOOT_POLL = 0.5


@dataclass(frozen=True, slots=True)
class Completed:
    """A process that has ended on a node.

    Attributes:
        node: where it ran.
        argv: what ran.
        rc: its exit code; minus the signal's number if a signal ended it.
        stdout: what it wrote.
        stderr: what it complained of.
    """

    node: str
    argv: tuple[str, ...]
    rc: int
    stdout: bytes
    stderr: bytes

    @property
    def text(self) -> str:
        """Standard output as text."""
        return self.stdout.decode(errors="replace")

    def check(self) -> Self:
        """Itself, if the exit code is 0.

        Raises:
            LabError: it is not.
        """
        if self.rc:
            said = (self.stderr or self.stdout).decode(errors="replace").strip()
            raise LabError(f"{self.node}: `{' '.join(self.argv)}` ended with {self.rc}: {said}")
        return self


@dataclass(frozen=True, slots=True)
class Process:
    """One process of a node."""

    pid: int
    ppid: int
    state: str
    args: str


class NodeClient:
    """One node.

    The connection is made on first use and kept. One client serves one thread; a fork makes its own
    connection.

    Args:
        socket_path: see `heiiki_lab.state.socket_path`.
    """

    def __init__(self, socket_path: Path) -> None:
        self.node = socket_path.stem
        self._path = socket_path
        self._connection: socket.socket | None = None
        self._owner = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        """`lab.node("x").run(...)` is a client for one call."""
        self.close()

    def close(self) -> None:
        """Let the connection go; the next call makes a new one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def exec(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        timeout: float = 30.0,
        env: Mapping[str, str] | None = None,
        cwd: str = "/",
    ) -> Completed:
        """Run a program to its end.

        A daemon that it leaves behind does not hold the call up.

        Args:
            argv: program and arguments.
            stdin: what it reads.
            timeout: seconds; then it and its process group are killed.
            env: over a plain environment.
            cwd: folder to start in.

        Raises:
            LabError: no such program, time-out, more than 64 MiB of output, or the node is out of reach.
        """
        request = {"op": "exec", "argv": list(argv), "env": dict(env or {}), "cwd": cwd, "timeout": timeout}
        return self._completed(tuple(argv), self._call(request, stdin, timeout))

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        timeout: float = 30.0,
        env: Mapping[str, str] | None = None,
        cwd: str = "/",
    ) -> str:
        """As `exec`, but any exit code other than 0 is a LabError; returns standard output as text."""
        return self.exec(argv, stdin=stdin, timeout=timeout, env=env, cwd=cwd).check().text

    def python(
        self,
        source: str | bytes,
        *,
        argv: Sequence[str] = (),
        stdin: bytes = b"",
        timeout: float = 120.0,
        env: Mapping[str, str] | None = None,
        cwd: str = "/",
    ) -> Completed:
        """Run Python source as `__main__` in a fork of a Python that has the usual modules loaded already.

        Args and errors as for `exec`; `argv` are the arguments after the program's name.
        """
        text = source.encode() if isinstance(source, str) else source
        request = {
            "op": "python",
            "source_size": len(text),
            "argv": list(argv),
            "env": dict(env or {}),
            "cwd": cwd,
            "timeout": timeout,
        }
        return self._completed(("python3", "-", *argv), self._call(request, text + stdin, timeout))

    def spawn(
        self,
        argv: Sequence[str],
        *,
        log: str | None = None,
        env: Mapping[str, str] | None = None,
        cwd: str = "/",
    ) -> int:
        """Start a program that lives on, in a session of its own; what it says is appended to `log`.

        Returns:
            Its pid on the node.
        """
        place = log or f"/var/log/{Path(argv[0]).name}.log"
        request = {"op": "spawn", "argv": list(argv), "env": dict(env or {}), "cwd": cwd, "log": place}
        return int(self._call(request)[0]["pid"])

    def put(
        self,
        path: str,
        data: bytes,
        *,
        mode: int = 0o644,
        owner: str = "root",
        group: str = "root",
        parents: bool = False,
    ) -> None:
        """Write a file in one step: a reader sees the old content or the new."""
        request = {
            "op": "put",
            "path": path,
            "mode": mode,
            "owner": owner,
            "group": group,
            "parents": parents,
        }
        self._call(request, data)

    def get(self, path: str) -> bytes:
        """A file's content.

        Raises:
            LabError: it cannot be read.
        """
        return self._call({"op": "get", "path": path})[1]

    def stream(
        self, argv: Sequence[str], *, env: Mapping[str, str] | None = None, cwd: str = "/"
    ) -> "Stream":
        """Run a program with its standard streams open both ways, on a connection of its own."""
        connection = self._connect()
        send(connection, {"op": "stream", "argv": list(argv), "env": dict(env or {}), "cwd": cwd})
        return Stream(self.node, tuple(argv), connection)

    def connect(self, host: str, port: int) -> socket.socket:
        """A socket whose other end is a TCP port that the node reaches, in its own network namespace.

        It is blocking, without a time-out, and the caller's to close. It ends as a whole: after a
        `shutdown` of one direction nothing comes back any more.

        Args:
            host: address, or a name that the node knows.
            port: TCP port there.

        Raises:
            LabError: nothing listens there, it does not answer, or the node is out of reach.
        """
        with NodeClient(self._path) as fresh:
            fresh._call({"op": "connect", "host": host, "port": port})
            connection, fresh._connection = fresh._connection, None
        assert connection is not None  # noqa: S101 - the call was made on it
        connection.settimeout(None)
        return connection

    def boot(self) -> None:
        """Start the node's systemd, unless it runs; see `booted` for when its services are up."""
        self._call({"op": "boot"})

    def booted(self, timeout: float) -> None:
        """Wait until systemd has started every enabled service.

        Raises:
            LabError: it has not within `timeout` seconds, or a service failed; the message names which.
        """
        deadline = time.monotonic() + timeout
        state = self._state()
        while state in {"", "initializing", "starting"} and time.monotonic() < deadline:
            time.sleep(_BOOT_POLL)
            state = self._state()
        if state != "running":
            failed = self.exec(["systemctl", "list-units", "--failed", "--plain", "--no-legend"]).text.split(
                "\n"
            )
            names = ", ".join(line.split()[0] for line in failed if line) or "none failed"
            raise LabError(f"{self.node}: systemd is {state or 'silent'} after a boot; services: {names}")

    def _state(self) -> str:
        return self.exec(["systemctl", "show", "--value", "--property=SystemState"]).text.strip()

    def kill_all(self) -> float:
        """SIGKILL to every process of the node but its agent: what a power cut does.

        Returns:
            The guest's monotonic time, in seconds.
        """
        return float(self._call({"op": "kill_all"})[0]["monotonic"])

    def processes(self) -> tuple[Process, ...]:
        """What runs on the node, its agent and PID 1 included."""
        return tuple(Process(**row) for row in self._call({"op": "processes"})[0]["processes"])

    def ping(self) -> float:
        """The guest's monotonic time, in seconds."""
        return float(self._call({"op": "ping"})[0]["monotonic"])

    def _completed(self, argv: tuple[str, ...], frame: Frame) -> Completed:
        answer, body = frame
        size = int(answer["stdout_size"])
        return Completed(self.node, argv, int(answer["rc"]), body[:size], body[size:])

    def _call(self, request: Mapping[str, Any], body: bytes = b"", timeout: float = _USUAL) -> Frame:
        """One request and its answer.

        Raises:
            LabError: the agent says that it cannot be done, or does not answer.
        """
        if self._connection is None or self._owner != os.getpid():
            self._connection, self._owner = self._connect(), os.getpid()
        self._connection.settimeout(timeout + _MARGIN)
        try:
            send(self._connection, request, body)
            frame = receive(self._connection)
        except (OSError, FrameError) as error:
            self.close()
            raise LabError(
                f"{self.node}: its agent stopped answering ({error}); see `heiiki lab status`"
            ) from error
        if frame is None:
            self.close()
            raise LabError(f"{self.node}: its agent closed the connection; see `heiiki lab status`")
        if "error" in frame[0]:
            raise LabError(f"{self.node}: {frame[0]['error']}")
        return frame

    def _connect(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(_USUAL)
        try:
            connection.connect(str(self._path))
        except OSError as error:
            connection.close()
            raise LabError(self._unreachable()) from error
        return connection

    def _unreachable(self) -> str:
        known = sorted(path.stem for path in self._path.parent.glob("[!_]*.sock"))
        if not known or self._path.exists():
            return not_up(self._path.parent.parent)
        return f"no node {self.node!r} in the lab; known nodes: {', '.join(known)}"


def main(arguments: Sequence[str]) -> int:
    """SOCKET -- PROGRAM ARGUMENT... with this process's standard streams."""
    path, _, *argv = arguments
    with NodeClient(Path(path)).stream(argv) as stream:
        return stream.pump() & 0xFF


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
