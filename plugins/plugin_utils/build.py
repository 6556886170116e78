# Copyright: Heiiki contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The folder of compiled devices: where it stands, what is in it, and what one device is sent of it."""

import base64
import grp
import hashlib
import json
import os
import re
import stat
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError
from ansible_collections.heiiki.network.plugins.plugin_utils._heiiki import package, translated

PLACEHOLDER = re.compile(r"\{\{secret:(?P<path>[^{}]+):(?P<field>[^{}:]+)\}\}")
LEFT_OUT = frozenset({"requirements", "sha256"})
"""Of an entry of the manifest: what a device needs not know of a file whose content it is sent."""


@dataclass(frozen=True, slots=True)
class DevicePayload:
    """What one device is sent; secrets stand in the files as placeholders, and their values apart."""

    files: tuple[Mapping[str, Any], ...]
    services: tuple[Mapping[str, Any], ...]
    secrets: Mapping[str, str]

    def packed(self) -> str:
        """Return it as one text for a module, a fraction of its size; see `device_provision.unpacked`."""
        document = {"files": self.files, "services": self.services, "secrets": self.secrets}
        return base64.b64encode(zlib.compress(json.dumps(document).encode())).decode()


def folder_for(build: Path, *, check_mode: bool) -> Path:
    """Return the build folder of a run: check mode has its own and leaves what was applied alone."""
    found = build.resolve()
    return found.with_name(f"{found.name}.check") if check_mode else found


def listing(folder: Path) -> dict[str, str]:
    """Return the digest of every compiled file in a build folder, by path; none where nothing was compiled.

    Raises:
        AnsibleError: the folder cannot be read.
    """
    with translated():
        return dict(package("heiiki.output").OwnedFolder(folder).found())


def payload(
    build: Path, device: str, read_secret: Callable[[str, str], str | None], service: Path | None = None
) -> DevicePayload:
    """Return what `device` is sent.

    Args:
        build: the folder that was compiled.
        device: name of the device.
        read_secret: gives the value of a secret's path and field; None where the device must do without.
        service: folder of the service; a build that is not of its present files is refused.

    Raises:
        AnsibleError: the folder has no such device, or is not what its manifest or the service says.
    """
    refuse_shared(build, device)
    with translated(), package("heiiki.output").OwnedFolder(build).reading():
        if service is not None:
            refuse_stale(build, device, service)
        manifest = _manifest(build, device)
        files = tuple(_files(build, device, manifest["files"]))
    return DevicePayload(
        files=files,
        services=tuple(manifest["services"]),
        secrets={
            found.group(): value
            for file in files
            for found in PLACEHOLDER.finditer(file["content"])
            if (value := read_secret(found["path"], found["field"])) is not None
        },
    )


def refuse_shared(build: Path, device: str) -> None:
    """Refuse a build that another user may have written: its commands are run as root on every device.

    Raises:
        AnsibleError: a folder or the manifest belongs to somebody else, or others may write it.
    """
    for path in (build, build / "shared", build / device, build / device / "manifest.json"):
        if not path.exists():
            continue
        found = path.stat()
        if found.st_uid not in {0, os.geteuid()} or found.st_mode & _writers(found.st_gid):
            raise AnsibleError(
                f"{device}: {path} belongs to user {found.st_uid}, mode {stat.S_IMODE(found.st_mode):04o}: "
                "others may change what is run as root on the devices. Compile into a folder of your own: "
                "set heiiki_artifacts"
            )


def _writers(gid: int) -> int:
    """Return the bits by which others may write; a group of the user's own has no others (umask 002)."""
    try:
        own = gid == os.getegid() and not grp.getgrgid(gid).gr_mem
    except KeyError:
        own = False
    return stat.S_IWOTH if own else stat.S_IWGRP | stat.S_IWOTH


def refuse_stale(build: Path, device: str, service: Path) -> None:
    """Refuse a build that was not compiled to its end, by this release, from the service's present files.

    Raises:
        AnsibleError: it was not.
    """
    known = package("heiiki.output").OwnedFolder(build).about()
    if known is None:
        why = "the last run that compiled it was cut off, or none did"
    elif known.get("tool_version") != package("heiiki").__version__:
        why = f"it was compiled by heiiki {known.get('tool_version')}"
    elif known.get("intent_sha256") != package("heiiki.intent").digest(service):
        why = f"the service in {service} was changed after it was compiled"
    else:
        return
    raise AnsibleError(
        f"{device}: {build} is out of date: {why}; "
        "run heiiki.network.compile first (site.yml without --start-at-task)"
    )


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
    if platform := manifest.get("by_hand"):
        raise AnsibleError(
            f"{device} is of platform {platform}, which no role provisions: run push.yml for it"
        )
    return manifest


def _place(build: Path, device: str, entry: Mapping[str, Any]) -> Path:
    """Return where a file stands: a text that several devices have stands once, named by its digest."""
    shared = build / "shared" / str(entry["sha256"])
    return shared if shared.is_file() else build / device / str(entry["path"]).lstrip("/")


def _files(build: Path, device: str, entries: list[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    for entry in entries:
        path = _place(build, device, entry)
        try:
            data = path.read_bytes()
        except FileNotFoundError as error:
            raise AnsibleError(f"{path} is in the manifest but not in the build: compile again") from error
        if hashlib.sha256(data).hexdigest() != entry["sha256"]:
            raise AnsibleError(
                f"{path} was changed after it was compiled: change the intent and compile again"
            )
        yield {
            **{key: value for key, value in entry.items() if key not in LEFT_OUT},
            "content": data.decode(),
        }
