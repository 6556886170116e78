"""Run a Python program of this device in a fork of this interpreter, as if it had been started.

Starting an interpreter and importing what a program needs takes most of the time of a short question. A
caller that has asked one already, and asks five more, has both behind it.
"""

import os
import runpy
import signal
import sys
import tempfile
import traceback
from collections.abc import Sequence
from contextlib import suppress
from typing import IO, NoReturn

from heiiki_agent.ready import readable

_OWN = __name__.partition(".")[0]
_FAILED = 1


def run(argv: Sequence[str], timeout_s: float) -> tuple[int, bytes, bytes]:
    """Return exit status, standard output and standard error of ``python3 FILE ARGUMENT...``.

    Args:
        argv: the interpreter, which is this one whatever stands there; the program, a script or a zip
            application (PEP 441); its arguments. Standard input is empty.
        timeout_s: after so many seconds it is killed.

    Raises:
        TimeoutError: it was killed.
        OSError: there is no such program, or no process to be had.
    """
    with (
        open(argv[1], "rb"),  # noqa: PTH123 - only whether it can be read: said here, not by the child
        tempfile.TemporaryFile() as out,
        tempfile.TemporaryFile() as err,
    ):
        pid = os.fork()
        if pid == 0:
            _become(argv, out, err)
        status = _awaited(pid, timeout_s)
        return os.waitstatus_to_exitcode(status), _content(out), _content(err)


def _awaited(pid: int, timeout_s: float) -> int:
    """Return the status of a child, which is killed when the time is over."""
    descriptor = os.pidfd_open(pid)
    try:
        ended = readable([descriptor], timeout_s)
        if not ended:
            os.kill(pid, signal.SIGKILL)
    finally:
        os.close(descriptor)
        status = os.waitpid(pid, 0)[1]
    if not ended:
        raise TimeoutError(f"it did not end within {timeout_s:g} s")
    return status


def _content(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read()


def _become(argv: Sequence[str], out: IO[bytes], err: IO[bytes]) -> NoReturn:
    """Run the program and end the process with its status, whatever happens in it."""
    status = _FAILED
    try:
        _take_streams(out, err)
        _forget_package()
        sys.argv[:] = argv[1:]
        runpy.run_path(argv[1], run_name="__main__")
        status = 0
    except SystemExit as end:
        status = _status(end)
    except BaseException:  # noqa: BLE001 - nothing may unwind into the parent's frames
        traceback.print_exc()
    finally:
        with suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


def _take_streams(out: IO[bytes], err: IO[bytes]) -> None:
    null = os.open(os.devnull, os.O_RDONLY)
    for number, descriptor in enumerate((null, out.fileno(), err.fileno())):
        os.dup2(descriptor, number)
    sys.stdin = os.fdopen(0, "r", encoding="utf-8", closefd=False)
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = os.fdopen(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False)


def _forget_package() -> None:
    """Have the program load the package from its own archive: that of another may lack what it needs."""
    for name in [name for name in sys.modules if name.partition(".")[0] == _OWN]:
        del sys.modules[name]


def _status(end: SystemExit) -> int:
    """As the interpreter would: None is 0, a number itself, anything else is printed and is 1."""
    if end.code is None:
        return 0
    if isinstance(end.code, int):
        return end.code & 0xFF
    sys.stderr.write(f"{end.code}\n")
    return _FAILED
