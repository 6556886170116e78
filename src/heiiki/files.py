"""Files on the controller that are replaced whole or not at all.

What is written first is a draft beside the file, which its writer holds locked. One without a lock is of a
process that was killed: the next writer in that folder removes it.
"""

import fcntl
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from heiiki.errors import EvidenceError

_SUFFIX = ".draft"
_DRAFT = re.compile(rf"\..+\.[a-z0-9_]{{8}}{re.escape(_SUFFIX)}")
"""What `tempfile` makes of the name of a file."""

_cleared: set[Path] = set()
"""Folders without drafts of before: looking through a large one for each of its files would take long."""


def sync(path: Path) -> None:
    """Have a file's content, or the names in a folder, reach the disk.

    Raises:
        OSError: it is not there, or the disk does not take it.
    """
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def replace(path: Path, data: bytes, mode: int = 0o644, *, durable: bool = True) -> None:
    """Replace `path`: a reader sees the old file or the whole new one, after a loss of power too.

    Args:
        path: the file; its folder must be there.
        data: the new content.
        mode: permissions; until it is complete only its user can read it.
        durable: wait for the disk (fsync); without, a loss of power may leave an empty file.

    Raises:
        OSError: the folder cannot be written; the old file is as it was.
    """
    with draft(path, data, mode, durable=durable) as new:
        new.replace(path)
    if durable:
        sync(path.parent)


@contextmanager
def draft(path: Path, data: bytes, mode: int, *, durable: bool = True) -> Iterator[Path]:
    """Give a file beside `path` that can take its place, and remove it where it does not.

    Arguments and errors are those of `replace`.
    """
    if path.parent not in _cleared:
        clear(path.parent)
        _cleared.add(path.parent)
    descriptor, name = _made(path)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fchmod(descriptor, mode)
            if durable:
                os.fsync(descriptor)
            yield Path(name)  # the lock ends with the stream
    finally:
        Path(name).unlink(missing_ok=True)


def _made(path: Path) -> tuple[int, str]:
    """Make a draft, and lock it."""
    while True:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=_SUFFIX)
        _lock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return descriptor, name
        os.close(descriptor)  # before it was locked, another process took it for one that was left


def clear(folder: Path, *, below: bool = False) -> None:
    """Remove the drafts that processes which were killed have left in a folder; those that are held stay.

    Args:
        folder: the folder; it need not be there.
        below: those in the folders below it, too.
    """
    for path in (folder.rglob if below else folder.glob)(f".*{_SUFFIX}"):
        if _DRAFT.fullmatch(path.name):
            _remove_left(path)


def _remove_left(path: Path) -> None:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return  # it took its place meanwhile, or is another user's
    try:
        if _lock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB):
            path.unlink(missing_ok=True)
    finally:
        os.close(descriptor)


def _lock(descriptor: int, how: int) -> bool:
    """Tell whether a draft could be locked; on a file system without locks none can, and none is removed."""
    try:
        fcntl.flock(descriptor, how)
    except OSError:
        return False
    return True


def write_evidence(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Replace a file of evidence, and make its folder; `durable` as for `replace`.

    Raises:
        EvidenceError: the folder cannot be made or written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace(path, data, durable=durable)
    except OSError as error:
        raise EvidenceError(f"{path}: cannot be written: {error.strerror}; check the folder") from error
