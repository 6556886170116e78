"""A device's key, certificate and revocation lists: made and kept here, replaced whole or not at all.

Needs Python's standard library and the `openssl` command.

    credentials request     make a key and a CSR in a new generation; prints {"generation", "csr"}
    credentials reach       read {"url", "wait_s"} on standard input, wait until something answers there
    credentials install     read an order on standard input, have the CSR signed by Vault, install
    credentials anchors     read {"anchors", "server_anchors"} on standard input, install them
    credentials reload      have whoever uses them load what is there
    credentials rollback    go back to the generation before
    credentials status      print what is there, and what is wrong with it
    credentials glance      print what is there, key and chain unexamined
    credentials pull        fetch the CRLs now; prints what changed
    credentials watch       pull for ever (SIGHUP pulls at once)
    credentials check       exit status 0 if a watch runs and has reported in time

The configuration, /etc/heiiki/credentials.json unless `--config FILE` comes first, holds the names of the
device and where its CRLs are; an order holds the wrapped token and what is to be signed where (`Order`).

In /etc/heiiki/pki: `roots.pem` (trust anchors), `server.pem` (more anchors, for the TLS of Vault alone),
`issuers.pem` (other CAs below the anchors), `crl.pem`, and `current -> generations/N/` with `key.pem`,
`certificate.pem` and `chain.pem`. A generation is complete, checked and on the disk before `current` points
to it, so whatever kills this program leaves the old one or the new one; what was cut off is cleared away by
the next `request`. The one before `current` is kept.

The key leaves openssl by a pipe and is written with mode 0600; the token comes on standard input and goes to
Vault only. `loaded` remembers what the users have been told of, so that a run which was cut off before it
told them is made good by the next.

Rekeying an IKE SA verifies nobody, so one that runs outlives the certificates that it began with. `watch` has
them made anew, one after the other, when the device's own certificate was replaced, when a CRL names more
certificates than before, or when a CA is gone; never because a CRL is merely newer. `authenticated` remembers
what those that run rest on.
"""

import argparse
import base64
import binascii
import errno
import fcntl
import grp
import hashlib
import http.client
import ipaddress
import json
import logging
import math
import os
import pwd
import random
import re
import shlex
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn, Self

CONFIG = Path("/etc/heiiki/credentials.json")
STATE = Path("/run/heiiki/revocation.json")
FOLDER = "/etc/heiiki/pki"

CONNECT_S = 5.0
# Longer: a token is good for one request, and who gave it up while a busy server was at work has none.
ANSWER_S = 20.0
REACH_POLL_S = 0.5
FLAP_S = 30.0
NO_ROUTE = (errno.ENETUNREACH, errno.EHOSTUNREACH)
REACH_S = 600
INSTALL_S = 45
PULL_S = 20
USER_S = 30.0
OPENSSL_S = 15.0
LOCK_S = 50.0
BACK_OFF_S = 60.0
GRACE_S = 30.0
JITTER = 0.1
ANEW_PACE_S = 0.05
ANEW_AFTER_S = 3.0
ANEW_S = 30.0
ANEW_LOOK_S = 2.0
ANSWER_LIMIT = 8 << 20

_log = logging.getLogger("credentials")


class CredentialError(Exception):
    """What is wrong, where, and what to do about it."""


class ServerError(CredentialError):
    """Vault is away, sealed, or refuses; the device is as before. `status` is HTTP's, 0 for none."""

    def __init__(self, message: str, status: int = 0) -> None:
        """Say `message`."""
        super().__init__(message)
        self.status = status


# ---------------------------------------------------------------------------------------------- names


@dataclass(frozen=True, slots=True)
class Names:
    """The names of a certificate (RFC 5280 4.2.1.6); `jids` are otherName id-on-xmppAddr (RFC 6120)."""

    dns: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    uris: tuple[str, ...] = ()
    jids: tuple[str, ...] = ()

    def document(self) -> dict[str, list[str]]:
        """As in JSON, sorted: order means nothing in a certificate."""
        return {kind: sorted(getattr(self, kind)) for kind in KINDS}

    def __str__(self) -> str:
        """All of them on one line."""
        return ", ".join(f"{kind} {name}" for kind, names in self.document().items() for name in names)


KINDS = ("dns", "addresses", "uris", "jids")
# Nothing that openssl's configuration would read as more than a name: , ; = $ # \ quotes and white space.
_SAFE = {
    "dns": re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})*"),
    "addresses": re.compile(r"[0-9a-fA-F.:]{2,45}"),
    "uris": re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[A-Za-z0-9._~:/?@!*+%-]+"),
    "jids": re.compile(r"[A-Za-z0-9._-]+@[A-Za-z0-9.-]+"),
}


def _names(kind: str) -> Callable[[Any], tuple[str, ...]]:
    def convert(values: Any) -> tuple[str, ...]:
        if not isinstance(values, list) or (kind == "dns" and not values):
            raise ValueError("give a list of names" + (", the first is the common name" * (kind == "dns")))
        for value in values:
            if not isinstance(value, str) or not _SAFE[kind].fullmatch(value):
                raise ValueError(f"{value!r} is no name of this kind")
            if kind == "addresses":
                ipaddress.ip_address(value)
        return tuple(values)

    return convert


# ---------------------------------------------------------------------------------------------- files


@dataclass(frozen=True, slots=True)
class Revocation:
    """Where CRLs come from.

    Attributes:
        url, host: base URL of Vault, and the name that its certificate must bear.
        mounts: PKI engines whose CRLs are pulled.
        every_s: seconds between two pulls.
    """

    url: str
    host: str
    mounts: tuple[str, ...]
    every_s: int


@dataclass(frozen=True, slots=True)
class Config:
    """The configuration, parsed.

    Attributes:
        revocation: where CRLs are; None on a device that verifies no peers.
        owner: who owns the key, and so may read it.
        sources: addresses that connections to Vault come from, tried one after the other; none: as routed.
        interface: interface that they leave by; empty: as routed.
        links: paths that are to be symbolic links to a file of the generation in use.
        ca_folder, crl_folder: where each CA certificate and CRL stands in a file of its own besides.
        users: commands that make a program load what is new; each must exit 0.
        associations: strongSwan is one of them: its IKE SAs are made anew when what they rest on is gone.
    """

    device: str
    names: Names
    revocation: "Revocation | None" = None
    folder: Path = Path(FOLDER)
    owner: str = "root"
    sources: tuple[str, ...] = ()
    interface: str = ""
    links: Mapping[Path, str] = field(default_factory=dict)
    ca_folder: Path | None = None
    crl_folder: Path | None = None
    users: tuple[tuple[str, ...], ...] = ()
    associations: bool = False


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("must be a text")
    return value


def _url(value: Any) -> str:
    parts = urllib.parse.urlsplit(_text(value))
    if parts.scheme != "https" or not parts.hostname or parts.path not in {"", "/"} or parts.query:
        raise ValueError("must be https://HOST:PORT without a path: Vault is spoken to in TLS only")
    return f"https://{parts.netloc}"


def _word(value: Any) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*", _text(value)):
        raise ValueError("must be a path of letters, digits, dots and dashes")
    return str(value)


def _words(values: Any) -> tuple[str, ...]:
    if not isinstance(values, list) or not values:
        raise ValueError("must be a list with at least one path")
    return tuple(_word(value) for value in values)


def _addresses(values: Any) -> tuple[str, ...]:
    if not isinstance(values, list):
        raise TypeError("must be a list of addresses")
    return tuple(str(ipaddress.ip_address(_text(value))) for value in values)


def _links(values: Any) -> dict[Path, str]:
    found = {_path(key): _text(value) for key, value in _mapping(values).items()}
    strange = sorted(set(found.values()) - {"key.pem", "certificate.pem", "chain.pem"})
    if strange:
        raise ValueError(f"{strange[0]} is no file of a generation: key.pem, certificate.pem or chain.pem")
    return found


def _seconds(value: Any) -> int:
    if type(value) is not int or not 1 <= value <= 86_400:  # noqa: PLR2004 - a day
        raise ValueError("must be a whole number from 1 to 86400")
    return value


def _truth(value: Any) -> bool:
    if type(value) is not bool:
        raise ValueError("must be true or false")
    return value


def _path(value: Any) -> Path:
    path = Path(_text(value))
    if not path.is_absolute():
        raise ValueError("must be an absolute path")
    return path


def _commands(values: Any) -> tuple[tuple[str, ...], ...]:
    if not isinstance(values, list) or not all(isinstance(value, list) and value for value in values):
        raise ValueError("must be a list of argument vectors")
    return tuple(tuple(_text(word) for word in value) for value in values)


_Fields = Mapping[str, Callable[[Any], Any]]


def _revocation(value: Any) -> Revocation:
    try:
        return Revocation(**_fields(json.dumps(value), "in it", _REVOCATION_FIELDS, {}))
    except CredentialError as error:
        raise ValueError(str(error)) from error


