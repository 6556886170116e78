"""Files on the controller that are replaced whole or not at all."""

import os
import tempfile
from pathlib import Path

from heiiki.errors import EvidenceError


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
    new = draft(path, data, mode, durable=durable)
    try:
        new.replace(path)
    except OSError:
        new.unlink()
        raise
    if durable:
        sync(path.parent)


def draft(path: Path, data: bytes, mode: int, *, durable: bool = True) -> Path:
    """Write a file that can take the place of `path`, beside it; arguments as for `replace`."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fchmod(descriptor, mode)
            if durable:
                os.fsync(descriptor)
    except OSError:
        Path(name).unlink()
        raise
    return Path(name)


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
