"""A folder of generated files.

Its record, in ``.heiiki/``, holds the digest of every file that was written. A file that is not in it, or
whose text is no longer the recorded one, belongs to a person: its text is never overwritten or removed. One
run at a time writes. Each file takes its place in one step, and the record names it beforehand, so that a run
that is cut off anywhere is completed by the next.
"""

import errno
import os
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from heiiki.errors import FolderError
from heiiki.output import lock
from heiiki.output.record import ABOUT, FILES, HIDDEN, About, Record
from heiiki.output.tree import Content, Tree, digest, encoded

WAIT_S = 60.0
"""Seconds that a run waits for another one that writes into the same folder."""

_SHOWN = 10

Earlier = Callable[[Path], Mapping[str, str]]
"""Returns the digest of each file of ours in a folder without a record, by its path in there."""


@dataclass(frozen=True, slots=True)
class Update:
    """What a run did to the folder; paths are relative to it.

    Attributes:
        before: digest of each file that was there; the empty string for one of ours that was lost.
        after: digest of each file of ours that is there now.
        kept: one sentence for each file that a person had changed, and that was kept.
    """

    before: Mapping[str, str]
    after: Mapping[str, str]
    kept: tuple[str, ...] = ()

    @property
    def changed(self) -> tuple[str, ...]:
        """Paths that were written or removed, sorted."""
        both = self.before.keys() | self.after.keys()
        return tuple(sorted(path for path in both if self.before.get(path, "") != self.after.get(path, "")))


class OwnedFolder:
    """The files of ours in one folder."""

    def __init__(self, path: Path, *, wait_s: float = WAIT_S) -> None:
        """Own files in `path`; a link to a folder is followed, links inside it are not."""
        self._shown = str(path)
        self._root = os.path.realpath(path)
        self._hidden = f"{self._root}/{HIDDEN}"
        self._wait_s = wait_s

    def replace(
        self,
        files: Mapping[str, Content],
        facts: Mapping[str, str] | None = None,
        earlier: Earlier = lambda _folder: {},
    ) -> Update:
        """Make `files` the only ones of ours in the folder; those of a person stay.

        Args:
            files: content by path in the folder, such as ``umeda-ce-a/etc/hosts``.
            facts: what the files are, for `about` to return.
            earlier: returns the digest of each file of ours in a folder that was written before there were
                records. All of them become ours, if nothing else is there.

        Raises:
            FolderError: a person's file or a link stands where ours belong, or the folder holds files but no
                record: nothing was changed. Or another run is at work in it, or it cannot be written.
        """
        with self._errors():
            self._refuse_unknown(earlier)
            with self._alone():
                self._refuse_unknown(earlier)
                work = _Work(self._root, self._shown, files, self._known(earlier), whole=True)
                return work.done(About(facts or {}, complete=True))

    def update(self, files: Mapping[str, Content]) -> Update:
        """Write `files` beside those that are there; a person's file or link of the same name is moved aside.

        Raises:
            FolderError: another run is writing into the folder, or it cannot be written.
        """
        with self._errors(), self._alone():
            known = Record.read(self._hidden) or Record()
            return _Work(self._root, self._shown, files, known, whole=False).done(About({}, complete=True))

    def about(self) -> Mapping[str, str] | None:
        """Return what the files are; None where no run wrote them to the end.

        Raises:
            FolderError: the record cannot be read.
        """
        with self._errors():
            known = About.read(self._hidden)
        return known.facts if known and known.complete else None

    def found(self) -> dict[str, str]:
        """Return the digest of each file of ours, as it is now.

        Raises:
            FolderError: a file or the record cannot be read.
        """
        with self._errors():
            record = Record.read(self._hidden)
            return Tree(self._root).digests(record.files if record else ())

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Keep writers out while several files are read; other readers come in.

        Raises:
            FolderError: another run is writing, and goes on doing so.
        """
        with lock.reading(f"{self._hidden}/lock", self._shown, self._wait_s):
            yield

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Be the one run that works in the folder, over as many updates as it takes.

        Raises:
            FolderError: another run is at work in it, or it cannot be made.
        """
        with self._alone("run"):
            yield

    @contextmanager
    def _alone(self, name: str = "lock") -> Iterator[None]:
        with self._errors():
            os.makedirs(self._root, exist_ok=True)
            with suppress(FileExistsError):
                os.mkdir(self._hidden)
            if not stat.S_ISDIR(os.lstat(self._hidden).st_mode):
                raise FolderError(f"{self._shown}/{HIDDEN} is not a folder; move it away")
        with lock.writing(f"{self._hidden}/{name}", self._shown, self._wait_s):
            yield

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            where = str(error.filename or self._root)
            inside = where == self._root or where.startswith(f"{self._root}/")
            where = f"{self._shown}{where[len(self._root) :]}" if inside else f"{self._shown}: {where}"
            raise FolderError(f"{where}: {error.strerror}; name a place that can be written") from error

    def _known(self, earlier: Earlier) -> Record:
        """Return the record or, where there is none, what an earlier release wrote."""
        record = Record.read(self._hidden)
        if record is not None:
            return record
        found = self._as_written(earlier(Path(self._root)))
        return Record({path: (value,) for path, value in found.items()})

    def _as_written(self, digests: Mapping[str, str]) -> dict[str, str]:
        """Return the files that are there, by their digests; FolderError names those that have another."""
        tree, found = Tree(self._root), {}
        for path in tree.visible() if digests else ():
            if tree.digest(path) != digests.get(path):
                raise FolderError(
                    f"{self._shown}: {path} is not as an earlier release of heiiki wrote it; move it away, "
                    "or name a new or an empty folder"
                )
            found[path] = digests[path]
        return found

    def _refuse_unknown(self, earlier: Earlier) -> None:
        """Refuse a folder that has files, but no record: whose they are is not known."""
        try:
            names = sorted(os.listdir(self._root))
        except FileNotFoundError:
            return
        visible = [name for name in names if not name.startswith(".")]
        begun = HIDDEN not in names and os.path.lexists(self._hidden)  # by another run, since the look
        if not visible or begun or os.path.lexists(f"{self._hidden}/{FILES}"):
            return
        if not earlier(Path(self._root)):
            raise FolderError(
                f"{self._shown}: holds {visible[0]}, which heiiki did not write; "
                "name a new or an empty folder"
            )


