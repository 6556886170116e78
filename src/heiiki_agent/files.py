"""Files that are replaced whole or not at all."""

import os
from pathlib import Path


def write(path: Path, content: str | bytes, mode: int = 0o644, uid: int = -1, gid: int = -1) -> None:
    """Replace `path` durably; a reader sees the old content or the new, and never more than `mode` lets him.

    Args:
        path: the file; its folder must be there.
        content: the new content, text as UTF-8.
        mode: permissions.
        uid: user that owns it; -1 for the caller.
        gid: group that owns it; -1 for the caller's.
    """
    data = content.encode() if isinstance(content, str) else content
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as stream:
        stream.write(data)
        stream.flush()
        if uid >= 0 or gid >= 0:
            os.fchown(handle, uid, gid)
        os.fchmod(handle, mode)
        os.fsync(handle)
    new.replace(path)
    sync(path.parent)


def link(path: Path, target: Path | str) -> None:
    """Have `path` be a symbolic link to `target`, replaced in one step."""
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    new.symlink_to(target)
    new.replace(path)
    sync(path.parent)


def sync(folder: Path) -> None:
    """Have the names in `folder` reach the disk."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
