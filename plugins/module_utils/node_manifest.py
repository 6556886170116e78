# Copyright: Heiiki contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a device is sent, and what the last run left there.

This is the schema of `manifest.json` and of the node's record. The compiler's side is `heiiki.render.model`;
a test holds the two together. Standard library only.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar


@dataclass(frozen=True, slots=True)
class ManagedFile:
    """One file of the manifest; see `heiiki.render.model.RenderedFile`, whose fields these are.

    Attributes:
        content: text, in which a secret stands as a placeholder.
        encoding: how `content` stands for the file's bytes; ``base64`` for what is not text.
    """

    path: str
    content: str
    mode: str = "0644"
    owner: str = "root"
    validate: tuple[str, ...] = ()
    service: str = ""
    secret: bool = False
    encoding: str = "utf-8"


@dataclass(frozen=True, slots=True)
class ManagedService:
    """One service of the manifest; see `heiiki.render.model.Service`, whose fields these are."""

    name: str
    on_change: str = "restart"
    health: tuple[str, ...] = ()
    health_s: float = 60.0
    running: tuple[str, ...] = ()
    wanted: tuple[str, ...] = ()
    restart_on: tuple[str, ...] = ()


Entry = TypeVar("Entry", ManagedFile, ManagedService)


def parse(kind: type[Entry], entries: Sequence[Mapping[str, Any]]) -> list[Entry]:
    """Return entries of a manifest as they are used here; keys that a node does not need are left out.

    Raises:
        ValueError: an entry lacks its path or name.
    """
    return [_parsed(kind, entry) for entry in entries]


def _parsed(kind: type[Entry], entry: Mapping[str, Any]) -> Entry:
    known = {found.name for found in fields(kind)}
    values: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in entry.items()
        if key in known
    }
    try:
        return kind(**values)
    except TypeError as error:
        raise ValueError(f"an entry of the manifest is incomplete ({error}): compile again") from error


@dataclass(frozen=True, slots=True)
class Owned:
    """What the last successful run left on the node.

    Attributes:
        files: service and secrecy of each file, by path.
        services: names in the order in which they are started.
        running: digest of the running configuration, by service.
    """

    files: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    services: tuple[Mapping[str, str], ...] = ()
    running: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, data: bytes) -> "Owned":
        """Read the record of an earlier run."""
        record = json.loads(data)
        return cls(record["files"], tuple(record["services"]), record["running"])

    def render(self) -> bytes:
        """Return the record as it is kept."""
        record = {"files": self.files, "services": self.services, "running": self.running}
        return json.dumps(record, indent=1, sort_keys=True).encode() + b"\n"