_REVOCATION_FIELDS: _Fields = {"url": _url, "host": _text, "mounts": _words, "every_s": _seconds}
_FIELDS: _Fields = {
    "device": _text,
    **{kind: _names(kind) for kind in KINDS},
}
_OPTIONAL: _Fields = {
    "revocation": _revocation,
    "folder": _path,
    "owner": _text,
    "sources": _addresses,
    "interface": _text,
    "links": _links,
    "ca_folder": _path,
    "crl_folder": _path,
    "users": _commands,
    "associations": _truth,
}


def _fields(text: str, where: str, needed: _Fields, optional: _Fields) -> dict[str, Any]:
    """Parse a JSON object; CredentialError with every problem, one a line."""
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise CredentialError(f"{where}:{error.lineno}:{error.colno}: is not JSON: {error.msg}") from error
    if not isinstance(document, dict):
        raise CredentialError(f"{where}: is not an object; write {{...}}")
    known = {**needed, **optional}
    problems = [f"{where}: {key}: is not known here; remove it" for key in sorted(document.keys() - known)]
    problems += [f"{where}: {key}: is missing; add it" for key in needed if key not in document]
    values: dict[str, Any] = {}
    for key in [key for key in known if key in document]:
        try:
            values[key] = known[key](document[key])
        except (ValueError, TypeError) as error:
            problems.append(f"{where}: {key}: is wrong: {error}")
    if problems:
        raise CredentialError("\n".join(problems))
    return values


def parse(text: str, where: str) -> Config:
    """Parse the configuration's `text`.

    Raises:
        CredentialError: with every problem of the file.
    """
    values = _fields(text, where, _FIELDS, _OPTIONAL)
    names = Names(**{kind: values.pop(kind) for kind in KINDS})
    return Config(names=names, **values)


