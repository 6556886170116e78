"""A folder of golden files: what stands in it, and how it is written after a deliberate change."""

import shutil
from collections.abc import Mapping
from pathlib import Path


def names(folder: Path) -> list[str]:
    """Return the files below a folder, by their paths in it."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def write(folder: Path, texts: Mapping[str, str]) -> None:
    """Have a folder hold these files and no others."""
    shutil.rmtree(folder, ignore_errors=True)
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
