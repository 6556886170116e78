"""The search for secrets: what forms a secret may take, and where it may stand.

`Needle.forms` are bytes that a leak would show: the text itself, and its octets raw, hexadecimal and in
base64 at each of the three alignments. Besides known secrets, everything that has the shape of a token of
Vault or of a private key in PEM is found, no matter what made it.
"""

import base64
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from urllib.parse import quote

_SHORTEST = 12
"""Octets of a form below which chance would find it."""
_PAGE = 4096

# OpenBao and Vault: service and batch tokens, wrapping tokens; PEM also as a line of JSON.
TOKEN = re.compile(rb"(?<![A-Za-z0-9._-])(?:hv[sbr]|[sbr])\.[A-Za-z0-9]{24}(?![A-Za-z0-9])")
PEM = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----(?:\s|\\+[nr])+[A-Za-z0-9+/]{16}")


@dataclass(frozen=True, slots=True)
class Needle:
    """One secret: what it is, and the forms in which it would be seen."""

    name: str
    forms: tuple[bytes, ...]


def of_text(name: str, text: str) -> Needle:
    """A secret that is a text; one in hexadecimal is looked for as octets too."""
    plain = text.encode()
    written = (json.dumps(text)[1:-1], quote(text), quote(text, safe=""))
    forms = {plain, *(one.encode() for one in written), *_encoded(plain)}
    if re.fullmatch(r"(?:[0-9a-f]{2}){8,}", text):
        forms |= _octets(bytes.fromhex(text))
    return Needle(name, _long(forms))


def of_octets(name: str, value: bytes) -> Needle:
    """A secret that is a number of octets, such as the scalar of a private key."""
    return Needle(name, _long(_octets(value)))


def of_key(name: str, pem: str, scalar: bytes) -> Needle:
    """A private key: its scalar, and the lines of its PEM that hold it (SEC 1 or PKCS 8, P-256)."""
    lines = pem.strip().encode().splitlines()[1:3]
    return Needle(name, _long({*_octets(scalar), *lines}))


def _octets(value: bytes) -> set[bytes]:
    hexadecimal = (value.hex(), value.hex().upper(), value.hex(":"))
    return {value, *(text.encode() for text in hexadecimal), *_encoded(value)}


def _encoded(value: bytes) -> Iterator[bytes]:
    """Yield the part of its base64 that is the same whatever stands before and after it."""
    for before in range(3):
        whole = base64.b64encode(bytes(before) + value)
        inner = whole[-(-before * 4 // 3) : len(whole) - (4 if (before + len(value)) % 3 else 0)]
        yield from (inner, inner.translate(bytes.maketrans(b"+/", b"-_")))


def _long(forms: Iterable[bytes]) -> tuple[bytes, ...]:
    return tuple(sorted({form for form in forms if len(form) >= _SHORTEST}))


def found(needles: Iterable[Needle], hay: bytes) -> Iterator[str]:
    """Yield the name of everything secret in `hay`."""
    hay = hay.replace(bytes(_PAGE), b"")  # a database's file is mostly empty
    for needle in needles:
        if any(form in hay for form in needle.forms):
            yield needle.name
    if any(_random(match.group()) for match in TOKEN.finditer(hay)):
        yield "a token"
    if PEM.search(hay):
        yield "a private key"


def _random(token: bytes) -> bool:
    """Tell a token from a name that merely has its length: no name holds all three."""
    return all(re.search(kind, token[2:]) for kind in (rb"[a-z]", rb"[A-Z]", rb"[0-9]"))


@dataclass(frozen=True, slots=True)
class Finding:
    """Something secret, and where it stands."""

    place: str
    what: str
    mode: int


@dataclass(frozen=True, slots=True)
class Place:
    """A place that is meant for secrets.

    Attributes:
        pattern: of `Finding.place`.
        reason: why they stand there.
        mode: no bits but these.
    """

    pattern: str
    reason: str
    mode: int = 0o600


def leaks(findings: Iterable[Finding], meant: Iterable[Place]) -> list[str]:
    """Return, a line each, what stands where it is not meant to, or open to others."""
    places = tuple(meant)
    return [
        f"{one.place} (mode {one.mode:o}): {one.what}"
        for one in findings
        if not any(fnmatch(one.place, place.pattern) and not one.mode & ~place.mode for place in places)
    ]


def in_folder(needles: Iterable[Needle], folder: Path, name: str) -> Iterator[Finding]:
    """Search every file below `folder`, which the findings call `name`."""
    known = tuple(needles)
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            place = f"{name}/{path.relative_to(folder)}"
            mode = path.stat().st_mode & 0o777
            yield from (Finding(place, what, mode) for what in found(known, path.read_bytes()))
