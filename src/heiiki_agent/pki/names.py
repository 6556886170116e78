"""The names of a certificate (RFC 5280 4.2.1.6)."""

from collections.abc import Mapping
from dataclasses import dataclass

KINDS = ("dns", "addresses", "uris", "jids")


@dataclass(frozen=True, slots=True)
class Names:
    """Subject alternative names; `jids` are otherName id-on-xmppAddr (RFC 6120)."""

    dns: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    uris: tuple[str, ...] = ()
    jids: tuple[str, ...] = ()

    def document(self) -> Mapping[str, list[str]]:
        """As in JSON, sorted: order means nothing in a certificate."""
        return {kind: sorted(getattr(self, kind)) for kind in KINDS}

    def __str__(self) -> str:
        """All of them on one line."""
        return ", ".join(f"{kind} {name}" for kind, names in self.document().items() for name in names)
