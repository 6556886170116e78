"""The fingerprint of a network: what it was made of when it was measured."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

_MOST_NAMED = 3


@dataclass(frozen=True)
class Fingerprint:
    """What a network is made of.

    Attributes:
        parts: by name, such as ``software of umeda-ce-a``; None where it could not be read.
    """

    parts: Mapping[str, str | None]

    @property
    def sha256(self) -> str:
        """Digest of all parts."""
        return hashlib.sha256(json.dumps(dict(self.parts), sort_keys=True).encode()).hexdigest()

    def differences(self, other: "Fingerprint") -> str:
        """Return in what this one is not known to be as `other` was; empty where it is.

        What could not be read is never known to be the same.
        """
        names = sorted({*self.parts, *other.parts})
        found = [text for name in names if (text := _difference(name, other.parts, self.parts))]
        more = f" (and {len(found) - _MOST_NAMED} more)" if len(found) > _MOST_NAMED else ""
        return "; ".join(found[:_MOST_NAMED]) + more


def _difference(name: str, then: Mapping[str, str | None], now: Mapping[str, str | None]) -> str:
    before, after = then.get(name), now.get(name)
    if after is None and name in now:
        return f"{name} cannot be read now"
    if before == after:
        return ""
    return f"{name}: {before or 'not known'} then, {after or 'nothing'} now"
