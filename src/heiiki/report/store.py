"""Raw output kept beside the verdicts that rest on it, hashed and time-stamped."""

import hashlib
import logging
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from pathlib import Path, PurePosixPath
from threading import Lock

from heiiki.errors import EvidenceError, FolderError
from heiiki.files import sync, write_evidence
from heiiki.intent.place import refuse_inside_service
from heiiki.output import OwnedFolder
from heiiki.report.header import iso, utc_now
from heiiki.requirements import Result, Verdict
from heiiki.requirements.verdict import Evidence

FOLDER = "evidence"
"""Name of the folder of raw output, beside ``verdicts.json``."""

_LOG = logging.getLogger(__name__)

_SAFE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*(/[A-Za-z0-9_][A-Za-z0-9_.+-]*)*")

_UNSAFE = re.compile(r"[^A-Za-z0-9_.+/-]")


def is_inside(file: str) -> bool:
    """Tell whether `file` is the relative name of a file in the evidence folder, and nothing more clever."""
    return file.startswith(f"{FOLDER}/") and _SAFE_NAME.fullmatch(file) is not None


def write_owned(path: Path, data: bytes) -> None:
    """Write a report's file in one step; a person's file of that name is kept under another.

    Raises:
        EvidenceError: the folder cannot be made or written.
    """
    try:
        update = OwnedFolder(path.parent).update({path.name: data})
    except FolderError as error:
        raise EvidenceError(str(error)) from error
    for line in update.kept:
        _LOG.warning("%s", line)


class EvidenceStore:
    """Keeps raw output under ``evidence/`` in the folder of ``verdicts.json``.

    What is kept is never overwritten: another content under a name already taken gets its digest into its
    name. Safe to use from several threads at once.
    """

    def __init__(self, folder: Path, clock: Callable[[], datetime] = utc_now) -> None:
        """Keep under `folder`, which holds or will hold ``verdicts.json``; `clock` tells the time.

        Raises:
            FolderError: the folder is among the files of a service, where it would be part of the inventory.
        """
        refuse_inside_service(folder)
        self._folder = folder
        self._clock = clock
        self._kept: set[Path] = set()
        self._lock = Lock()

    def keep(self, name: str, data: bytes, excerpt: str = "") -> Evidence:
        """Keep `data` as ``evidence/NAME`` and return the evidence that points to it.

        Args:
            name: relative name, ``/`` makes a folder; what is no letter, digit or ``_.+-`` becomes ``_``, so
                that names of links such as ``S1-U:b-enb--b-sgw`` will do.
            data: raw output as it came.
            excerpt: what a reader needs at once; made one line.

        Raises:
            EvidenceError: the name leaves the folder or is hidden, or the file cannot be written.
        """
        file = f"{FOLDER}/{_UNSAFE.sub('_', name)}"
        if not is_inside(file):
            raise EvidenceError(f"evidence {name!r}: not a plain relative name; use letters and digits")
        digest = hashlib.sha256(data).hexdigest()
        with self._lock:
            file = self._free(file, data, digest)
            # Waiting for the disk now would disturb what is being measured: see `sync`.
            write_evidence(self._folder / file, data, durable=False)
            self._kept.add(self._folder / file)
        return Evidence(iso(self._clock()), file, digest, " ".join(excerpt.split()))

    def sync(self) -> None:
        """Have all that was kept reach the disk, before a verdict says that it rests on it.

        Raises:
            EvidenceError: a file is gone, or the disk does not take it.
        """
        folders = {path.parent for path in self._kept}
        for path in (*sorted(self._kept), *sorted(folders)):
            try:
                sync(path)
            except OSError as error:
                raise EvidenceError(f"{path}: is not on the disk: {error.strerror}; measure again") from error
        self._kept.clear()

    def _free(self, file: str, data: bytes, digest: str) -> str:
        path = self._folder / file
        if not path.exists() or path.read_bytes() == data:
            return file
        name = PurePosixPath(file)
        return str(name.with_name(f"{name.stem}.{digest[:12]}{name.suffix}"))


def flaw(folder: Path, evidence: Evidence) -> str:
    """Return what is wrong with the file of `evidence` in `folder`, or the empty string.

    Evidence that is an excerpt only has no file and no flaw.
    """
    if not evidence.file:
        return ""
    if not is_inside(evidence.file):
        return f"is not a file inside {FOLDER}/"
    path = folder / evidence.file
    if not path.is_file():
        return "is missing"
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return "" if digest == evidence.sha256 else "was altered: its SHA-256 differs"


def substantiated(folder: Path, verdicts: Iterable[Verdict]) -> tuple[Verdict, ...]:
    """Return `verdicts` with each pass whose evidence is missing or altered in `folder` made unknown."""
    return tuple(_substantiated(folder, verdict) for verdict in verdicts)


def _substantiated(folder: Path, verdict: Verdict) -> Verdict:
    if verdict.result is not Result.PASS:
        return verdict
    found = {item.file: flaw(folder, item) for item in verdict.evidence}
    flaws = [f"evidence {file} {text}" for file, text in found.items() if text]
    return replace(verdict, result=Result.UNKNOWN, reason="; ".join(flaws)) if flaws else verdict
