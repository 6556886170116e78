"""One writer at a time in a folder; readers keep writers out, and each other not."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO

from heiiki.errors import FolderError

_POLL_S = 0.05


@contextmanager
def writing(lock: str, shown: str, wait_s: float) -> Iterator[None]:
    """Hold the lock file `lock`, which is made where it is missing, alone.

    Args:
        lock: path of the lock file; the system drops the lock when its holder dies.
        shown: the folder, as an error names it.
        wait_s: seconds to wait for another run.

    Raises:
        FolderError: another run holds it for longer.
    """
    handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    with open(handle, "r+b") as file:
        _take(file, fcntl.LOCK_EX, shown, wait_s)
        file.truncate()
        file.write(f"{os.getpid()}\n".encode())
        file.flush()
        yield


@contextmanager
def reading(lock: str, shown: str, wait_s: float) -> Iterator[None]:
    """Hold the lock file together with other readers; without such a file there is nothing to wait for.

    Raises:
        FolderError: another run writes for longer than `wait_s` seconds.
    """
    try:
        handle = os.open(lock, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        yield
        return
    with open(handle, "rb") as file:
        _take(file, fcntl.LOCK_SH, shown, wait_s)
        yield


def _take(file: IO[bytes], kind: int, shown: str, wait_s: float) -> None:
    until = time.monotonic() + wait_s
    while True:
        with suppress(BlockingIOError):
            fcntl.flock(file, kind | fcntl.LOCK_NB)
            return
        if time.monotonic() >= until:
            holder = file.read().decode(errors="replace").strip()
            who = f" (process {holder})" if holder else ""
            raise FolderError(
                f"{shown}: another run{who} is at work in it; wait until it ends, then run again"
            )
        time.sleep(_POLL_S)
