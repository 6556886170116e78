# Copyright: Heiiki contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The folder of compiled devices: where it stands, what is in it, and what one device is sent of it."""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError

PLACEHOLDER = re.compile(r"\{\{secret:(?P<path>[^{}]+):(?P<field>[^{}:]+)\}\}")
FILE_KEYS = ("path", "mode", "owner", "validate", "service", "secret")
RECORD_KEYS = ("path", "sha256", "mode", "owner", "service", "secret")
SERVICE_KEYS = ("name", "on_change", "health", "health_s", "running")


@dataclass(frozen=True, slots=True)
class Consignment:
    """What one device is sent; secrets stand in the files as placeholders, and their values apart."""

    files: tuple[Mapping[str, Any], ...]
    services: tuple[Mapping[str, Any], ...]
    secrets: Mapping[str, str]


def folder_for(build: Path, *, check_mode: bool) -> Path:
    """Return the build folder of a run: check mode has its own and leaves what was applied alone.

    A link is followed, since a new folder takes the place of the old one by its name.
    """
    found = build.resolve()
    return found.with_name(f"{found.name}.check") if check_mode else found


def listing(folder: Path) -> dict[str, str]:
    """Return the digest of every file below a build folder, by path; none when there is no such folder."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def consignment(build: Path, device: str, read_secret: Callable[[str, str], str]) -> Consignment:
    """Return what `device` is sent.

    Args:
        build: the folder that was compiled.
        device: name of the device.
        read_secret: gives the value of a secret's path and field.

    Raises:
        AnsibleError: the folder has no such device, or is not what its manifest says.
    """
    manifest = _manifest(build, device)
    files = tuple(_files(build / device, manifest["files"]))
    return Consignment(
        files=files,
        services=tuple({key: service[key] for key in SERVICE_KEYS} for service in manifest["services"]),
        secrets={
            found.group(): read_secret(found["path"], found["field"])
            for file in files
            for found in PLACEHOLDER.finditer(file["content"])
        },
    )


def expected(build: Path, device: str) -> tuple[list[dict[str, Any]] | None, list[dict[str, Any]]]:
    """Return digest and record of each of a device's files, and its services.

    Instead of the files there is None where one of them holds secrets, since its digest is not known here.

    Raises:
        AnsibleError: the folder has no such device.
    """
    manifest = _manifest(build, device)
    files = [{key: entry[key] for key in RECORD_KEYS} for entry in manifest["files"]]
    holding = any(
        entry["secret"] or PLACEHOLDER.search((build / device / entry["path"].lstrip("/")).read_text("utf-8"))
        for entry in manifest["files"]
    )
    return None if holding else files, manifest["services"]


def _manifest(build: Path, device: str) -> dict[str, Any]:
    path = build / device / "manifest.json"
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise AnsibleError(
            f"{device}: there is no {path}: run heiiki.network.compile first, for managed devices only"
        ) from error
    except ValueError as error:
        raise AnsibleError(f"{path} is not JSON ({error}): compile again") from error
    return manifest


def _files(folder: Path, entries: list[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    for entry in entries:
        path = folder / entry["path"].lstrip("/")
        try:
            data = path.read_bytes()
        except FileNotFoundError as error:
            raise AnsibleError(f"{path} is in the manifest but not in the build: compile again") from error
        if hashlib.sha256(data).hexdigest() != entry["sha256"]:
            raise AnsibleError(
                f"{path} was changed after it was compiled: change the intent and compile again"
            )
        yield {**{key: entry[key] for key in FILE_KEYS}, "content": data.decode()}
