"""Builds as files: one folder a device, with a manifest that says what each file is for."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from heiiki.render.model import DeviceBuild, RenderedFile

MANIFEST = "manifest.json"


def write(builds: Iterable[DeviceBuild], out: Path) -> tuple[str, ...]:
    """Write every build below `out`; a device that is no longer there loses its folder.

    Returns:
        Names of the devices whose folder changed or went.
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
    return entry | {"sha256": hashlib.sha256(file.content.encode()).hexdigest()}


def _devices(out: Path) -> set[str]:
    """Folders that carry a manifest: only what an earlier run wrote is ever removed."""
    return {path.parent.name for path in out.glob(f"*/{MANIFEST}")}


def _write_device(build: DeviceBuild, folder: Path) -> bool:
    text, path = manifest(build), folder / MANIFEST
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return False
    shutil.rmtree(folder, ignore_errors=True)
    made: set[str] = set()
    for file in build.files:
        target = f"{folder}{file.path}"
        parent = target.rpartition("/")[0]
        if parent not in made:
            os.makedirs(parent, exist_ok=True)  # noqa: PTH103 - thousands of files
            made.add(parent)
        with open(target, "w", encoding="utf-8") as stream:  # noqa: PTH123 - thousands of files
            stream.write(file.content)
    path.write_text(text, encoding="utf-8")
    return True
