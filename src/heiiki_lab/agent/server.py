"""The agent of a node: answers requests on a TCP port that only the launcher outside can reach.

One thread a connection. Processes are started by the fork server, so that the agent itself never waits for a
child.
"""

import grp
import json
import os
import pwd
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from io import FileIO
from pathlib import Path
from typing import Any

from heiiki_lab.agent.children import (
    PIPE_CHUNK,
    AgentError,
    Child,
    Request,
    as_file,
    carry,
    collect,
    feed,
    pipe,
    process,
)
from heiiki_lab.agent.frames import VERSION, Frame, FrameError, receive, send

_KILL_TIMEOUT = 3.0
_READY_THREADS = 3
_CONNECT_TIMEOUT = 10.0

Answer = tuple[dict[str, Any], bytes]


class Agent:
    """Serves one node.

    Args:
        name: the node's name.
        listener: a listening socket; it was opened in the guest's own network namespace and stays there.
        control: the agent's end of the socket pair to PID 1.
        alone: the PID namespace holds nothing but this node, so that killing all in it kills the node's
            processes.
    """

    def __init__(
        self, name: str, listener: socket.socket, control: socket.socket, *, alone: bool = False
    ) -> None:
        self.name = name
        self._alone = alone
        self._listener = listener
        self._fork_server = control
        self._fork_server_lock = threading.Lock()
        self._idle_lock = threading.Lock()
        self._idle = 0
        self._operations: dict[str, Callable[[socket.socket, Request, bytes], Answer]] = {
            "ping": self._ping,
            "exec": self._exec,
            "python": self._python,
            "spawn": self._spawn,
            "put": self._put,
            "get": self._get,
            "processes": self._processes,
            "boot": self._boot,
            "kill_all": self._kill_all,
        }
        self._carriers = {"stream": self._stream, "connect": self._connect}

    def add(self, name: str, operation: Callable[[socket.socket, Request, bytes], Answer]) -> None:
        """Offer one more operation."""
        self._operations[name] = operation

    def serve(self) -> None:
        """Accept connections; never returns.

        Threads wait for work, because in the guest a new one takes longer than most requests. There is
        always one more than is busy.
        """
        self._idle = _READY_THREADS
        for _ in range(_READY_THREADS - 1):
            threading.Thread(target=self._accept_and_talk, daemon=True).start()
        self._accept_and_talk()

    def _accept_and_talk(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            with self._idle_lock:
                self._idle -= 1
                wanted = self._idle == 0
                self._idle += wanted
            if wanted:
                threading.Thread(target=self._accept_and_talk, daemon=True).start()
            self._talk(connection)
            with self._idle_lock:
                self._idle += 1

    def _talk(self, connection: socket.socket) -> None:
        if connection.family == socket.AF_INET:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with connection, suppress(FrameError, ConnectionError):
            while (frame := receive(connection)) is not None:
                if (carry := self._carriers.get(str(frame[0].get("op")))) is not None:
                    carry(connection, frame[0])
                    return
                send(connection, *self._answer(connection, frame))

    def _answer(self, connection: socket.socket, frame: Frame) -> Answer:
        request, body = frame
        operation = self._operations.get(str(request.get("op")))
        if operation is None:
            return {"error": f"agent protocol {VERSION} has no operation {request.get('op')!r}"}, b""
        try:
            return operation(connection, request, body)
        except AgentError as error:
            return {"error": str(error)}, b""
        except (OSError, KeyError, ValueError, TypeError) as error:
            return {"error": f"{type(error).__name__}: {error}"}, b""

    # -- processes
    # ------------------------------------------------------------------------------------------------

    def start(self, request: Request, descriptors: list[int]) -> "Child":
        """Have the fork server start a process with these standard streams and, for Python, this source."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self.ask_fork_server(request, [theirs.fileno(), *descriptors])
        child = Child(ours)
        child.await_start()
        return child

    def ask_fork_server(self, request: Request, descriptors: list[int]) -> None:
        """Hand PID 1 a request; the first descriptor is where its answers go."""
        with self._fork_server_lock:
            socket.send_fds(self._fork_server, [json.dumps(request).encode()], descriptors)

    def _exec(self, connection: socket.socket, request: Request, body: bytes) -> Answer:
        with ExitStack() as stack:
            stdin = as_file(stack, body)
            return self._run(stack, connection, {**process(request), "kind": "exec"}, [stdin])

    def _python(self, connection: socket.socket, request: Request, body: bytes) -> Answer:
        size = int(request["source_size"])
        with ExitStack() as stack:
            inputs = [as_file(stack, body[size:]), as_file(stack, body[:size])]
            return self._run(stack, connection, {**process(request), "kind": "python"}, inputs)

    def _run(
        self, stack: ExitStack, connection: socket.socket, request: Request, inputs: list[int]
    ) -> Answer:
        """Run to the end; inputs are standard input and, for Python, the source."""
        out, out_end = pipe(stack)
        err, err_end = pipe(stack)
        child = self.start(request, [inputs[0], out_end.fileno(), err_end.fileno(), *inputs[1:]])
        stack.callback(child.close)
        out_end.close()
        err_end.close()
        stdout, stderr = collect(child, (out, err), connection, request)
        return {"rc": child.rc, "stdout_size": len(stdout)}, stdout + stderr

    def _spawn(self, _connection: socket.socket, request: Request, _body: bytes) -> Answer:
        log = Path(request["log"])
        log.parent.mkdir(parents=True, exist_ok=True)
        with Path(os.devnull).open("rb") as stdin, log.open("ab") as output:
            streams = [stdin.fileno(), output.fileno(), output.fileno()]
            child = self.start({**process(request), "kind": "exec"}, streams)
        child.close()
        return {"pid": child.pid}, b""

    def _stream(self, connection: socket.socket, request: Request) -> None:
        """Run a program with its standard streams carried both ways as frames, until it ends."""
        with ExitStack() as stack:
            stdin_end, stdin = pipe(stack)
            os.set_blocking(stdin_end.fileno(), True)
            out, out_end = pipe(stack)
            err, err_end = pipe(stack)
            streams = (stdin_end, out_end, err_end)
            try:
                child = self.start({**process(request), "kind": "exec"}, [end.fileno() for end in streams])
            except AgentError as error:
                send(connection, {"error": str(error)})
                return
            stack.callback(child.close)
            for end in streams:
                end.close()
            send(connection, {"pid": child.pid})
            feeder = threading.Thread(target=feed, args=(connection, stdin, child), daemon=True)
            feeder.start()
            with suppress(OSError):
                carry(child, (out, err), connection)
                send(connection, {"rc": child.rc})
                connection.shutdown(socket.SHUT_RDWR)
            feeder.join()

    # -- connections
    # ----------------------------------------------------------------------------------------------

    def _connect(self, connection: socket.socket, request: Request) -> None:
        """Carry bytes between the client and a TCP port that this node reaches, until one of them ends."""
        try:
            place = (str(request["host"]), int(request["port"]))
            far = socket.create_connection(place, _CONNECT_TIMEOUT)
        except (OSError, KeyError, ValueError, OverflowError) as error:
            send(connection, {"error": f"{request.get('host')} port {request.get('port')}: {error}"})
            return
        with far:
            far.settimeout(None)
            far.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            send(connection, {})
            back = threading.Thread(target=_pour, args=(far, connection), daemon=True)
            back.start()
            _pour(connection, far)
            back.join()

    # -- files
    # ----------------------------------------------------------------------------------------------------

    def _put(self, _connection: socket.socket, request: Request, body: bytes) -> Answer:
        path = Path(request["path"])
        if request.get("parents"):
            path.parent.mkdir(parents=True, exist_ok=True)
        uid, gid = _ids(request.get("owner", "root"), request.get("group", "root"))
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        temporary = Path(name)
        try:
            with FileIO(handle, "w") as file:
                file.write(body)
                os.fchown(handle, uid, gid)
                os.fchmod(handle, int(request.get("mode", 0o644)))
            temporary.replace(path)
        except OSError:
            temporary.unlink()
            raise
        return {}, b""

    def _get(self, _connection: socket.socket, request: Request, _body: bytes) -> Answer:
        return {}, Path(request["path"]).read_bytes()

    # -- the node
    # -------------------------------------------------------------------------------------------------

    def _ping(self, _connection: socket.socket, _request: Request, _body: bytes) -> Answer:
        return {"node": self.name, "version": VERSION, **clock()}, b""

    def _processes(self, _connection: socket.socket, _request: Request, _body: bytes) -> Answer:
        return {"processes": [row for row in map(_process_row, Path("/proc").glob("[0-9]*")) if row]}, b""

    def _boot(self, _connection: socket.socket, _request: Request, _body: bytes) -> Answer:
        """Answers when systemd has been started, long before its services are."""
        self.start({"kind": "boot"}, []).close()
        return clock(), b""

    def _kill_all(self, _connection: socket.socket, _request: Request, _body: bytes) -> Answer:
        """Answers when they are all gone."""
        if not self._alone:
            raise AgentError(
                f"{self.name} is no node of its own: killing everything here would end other nodes too"
            )
        deadline = time.monotonic() + _KILL_TIMEOUT
        # Of this PID namespace, and systemd's inside it: all but PID 1 and the agent itself.
        with suppress(ProcessLookupError):
            while True:
                os.kill(-1, signal.SIGKILL)
                if time.monotonic() > deadline:
                    raise AgentError(f"these processes outlive SIGKILL: {', '.join(_living_others())}")
                time.sleep(0.002)
        return clock(), b""


def _living_others() -> list[str]:
    """Processes beside PID 1 and the agent that have not ended."""
    rows = filter(None, map(_process_row, Path("/proc").glob("[0-9]*")))
    return [
        row["args"] for row in rows if row["pid"] not in {1, os.getpid()} and row["state"] not in {"Z", "X"}
    ]


def clock() -> dict[str, float]:
    """The guest's clocks, in seconds."""
    return {"monotonic": time.monotonic(), "realtime": time.time()}


def _pour(source: socket.socket, target: socket.socket) -> None:
    """All that comes, until the end of it; what cannot be passed on ends the source too."""
    try:
        while data := source.recv(PIPE_CHUNK):
            target.sendall(data)
    except OSError:
        with suppress(OSError):
            source.shutdown(socket.SHUT_RDWR)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def _ids(owner: str, group: str) -> tuple[int, int]:
    try:
        return pwd.getpwnam(owner).pw_uid, grp.getgrnam(group).gr_gid
    except KeyError as error:
        raise AgentError(f"owner {owner}, group {group}: {error.args[0]}") from error


def _process_row(folder: Path) -> dict[str, Any] | None:
    """One process; None if it ended meanwhile."""
    try:
        stat = (folder / "stat").read_text()
        words = (folder / "cmdline").read_bytes().rstrip(b"\0").split(b"\0")
    except OSError:
        return None
    name, rest = stat[stat.index("(") + 1 :].rsplit(")", 1)
    args = " ".join(word.decode(errors="replace") for word in words) or f"[{name}]"
    return {"pid": int(folder.name), "state": rest.split()[0], "ppid": int(rest.split()[1]), "args": args}
