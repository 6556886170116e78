"""What a device is sent: files with their checks, and the services that read them."""

import base64
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

MANIFEST = "manifest.json"
"""Name of the file in a device's folder that says what each of its files is for."""


_UNITS = PurePosixPath("/etc/systemd/system")


@dataclass(frozen=True, slots=True)
class RenderedFile:
    """One file of a device.

    Attributes:
        path: absolute path on the device.
        content: text; a secret is in it only as ``{{secret:PATH:FIELD}}``, resolved on the way to the device.
        mode: octal text such as ``0644``.
        owner: owning user, and group where they are the same.
        validate: argument vector that must exit 0 before the file is used; ``{path}`` is the candidate.
        service: name of the service that must notice a change, or the empty string.
        secret: the content must never be shown.
        requirements: IDs of the requirements that this file holds (config stage).
        encoding: how `content` stands for the file's bytes; ``base64`` for what is not text. The build folder
            holds text only.
    """

    path: str
    content: str
    mode: str = "0644"
    owner: str = "root"
    validate: tuple[str, ...] = ()
    service: str = ""
    secret: bool = False
    requirements: tuple[str, ...] = ()
    encoding: Literal["utf-8", "base64"] = "utf-8"

    @property
    def data(self) -> bytes:
        """The bytes of the file."""
        return base64.b64decode(self.content) if self.encoding == "base64" else self.content.encode()


@dataclass(frozen=True, slots=True)
class Service:
    """One service of a device, in the order in which services are started.

    Attributes:
        name: unit name without ``.service``.
        on_change: ``reload`` or ``restart``: what a changed file asks for.
        health: argument vector that must exit 0 within `health_s` seconds of a start or reload: a bound for
            a machine on which everything starts at once, not how long it takes.
        running: argument vector that prints the running configuration; its digest tells drift.
        wanted: argument vector that prints what `running` has to print, where the files say it: what differs
            from that is drift.
        restart_on: paths of files for whose change it is restarted: shared with other services, or read at
            its start only.
    """

    name: str
    on_change: str = "restart"
    health: tuple[str, ...] = ()
    health_s: float = 60.0
    running: tuple[str, ...] = ()
    wanted: tuple[str, ...] = ()
    restart_on: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a device: its files, and the service that reads them."""

    files: tuple[RenderedFile, ...]
    service: Service


@dataclass(frozen=True, slots=True)
class DeviceBuild:
    """Everything that one device is sent.

    Attributes:
        by_hand: the vendor's platform of a device that a person configures with this; empty: a role does.
    """

    device: str
    files: tuple[RenderedFile, ...]
    services: tuple[Service, ...]
    by_hand: str = ""

    @property
    def contents(self) -> dict[str, str]:
        """Content of each file, by its path."""
        return {file.path: file.content for file in self.files}

    @property
    def units(self) -> tuple[str, ...]:
        """Names of the systemd units among the files; additions to other units are none."""
        paths = (PurePosixPath(file.path) for file in self.files)
        return tuple(path.name for path in paths if path.parent == _UNITS)