def read(file: Path) -> Config:
    """Read and parse the configuration.

    Raises:
        CredentialError: it cannot be read or is wrong.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CredentialError(f"{file}: cannot be read: {error}; apply the device's build first") from error
    return parse(text, str(file))


@dataclass(frozen=True, slots=True)
class Anchors:
    """Trust anchors in PEM.

    Attributes:
        roots: root CAs of the service's certificates.
        server: CAs that Vault's own certificate may come from besides.
    """

    roots: tuple[str, ...]
    server: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Order:
    """What the controller sends for one certificate.

    Attributes:
        token: wrapping token of a Vault token that may sign this device's names once.
        url, host: base URL of Vault, and the name that its certificate must bear.
        path: API path of the signing role.
        parameters: what goes with the CSR, as the token's policy pins it.
        names: what the certificate must hold; the configuration has to say the same.
        generation: the generation whose CSR was looked at.
    """

    token: str = field(repr=False)
    url: str
    host: str
    path: str
    parameters: Mapping[str, Any]
    names: Names
    generation: int
    anchors: Anchors


def _pems(values: Any) -> tuple[str, ...]:
    """Certificates in PEM, one a text."""
    if not isinstance(values, list):
        raise TypeError("must be a list of certificates in PEM")
    found = [text for value in values for text in blocks(_text(value), "CERTIFICATE")]
    for text in found:
        Certificate.read(text)
    return tuple(dict.fromkeys(found))


def _roots(values: Any) -> tuple[str, ...]:
    found = _pems(values)
    if not found:
        raise ValueError("give at least one root: without it nobody could be trusted")
    for certificate in map(Certificate.read, found):
        if not certificate.ca:
            raise ValueError(f"{certificate.subject} is no CA")
    return found


def _mapping(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError("must be an object")
    return value


def _named(value: Any) -> Names:
    document = _mapping(value)
    if set(document) != set(KINDS):
        raise ValueError(f"must have exactly {', '.join(KINDS)}")
    return Names(**{kind: _names(kind)(document[kind]) for kind in KINDS})


def _whole(value: Any) -> int:
    if type(value) is not int:
        raise ValueError("must be a whole number")
    return value


_ANCHOR_FIELDS: _Fields = {"anchors": _roots, "server_anchors": _pems}
_REACH_FIELDS: _Fields = {"url": _url, "wait_s": _whole}
_ORDER_FIELDS: _Fields = {
    "token": _text,
    "url": _url,
    "host": _text,
    "path": _word,
    "parameters": _mapping,
    "names": _named,
    "generation": _whole,
    **_ANCHOR_FIELDS,
}


def parse_anchors(text: str) -> Anchors:
    """Parse what `anchors` reads on standard input; CredentialError with every problem."""
    values = _fields(text, "standard input", _ANCHOR_FIELDS, {})
    return Anchors(values["anchors"], values["server_anchors"])


def parse_reach(text: str) -> tuple[str, int]:
    """Parse what `reach` reads on standard input: URL and seconds; CredentialError with every problem."""
    values = _fields(text, "standard input", _REACH_FIELDS, {})
    return values["url"], values["wait_s"]


def parse_order(text: str) -> Order:
    """Parse what `install` reads on standard input; CredentialError with every problem."""
    values = _fields(text, "standard input", _ORDER_FIELDS, {})
    anchors = Anchors(values.pop("anchors"), values.pop("server_anchors"))
    return Order(anchors=anchors, **values)


# ------------------------------------------------------------------------------------------------ DER

_INTEGER, _BITS, _OID, _BOOLEAN, _SEQUENCE = 0x02, 0x03, 0x06, 0x01, 0x30
_UTC_TIME, _GENERALIZED_TIME = 0x17, 0x18
_SAN_DNS, _SAN_URI, _SAN_ADDRESS, _SAN_OTHER = 0x82, 0x86, 0x87, 0xA0
_XMPP_ADDRESS = "1.3.6.1.5.5.7.8.5"
_ALTERNATIVE_NAMES, _BASIC_CONSTRAINTS = "2.5.29.17", "2.5.29.19"
_SUBJECT_KEY, _AUTHORITY_KEY, _CRL_NUMBER = "2.5.29.14", "2.5.29.35", "2.5.29.20"
_EXTENSION_REQUEST = "1.2.840.113549.1.9.14"
_ATTRIBUTES = {"2.5.4.3": "CN", "2.5.4.10": "O", "2.5.4.11": "OU", "2.5.4.6": "C", "2.5.4.5": "serialNumber"}
_KEYS = {"1.2.840.10045.2.1": "EC", "1.2.840.113549.1.1.1": "RSA", "1.3.101.112": "Ed25519"}
_CURVES = {
    "1.2.840.10045.3.1.7": ("P-256", 256),
    "1.3.132.0.34": ("P-384", 384),
    "1.3.132.0.35": ("P-521", 521),
}


@dataclass(frozen=True, slots=True)
class Element:
    """One element of DER (X.690): `raw` with tag and length, `body` without."""

    tag: int
    raw: bytes
    body: bytes

    def children(self) -> "tuple[Element, ...]":
        """The elements of its body."""
        return tuple(elements(self.body))


def elements(data: bytes) -> Iterator[Element]:
    """Yield the elements that stand side by side in `data`; ValueError when it is no DER."""
    at = 0
    while at < len(data):
        if at + 2 > len(data):
            raise ValueError("is cut off")
        length, head = data[at + 1], at + 2
        if length & 0x80:
            count = length & 0x7F
            length = int.from_bytes(data[head : head + count], "big")
            head += count
        if head + length > len(data):
            raise ValueError("is cut off")
        yield Element(data[at], data[at : head + length], data[head : head + length])
        at = head + length


def oid(body: bytes) -> str:
    """Return an object identifier in dots."""
    numbers, value = [body[0] // 40, body[0] % 40], 0
    for byte in body[1:]:
        value = value << 7 | byte & 0x7F
        if not byte & 0x80:
            numbers.append(value)
            value = 0
    return ".".join(map(str, numbers))


def _time(element: Element) -> datetime:
    text = element.body.decode("ascii")
    if element.tag == _UTC_TIME:  # RFC 5280 4.1.2.5.1: 50 to 99 are of the last century
        text = ("19" if text[:2] >= "50" else "20") + text
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)


def _name(element: Element) -> str:
    parts = [item.children() for group in element.children() for item in group.children()]
    return ", ".join(
        f"{_ATTRIBUTES.get(oid(kind.body), oid(kind.body))}={value.body.decode('utf-8', 'replace')}"
        for kind, value in parts
    )


def _extensions(element: Element) -> dict[str, bytes]:
    """Return the value of every extension, by identifier, from SEQUENCE OF Extension."""
    parts = [item.children() for item in element.children()]
    return {oid(part[0].body): part[-1].body for part in parts}


def _alternative_names(value: bytes | None) -> tuple[Names, tuple[str, ...]]:
    """Return the names of an extension, and the kinds of name that have no place here."""
    found: dict[str, list[str]] = {kind: [] for kind in KINDS}
    strange: list[str] = []
    for item in next(elements(value)).children() if value else ():
        if item.tag == _SAN_DNS:
            found["dns"].append(item.body.decode("ascii"))
        elif item.tag == _SAN_URI:
            found["uris"].append(item.body.decode("ascii"))
        elif item.tag == _SAN_ADDRESS:
            found["addresses"].append(str(ipaddress.ip_address(item.body)))
        elif item.tag == _SAN_OTHER and oid(item.children()[0].body) == _XMPP_ADDRESS:
            found["jids"].append(item.children()[1].children()[0].body.decode("utf-8"))
        else:
            strange.append(f"name of kind {item.tag & 0x1F}")
    return Names(**{kind: tuple(names) for kind, names in found.items()}), tuple(strange)


def _key(spki: Element) -> tuple[str, str, int]:
    """Return algorithm, curve and length in bits of a SubjectPublicKeyInfo."""
    algorithm, bits = spki.children()
    kind, *parameters = algorithm.children()
    name = _KEYS.get(oid(kind.body), oid(kind.body))
    if name == "EC":
        curve = oid(parameters[0].body)
        label, length = _CURVES.get(curve, (curve, 0))
        return name, label, length
    if name == "RSA":
        modulus = next(elements(bits.body[1:])).children()[0].body.lstrip(b"\0")
        return name, "", len(modulus) * 8
    return name, "", (len(bits.body) - 1) * 8


def _serial(element: Element) -> str:
    """A serial number as Vault writes it: octets in hexadecimal with colons."""
    value = element.body.lstrip(b"\0") or b"\0"
    return value.hex(":")


def blocks(text: str, label: str) -> list[str]:
    """Return every PEM block (RFC 7468) of that label, each with a newline at its end."""
    pattern = rf"-----BEGIN {label}-----[A-Za-z0-9+/=\s]+-----END {label}-----"
    return [f"{found}\n" for found in re.findall(pattern, text)]


def _decoded(text: str, label: str) -> Element:
    """Return the element in a PEM block.

    Raises:
        ValueError: there is not exactly one.
    """
    found = blocks(text, label)
    if len(found) != 1:
        raise ValueError(f"holds {len(found)} blocks {label} in PEM, not one")
    body = "".join(found[0].strip().splitlines()[1:-1])
    try:
        return next(elements(base64.b64decode(body, validate=True)))
    except (binascii.Error, StopIteration) as error:
        raise ValueError(f"the block {label} is no DER") from error


@contextmanager
def _as_value_error() -> Iterator[None]:
    """Whatever a malformed structure runs into while it is read is one kind of error."""
    try:
        yield
    except (IndexError, TypeError, StopIteration, UnicodeDecodeError) as error:
        raise ValueError(f"is malformed ({error!r})") from error


@dataclass(frozen=True, slots=True)
class Certificate:
    """What is in a certificate (RFC 5280 4.1)."""

    pem: str
    der: bytes
    serial: str
    issuer: str
    subject: str
    issuer_raw: bytes
    subject_raw: bytes
    not_before: datetime
    not_after: datetime
    spki: bytes
    key: tuple[str, str, int]
    names: Names
    strange: tuple[str, ...]
    ca: bool
    subject_key: str
    authority_key: str

    @classmethod
    def read(cls, pem: str) -> "Certificate":
        """Read a certificate in PEM; ValueError when it is none."""
        with _as_value_error():
            return cls._read(pem)

    @classmethod
    def _read(cls, pem: str) -> "Certificate":
        whole = _decoded(pem, "CERTIFICATE")
        parts = list(whole.children()[0].children())
        if parts[0].tag != _INTEGER:
            parts.pop(0)
        serial, _, issuer, validity, subject, spki, *rest = parts
        extensions = next((_extensions(item.children()[0]) for item in rest if item.tag == 0xA3), {})  # noqa: PLR2004
        names, strange = _alternative_names(extensions.get(_ALTERNATIVE_NAMES))
        before, after = (_time(item) for item in validity.children())
        constraints = extensions.get(_BASIC_CONSTRAINTS, b"0\0")
        return cls(
            pem=f"{pem.strip()}\n",  # Vault leaves the last line open: another PEM may follow it
            der=whole.raw,
            serial=_serial(serial),
            issuer=_name(issuer),
            subject=_name(subject),
            issuer_raw=issuer.raw,
            subject_raw=subject.raw,
            not_before=before,
            not_after=after,
            spki=spki.raw,
            key=_key(spki),
            names=names,
            strange=strange,
            ca=any(
                item.tag == _BOOLEAN and item.body != b"\0" for item in next(elements(constraints)).children()
            ),
            subject_key=_key_identifier(extensions.get(_SUBJECT_KEY)),
            authority_key=_key_identifier(extensions.get(_AUTHORITY_KEY)),
        )

    @property
    def sha256(self) -> str:
        """Fingerprint: SHA-256 of the certificate, hexadecimal."""
        return hashlib.sha256(self.der).hexdigest()

    @property
    def self_issued(self) -> bool:
        """Tell whether subject and issuer are the same: a root."""
        return self.issuer_raw == self.subject_raw


def _key_identifier(value: bytes | None) -> str:
    """Return a key identifier in hexadecimal, from either extension; empty when there is none."""
    if not value:
        return ""
    element = next(elements(value))
    if element.tag != _SEQUENCE:
        return element.body.hex()
    return next((item.body.hex() for item in element.children() if item.tag == 0x80), "")  # noqa: PLR2004


@dataclass(frozen=True, slots=True)
class Request:
    """What is in a certification request (RFC 2986)."""

    subject: str
    spki: bytes
    key: tuple[str, str, int]
    names: Names
    strange: tuple[str, ...]

    @classmethod
    def read(cls, pem: str) -> "Request":
        """Read a request in PEM; ValueError when it is none."""
        with _as_value_error():
            _, subject, spki, *rest = _decoded(pem, "CERTIFICATE REQUEST").children()[0].children()
            extensions: dict[str, bytes] = {}
            for attribute in rest[0].children() if rest else ():
                kind, values = attribute.children()
                if oid(kind.body) == _EXTENSION_REQUEST:
                    extensions.update(_extensions(values.children()[0]))
            names, strange = _alternative_names(extensions.get(_ALTERNATIVE_NAMES))
            return cls(_name(subject), spki.raw, _key(spki), names, strange)


@dataclass(frozen=True, slots=True)
class RevocationList:
    """What is in a CRL (RFC 5280 5.1); `number` is -1 when it bears none."""

    pem: str
    issuer: str
    issuer_raw: bytes
    authority_key: str
    number: int
    this_update: datetime
    next_update: datetime
    serials: tuple[str, ...]

    @classmethod
    def read(cls, pem: str) -> "RevocationList":
        """Read a CRL in PEM; ValueError when it is none."""
        with _as_value_error():
            return cls._read(pem)

    @classmethod
    def _read(cls, pem: str) -> "RevocationList":
        parts = list(_decoded(pem, "X509 CRL").children()[0].children())
        if parts[0].tag == _INTEGER:
            parts.pop(0)
        _, issuer, this, *rest = parts
        times = [item for item in rest if item.tag in {_UTC_TIME, _GENERALIZED_TIME}]
        if not times:
            raise ValueError("says not when the next one comes")
        revoked = next((item for item in rest if item.tag == _SEQUENCE), None)
        extensions = next((_extensions(item.children()[0]) for item in rest if item.tag == 0xA0), {})  # noqa: PLR2004
        number = extensions.get(_CRL_NUMBER)
        return cls(
            pem=pem,
            issuer=_name(issuer),
            issuer_raw=issuer.raw,
            authority_key=_key_identifier(extensions.get(_AUTHORITY_KEY)),
            number=int.from_bytes(next(elements(number)).body, "big") if number else -1,
            this_update=_time(this),
            next_update=_time(times[0]),
            serials=tuple(_serial(item.children()[0]) for item in revoked.children()) if revoked else (),
        )

    @property
    def authority(self) -> tuple[bytes, str]:
        """Whose it is: name and key of the CA, since a CA with a new key may keep its name."""
        return self.issuer_raw, self.authority_key

    def is_of(self, authority: Certificate) -> bool:
        """Tell whether name and key of `authority` are those that it bears."""
        same_key = not self.authority_key or self.authority_key == authority.subject_key
        return self.issuer_raw == authority.subject_raw and same_key


# -------------------------------------------------------------------------------------------- openssl


def openssl(
    arguments: Sequence[str], given: str = "", descriptors: Sequence[int] = ()
) -> tuple[int, str, str]:
    """Run openssl; return exit status and both streams. CredentialError when it does not run or end."""
    try:
        done = subprocess.run(
            ["openssl", *arguments],
            input=given,
            capture_output=True,
            text=True,
            timeout=OPENSSL_S,
            check=False,
            pass_fds=descriptors,
        )
    except FileNotFoundError as error:
        raise CredentialError("there is no openssl: install package openssl") from error
    except subprocess.TimeoutExpired as error:
        raise CredentialError(f"`openssl {arguments[0]}` was not done within {OPENSSL_S:g} s") from error
    return done.returncode, done.stdout, done.stderr


@contextmanager
def _in_memory(text: str) -> Iterator[tuple[int, str]]:
    """Give descriptor and path of a file that is never on a disk."""
    descriptor = os.memfd_create("heiiki")
    try:
        os.write(descriptor, text.encode())
        yield descriptor, f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


_REQUEST = """\
[req]
prompt = no
string_mask = utf8only
distinguished_name = subject
req_extensions = extensions
[subject]
CN = {common_name}
[extensions]
subjectAltName = {names}
"""


def new_key(names: Names) -> tuple[str, str]:
    """Make a key on curve P-256 and a CSR with `names`, in one call of openssl; return both in PEM.

    Raises:
        CredentialError: openssl refuses.
    """
    alternatives = [
        *(f"DNS:{name}" for name in names.dns),
        *(f"IP:{name}" for name in names.addresses),
        *(f"URI:{name}" for name in names.uris),
        *(f"otherName:{_XMPP_ADDRESS};UTF8:{name}" for name in names.jids),
    ]
    config = _REQUEST.format(common_name=names.dns[0], names=",".join(alternatives))
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-pkeyopt", "ec_param_enc:named_curve")
    # Key and CSR come out of the pipe: no file ever holds half a key.
    code, out, said = openssl(
        ["req", "-new", *curve, "-noenc", "-sha256", "-config", "/dev/stdin", "-keyout", "-"], config
    )
    keys, requests = blocks(out, "PRIVATE KEY"), blocks(out, "CERTIFICATE REQUEST")
    if code or len(keys) != 1 or len(requests) != 1:
        raise CredentialError(f"openssl made no key and CSR for {names}: {said.strip()[-500:]}")
    return keys[0], requests[0]


def public_key(key: Path) -> bytes:
    """Return the SubjectPublicKeyInfo of a private key's file; CredentialError when it is none."""
    code, out, said = openssl(["pkey", "-in", str(key), "-pubout"])
    if code:
        raise CredentialError(f"{key}: holds no key: {said.strip()[-200:]}")
    return _decoded(out, "PUBLIC KEY").raw


