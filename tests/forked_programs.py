"""Processes of their own for tests, each a fork of one process that has imported what they are made of.

To import aiohttp or asyncssh takes half a second of a processor, and tests start programs that serve, and
pushes that they kill, a hundred times. What a fork of a program runs is its own `main`, with a log of its
own, as `python -m PACKAGE ARGUMENTS` does.
"""

import atexit
import json
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from threading import Lock
from typing import Any

from waiting import awaited

_LOCK = Lock()


@dataclass(frozen=True)
class Forked:
    """A program that runs, asked as `subprocess.Popen` is."""

    pid: int

    def poll(self) -> int | None:
        """Return how it ended; None while it runs."""
        found: int | None = _order({"ended": self.pid})
        return found

    def wait(self) -> int:
        """Wait until it has ended, and return how."""
        codes: list[int] = []

        def ended() -> bool:
            code = self.poll()
            codes.extend([] if code is None else [code])
            return bool(codes)

        awaited("the program has ended", ended)
        return codes[0]

    def send_signal(self, number: signal.Signals) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)


def start(package: str, *arguments: str, log: Path) -> Forked:
    """Start a program of `package`; what it says is added to `log`."""
    return call("forked_programs", "program", package, *arguments, log=log)


def call(module: str, function: str, *arguments: Any, log: Path) -> Forked:
    """Have a function of a module for tests called, with arguments that JSON has; what it says is in `log`.

    It returns the exit code. Where the module has a function `imports`, that is called first, without a fork.
    """
    order = {
        "module": module,
        "function": function,
        "arguments": arguments,
        "log": str(log),
        "environment": dict(os.environ),
    }
    return Forked(_order(order))


def imports(package: str, role: str, *_: str) -> None:
    """Import what a program is made of."""
    import_module(f"{package}.{import_module(f'{package}.__main__').PROGRAMS[role]}")


def program(package: str, *arguments: str) -> int:
    """Run a program of a package."""
    found = import_module(f"{package}.__main__")
    sys.argv = [str(found.__file__), *arguments]
    code: int = found.main(arguments)
    return code


@cache
def _server() -> "subprocess.Popen[str]":
    made = subprocess.Popen(
        [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    atexit.register(_end, made)
    return made


def _end(server: "subprocess.Popen[str]") -> None:
    server.communicate()


def _order(order: dict[str, Any]) -> Any:
    server = _server()
    assert server.stdin
    assert server.stdout
    with _LOCK:
        server.stdin.write(json.dumps(order) + "\n")
        server.stdin.flush()
        return json.loads(server.stdout.readline())


def _forked(
    module: str, function: str, arguments: Sequence[Any], log: str, environment: dict[str, str]
) -> int:
    found = import_module(module)
    if hasattr(found, "imports"):
        found.imports(*arguments)
    pid = os.fork()
    if pid:
        _ENDED.pop(pid, None)  # of another before: the kernel gives a number again
        return pid
    code = 1
    try:
        _as_started(log, environment)
        code = getattr(found, function)(*arguments)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001  # as Python itself: it is told, and the code is 1
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _as_started(log: str, environment: dict[str, str]) -> None:
    os.environ.clear()
    os.environ.update(environment)
    for number, path, flags in (
        (0, os.devnull, os.O_RDONLY),
        (1, log, os.O_WRONLY | os.O_APPEND | os.O_CREAT),
    ):
        opened = os.open(path, flags, 0o644)
        os.dup2(opened, number)
        os.close(opened)
    os.dup2(1, 2)


_ENDED: dict[int, int] = {}


def _ended(pid: int) -> int | None:
    if pid not in _ENDED:
        found, status = os.waitpid(pid, os.WNOHANG)
        if not found:
            return None
        _ENDED[pid] = os.waitstatus_to_exitcode(status)
    return _ENDED[pid]


def _serve() -> None:
    for line in sys.stdin:
        order = json.loads(line)
        answer = _ended(order["ended"]) if "ended" in order else _forked(**order)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _serve()