class _Work:
    """One run's work in a folder that it has for itself."""

    def __init__(
        self, root: str, shown: str, files: Mapping[str, Content], known: Record, *, whole: bool
    ) -> None:
        self._root, self._shown, self._files, self._whole = root, shown, files, whole
        self._hidden = f"{root}/{HIDDEN}"
        self._record = known
        self._wanted = {path: digest(content) for path, content in files.items()}
        self._tree = Tree(root)
        self._found = {path: self._tree.digest(path) for path in {**self._record.files, **self._wanted}}

    def done(self, about: About) -> Update:
        """Do what is due, noted before and after; nothing is written where nothing is due."""
        self._refuse()
        others = {} if self._whole else self._record.files
        record = Record({**others, **{path: (value,) for path, value in self._wanted.items()}})
        known = self._record.files
        before = {path: value for path, value in self._found.items() if value or path in known}
        after = {
            path: value for path, value in before.items() if value and path in record.files
        } | self._wanted
        update = Update(before, after)
        if not update.changed and record == self._record and about == About.read(self._hidden):
            return update
        return replace(update, kept=self._carried_out(about, record))

    def _refuse(self) -> None:
        strange = [
            f"{path} is there and heiiki did not write it"
            for path in self._wanted
            if self._whole
            and self._found[path] not in ("", self._wanted[path])
            and path not in self._record.files
        ]
        odd = (
            why for path, why in self._tree.odd.items() if path in self._wanted and not self._is_movable(path)
        )
        told = sorted([*strange, *odd])
        if told:
            more = f" (and {len(told) - _SHOWN} more)" if len(told) > _SHOWN else ""
            listed = "; ".join(dict.fromkeys(told[:_SHOWN]))
            raise FolderError(f"{self._shown}: {listed}{more}; move it away, or name another folder")

    def _is_movable(self, path: str) -> bool:
        """Tell whether what stands at a path may be given another name: its folder is one."""
        return not self._whole and "/" not in path

    def _carried_out(self, about: About, record: Record) -> tuple[str, ...]:
        both = {
            path: (*self._record.files.get(path, ()), *record.files.get(path, ())) for path in self._found
        }
        self._put(f"{self._hidden}/{ABOUT}", About(about.facts, complete=False).text())
        self._put(f"{self._hidden}/{FILES}", Record(both).text())
        kept = (*self._removed(), *self._set_aside())
        self._fill()
        self._put(f"{self._hidden}/{FILES}", record.text())
        self._put(f"{self._hidden}/{ABOUT}", about.text())
        return kept

    def _removed(self) -> Iterator[str]:
        """Remove what is no longer wanted; yields what stays because it is not as it was written."""
        emptied: set[str] = set()
        for path in self._record.files if self._whole else ():
            if path in self._wanted:
                continue
            if path in self._tree.odd:
                yield f"{self._shown}/{path} stays: {self._tree.odd[path]}"
            elif self._record.owns(path, self._found[path]):
                os.unlink(f"{self._root}/{path}")
                emptied.add(path.rpartition("/")[0])
            elif self._found[path]:
                yield f"{self._shown}/{path} stays: it was changed after it was written"
        for folder in sorted(emptied, key=len, reverse=True):
            self._remove_empty(folder)

    def _remove_empty(self, folder: str) -> None:
        """Remove a folder and those above it, as far as nothing is in them."""
        while folder:
            try:
                os.rmdir(f"{self._root}/{folder}")
            except FileNotFoundError:
                pass  # Went with another one of its branches.
            except OSError as error:
                if error.errno != errno.ENOTEMPTY:
                    raise
                return
            folder = folder.rpartition("/")[0]

    def _set_aside(self) -> Iterator[str]:
        """Give another name to what a person wrote where a file of ours belongs; yields what it is called."""
        for path, value in self._wanted.items():
            found = self._found[path]
            if found not in ("", value) and not self._record.owns(path, found):
                aside = f"{path}.changed-{found[:8]}"
                os.rename(f"{self._root}/{path}", f"{self._root}/{aside}")
                yield f"{self._shown}/{path} was changed by hand: that text is kept as {aside}"
            elif path in self._tree.odd:
                aside = f"{path}.moved-{time.time_ns()}"
                os.rename(f"{self._root}/{path}", f"{self._root}/{aside}")
                yield f"{self._shown}/{self._tree.odd[path]}: it is kept as {aside}"

    def _fill(self) -> None:
        made: set[str] = set()
        for path, content in self._files.items():
            if self._found[path] != self._wanted[path]:
                folder = path.rpartition("/")[0]
                if folder not in made:
                    os.makedirs(f"{self._root}/{folder}", exist_ok=True)
                    made.add(folder)
                self._put(f"{self._root}/{path}", content)

    def _put(self, path: str, content: Content) -> None:
        """Write a file in one step: a reader sees the old text or the new one."""
        new = f"{self._hidden}/new"
        with open(new, "wb") as stream:
            stream.write(encoded(content))
        os.rename(new, path)
