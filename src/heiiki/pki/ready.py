"""Whether a device is ready for the next step of a rotation, by what it says of its credentials.

A device that does not answer is not ready: unknown is not yes.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from heiiki.pki.device_program import Status

_ANCHORED, _RENEWED, _LISTED, _FORGOTTEN = "trusts it", "uses it", "has it", "knows none"
READY = frozenset({_ANCHORED, _RENEWED, _LISTED, _FORGOTTEN})
"""The answers that let a rotation go on."""


def anchored(status: Status, newest: str) -> str:
    """Return whether a device trusts the root with the digest `newest`: one of `READY`, or what it lacks."""
    if isinstance(status, str):
        return status
    if newest not in _digests(status):
        return "does not trust it yet"
    return _ANCHORED if status["loaded"] else "has not loaded it yet"


def renewed(status: Status, issuing: str, newest: str) -> str:
    """Return whether a device uses a certificate of `issuing`, and trusts the root `newest`, likewise."""
    if isinstance(status, str):
        return status
    certificate = status["certificate"]
    if certificate is None:
        return "has no certificate"
    if certificate["issuer_sha256"] != issuing:
        return f"has one of {certificate['issuer']}"
    if newest not in _digests(status):
        return "does not trust the root above it"
    if status["problems"]:
        return "; ".join(status["problems"])
    return _RENEWED if status["loaded"] else "has not loaded it yet"


def listed(status: Status, issuer: str) -> str:
    """Return whether a device has the CRL of `issuer`: one of `READY`, or what it lacks."""
    if isinstance(status, str):
        return status
    if status["certificate"] is None:
        return _LISTED  # it accepts no peer yet, and fetches every CRL when it is enrolled
    if issuer not in {one["issuer"] for one in status["crls"]}:
        return "has no such list"
    return _LISTED if status["loaded"] else "has not loaded it yet"


def forgotten(status: Status, roots: set[str], issuers: set[str]) -> str:
    """Return whether a device knows no CA but these: one of `READY`, or what it lacks."""
    if isinstance(status, str):
        return status
    old = [one["subject"] for one in status["anchors"] if one["sha256"] not in roots]
    old += sorted({one["issuer"] for one in status["crls"]} - issuers)
    if old:
        return f"still knows {', '.join(dict.fromkeys(old))}"
    return _FORGOTTEN if status["loaded"] else "has not loaded it yet"


def _digests(status: Mapping[str, Any]) -> Iterator[str]:
    return (one["sha256"] for one in status["anchors"])
