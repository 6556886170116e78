"""The files of an import are written all or none, whenever it is cut off.

All new texts are on disk before the first file is replaced. The folder that holds them is then renamed:
that decides. What is cut off before has changed nothing; what is cut off after is finished by the next
import, or by `heiiki import finish`, and until then `load` refuses the service.
"""

import fcntl
import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from heiiki import files
from heiiki.errors import SourceError
from heiiki.intent.place import IMPORTED
from heiiki.sources.proposal import Change

_DRAFTS = ".importing"
"""Folder of texts that are not decided yet."""
_MODE = 0o644


def write(folder: Path, changes: Sequence[Change]) -> None:
    """Write site files, all of them or none.

    Raises:
        SourceError: a file was changed since it was read, or the folder cannot be written.
    """
    if not changes:
        return
    with _alone(folder) as sites:
        _refuse_changed(changes)
        drafts = sites / _DRAFTS
        shutil.rmtree(drafts, ignore_errors=True)
        drafts.mkdir()
        try:
            for change in changes:
                mode = stat.S_IMODE(change.path.stat().st_mode) if change.before is not None else _MODE
                new = drafts / change.path.name
                with files.draft(new, change.after.encode("utf-8"), mode) as draft:
                    draft.rename(new)
            files.sync(drafts)
            drafts.rename(sites / IMPORTED)
        except OSError:
            shutil.rmtree(drafts, ignore_errors=True)
            raise
        files.sync(sites)
        _put(sites)


def finish(folder: Path) -> tuple[str, ...]:
    """Put the files of an import that was cut off in their places; return their names, sorted.

    Raises:
        SourceError: the folder cannot be written.
    """
    if not (folder / "sites" / IMPORTED).is_dir():
        return ()
    with _alone(folder) as sites:
        return _put(sites)


def _put(sites: Path) -> tuple[str, ...]:
    decided = sites / IMPORTED
    names = tuple(sorted(path.name for path in decided.iterdir())) if decided.is_dir() else ()
    for name in names:
        (decided / name).replace(sites / name)
    if decided.is_dir():
        files.sync(sites)
        decided.rmdir()
    return names


def _refuse_changed(changes: Sequence[Change]) -> None:
    for change in changes:
        if change.path.is_symlink():
            raise SourceError(f"{change.path}: is a link; nothing was written: put the file itself here")
        now = change.path.read_bytes().decode("utf-8", "replace") if change.path.exists() else None
        if now != change.before:
            raise SourceError(f"{change.path}: was changed meanwhile; nothing was written: run again")


@contextmanager
def _alone(folder: Path) -> Iterator[Path]:
    """Be the one import that writes; the lock goes with the process."""
    sites = folder / "sites"
    try:
        sites.mkdir(exist_ok=True)
        handle = os.open(sites, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise SourceError(f"{sites}: {error.strerror}; make it a folder that can be written") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield sites
    except OSError as error:
        where = error.filename or sites
        raise SourceError(
            f"{where}: {error.strerror}; make room or mend the folder, and run again"
        ) from error
    finally:
        os.close(handle)