def verify_chain(leaf: str, chain: Iterable[str], roots: Iterable[str]) -> str:
    """Return why `leaf` does not verify against `roots` by way of `chain`, or nothing when it does."""
    with ExitStack() as stack:
        trusted, trusted_path = stack.enter_context(_in_memory("".join(roots)))
        others, others_path = stack.enter_context(_in_memory("".join(chain)))
        # The machine's own store of CAs has no say in this.
        only = ("-no-CApath", "-no-CAstore", "-x509_strict")
        files = ("-CAfile", trusted_path, *(("-untrusted", others_path) if chain else ()))
        code, out, said = openssl(["verify", *only, *files], leaf, (trusted, others))
    if not code:
        return ""
    told = [line for line in (said + out).splitlines() if "error" in line] or [(said + out).strip()]
    return told[0][-300:] or "openssl verify says no"


def verify_crl(pem: str, authority: str) -> str:
    """Return why the CRL's signature is not that of the CA certificate `authority`, or nothing."""
    with _in_memory(authority) as (descriptor, path):
        code, out, said = openssl(["crl", "-noout", "-verify", "-CAfile", path], pem, (descriptor,))
    # Some releases exit 0 whatever the signature is: what is printed counts.
    good = code == 0 and "verify OK" in said + out
    return "" if good else (said + out).strip()[-300:] or "openssl crl says no"


# ---------------------------------------------------------------------------------------------- store


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write(path: Path, text: str, mode: int = 0o644, owner: str = "") -> None:
    """Replace `path` by `text`, durably; whoever reads sees the old or the new, and no more than he may."""
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        if owner:
            os.fchown(stream.fileno(), *_owner(owner))
        os.fchmod(stream.fileno(), mode)
        os.fsync(stream.fileno())
    new.replace(path)
    _sync(path.parent)


def _owner(name: str) -> tuple[int, int]:
    try:
        user = pwd.getpwnam(name)
    except KeyError as error:
        raise CredentialError(f"the device has no user {name}: install the package that brings it") from error
    try:
        return user.pw_uid, grp.getgrnam(name).gr_gid
    except KeyError:
        return user.pw_uid, user.pw_gid


class Store:
    """The folder with the generations, and what stands beside them."""

    def __init__(self, folder: Path) -> None:
        """Keep everything below `folder`; nothing is made yet."""
        self.folder = folder
        self._generations = folder / "generations"
        self._current = folder / "current"

    @contextmanager
    def alone(self, lock: str = "lock") -> Iterator[None]:
        """Keep every other run that takes the same `lock` away, waiting for one that is at work.

        Raises:
            CredentialError: it is still at work after `LOCK_S`.
        """
        self._generations.mkdir(parents=True, exist_ok=True)
        deadline = time.monotonic() + LOCK_S
        with (self.folder / lock).open("ab") as handle:
            while True:
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError as error:
                    if time.monotonic() > deadline:
                        raise CredentialError(
                            f"{self.folder}: another run is at work: wait until it is done, then run again"
                        ) from error
                time.sleep(0.05)
            yield

    def path(self, generation: int) -> Path:
        """Return the folder of a generation."""
        return self._generations / str(generation)

    def numbers(self) -> list[int]:
        """Every generation that is there, oldest first."""
        if not self._generations.is_dir():
            return []
        return sorted(int(path.name) for path in self._generations.iterdir() if path.name.isdigit())

    def current(self) -> int | None:
        """Return the generation in use; None before the first."""
        try:
            return int(self._current.readlink().name)
        except FileNotFoundError:
            return None

    def pending(self) -> int | None:
        """Return the generation that waits for its certificate."""
        newer = [number for number in self.numbers() if number > (self.current() or 0)]
        return newer[-1] if newer else None

    def previous(self) -> int | None:
        """Return the generation before the one in use."""
        older = [number for number in self.numbers() if number < (self.current() or 0)]
        return older[-1] if older else None

    def begin(self) -> int:
        """Clear away what was cut off and return the number of a new generation, whose folder is made."""
        current = self.current() or 0
        for number in self.numbers():
            if number > current:
                shutil.rmtree(self.path(number))
        number = max((current, *self.numbers())) + 1
        self.path(number).mkdir(mode=0o755)
        _sync(self._generations)
        return number

    def switch(self, generation: int) -> None:
        """Make a complete generation the one in use."""
        new = self.folder / ".current.new"
        new.unlink(missing_ok=True)
        new.symlink_to(f"generations/{generation}")
        new.replace(self._current)
        _sync(self.folder)

    def prune(self) -> None:
        """Keep the generation in use, the one before, and what is newer."""
        kept = {self.current(), self.previous()}
        for number in self.numbers():
            if number not in kept and number < (self.current() or 0):
                shutil.rmtree(self.path(number))

    def read(self, name: str) -> str:
        """Return the text of a file, empty when there is none."""
        try:
            return (self.folder / name).read_text(encoding="utf-8")
        except FileNotFoundError:
            return ""

    def certificates(self, name: str) -> list[Certificate]:
        """Return the certificates of a file, none when there is no such file."""
        try:
            return [Certificate.read(pem) for pem in blocks(self.read(name), "CERTIFICATE")]
        except ValueError as error:
            raise CredentialError(f"{self.folder / name}: {error}; enrol the device anew") from error

    def lists(self) -> list[RevocationList]:
        """Return the CRLs that are there."""
        try:
            return [RevocationList.read(pem) for pem in blocks(self.read("crl.pem"), "X509 CRL")]
        except ValueError as error:
            raise CredentialError(f"{self.folder / 'crl.pem'}: {error}; remove it and pull again") from error

    def authorities(self) -> list[Certificate]:
        """Return every CA that is known here, each once: anchors, chain, and others below the anchors."""
        names = ("roots.pem", "current/chain.pem", "issuers.pem")
        found = [certificate for name in names for certificate in self.certificates(name)]
        return list({certificate.sha256: certificate for certificate in found}.values())

    def keep_anchors(self, anchors: Anchors) -> bool:
        """Write trust anchors where they differ; return whether they did."""
        changed = False
        for name, texts in (("roots.pem", anchors.roots), ("server.pem", anchors.server)):
            if self.read(name) != "".join(texts):
                write(self.folder / name, "".join(texts))
                changed = True
        return changed

    def digest(self) -> str:
        """Digest of everything that users load."""
        names = ("roots.pem", "issuers.pem", "crl.pem", "current/certificate.pem", "current/chain.pem")
        texts = [str(self.current()), *(self.read(name) for name in names)]
        return hashlib.sha256("\0".join(texts).encode()).hexdigest()


# -------------------------------------------------------------------------------------------- server


