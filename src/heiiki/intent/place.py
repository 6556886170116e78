"""Where a service's files stand, and what must not stand among them."""

import re
from pathlib import Path

from heiiki.errors import FolderError

SERVICE_FILE = "service.yml"
IMPORTED = ".imported"
"""Folder in ``sites/`` with files that an import has decided to write, and has not put in their places."""
_KEY = re.compile(r"^service\s*:", re.MULTILINE)


def service_around(path: Path) -> Path | None:
    """Return the folder of the service that `path` is in, by its name or by where its links lead."""
    spelt = Path.cwd() / path
    around = (folder for place in (spelt, spelt.resolve()) for folder in (place, *place.parents))
    return next((folder for folder in around if _holds_service(folder)), None)


def refuse_inside_service(path: Path) -> None:
    """Refuse an output folder among the files of a service: a service's folder is an inventory.

    Raises:
        FolderError: it is in a service's folder.
    """
    if service := service_around(path):
        raise FolderError(
            f"{path}: is in the folder of the service in {service}, where every file is part of the "
            "inventory; name a folder outside it"
        )


def _holds_service(folder: Path) -> bool:
    try:
        return _KEY.search((folder / SERVICE_FILE).read_text(encoding="utf-8", errors="replace")) is not None
    except OSError:
        return False
