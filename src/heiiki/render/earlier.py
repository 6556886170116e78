"""Builds of a release that kept no record of its files: what it wrote, by the manifest of each device."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from heiiki.render.model import MANIFEST

_KEYS = ["device", "files", "services"]


def earlier(folder: Path) -> Mapping[str, str]:
    """Return the SHA-256 of each file that such a release wrote below `folder`, by relative path.

    A manifest counts when it is exactly as that release wrote one, in the folder of its device.
    """
    return dict(entry for path in folder.glob(f"*/{MANIFEST}") for entry in _listed(path))


def _listed(path: Path) -> Iterator[tuple[str, str]]:
    data = b"" if path.is_symlink() or not path.is_file() else path.read_bytes()
    try:
        document: Any = json.loads(data)
        device, files = document["device"], document["files"]
        digests = {f"{device}{entry['path']}": entry["sha256"] for entry in files}
    except (ValueError, LookupError, TypeError):
        return
    if list(document) != _KEYS or device != path.parent.name:
        return
    if json.dumps(document, indent=1).encode() == data:
        yield f"{device}/{MANIFEST}", hashlib.sha256(data).hexdigest()
        yield from digests.items()