class _Connection(http.client.HTTPConnection):
    """HTTP over TLS from a given address; the certificate is checked for a name, not for the address."""

    def __init__(
        self, netloc: str, name: str, context: ssl.SSLContext, sources: Sequence[str], interface: str
    ) -> None:
        super().__init__(netloc, timeout=CONNECT_S)
        self._name, self._context = name, context
        self._sources, self._interface = tuple(sources) or ("",), interface

    def connect(self) -> None:
        """Connect, as http.client asks."""
        plain = self._patiently()
        plain.settimeout(ANSWER_S)
        try:
            self.sock = self._context.wrap_socket(plain, server_hostname=self._name)
        except BaseException:
            plain.close()
            raise

    def probe(self) -> None:
        """Connect, and say nothing; OSError when nobody answers."""
        self._plain().close()

    def _patiently(self) -> socket.socket:
        """Return a TCP connection; a network that was just configured may lose its routes for a moment."""
        until = time.monotonic() + FLAP_S
        while True:
            try:
                return self._plain()
            except OSError as error:
                if error.errno not in NO_ROUTE or time.monotonic() > until:
                    raise
                time.sleep(REACH_POLL_S)

    def _plain(self) -> socket.socket:
        """Return a TCP connection from the first address that leads there."""
        *others, last = self._sources
        for source in others:
            try:
                return self._from(source)
            except OSError as error:
                _log.info("%s: from %s: %s", self.host, source, error)
        return self._from(last)

    def _from(self, source: str) -> socket.socket:
        family, kind, protocol, _, address = socket.getaddrinfo(
            self.host, self.port, type=socket.SOCK_STREAM
        )[0]
        plain = socket.socket(family, kind, protocol)
        try:
            plain.settimeout(CONNECT_S)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # head and body leave apart
            if self._interface:
                plain.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, self._interface.encode())
            if source:
                plain.bind((source, 0))
            plain.connect(address)
        except BaseException:
            plain.close()
            raise
        return plain


def reach(config: Config, url: str, wait_s: int) -> dict[str, Any]:
    """Wait until something answers at `url`: a network that was just configured takes its time.

    Raises:
        ServerError: nothing did within `wait_s` seconds.
    """
    began = time.monotonic()
    netloc = urllib.parse.urlsplit(url).netloc
    way = _Connection(netloc, "", ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), config.sources, config.interface)
    while True:
        try:
            way.probe()
        except OSError as error:
            if time.monotonic() - began > wait_s:
                raise ServerError(
                    f"{url}: no way to it within {wait_s} s: {error}; start Vault or mend the way to it, "
                    "then run again"
                ) from error
            time.sleep(REACH_POLL_S)
        else:
            return {"waited_s": round(time.monotonic() - began, 1)}


class Server:
    """The Vault API over one connection; a context manager, which closes it."""

    def __init__(
        self, url: str, host: str, anchors: Anchors, sources: Sequence[str] = (), interface: str = ""
    ) -> None:
        """Speak to `url`, whose certificate must bear `host` and come from `anchors`."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # empty: the machine's own CAs have no say
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_verify_locations(cadata="".join((*anchors.roots, *anchors.server)))
        self._url, self._host = url, host
        netloc = urllib.parse.urlsplit(url).netloc
        self._connection = _Connection(netloc, host, context, sources, interface)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def call(self, method: str, path: str, token: str = "", body: Mapping[str, Any] | None = None) -> bytes:
        """Return the body of the answer.

        Raises:
            ServerError: no answer, no good certificate, or another status than 200.
        """
        headers = {"X-Vault-Token": token} if token else {}
        data = None if body is None else json.dumps(body)
        try:
            self._connection.request(method, f"/v1/{path}", data, headers)
            answer = self._connection.getresponse()
            text = _whole_body(answer)
        except ssl.SSLCertVerificationError as error:
            self._connection.close()
            raise ServerError(
                f"{self._url}: its certificate is not good for {self._host}: {error.verify_message}; "
                "nothing was sent. Check who answers there, and the trust anchors that the device has"
            ) from error
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            why = str(error) or type(error).__name__
            raise ServerError(
                f"{self._url}: no answer to {method} {path}: {why}; start Vault or mend the way to it, "
                "then run again"
            ) from error
        if len(text) > ANSWER_LIMIT:
            self._connection.close()
            raise ServerError(f"{self._url}: {path}: the answer is longer than {ANSWER_LIMIT} octets")
        if answer.status != http.client.OK:
            raise ServerError(self._refusal(path, answer.status, text), answer.status)
        return text

    def document(self, method: str, path: str, token: str = "", body: Mapping[str, Any] | None = None) -> Any:
        """Return the answer's JSON; ServerError when it is none."""
        text = self.call(method, path, token, body)
        try:
            return json.loads(text)
        except ValueError as error:
            raise ServerError(f"{self._url}: {path}: the answer is not JSON: is this Vault?") from error

    def _refusal(self, path: str, status: int, text: bytes) -> str:
        try:
            reasons = "; ".join(str(item).strip() for item in json.loads(text)["errors"])
        except (ValueError, KeyError, TypeError):
            reasons = ""
        told = f": {reasons}" if reasons else ""
        where = f"{self._url}: {path}: status {status}{told}"
        if status == http.client.SERVICE_UNAVAILABLE:
            return f"{where}: Vault is sealed or not ready: unseal it, then run again"
        if path == UNWRAP and status == http.client.BAD_REQUEST:
            return (
                f"{where}: the wrapped token is spent or too old. Run again for a new one; if no run was "
                "cut off or slow, somebody else has used it: read Vault's audit log"
            )
        if status == http.client.FORBIDDEN:
            return f"{where}: the token may not do this: apply role pki so that the policy fits the plan"
        return where


def _whole_body(answer: http.client.HTTPResponse) -> bytes:
    """Return the body, or one octet more than is allowed; IncompleteRead when it is cut off."""
    text = answer.read(ANSWER_LIMIT + 1)
    if answer.length and len(text) <= ANSWER_LIMIT:
        raise http.client.IncompleteRead(text)
    return text


UNWRAP = "sys/wrapping/unwrap"


# ------------------------------------------------------------------------------------------- enrolment


def request(config: Config) -> dict[str, Any]:
    """Make key and CSR in a new generation; return its number and the CSR."""
    store = Store(config.folder)
    with store.alone():
        number = store.begin()
        key, csr = new_key(config.names)
        write(store.path(number) / "key.pem", key, 0o600, config.owner)
        write(store.path(number) / "request.pem", csr)
    return {"generation": number, "csr": csr, "names": config.names.document()}


def install(config: Config, order: Order) -> dict[str, Any]:
    """Have the pending generation's CSR signed as `order` says, check the answer, and switch to it.

    Raises:
        CredentialError: something is wrong with order, answer or device; what is in use has not changed.
    """
    if order.names.document() != config.names.document():
        raise CredentialError(
            f"the order is for {order.names}, this device's configuration has {config.names}: "
            "compile and apply the plan, then run again"
        )
    store = Store(config.folder)
    with store.alone():
        folder = _pending(store, order.generation)
        leaf, chain = sign(config, order, (folder / "request.pem").read_text(encoding="utf-8"))
        _accept(config.names, public_key(folder / "key.pem"), leaf, chain, order.anchors)
        write(folder / "certificate.pem", leaf.pem)
        write(folder / "chain.pem", "".join(item.pem for item in chain))
        store.keep_anchors(order.anchors)
        store.switch(order.generation)
        store.prune()
    return {"generation": order.generation, "serial": leaf.serial}


def _pending(store: Store, generation: int) -> Path:
    pending = store.pending()
    if pending != generation:
        raise CredentialError(
            f"{store.folder}: the order is for generation {generation}, the one that waits is "
            f"{pending or 'none'}: another run came between; run again"
        )
    folder = store.path(generation)
    if not (folder / "key.pem").is_file() or not (folder / "request.pem").is_file():
        raise CredentialError(f"{folder}: its key was never finished: run again")
    return folder


def sign(config: Config, order: Order, csr: str) -> tuple[Certificate, list[Certificate]]:
    """Unwrap the token, have `csr` signed, and return certificate and chain, roots left out.

    Raises:
        ServerError: Vault is away, refuses, or gives no certificate.
    """
    with Server(order.url, order.host, order.anchors, config.sources, config.interface) as server:
        unwrapped = server.document("POST", UNWRAP, order.token, {})
        try:
            token = str(unwrapped["auth"]["client_token"])
        except (KeyError, TypeError) as error:
            raise ServerError(f"{order.url}: {UNWRAP}: the answer holds no token") from error
        answer = server.document("POST", order.path, token, {**order.parameters, "csr": csr})
    try:
        data = answer["data"]
        texts = [str(text) for text in data.get("ca_chain") or [data["issuing_ca"]]]
        leaf = Certificate.read(str(data["certificate"]))
        chain = [Certificate.read(pem) for text in texts for pem in blocks(text, "CERTIFICATE")]
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ServerError(f"{order.url}: {order.path}: the answer holds no certificate: {error}") from error
    return leaf, [item for item in chain if not item.self_issued]


