"""Builds as files: one folder a device, with a manifest that says what each file is for.

A text that several devices have, such as a program, stands once in ``shared/``, named by its SHA-256, which
the manifest gives; what is a device's own stands at its path in the device's folder.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from pathlib import Path

import heiiki
from heiiki.intent.place import refuse_inside_service
from heiiki.output import OwnedFolder, Update, digest
from heiiki.plan.model import Plan
from heiiki.render.earlier import earlier
from heiiki.render.model import MANIFEST, DeviceBuild, RenderedFile, Service

SHARED = "shared"

_encode = json.JSONEncoder().encode
_ENTRY = tuple(field.name for field in fields(RenderedFile) if field.name != "content")


@dataclass(frozen=True, slots=True)
class Written:
    """What writing builds came to.

    Attributes:
        changed: names of the devices whose build is another one now, or went.
        update: the same, file by file.
    """

    changed: tuple[str, ...]
    update: Update


def facts(plan: Plan) -> dict[str, str]:
    """Return what is noted of the builds of `plan`: a build of another intent or release is out of date."""
    return {"service": plan.service, "intent_sha256": plan.digest, "tool_version": heiiki.__version__}


def write(builds: Iterable[DeviceBuild], out: Path, about: Mapping[str, str] | None = None) -> Written:
    """Write every build below `out`; what an earlier run wrote and this one does not is removed.

    Args:
        builds: every device's.
        out: a folder that is new, empty, or was written by an earlier run.
        about: what the builds are: see `facts`.

    Raises:
        FolderError: `out` holds what no earlier run wrote where a build belongs, is in a service's folder, or
            cannot be written.
    """
    refuse_inside_service(out)
    digests = _Digests()
    manifests: dict[str, str] = {}
    files: dict[str, str] = {}
    folder = OwnedFolder(out)
    everything = tuple(builds)
    many = _in_several(everything, digests)
    for build in everything:
        manifests[build.device] = manifest(build, digests)
        files[f"{build.device}/{MANIFEST}"] = manifests[build.device]
        files.update(_placed(build, digests, many))
    update = folder.replace(files, about, earlier)
    return Written(_devices(update, manifests), update)


def manifest(build: DeviceBuild, digests: Mapping[str, str] | None = None) -> str:
    """Return the manifest of a build, one line a file and a service.

    Args:
        build: the device's.
        digests: SHA-256 of each text; computed where it is not given.
    """
    known = _Digests() if digests is None else digests
    files = ",\n".join(f'  {_described(file)}, "sha256": "{known[file.content]}"}}' for file in build.files)
    services = ",\n".join(f"  {_service(service)}" for service in build.services)
    by_hand = f' "by_hand": {_encode(build.by_hand)},\n' if build.by_hand else ""
    head = f'{{\n "device": {_encode(build.device)},\n{by_hand}'
    return f'{head} "files": [\n{files}\n ],\n "services": [\n{services}\n ]\n}}\n'


class _Digests(dict[str, str]):
    """SHA-256 of texts; each is computed once."""

    def __missing__(self, content: str) -> str:
        self[content] = digest(content)
        return self[content]


def _in_several(builds: Iterable[DeviceBuild], digests: Mapping[str, str]) -> frozenset[str]:
    """Return the digests of texts that more than one device has."""
    counts = Counter(name for build in builds for name in {digests[file.content] for file in build.files})
    return frozenset(name for name, count in counts.items() if count > 1)


def _placed(
    build: DeviceBuild, digests: Mapping[str, str], many: frozenset[str]
) -> Iterator[tuple[str, str]]:
    """Yield the place in the folder, and the text, of each file of a device."""
    for file in build.files:
        name = digests[file.content]
        yield f"{SHARED}/{name}" if name in many else f"{build.device}{file.path}", file.content


def _devices(update: Update, manifests: Mapping[str, str]) -> tuple[str, ...]:
    """Return the devices of which something changed; those that are gone come last.

    A text that moves to or from ``shared/``, because another device came or went, changes no device.
    """
    moved = update.before.keys() ^ update.after.keys()
    touched = {
        path.partition("/")[0]
        for path in update.changed
        if path not in moved or path.endswith(f"/{MANIFEST}")
    } - {SHARED}
    return (*(name for name in manifests if name in touched), *sorted(touched - manifests.keys()))


def _described(file: RenderedFile) -> str:
    """Return the beginning of a file's entry, up to its digest."""
    return _line(tuple(getattr(file, name) for name in _ENTRY))


@lru_cache(maxsize=1024)
def _line(values: tuple[object, ...]) -> str:
    """Hundreds of devices have a file with the same values."""
    return _encode(dict(zip(_ENTRY, values, strict=True)))[:-1]


@lru_cache(maxsize=1024)
def _service(service: Service) -> str:
    return _encode(asdict(service))
