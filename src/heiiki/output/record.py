"""The record of a folder: which files Heiiki wrote there, with which digests, and what they are."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, Self

from heiiki.errors import FolderError

HIDDEN = ".heiiki"
"""Folder of the record and of the lock, inside the folder that they are about."""

FILES, ABOUT = "record.json", "about.json"
_VERSION = 1


@dataclass(frozen=True, slots=True)
class Record:
    """What is known of a folder.

    Attributes:
        files: digests that a file of ours may have, by its path; two while a run is under way.
    """

    files: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def read(cls, hidden: str) -> Self | None:
        """Return the record in the folder `hidden`; None where there is none.

        Raises:
            FolderError: it cannot be understood, or names a path outside the folder.
        """
        document = _document(f"{hidden}/{FILES}")
        if document is None:
            return None
        try:
            files = {str(path): tuple(map(str, digests)) for path, digests in document["files"].items()}
        except (KeyError, AttributeError, TypeError) as error:
            raise FolderError(f"{hidden}/{FILES}: is no record of heiiki; name a new folder") from error
        for path in files:
            parts = PurePosixPath(path).parts
            if not parts or path.startswith("/") or ".." in parts or parts[0] == HIDDEN:
                raise FolderError(f"{hidden}/{FILES}: {path!r} is not inside the folder; name a new folder")
        return cls(files)

    def text(self) -> str:
        """Return the record as it is kept."""
        return json.dumps({"version": _VERSION, "files": self.files}, sort_keys=True)

    def owns(self, path: str, found: str) -> bool:
        """Tell whether the file at `path`, with the digest `found`, is as a run of ours left it."""
        return found in self.files.get(path, ())


@dataclass(frozen=True, slots=True)
class About:
    """What the files of a folder are: small, for those who ask nothing else.

    Attributes:
        facts: such as the service's name and the intent's digest.
        complete: the run that wrote them came to its end.
    """

    facts: Mapping[str, str]
    complete: bool

    @classmethod
    def read(cls, hidden: str) -> Self | None:
        """Return what is noted in the folder `hidden`; None where nothing is.

        Raises:
            FolderError: it cannot be understood.
        """
        document = _document(f"{hidden}/{ABOUT}")
        if document is None:
            return None
        try:
            return cls(
                {str(key): str(value) for key, value in document["facts"].items()}, document["complete"]
            )
        except (KeyError, AttributeError, TypeError) as error:
            raise FolderError(f"{hidden}/{ABOUT}: is no record of heiiki; name a new folder") from error

    def text(self) -> str:
        """Return it as it is kept."""
        return json.dumps({"facts": dict(self.facts), "complete": self.complete}, sort_keys=True)


def _document(path: str) -> dict[str, Any] | None:
    try:
        with open(path, encoding="utf-8") as stream:
            document: dict[str, Any] = json.load(stream)
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise FolderError(f"{path}: is no record of heiiki ({error}); name a new folder") from error
    return document