def _accept(
    names: Names, spki: bytes, leaf: Certificate, chain: Sequence[Certificate], anchors: Anchors
) -> None:
    """Take a certificate for what was asked, or raise CredentialError."""
    if leaf.spki != spki:
        raise CredentialError("the certificate that came is for another key: not installed; read Vault's log")
    if leaf.names.document() != names.document() or leaf.strange:
        found = ", ".join(filter(None, (str(leaf.names), *leaf.strange)))
        raise CredentialError(f"the certificate that came has the names {found}, asked for were {names}")
    if leaf.subject != f"CN={names.dns[0]}":
        raise CredentialError(f"the certificate that came is for {leaf.subject}, not CN={names.dns[0]}")
    if leaf.ca:
        raise CredentialError("the certificate that came is a CA's: not installed; look at the role in Vault")
    problem = verify_chain(leaf.pem, [item.pem for item in chain], anchors.roots)
    if problem:
        raise CredentialError(
            f"the certificate that came does not verify against the trust anchors: {problem}; "
            "not installed: check the clock, and that the anchors are those of Vault's root"
        )


def install_anchors(config: Config, anchors: Anchors) -> dict[str, Any]:
    """Write trust anchors; they must go on vouching for the certificate in use.

    Raises:
        CredentialError: the certificate in use would no longer verify.
    """
    store = Store(config.folder)
    with store.alone():
        leaf = store.read("current/certificate.pem")
        chain = [item.pem for item in store.certificates("current/chain.pem")]
        problem = verify_chain(leaf, chain, anchors.roots) if leaf else ""
        if problem and not store.certificates("current/certificate.pem")[0].not_after < _now():
            raise CredentialError(
                f"with these trust anchors this device's own certificate would not verify ({problem}): "
                "keep the old root beside the new one until every device is renewed"
            )
        return {"changed": store.keep_anchors(anchors)}


def rollback(config: Config) -> dict[str, Any]:
    """Go back to the generation before; CredentialError when there is none."""
    store = Store(config.folder)
    with store.alone():
        previous = store.previous()
        if previous is None:
            raise CredentialError(f"{store.folder}: there is no generation before the one in use")
        store.switch(previous)
    return {"generation": previous}


# ------------------------------------------------------------------------------------------ publishing


def reload(config: Config) -> dict[str, Any]:
    """Publish what is there and have every user load it.

    Raises:
        CredentialError: a user did not; the next run tells it again.
    """
    store = Store(config.folder)
    # A lock of its own: an installation that waits for Vault holds no pull up.
    with store.alone("reload.lock"):
        digest = store.digest()
        publish(config, store)
        for command in config.users:
            _tell(command)
        if store.read("loaded") != digest:
            write(store.folder / "loaded", digest)
    return {"users": [shlex.join(command) for command in config.users]}


