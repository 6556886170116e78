"""What stands in a folder, looked at without following links."""

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator

Content = str | bytes

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def encoded(content: Content) -> bytes:
    """Return the bytes of a file's content."""
    return content.encode() if isinstance(content, str) else content


def digest(content: Content) -> str:
    """Return the SHA-256 of a file's content, in hexadecimal."""
    return hashlib.sha256(encoded(content)).hexdigest()


class Tree:
    """The files below a folder, by relative path; each folder on the way is looked at once.

    Attributes:
        odd: why a path can be no file of ours, by path: a link, a device, a file where a folder belongs.
    """

    def __init__(self, root: str) -> None:
        """Look below `root`, a real path."""
        self._root = root
        self._folders: dict[str, bool] = {"": True}
        self.odd: dict[str, str] = {}

    def digests(self, paths: Iterable[str]) -> dict[str, str]:
        """Return the digest of each path that is a file."""
        found = {path: self.digest(path) for path in paths}
        return {path: value for path, value in found.items() if value}

    def visible(self) -> Iterator[str]:
        """Yield the path of everything that is no folder, except below hidden names at the top."""
        for folder, folders, names in os.walk(self._root):
            at = "" if folder == self._root else f"{folder[len(self._root) + 1 :]}/"
            if not at:
                folders[:] = [name for name in folders if not name.startswith(".")]
            links = [name for name in folders if os.path.islink(f"{folder}/{name}")]
            yield from (f"{at}{name}" for name in (*names, *links) if at or not name.startswith("."))

    def digest(self, path: str) -> str:
        """Return the digest of a file; empty when there is none, and when `odd` says why it is none.

        Raises:
            OSError: it cannot be read.
        """
        try:
            if not self._is_folder(path.rpartition("/")[0]):
                return ""
            return self._file(path)
        except _OddError as error:
            self.odd[path] = str(error)
            return ""

    def _is_folder(self, path: str) -> bool:
        if path not in self._folders:
            self._folders[path] = self._is_folder(path.rpartition("/")[0]) and self._looked_at(path)
        return self._folders[path]

    def _looked_at(self, path: str) -> bool:
        try:
            mode = os.lstat(f"{self._root}/{path}").st_mode
        except FileNotFoundError:
            return False
        if not stat.S_ISDIR(mode):
            raise _OddError(f"{path} is {_kind(mode)} where a folder belongs")
        return True

    def _file(self, path: str) -> str:
        full = f"{self._root}/{path}"
        try:
            handle = os.open(full, _READ)
        except FileNotFoundError:
            return ""
        except OSError:
            mode = os.lstat(full).st_mode
            if stat.S_ISREG(mode):
                raise
            raise _OddError(f"{path} is {_kind(mode)} where a file belongs") from None
        with open(handle, "rb") as stream:
            mode = os.fstat(handle).st_mode
            if not stat.S_ISREG(mode):
                raise _OddError(f"{path} is {_kind(mode)} where a file belongs")
            return hashlib.sha256(stream.read()).hexdigest()


class _OddError(Exception):
    """A path is not what its place in the folder asks for."""


def _kind(mode: int) -> str:
    if stat.S_ISLNK(mode):
        return "a link"
    if stat.S_ISDIR(mode):
        return "a folder"
    return "a file" if stat.S_ISREG(mode) else "a special file"
