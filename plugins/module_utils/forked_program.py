# Copyright: Heiiki contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The device's own program in a fork of this process: starting a Python takes longer than its work.

Standard library only.
"""

import importlib
import os
import runpy
import select
import signal
import subprocess
import sys
import traceback
from collections.abc import Sequence
from typing import NoReturn

PYTHON = "python3"
SUFFIX = ".pyz"
PACKAGE = "heiiki_agent"


def is_forkable(argv: Sequence[str]) -> bool:
    """Tell whether `argv` starts a zip application with the Python that modules run on."""
    return len(argv) > 1 and argv[0] == PYTHON and argv[1].endswith(SUFFIX)


def run_forked(argv: Sequence[str], output: int, timeout: float) -> int:
    """Run the zip application that `argv` names, as its own process would.

    Args:
        argv: one that is forkable.
        output: descriptor that gets both of its output streams.
        timeout: seconds after which it is killed.

    Returns:
        Its exit status, negative where a signal ended it.

    Raises:
        TimeoutExpired: it was not done in time.
        OSError: no process could be made.
    """
    pid = os.fork()
    if pid == 0:
        _become(argv, output)
    ended = os.pidfd_open(pid)
    waiting = select.poll()  # select() knows no descriptor above 1,023
    waiting.register(ended, select.POLLIN)
    try:
        done = waiting.poll(timeout * 1000)
        if not done:
            os.kill(pid, signal.SIGKILL)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    finally:
        os.close(ended)
    if not done:
        raise subprocess.TimeoutExpired(list(argv), timeout)
    return status


def _become(argv: Sequence[str], output: int) -> NoReturn:
    """Run the program in this fork and end it, whatever happens."""
    code = 1
    try:
        _take_streams(output)
        _forget_other_archive()
        sys.argv[:] = argv[1:]
        runpy.run_path(argv[1], run_name="__main__")
        code = 0
    except SystemExit as end:
        code = _exit_status(end)
    except BaseException:  # noqa: BLE001 - nothing may unwind into the frames of the module
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _take_streams(output: int) -> None:
    nothing = os.open(os.devnull, os.O_RDONLY)
    for number, descriptor in enumerate((nothing, output, output)):
        os.dup2(descriptor, number)
    sys.stdin, sys.stdout, sys.stderr = (
        os.fdopen(number, mode, encoding="utf-8", closefd=False)
        for number, mode in enumerate(("r", "w", "w"))
    )


def _forget_other_archive() -> None:
    """Load the program from the archive as it is now: an apply may have replaced the one that was loaded."""
    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        del sys.modules[name]
    importlib.invalidate_caches()


def _exit_status(end: SystemExit) -> int:
    """As the interpreter would: None is 0, a number itself, anything else is printed and is 1."""
    if end.code is None or isinstance(end.code, int):
        return (end.code or 0) & 0xFF
    sys.stderr.write(f"{end.code}\n")
    return 1
