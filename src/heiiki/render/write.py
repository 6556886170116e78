"""Builds as files: one folder a device, with a manifest that says what each file is for."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterable
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path

from heiiki.errors import RenderError
from heiiki.render.model import DeviceBuild, RenderedFile

MANIFEST = "manifest.json"


def write(builds: Iterable[DeviceBuild], out: Path) -> tuple[str, ...]:
    """Write every build below `out`; a device that is no longer there loses its folder.

    Returns:
        Names of the devices whose folder changed or went.

    Raises:
        RenderError: a folder with a device's name holds what no earlier run wrote.
    """
    out.mkdir(parents=True, exist_ok=True)
    changed: list[str] = []
    kept: set[str] = set()
    for build in builds:
        kept.add(build.device)
        if _write_device(build, out / build.device):
            changed.append(build.device)
    for stale in sorted(_devices(out) - kept):
        shutil.rmtree(out / stale)
        changed.append(stale)
    return tuple(changed)


def manifest(build: DeviceBuild) -> str:
    """Return the manifest of a build."""
    return json.dumps(
        {
            "device": build.device,
            "files": [_entry(file) for file in build.files],
            "services": [asdict(service) for service in build.services],
        },
        indent=1,
    )


def _entry(file: RenderedFile) -> dict[str, object]:
    entry = {name: value for name, value in asdict(file).items() if name != "content"}
    return entry | {"sha256": _digest(file.content)}


@lru_cache(maxsize=64)
def _digest(content: str) -> str:
    """Digest of a file; programs are the same on every device."""
    return hashlib.sha256(content.encode()).hexdigest()


def _devices(out: Path) -> set[str]:
    """Folders that carry a manifest: only what an earlier run wrote is ever removed."""
    return {path.parent.name for path in out.glob(f"*/{MANIFEST}")}


def _write_device(build: DeviceBuild, folder: Path) -> bool:
    text = manifest(build)
    if _same(build, folder, text):
        return False
    _clear(build, folder)
    made: set[str] = set()
    for file in build.files:
        target = f"{folder}{file.path}"
        parent = target.rpartition("/")[0]
        if parent not in made:
            os.makedirs(parent, exist_ok=True)  # noqa: PTH103 - thousands of files
            made.add(parent)
        with open(target, "w", encoding="utf-8") as stream:  # noqa: PTH123 - thousands of files
            stream.write(file.content)
    (folder / MANIFEST).write_text(text, encoding="utf-8")
    return True


def _same(build: DeviceBuild, folder: Path, text: str) -> bool:
    """Tell whether every file stands there as it would be written; a hand may have changed one."""
    wanted = {f"{folder}{file.path}": file.content for file in build.files} | {f"{folder}/{MANIFEST}": text}
    try:
        return all(Path(path).read_text(encoding="utf-8") == content for path, content in wanted.items())
    except (OSError, UnicodeDecodeError):
        return False


def _clear(build: DeviceBuild, folder: Path) -> None:
    """Remove what an earlier run wrote, and nothing else."""
    ours = {Path(file.path).parts[1] for file in build.files} | {MANIFEST}
    strange = sorted({path.name for path in folder.iterdir()} - ours) if folder.is_dir() else []
    if strange and not (folder / MANIFEST).is_file():
        raise RenderError(f"{folder}: {strange[0]} is none of ours; name another --out, or remove the folder")
    if folder.exists():
        shutil.rmtree(folder)
