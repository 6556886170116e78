# Copyright: Heiiki contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Changing several files of a node together: all of them, or none, wherever the run is cut off.

Candidates are written beside the files they replace. Before the first file is replaced, everything that is
about to be lost is copied to the journal and the journal is made durable; the journal is removed last.
A journal that is found therefore shows that a run was cut off, and `Journal.undo` restores the old files.
"""

import fcntl
import grp
import json
import os
import pwd
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

FOLDER = "var/lib/heiiki/journal"
LOCK = "var/lib/heiiki/lock"
SUFFIX = ".heiiki-candidate"
FOLDER_MODE = 0o755


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


@dataclass(frozen=True, slots=True)
class Change:
    """One file that is about to change.

    Attributes:
        path: absolute path on the node.
        before: what stands there now, or None.
        after: what is to stand there, or None when the file is to go.
    """

    path: str
    before: Content | None
    after: Content | None


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


def read(path: Path) -> Content | None:
    """Return what `path` holds, or None when there is nothing; only plain files are read.

    Raises:
        NodeError: something else than a plain file is there.
    """
    try:
        found = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    if not path.is_file() or path.is_symlink():
        raise NodeError(f"{path} is not a plain file: move it away, then run again")
    return Content(path.read_bytes(), Stat(found.st_mode & 0o7777, found.st_uid, found.st_gid))


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable (fsync)."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write(path: Path, content: Content) -> None:
    """Write a file that never shows more than its owner may see, and make its content durable."""
    path.unlink(missing_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as stream:
        stream.write(content.data)
        stream.flush()
        os.fchown(stream.fileno(), content.stat.uid, content.stat.gid)
        os.fchmod(stream.fileno(), content.stat.mode)
        os.fsync(stream.fileno())


class Journal:
    """The changes of one run, from their candidates to the last of them, with the way back."""

    def __init__(self, root: Path = Path("/")) -> None:
        """Work on the files below `root`."""
        self._root = root
        self._folder = root / FOLDER
        self._index = self._folder / "journal.json"

    def at(self, path: str) -> Path:
        """Return where the node's absolute `path` stands."""
        return self._root / path.lstrip("/")

    def candidate(self, path: str) -> Path:
        """Return where the candidate for `path` stands: same folder, a name that no program includes."""
        target = self.at(path)
        return target.with_name(f".{target.name}{SUFFIX}")

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other runs away: the journal of a run at work is not that of one that was cut off.

        Raises:
            NodeError: another run is at work on the node.
        """
        lock = self._root / LOCK
        lock.parent.mkdir(parents=True, exist_ok=True)
        with lock.open("ab") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise NodeError(
                    "another run is at work on this node: wait until it is done, then run again"
                ) from error
            yield

    def found(self) -> bool:
        """Tell whether a run was cut off and left its journal."""
        return self._index.is_file()

    def services(self) -> dict[str, str]:
        """Return the state of each service when the run began, as `open` was told."""
        index: dict[str, Any] = json.loads(self._index.read_text(encoding="utf-8"))
        return dict(index["services"])

    def stage(self, changes: Sequence[Change]) -> None:
        """Write every candidate; until `open`, `undo` has only these to remove."""
        folders = sorted(
            {folder for change in changes if change.after for folder in self._missing(change.path)}
        )
        self._write_index(changes, folders, {}, saved=False)
        for folder in folders:
            folder.mkdir(mode=FOLDER_MODE)
        for change in changes:
            self.write_candidate(change)

    def write_candidate(self, change: Change) -> None:
        """Write what is to stand at `change.path` beside it."""
        if change.after:
            write(self.candidate(change.path), change.after)

    def open(self, changes: Sequence[Change], services: Mapping[str, str]) -> None:
        """Save what is about to be lost. From here on `undo` restores it.

        Args:
            changes: the changes that were staged.
            services: state of each service that may be touched, in order, to be restored by a later run.
        """
        for number, change in enumerate(changes):
            if change.before:
                write(self._copy(number), change.before)
        sync_folder(self._folder)
        index = json.loads(self._index.read_text(encoding="utf-8"))
        folders = [self.at(folder) for folder in index["folders"]]
        self._write_index(changes, folders, services, saved=True)

    def install(self, changes: Sequence[Change]) -> None:
        """Put every candidate in its place and remove what is to go."""
        touched = set()
        for change in changes:
            target = self.at(change.path)
            if change.after:
                self.candidate(change.path).replace(target)
            else:
                target.unlink(missing_ok=True)
            touched.add(target.parent)
        for folder in sorted(touched):
            sync_folder(folder)

    def undo(self) -> None:
        """Bring back every file as it was before the run. May itself be cut off and repeated."""
        index = json.loads(self._index.read_text(encoding="utf-8"))
        for number, entry in enumerate(index["files"]):
            self.candidate(entry["path"]).unlink(missing_ok=True)
            if index["saved"]:
                self._restore(number, entry["path"], entry["before"])
        for folder in sorted(map(self.at, index["folders"]), reverse=True):
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()

    def close(self) -> None:
        """End the run: what is installed stays."""
        self._index.unlink(missing_ok=True)
        if self._folder.is_dir():
            sync_folder(self._folder)
            shutil.rmtree(self._folder)

    def _restore(self, number: int, path: str, before: Mapping[str, int] | None) -> None:
        target = self.at(path)
        if before is None:
            target.unlink(missing_ok=True)
            return
        write(self.candidate(path), Content(self._copy(number).read_bytes(), Stat(**before)))
        self.candidate(path).replace(target)
        sync_folder(target.parent)

    def _missing(self, path: str) -> Iterator[Path]:
        folder = self.at(path).parent
        while not folder.exists():
            yield folder
            folder = folder.parent

    def _copy(self, number: int) -> Path:
        return self._folder / f"{number:04d}"

    def _write_index(
        self, changes: Sequence[Change], folders: Sequence[Path], services: Mapping[str, str], *, saved: bool
    ) -> None:
        index = {
            "saved": saved,
            "files": [
                {"path": change.path, "before": asdict(change.before.stat) if change.before else None}
                for change in changes
            ],
            "folders": [f"/{folder.relative_to(self._root)}" for folder in folders],
            "services": dict(services),
        }
        self._folder.mkdir(parents=True, exist_ok=True)
        self._folder.chmod(0o700)
        fresh = self._folder / ".journal.json"
        write(fresh, Content(json.dumps(index).encode(), Stat(0o600, os.geteuid(), os.getegid())))
        fresh.replace(self._index)
        sync_folder(self._folder)
