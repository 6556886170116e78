"""The fork server, PID 1 of a node and of the guest: starts and reaps every process that the agent asks for.

It has one thread, so that a fork of it is a clean Python with what modules want already
loaded. The agent, its only client, hands it requests with file descriptors over a socket pair; each
request carries a reply socket on which the pid and, at the end, the exit code go back.
"""

import atexit
import json
import os
import select
import signal
import socket
import subprocess
import sys
import traceback
import types
from collections.abc import Callable, Mapping
from contextlib import suppress
from io import FileIO
from typing import Any, NoReturn

from heiiki_lab.agent.preload import forget_other_release

Request = dict[str, Any]
Handler = Callable[["ForkServer", Request, list[int]], None]

BASE_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "USER": "root",
    "LOGNAME": "root",
    "SHELL": "/bin/sh",
    "LANG": "C.UTF-8",
    "TERM": "dumb",
}

_MAX_REQUEST = 1 << 18
_MAX_DESCRIPTORS = 16


class ForkServer:
    """The loop of PID 1.

    Args:
        control: the fork server's end of the socket pair to the agent.
        handlers: further kinds of request, beside `exec` and `python`.
        agent: the agent's pid; when it ends, so does the fork server, and with PID 1 the node.
    """

    def __init__(
        self, control: socket.socket, agent: int, handlers: Mapping[str, Handler] | None = None
    ) -> None:
        self._control = control
        self._agent = agent
        self._handlers: dict[str, Handler] = {
            "exec": _start_program,
            "python": _start_python,
            **(handlers or {}),
        }
        self._waiting: dict[int, Callable[[int], None]] = {}

    def run(self) -> None:
        """Serve until the agent is gone."""
        wakeup, bell = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(bell, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        poll = select.poll()
        poll.register(wakeup, select.POLLIN)
        poll.register(self._control, select.POLLIN)
        while True:
            ready = [descriptor for descriptor, _ in poll.poll()]
            if wakeup in ready:
                with suppress(BlockingIOError):
                    os.read(wakeup, 4096)
                if self._reap():
                    return
            if self._control.fileno() in ready and not self._take():
                return

    def watch(self, pid: int, reply: socket.socket) -> None:
        """Tell `reply` the pid now, and the exit code when the process has ended."""
        _answer(reply, {"pid": pid})

        def ended(code: int) -> None:
            _answer(reply, {"rc": code})
            reply.close()

        self.on_end(pid, ended)

    def on_end(self, pid: int, call: Callable[[int], None]) -> None:
        """Have `call` called with the exit code of the child `pid` when it has ended."""
        self._waiting[pid] = call

    def _take(self) -> bool:
        data, descriptors, _, _ = socket.recv_fds(self._control, _MAX_REQUEST, _MAX_DESCRIPTORS)
        if not data:
            return False
        request = json.loads(data)
        try:
            self._handlers[request["kind"]](self, request, descriptors)
        except OSError as error:
            with socket.socket(fileno=os.dup(descriptors[0])) as reply:
                _answer(reply, {"error": f"{error.strerror}: {error.filename or request.get('argv')}"})
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        return True

    def _reap(self) -> bool:
        """Collect every dead child; true if the agent was among them."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return True
            if pid == 0:
                return False
            if pid == self._agent:
                return True
            if pid in self._waiting:
                self._waiting.pop(pid)(os.waitstatus_to_exitcode(status))


def _answer(reply: socket.socket, message: Request) -> None:
    """Best effort: who asked may have gone."""
    with suppress(OSError):
        reply.send(json.dumps(message).encode())


def environment(request: Request) -> dict[str, str]:
    """The environment of a new process: a plain one, and what was asked for over it."""
    return BASE_ENVIRONMENT | (request.get("env") or {})


def _start_program(server: ForkServer, request: Request, descriptors: list[int]) -> None:
    """Start `argv` in a session of its own with the given standard streams."""
    reply, stdin, stdout, stderr = descriptors
    process = subprocess.Popen(
        request["argv"],
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        env=environment(request),
        cwd=request.get("cwd") or "/",
        start_new_session=True,
    )
    process.returncode = 0  # the loop reaps it; Popen must not
    server.watch(process.pid, socket.socket(fileno=os.dup(reply)))


def _start_python(server: ForkServer, request: Request, descriptors: list[int]) -> None:
    """Fork, and run the Python source behind the last descriptor as `__main__` in the child."""
    pid = os.fork()
    if pid == 0:
        become(lambda: _run_source(request, descriptors))
    server.watch(pid, socket.socket(fileno=os.dup(descriptors[0])))


def become(main: Callable[[], int | None]) -> NoReturn:
    """Run `main` in a fresh fork and end the process with its result, whatever happens in it."""
    code = 70
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        code = main() or 0
    except BaseException:  # noqa: BLE001 - nothing may unwind into the parent's frames
        sys.excepthook(*sys.exc_info())
    finally:
        with suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _run_source(request: Request, descriptors: list[int]) -> int:
    _, stdin, stdout, stderr, source = descriptors
    with FileIO(os.dup(source)) as file:
        text = file.read()
    forget_other_release(text)
    _take_streams(stdin, stdout, stderr)
    os.setsid()
    os.chdir(request.get("cwd") or "/")
    os.environ.clear()
    os.environ.update(environment(request))
    sys.argv[:] = ["", *request.get("argv", [])]
    main = types.ModuleType("__main__")
    sys.modules["__main__"] = main
    atexit._clear()  # noqa: SLF001 - what the parent registered must not run in the child
    try:
        exec(compile(text, "<stdin>", "exec"), main.__dict__)  # noqa: S102 - running it is what was asked for
        code = 0
    except SystemExit as end:
        code = _exit_code(end)
    except BaseException as error:  # noqa: BLE001 - the interpreter itself would catch no less
        trace = error.__traceback__
        traceback.print_exception(type(error), error, trace.tb_next if trace else None)
        code = 1
    finally:
        atexit._run_exitfuncs()  # noqa: SLF001 - os._exit does not
    return code


def _exit_code(end: SystemExit) -> int:
    """As the interpreter would: None is 0, a number itself, anything else is printed and is 1."""
    if end.code is None:
        return 0
    if isinstance(end.code, int):
        return end.code & 0xFF
    sys.stderr.write(f"{end.code}\n")
    return 1


def _take_streams(stdin: int, stdout: int, stderr: int) -> None:
    """Make the three descriptors 0, 1 and 2, close all others, and reopen Python's own streams."""
    for number, descriptor in enumerate((stdin, stdout, stderr)):
        os.dup2(descriptor, number)
    os.closerange(3, 1024)
    open_standard_streams()


def open_standard_streams() -> None:
    """Reopen Python's own streams over what descriptors 0, 1 and 2 now are."""
    sys.stdin = os.fdopen(0, "r", encoding="utf-8", closefd=False)
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = os.fdopen(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False)
