"""Which kernel source is built: Debian's package, pinned by version, size and hash."""

import tomllib
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Version:
    """One accepted version of the source package; `size` in bytes."""

    version: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Source:
    """The source package, the archive's suite that holds it, and its accepted versions, best first."""

    package: str
    suite: str
    versions: tuple[Version, ...]


def parse(text: str) -> Source:
    """Read the lock file (TOML)."""
    data = tomllib.loads(text)
    return Source(data["package"], data["suite"], tuple(Version(**entry) for entry in data["version"]))
