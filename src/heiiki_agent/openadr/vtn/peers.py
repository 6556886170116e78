"""Who a peer is: the name in its certificate."""

from collections.abc import Container, Mapping
from typing import Any


def peer_of(certificate: Mapping[str, Any], known: Container[str]) -> str:
    """Return the one name of a certificate that is known; else all its names, which are no VEN's name."""
    names = [str(value) for kind, value in certificate.get("subjectAltName", ()) if kind in {"DNS", "URI"}]
    served = [name for name in names if name in known]
    return served[0] if len(served) == 1 else f"a certificate for {', '.join(names) or 'no name'}"
