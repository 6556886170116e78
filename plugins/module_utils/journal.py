# Copyright: Heiiki contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Changing several files of a node together: all of them, or none, wherever the run is cut off.

Candidates are validated in a folder of root's own, where no service can change them. Before the first file is
replaced, everything that is about to be lost is copied to the journal and the journal is made durable; the
journal is removed last.
A journal that is found therefore shows that a run was cut off, and `Journal.undo` restores the old files.
"""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ansible_collections.heiiki.network.plugins.module_utils.node_files import (
    Content,
    NodeError,
    Stat,
    candidate_name,
    install,
    make_folder,
    remove,
    remove_empty,
)

FOLDER = "var/lib/heiiki/journal"
LOCK = "var/lib/heiiki/lock"
FOLDER_MODE = 0o755
PRIVATE = 0o700


class NodeBusyError(NodeError):
    """Another run is at work on the node."""


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


class Journal:
    """The changes of one run, from their candidates to the last of them, with the way back."""

    def __init__(self, root: Path = Path("/"), *, holds: bool = False) -> None:
        """Work on the files below `root`.

        Args:
            root: where the node's files stand.
            holds: what is begun here is not at its end with the last file: somebody confirms it later.
        """
        self._root = root
        self.holds = holds
        self._folder = root / FOLDER
        self._index = self._folder / "journal.json"

    def at(self, path: str) -> Path:
        """Return where the node's absolute `path` stands."""
        return self._root / path.lstrip("/")

    def candidate(self, path: str) -> Path:
        """Return where the candidate for `path` is staged: in a folder that root alone may enter."""
        return self._folder / "staged" / candidate_name(path.strip("/").replace("/", "-"))

    @contextmanager
    def alone(self, *, patient: bool = False) -> Iterator[None]:
        """Keep other runs away: the journal of a run at work is not that of one that was cut off.

        Args:
            patient: wait until another run is done.

        Raises:
            NodeBusyError: another run is at work on the node.
        """
        lock = self._root / LOCK
        lock.parent.mkdir(parents=True, exist_ok=True)
        with lock.open("ab") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | (0 if patient else fcntl.LOCK_NB))
            except BlockingIOError as error:
                raise NodeBusyError(
                    "another run is at work on this node: wait until it is done, then run again"
                ) from error
            yield

    def found(self) -> bool:
        """Tell whether a run was cut off and left its journal, or holds what it has changed."""
        return self._index.is_file()

    def held(self) -> bool:
        """Tell whether the journal is that of a run that somebody has to confirm."""
        return self.found() and bool(json.loads(self._index.read_text(encoding="utf-8")).get("held"))

    def services(self) -> dict[str, str]:
        """Return the state of each service when the run began, as `open` was told."""
        index: dict[str, Any] = json.loads(self._index.read_text(encoding="utf-8"))
        return dict(index["services"])

    def stage(self, changes: Sequence[Change]) -> None:
        """Write every candidate; until `open`, `undo` has only these to remove."""
        folders = self.missing(changes)
        self._write_index(changes, folders, {}, saved=False)
        for folder in folders:
            make_folder(folder, FOLDER_MODE)
        (self._folder / "staged").mkdir(mode=PRIVATE)
        for change in changes:
            if change.after:
                # Nothing of it is used but by the validation: `install` writes what is in memory.
                self.candidate(change.path).write_bytes(change.after.data)

    def open(self, changes: Sequence[Change], services: Mapping[str, str]) -> None:
        """Save what is about to be lost. From here on `undo` restores it.

        Args:
            changes: the changes that were staged.
            services: state of each service that may be touched, in order, to be restored by a later run.
        """
        index = json.loads(self._index.read_text(encoding="utf-8"))
        self.adopt(changes, index["folders"], services)

    def adopt(self, changes: Sequence[Change], folders: Sequence[str], services: Mapping[str, str]) -> None:
        """Save what `undo` is to restore, whatever stands in the files now.

        Args:
            changes: the files, each with what it is to be again.
            folders: those that are to go if they are empty, as the node names them.
            services: as for `open`.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        self._folder.chmod(PRIVATE)
        for number, change in enumerate(changes):
            if change.before:
                install(self._copy(number), change.before)
        self._write_index(changes, [self.at(folder) for folder in folders], services, saved=True)

    def install(self, changes: Sequence[Change]) -> None:
        """Put every file in its place and remove what is to go."""
        for change in changes:
            if change.after:
                install(self.at(change.path), change.after)
            else:
                remove(self.at(change.path))

    def undo(self) -> None:
        """Bring back every file as it was before the run. May itself be cut off and repeated."""
        index = json.loads(self._index.read_text(encoding="utf-8"))
        for number, entry in enumerate(index["files"]):
            target = self.at(entry["path"])
            remove(target.with_name(candidate_name(target.name)))
            if index["saved"]:
                self._restore(number, entry["path"], entry["before"])
        for folder in sorted(map(self.at, index["folders"]), reverse=True):
            remove_empty(folder)

    def close(self) -> None:
        """End the run: what is installed stays."""
        remove(self._index)
        if self._folder.is_dir():
            shutil.rmtree(self._folder)

    def _restore(self, number: int, path: str, before: Mapping[str, int] | None) -> None:
        if before is None:
            remove(self.at(path))
        else:
            install(self.at(path), Content(self._copy(number).read_bytes(), Stat(**before)))

    def missing(self, changes: Sequence[Change]) -> list[Path]:
        """Return the folders that are not there yet for the files of some changes, sorted."""
        wanted = (change.path for change in changes if change.after)
        return sorted({folder for path in wanted for folder in self._missing(path)})

    def name_of(self, folder: Path) -> str:
        """Return how the node names a folder; see `at`."""
        return f"/{folder.relative_to(self._root)}"

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
            "held": self.holds,
            "files": [
                {"path": change.path, "before": asdict(change.before.stat) if change.before else None}
                for change in changes
            ],
            "folders": [self.name_of(folder) for folder in folders],
            "services": dict(services),
        }
        self._folder.mkdir(parents=True, exist_ok=True)
        self._folder.chmod(PRIVATE)
        install(self._index, Content(json.dumps(index).encode(), Stat(0o600, os.geteuid(), os.getegid())))