def _tell(command: Sequence[str]) -> None:
    try:
        done = subprocess.run(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=USER_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CredentialError(f"`{shlex.join(command)}` cannot be run: {error}") from error
    if done.returncode:
        said = done.stdout.strip()[-500:] or "it printed nothing"
        raise CredentialError(
            f"`{shlex.join(command)}` exited {done.returncode}: {said}. What it uses is in place; "
            "mend it and run again"
        )


def publish(config: Config, store: Store) -> None:
    """Give each CA and each CRL a file of its own, and key and certificate the paths that programs want."""
    for path, name in config.links.items() if store.current() is not None else ():
        _link(path, store.folder / "current" / name)
    if config.ca_folder:
        _fill(config.ca_folder, {item.sha256: item.pem for item in store.authorities()})
    if config.crl_folder:
        _fill(config.crl_folder, {_digest(*item.authority): item.pem for item in store.lists()})


def _digest(issuer: bytes, key: str) -> str:
    return hashlib.sha256(issuer + key.encode()).hexdigest()


def _link(path: Path, target: Path) -> None:
    if path.is_symlink() and path.readlink() == target:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    new.symlink_to(target)
    new.replace(path)


def _fill(folder: Path, texts: Mapping[str, str]) -> None:
    """Bring our files in `folder` to `texts`, by digest; those of others are left alone."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = {f"heiiki-{digest[:16]}.pem": text for digest, text in texts.items()}
    for name, text in wanted.items():
        path = folder / name
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            write(path, text)
    for path in folder.glob("heiiki-*.pem"):
        if path.name not in wanted:
            path.unlink()


# ---------------------------------------------------------------------------------------------- status


def _now() -> datetime:
    return datetime.now(UTC)


def _shown(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def status(config: Config) -> dict[str, Any]:
    """Return what is there and what is wrong with it; nothing secret is in it."""
    report, store = glance(config), Store(config.folder)
    if report["generation"] is not None:
        report["problems"] = list(_problems(store))
    return report


def glance(config: Config) -> dict[str, Any]:
    """Return what is there as `status` does, without examining it: `problems` is empty."""
    store = Store(config.folder)
    current = store.current()
    report: dict[str, Any] = {
        "device": config.device,
        "wanted": config.names.document(),
        "generation": current,
        "pending": store.pending(),
        "previous": store.previous(),
        "loaded": store.read("loaded") == store.digest(),
        "authenticated": Ground.of(store).holds(Ground.kept(store)) if config.associations else None,
        "users": [shlex.join(command) for command in config.users],
        "pulls": config.revocation is not None,
        "anchors": [_authority(item) for item in store.certificates("roots.pem")],
        "server_anchors": [_authority(item) for item in store.certificates("server.pem")],
        "crls": [_crl(item) for item in store.lists()],
        "certificate": None,
        "problems": [],
    }
    if current is not None:
        report["certificate"] = _in_use(store)
    return report


def _authority(item: Certificate) -> dict[str, Any]:
    return {"subject": item.subject, "sha256": item.sha256, "not_after": _shown(item.not_after)}


def _crl(item: RevocationList) -> dict[str, Any]:
    return {
        "issuer": item.issuer,
        "authority_key": item.authority_key,
        "number": item.number,
        "this_update": _shown(item.this_update),
        "next_update": _shown(item.next_update),
        "hours_left": round((item.next_update - _now()).total_seconds() / 3600, 2),
        "revoked": len(item.serials),
    }


def _in_use(store: Store) -> dict[str, Any] | None:
    """Return the facts of the certificate in use; None when its file is missing."""
    found = store.certificates("current/certificate.pem")
    if not found:
        return None
    leaf, chain = found[0], store.certificates("current/chain.pem")
    life = (leaf.not_after - leaf.not_before).total_seconds()
    algorithm, curve, bits = leaf.key
    return {
        "serial": leaf.serial,
        "sha256": leaf.sha256,
        "subject": leaf.subject,
        "issuer": leaf.issuer,
        "issuer_sha256": chain[0].sha256 if chain else "",
        "not_before": _shown(leaf.not_before),
        "not_after": _shown(leaf.not_after),
        "days_left": round((leaf.not_after - _now()).total_seconds() / 86_400, 3),
        "share_used": round((_now() - leaf.not_before).total_seconds() / life, 4),
        "names": leaf.names.document(),
        "key": {"algorithm": algorithm, "curve": curve, "bits": bits},
        "chain": [_authority(item) for item in chain],
        "revoked": _is_revoked(leaf, store.lists()),
    }


def _is_revoked(leaf: Certificate, lists: Iterable[RevocationList]) -> bool:
    return any(
        leaf.serial in item.serials
        for item in lists
        if item.issuer_raw == leaf.issuer_raw and item.authority_key in {"", leaf.authority_key}
    )


def _problems(store: Store) -> Iterator[str]:
    """Yield what makes the generation in use unfit, whoever did that to it."""
    found, key = store.certificates("current/certificate.pem"), store.folder / "current/key.pem"
    if not found:
        yield "certificate.pem is missing"
        return
    leaf, chain = found[0], store.certificates("current/chain.pem")
    try:
        mode = key.stat().st_mode & 0o777
        if mode != 0o600:  # noqa: PLR2004
            yield f"key.pem has mode {mode:04o}, not 0600"
        if public_key(key) != leaf.spki:
            yield "key.pem is not the certificate's key"
    except FileNotFoundError:
        yield "key.pem is missing"
    except CredentialError as error:
        yield str(error)
    if not chain:
        yield "chain.pem is missing"
    roots = [item.pem for item in store.certificates("roots.pem")]
    problem = verify_chain(leaf.pem, [item.pem for item in chain], roots) if roots else "roots.pem is missing"
    if problem:
        yield problem


# -------------------------------------------------------------------------------------------- revocation


def pull(config: Config) -> dict[str, Any]:
    """Fetch the CRL of every CA, keep what is newer and good, and have users load it.

    Returns:
        What changed, and what was refused: {"changed": [...], "refused": [...]}.

    Raises:
        ServerError: Vault is away; the CRLs that are here stay.
        CredentialError: the device has no trust anchors yet, or a user did not load them.
    """
    store, where = Store(config.folder), _where(config)
    roots = [item.pem for item in store.certificates("roots.pem")]
    if not roots:
        raise CredentialError(f"{store.folder / 'roots.pem'}: is missing: enrol the device first")
    anchors = Anchors(tuple(roots), tuple(item.pem for item in store.certificates("server.pem")))
    with Server(where.url, where.host, anchors, config.sources, config.interface) as server:
        fetched = [item for mount in where.mounts for item in _fetch(server, mount, store)]
    with store.alone():
        changed, refused = _take(store, roots, fetched)
    for line in changed:
        _log.warning("%s", line)
    if store.read("loaded") != store.digest():
        reload(config)
    return {"changed": changed, "refused": refused}


def _where(config: Config) -> Revocation:
    if config.revocation is None:
        raise CredentialError(f"{config.device}: has no `revocation` in its configuration: it pulls no CRLs")
    return config.revocation


@dataclass(frozen=True, slots=True)
class Fetched:
    """A CRL, and the certificate of its CA where that was not known here."""

    where: str
    revoked: RevocationList
    authority: Certificate | None


def _fetch(server: Server, mount: str, store: Store) -> Iterator[Fetched]:
    """Yield the CRL of every CA of a mount; one that only holds another's certificate has none."""
    known = store.authorities()
    answer = server.document("GET", f"{mount}/issuers?list=true")
    try:
        issuers = [str(item) for item in answer["data"]["keys"]]
    except (KeyError, TypeError) as error:
        raise ServerError(f"{mount}/issuers: the answer lists no CA") from error
    some = False
    for issuer in issuers:
        where = f"{mount}/issuer/{issuer}"
        for pem in _crl_of(server, where):
            some = True
            try:
                revoked = RevocationList.read(pem)
            except ValueError as error:
                raise ServerError(f"{where}/crl/pem: is no CRL: {error}") from error
            if any(revoked.is_of(item) for item in known):
                yield Fetched(where, revoked, None)
            else:
                yield Fetched(where, revoked, _authority_of(server, where))
    if not some:
        raise ServerError(f"{mount}: none of its {len(issuers)} CAs has a CRL: apply role pki")


def _crl_of(server: Server, where: str) -> list[str]:
    """Return the CRL of one CA; none when only its certificate is there, which Vault answers with 500."""
    try:
        text = server.call("GET", f"{where}/crl/pem")
    except ServerError as error:
        if error.status in {http.client.INTERNAL_SERVER_ERROR, http.client.NOT_FOUND}:
            return []
        raise
    return blocks(text.decode("ascii", "replace"), "X509 CRL")


def _authority_of(server: Server, where: str) -> Certificate:
    text = server.call("GET", f"{where}/pem").decode("ascii", "replace")
    try:
        return Certificate.read("".join(blocks(text, "CERTIFICATE")[:1]))
    except ValueError as error:
        raise ServerError(f"{where}/pem: is no certificate: {error}") from error


def _take(store: Store, roots: Sequence[str], fetched: Sequence[Fetched]) -> tuple[list[str], list[str]]:
    """Keep what is newer and good of `fetched`; return what changed and what was refused."""
    known = store.authorities()
    kept = {item.authority: item for item in store.lists()}
    before, learned = dict(kept), []
    changed: list[str] = []
    refused: list[str] = []
    for item in fetched:
        revoked, old = item.revoked, kept.get(item.revoked.authority)
        authority = next((one for one in known if revoked.is_of(one)), item.authority)
        same = old is not None and revoked.number == old.number
        if same and authority in known:
            continue
        problem = _refused(revoked, old, authority, roots, known)
        if problem or authority is None:
            refused.append(f"CRL {revoked.number} of {revoked.issuer}: {problem}")
            continue
        if authority not in known:
            known.append(authority)
            learned.append(authority)
        kept[revoked.authority] = revoked
        if not same:
            numbers = f"{'none' if old is None else old.number} -> {revoked.number}"
            changed.append(f"CRL of {revoked.issuer}: number {numbers}, {len(revoked.serials)} revoked")
    _keep_issuers(store, learned, fetched)
    known = store.authorities()
    kept = {key: one for key, one in kept.items() if any(one.is_of(ca) for ca in known)}
    if kept != before:
        write(store.folder / "crl.pem", "".join(one.pem for one in kept.values()))
    return changed, refused


def _keep_issuers(store: Store, learned: Iterable[Certificate], fetched: Sequence[Fetched]) -> None:
    """Keep the CAs below the anchors that Vault still has: one that was retired is trusted no longer.

    The device's own is among them: after a renewal by the next one its peers may still be certified by it.
    """
    own = store.certificates("current/chain.pem")
    issuers = {one.sha256: one for one in (*store.certificates("issuers.pem"), *own, *learned)}
    served = [one for one in issuers.values() if any(item.revoked.is_of(one) for item in fetched)]
    text = "".join(one.pem for one in served if one.not_after > _now())
    if text != store.read("issuers.pem"):
        write(store.folder / "issuers.pem", text)


def _refused(
    revoked: RevocationList,
    old: RevocationList | None,
    authority: Certificate | None,
    roots: Sequence[str],
    known: Sequence[Certificate],
) -> str:
    """Return why a CRL is not taken, or nothing."""
    if old is not None and revoked.number < old.number:
        return f"is older than number {old.number}, which is here"
    if authority is None or not revoked.is_of(authority):
        return "is of no CA that is known here"
    if authority not in known:
        problem = verify_chain(authority.pem, [one.pem for one in known], roots)
        if problem:
            return f"its CA does not verify against the trust anchors: {problem}"
    problem = verify_crl(revoked.pem, authority.pem)
    return f"its signature is not the CA's: {problem}" if problem else ""


# ------------------------------------------------------------------------------------------ associations


@dataclass(frozen=True, slots=True)
class Ground:
    """What authentication rests on.

    Attributes:
        certificate: digest of the device's own.
        authorities: digests of the CAs that vouch for peers.
        revoked: certificates that are revoked: CA and serial number.
    """

    certificate: str
    authorities: frozenset[str]
    revoked: frozenset[str]

    @classmethod
    def of(cls, store: "Store") -> Self:
        """Return what there is now."""
        own = [item.sha256 for item in store.certificates("current/certificate.pem")]
        revoked = (
            f"{_digest(*one.authority)[:16]} {serial}" for one in store.lists() for serial in one.serials
        )
        return cls("".join(own), frozenset(item.sha256 for item in store.authorities()), frozenset(revoked))

    @classmethod
    def kept(cls, store: "Store") -> Self | None:
        """Return what the running IKE SAs rest on; None when nobody knows."""
        try:
            found = json.loads(store.read(AUTHENTICATED))
            return cls(found["certificate"], frozenset(found["authorities"]), frozenset(found["revoked"]))
        except (ValueError, KeyError, TypeError):
            return None

    def keep(self, store: "Store") -> None:
        """Write that the running IKE SAs rest on this."""
        document = {"authorities": sorted(self.authorities), "revoked": sorted(self.revoked)}
        write(store.folder / AUTHENTICATED, json.dumps({"certificate": self.certificate, **document}))

    def holds(self, before: "Ground | None") -> bool:
        """Tell whether who was let in on the ground of `before` would be let in now, by the same proof."""
        return (
            before is not None
            and self.certificate == before.certificate
            and self.authorities >= before.authorities
            and self.revoked <= before.revoked
        )


AUTHENTICATED = "authenticated"
_ASSOCIATION = re.compile(r"^\S+: #(\d+), (?:ESTABLISHED|REKEYING), IKEv2, [0-9a-f]+_i(\*?) ", re.MULTILINE)


def make_anew(store: "Store", ground: Ground) -> Iterator[float]:
    """Have every IKE SA made anew on `ground`, one a step; yields the seconds to wait before the next step.

    The new one stands before the old one goes (make before break). One whose peer cannot prove itself, or
    does not answer, is closed `ANEW_S` after the last.

    Raises:
        CredentialError: strongSwan does not answer; `ground` is not kept, so it is tried again.
    """
    old = _associations()
    # Both ends may learn of the same CRL at once, and both beginning costs a packet: who began it begins.
    yield from _asked(number for number, began in old.items() if began)
    if not all(old.values()):
        yield ANEW_AFTER_S
    there = _associations()
    yield from _asked(number for number, began in old.items() if not began and number in there)
    end = time.monotonic() + ANEW_S
    while (left := old.keys() & _associations().keys()) and time.monotonic() < end:
        yield ANEW_LOOK_S
    for number in left:
        _log.error("IKE SA %s was not made anew within %.0f s: it is closed", number, ANEW_S)
        if problem := _swanctl("--terminate", "--ike-id", number, "--force", "--timeout", "2"):
            raise CredentialError(f"IKE SA {number} cannot be closed: {problem}")
    ground.keep(store)
    _log.info("%d IKE SAs were made anew", len(old))


def _asked(numbers: Iterable[str]) -> Iterator[float]:
    for number in numbers:
        problem = _swanctl("--rekey", "--ike-id", number, "--reauth")
        if problem and number in _associations():
            _log.error("IKE SA %s was not made anew: %s", number, problem)
        yield ANEW_PACE_S


def _associations() -> dict[str, bool]:
    """Return the numbers of the IKE SAs that stand, and whether this end began each.

    Raises:
        CredentialError: strongSwan does not answer.
    """
    done = _called("--list-sas")
    if done.returncode:
        raise CredentialError(f"swanctl --list-sas: {_said(done)}: see whether strongswan runs")
    return {number: bool(star) for number, star in _ASSOCIATION.findall(done.stdout)}


def _swanctl(*arguments: str) -> str:
    """Run a command of strongSwan; returns what went wrong."""
    done = _called(*arguments)
    return _said(done) if done.returncode else ""


def _called(*arguments: str) -> "subprocess.CompletedProcess[str]":
    try:
        return subprocess.run(
            ["swanctl", *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=USER_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CredentialError(f"`swanctl {shlex.join(arguments)}` cannot be run: {error}") from error


def _said(done: "subprocess.CompletedProcess[str]") -> str:
    return (done.stderr.strip() or done.stdout.strip())[-500:] or f"exit status {done.returncode}"


class Daemon:
    """The loop of `watch`."""

    def __init__(self, file: Path, state: Path = STATE) -> None:
        """Pull as `file` says, and report to `state`; a wrong file raises CredentialError."""
        self._file, self._state = file, state
        self._config = self._read()
        self._failures = 0
        self._complaint = ""
        self._pulled: float | None = None
        self._ground: Ground | None = None
        self._anew: Iterator[float] | None = None
        self._due = 0.0

    def _read(self) -> Config:
        config = read(self._file)
        _where(config)
        return config

    def run(self) -> NoReturn:
        """Run until a signal ends the process."""
        signal.signal(signal.SIGTERM, _leave)
        signal.signal(signal.SIGINT, _leave)
        # Blocked but while waiting: a SIGHUP that comes during a pull is not lost.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
        self._report(0.0)
        while True:
            self.step()
            self.compare()
            wait = self.wait_s()
            self._report(wait)
            if self._called_within(wait):
                self._read_again()

    def _called_within(self, seconds: float) -> bool:
        """Wait, and have IKE SAs made anew meanwhile; tells whether a SIGHUP ended it."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if signal.sigtimedwait({signal.SIGHUP}, min(left, self.go_on())) is not None:
                return True
        return False

    def compare(self) -> None:
        """Begin to make IKE SAs anew if what they rest on no longer holds, and its users have loaded that."""
        store = Store(self._config.folder)
        try:
            if not self._config.associations or store.read("loaded") != store.digest():
                return
            ground = Ground.of(store)
        except CredentialError as error:
            _log.error("%s", error)
            return
        before = self._ground or Ground.kept(store)
        if ground.holds(before):
            if self._ground is None and ground != before:
                ground.keep(store)  # whoever comes from now on may rest on a CA that is new
        else:
            self._ground, self._anew, self._due = ground, make_anew(store, ground), 0.0

    def go_on(self) -> float:
        """Take the next step of what `compare` began, if it is due; returns the seconds until the next."""
        if self._anew is None:
            return math.inf
        # A pull or a signal may have cut the wait short: who was asked last gets its time all the same.
        if (left := self._due - time.monotonic()) > 0:
            return left
        try:
            wait = next(self._anew)
        except StopIteration:
            pass
        except CredentialError as error:
            _log.error("IKE SAs are not made anew, it is tried again: %s", error)
        else:
            self._due = time.monotonic() + wait
            return wait
        self._ground = self._anew = None
        return math.inf

    def step(self) -> None:
        """Pull once; whatever goes wrong is said once and tried again."""
        try:
            with limited(PULL_S, "pull"):
                done = pull(self._config)
        except (CredentialError, OSError, ValueError) as error:
            self._failures += 1
            self._complain(str(error))
            return
        self._failures, self._pulled = 0, time.time()
        self._complain("; ".join(done["refused"]))

    def wait_s(self) -> float:
        """Seconds until the next pull: not all devices at once, and longer while Vault is away."""
        every = float(_where(self._config).every_s)
        if self._failures:
            every = min(every * 2**self._failures, max(every, BACK_OFF_S))
        return every * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - jitter is no secret

    def _complain(self, text: str) -> None:
        """Say what is wrong when it begins, and that it is over."""
        if text and text != self._complaint:
            _log.error("%s%s", text, self._deadline())
        elif self._complaint and not text:
            _log.warning("all is well again")
        self._complaint = text

    def _deadline(self) -> str:
        """How long peers are still accepted with the CRLs that are here."""
        lists = Store(self._config.folder).lists()
        if not lists:
            return "; there is no CRL here: no peer is accepted until there is one"
        first = min(lists, key=lambda item: item.next_update)
        return f"; the CRLs here are good until {_shown(first.next_update)}, then no new peer is accepted"

    def _report(self, wait: float) -> None:
        report = {
            "pid": os.getpid(),
            "due": round(time.monotonic() + wait, 3),
            "pulled": self._pulled,
            "failures": self._failures,
            "problem": self._complaint,
        }
        try:
            self._state.parent.mkdir(parents=True, exist_ok=True)
            new = self._state.with_name(f"{self._state.name}.new")
            new.write_text(json.dumps(report), encoding="utf-8")
            new.replace(self._state)
        except OSError as error:
            _log.error("%s: cannot be written: %s", self._state, error)

    def _read_again(self) -> None:
        """Read the file again; a wrong one changes nothing."""
        try:
            self._config = self._read()
        except CredentialError as error:
            _log.error("still as before: %s", error)


def health(state: Path, now: float) -> str:
    """Say what is wrong with the watch that reports to `state`, or nothing.

    Args:
        state: the report.
        now: CLOCK_MONOTONIC, seconds.
    """
    try:
        report = json.loads(state.read_text(encoding="utf-8"))
        late = now - report["due"] - PULL_S
        os.kill(report["pid"], 0)
    except FileNotFoundError:
        return f"{state}: no watch has reported yet; start heiiki-revocation"
    except ProcessLookupError:
        return f"{state}: the watch that wrote it is gone; start heiiki-revocation"
    except (OSError, ValueError, KeyError, TypeError) as error:
        return f"{state}: cannot be read: {error!r}"
    return "" if late < GRACE_S else f"{state}: the watch hangs; restart heiiki-revocation"


# ------------------------------------------------------------------------------------------------- main


def _leave(*_: object) -> NoReturn:
    sys.exit(0)


@contextmanager
def limited(seconds: int, what: str) -> Iterator[None]:
    """Raise ServerError in the block when it is not done in time, however slowly the other side drips."""

    def give_up(*_: object) -> NoReturn:
        raise ServerError(f"{what} was not done within {seconds} s: Vault answers too slowly; run again")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


_Work = Callable[[Config, str], dict[str, Any]]
_COMMANDS: Mapping[str, tuple[int, _Work]] = {
    "request": (INSTALL_S, lambda config, _: request(config)),
    "install": (INSTALL_S, lambda config, given: install(config, parse_order(given))),
    "reach": (REACH_S, lambda config, given: reach(config, *parse_reach(given))),
    "anchors": (INSTALL_S, lambda config, given: install_anchors(config, parse_anchors(given))),
    "reload": (3 * INSTALL_S, lambda config, _: reload(config)),
    "rollback": (INSTALL_S, lambda config, _: rollback(config)),
    "status": (INSTALL_S, lambda config, _: status(config)),
    "glance": (INSTALL_S, lambda config, _: glance(config)),
    "pull": (INSTALL_S, lambda config, _: pull(config)),
}
_READING = frozenset({"install", "reach", "anchors"})


def answer(command: str, file: Path, given: str = "") -> dict[str, Any]:
    """Do what `command` says and return what it prints; `given` is what it reads on standard input.

    For a program that has this one loaded, so that no second interpreter has to start.

    Raises:
        CredentialError, OSError, ValueError: it failed, and why.
    """
    seconds, work = _COMMANDS[command]
    config = read(file)
    with limited(seconds, command):
        return work(config, given)


def main(arguments: Sequence[str]) -> int:
    """Run from the command line and return the exit status; 3 means that Vault is away or refuses."""
    logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s")
    parser = argparse.ArgumentParser(prog="heiiki-agent credentials", description=__doc__)
    parser.add_argument("--config", type=Path, default=CONFIG)
    parser.add_argument("--state", type=Path, default=STATE)
    parser.add_argument("command", choices=[*_COMMANDS, "watch", "check"])
    chosen = parser.parse_args(arguments)
    try:
        return _run(chosen)
    except ServerError as error:
        print(error, file=sys.stderr)
        return 3
    except (CredentialError, OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1


def _run(chosen: argparse.Namespace) -> int:
    if chosen.command == "check":
        problem = health(chosen.state, time.monotonic())
        print(problem or chosen.state.read_text(encoding="utf-8"))
        return 1 if problem else 0
    if chosen.command == "watch":
        Daemon(chosen.config, chosen.state).run()
    # Secrets come by standard input, and no other way.
    given = sys.stdin.read() if chosen.command in _READING else ""
    print(json.dumps(answer(chosen.command, chosen.config, given)))
    return 0
