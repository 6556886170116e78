# Copyright: Heiiki contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Files of a node, read and replaced by descriptor: in a folder of a service, names may change meanwhile.

A service may put a link to any file in the place of its configuration, at any moment. So a folder is opened
once, what is in it is opened below that and never through a link, and what is compared is what was opened.
A link to a folder is followed only where root alone can have made it.
"""

import grp
import os
import pwd
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

SUFFIX = ".heiiki-candidate"
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


class NodeError(Exception):
    """The node refuses what was asked; the message says what is wrong, where, and what to do."""


@dataclass(frozen=True, slots=True)
class Stat:
    """Owner and mode of a file."""

    mode: int
    uid: int
    gid: int

    def __str__(self) -> str:
        """``frr:frr 0640``, numbers where the node knows no name."""
        return f"{_user(self.uid)}:{_group(self.gid)} {self.mode:04o}"


@dataclass(frozen=True, slots=True)
class Content:
    """What a file holds, and whose it is."""

    data: bytes
    stat: Stat


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def ownership(owner: str, mode: str) -> Stat:
    """Return owner and mode as numbers; the group is the one called like the owner, or the owner's own.

    Raises:
        NodeError: the node has no such user.
    """
    try:
        user = pwd.getpwnam(owner)
    except KeyError as error:
        raise NodeError(f"the node has no user {owner}: install the package that brings it") from error
    try:
        gid = grp.getgrnam(owner).gr_gid
    except KeyError:
        gid = user.pw_gid
    return Stat(int(mode, 8), user.pw_uid, gid)


@contextmanager
def folder(path: Path) -> Iterator[int]:
    """Yield a descriptor of a folder.

    Raises:
        NodeError: a link leads there that somebody else than root may have made.
        FileNotFoundError, NotADirectoryError: there is no such folder.
    """
    handle = os.open("/", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for name in path.parts[1:]:
            below = _below(handle, name, path)
            os.close(handle)
            handle = below
        yield handle
    finally:
        os.close(handle)


def _below(handle: int, name: str, path: Path) -> int:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    if stat.S_ISLNK(os.stat(name, dir_fd=handle, follow_symlinks=False).st_mode):
        owner = os.fstat(handle)
        if owner.st_uid not in {0, os.geteuid()} or owner.st_mode & _OTHERS_WRITE:
            raise NodeError(
                f"{path}: {name} is a link that others may have made: move it away, then run again"
            )
        return os.open(name, flags, dir_fd=handle)
    return os.open(name, flags | os.O_NOFOLLOW, dir_fd=handle)


def read(path: Path) -> Content | None:
    """Return what `path` holds, or None when there is nothing; only plain files are read.

    Raises:
        NodeError: something else than a plain file is there.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        with folder(path.parent) as at:
            handle = os.open(path.name, flags, dir_fd=at)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        # ELOOP for a link, ENXIO for a socket.
        raise NodeError(
            f"{path} is not a plain file: move it away, then run again ({error.strerror})"
        ) from error
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            raise NodeError(f"{path} is not a plain file: move it away, then run again")
        with open(handle, "rb", closefd=False) as stream:
            return Content(stream.read(), Stat(found.st_mode & 0o7777, found.st_uid, found.st_gid))
    finally:
        os.close(handle)


def install(path: Path, content: Content) -> None:
    """Put a file in its place whole; until it is there its owner alone can read it.

    Raises:
        NodeError: what is there now is not what was written: somebody else changes the folder.
    """
    with folder(path.parent) as at:
        fresh = candidate_name(path.name)
        with suppress(FileNotFoundError):
            os.unlink(fresh, dir_fd=at)
        # Open until the end, so that no other file can get its inode number.
        with open(_written(fresh, at, content), "rb") as stream:
            os.rename(fresh, path.name, src_dir_fd=at, dst_dir_fd=at)
            written = os.fstat(stream.fileno())
            there = os.stat(path.name, dir_fd=at, follow_symlinks=False)
        if (there.st_dev, there.st_ino) != (written.st_dev, written.st_ino):
            raise NodeError(f"{path} was replaced while it was installed: find out by what, then run again")
        os.fsync(at)


def _written(name: str, at: int, content: Content) -> int:
    """Write a new file, durably, and return a descriptor of it."""
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    handle = os.open(name, flags, 0o600, dir_fd=at)
    try:
        with open(handle, "wb", closefd=False) as stream:
            stream.write(content.data)
        os.fchown(handle, content.stat.uid, content.stat.gid)
        os.fchmod(handle, content.stat.mode)
        os.fsync(handle)
    except BaseException:
        os.close(handle)
        raise
    return handle


def candidate_name(name: str) -> str:
    """Return the name by which a file is written beside its place; no program includes it."""
    return f".{name}{SUFFIX}"


def remove(path: Path) -> None:
    """Remove a file, if it is there, and make that durable."""
    with suppress(FileNotFoundError, NotADirectoryError), folder(path.parent) as at:
        os.unlink(path.name, dir_fd=at)
        os.fsync(at)


def make_folder(path: Path, mode: int) -> None:
    """Make a folder in one that is there."""
    with folder(path.parent) as at:
        os.mkdir(path.name, mode, dir_fd=at)


def remove_empty(path: Path) -> None:
    """Remove a folder if it is there and empty."""
    with suppress(OSError), folder(path.parent) as at:
        os.rmdir(path.name, dir_fd=at)
