"""GTPv2-C as far as a packet gateway needs it (TS 29.274; sections in brackets are its)."""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address

# Message types (TS 29.274 6.1).
ECHO_REQUEST, ECHO_RESPONSE = 1, 2
CREATE_SESSION, MODIFY_BEARER, DELETE_SESSION = 32, 34, 36

# Information elements (8.1).
IMSI, CAUSE, RECOVERY, APN, EBI = 1, 2, 3, 71, 73
PAA, F_TEID, BEARER_CONTEXT, CHARGING_ID, APN_RESTRICTION = 79, 87, 93, 94, 127

# Cause values (8.4).
ACCEPTED, CONTEXT_NOT_FOUND, MANDATORY_IE_MISSING, APN_ACCESS_DENIED = 16, 64, 70, 93

# Interface types of an F-TEID (8.22).
S5_PGW_USER, S5_PGW_CONTROL = 5, 7


class MalformedError(ValueError):
    """A peer sent what is not GTPv2-C."""


@dataclass(frozen=True)
class Message:
    """One GTPv2-C message; `teid` is None where the header has none."""

    type: int
    teid: int | None
    sequence: int
    ies: bytes


def decode(data: bytes) -> Message:
    """Read one message (5.1).

    Raises:
        MalformedError: it is cut off, or of another version.
    """
    if len(data) < 8 or data[0] >> 5 != 2:  # noqa: PLR2004
        raise MalformedError("not GTPv2-C")
    flags, kind, length = struct.unpack_from("!BBH", data)
    body = data[4 : 4 + length]
    if len(body) != length or length < (8 if flags & 0x08 else 4):
        raise MalformedError(f"length {length}, {len(data) - 4} bytes came")
    teid = int.from_bytes(body[:4], "big") if flags & 0x08 else None
    rest = body[4:] if teid is not None else body
    return Message(kind, teid, int.from_bytes(rest[:3], "big"), rest[4:])


def encode(message: Message) -> bytes:
    """Return the octets of a message."""
    header = b"" if message.teid is None else message.teid.to_bytes(4, "big")
    body = header + message.sequence.to_bytes(3, "big") + b"\0" + message.ies
    flags = 0x40 if message.teid is None else 0x48
    return struct.pack("!BBH", flags, message.type, len(body)) + body


def elements(ies: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Walk over information elements: type, instance, value (8.2).

    Raises:
        MalformedError: one reaches past the end.
    """
    position = 0
    while position < len(ies):
        if position + 4 > len(ies):
            raise MalformedError("information element is cut off")
        kind, length, instance = struct.unpack_from("!BHB", ies, position)
        value = ies[position + 4 : position + 4 + length]
        if len(value) != length:
            raise MalformedError(f"information element {kind} is cut off")
        yield kind, instance & 0x0F, value
        position += 4 + length


def element(kind: int, value: bytes, instance: int = 0) -> bytes:
    """Return one information element."""
    return struct.pack("!BHB", kind, len(value), instance) + value


def find(ies: bytes, kind: int, instance: int = 0) -> bytes | None:
    """Return the value of the first element of that type and instance; None when there is none."""
    return next((value for k, i, value in elements(ies) if (k, i) == (kind, instance)), None)


def decode_imsi(value: bytes) -> str:
    """Return the digits of an IMSI element (8.3)."""
    return "".join(f"{octet & 0xF:x}{octet >> 4:x}" for octet in value).rstrip("f")


def decode_apn(value: bytes) -> str:
    """Return an APN without the operator's part (8.6, TS 23.003 9.1)."""
    labels, position = [], 0
    while position < len(value):
        labels.append(value[position + 1 : position + 1 + value[position]].decode("ascii", "replace"))
        position += 1 + value[position]
    return re.sub(r"\.mnc\d+\.mcc\d+\.gprs$", "", ".".join(labels))


def decode_f_teid(value: bytes) -> tuple[int, IPv4Address]:
    """Return tunnel and IPv4 address of an F-TEID (8.22).

    Raises:
        MalformedError: it carries no IPv4 address.
    """
    if len(value) < 9 or not value[0] & 0x80:  # noqa: PLR2004
        raise MalformedError("F-TEID without an IPv4 address")
    return int.from_bytes(value[1:5], "big"), IPv4Address(value[5:9])


def f_teid(interface: int, teid: int, address: IPv4Address, instance: int) -> bytes:
    """Return an F-TEID element with an IPv4 address (8.22)."""
    return element(F_TEID, struct.pack("!BI4s", 0x80 | interface, teid, address.packed), instance)


def cause(value: int) -> bytes:
    """Return a Cause element (8.4)."""
    return element(CAUSE, bytes([value, 0]))


@dataclass(frozen=True)
class Request:
    """What a Create Session Request asks for."""

    imsi: str
    apn: str
    bearer: int
    control: tuple[int, IPv4Address]
    user: tuple[int, IPv4Address]


def parse_create_session(ies: bytes) -> Request | None:
    """Read a Create Session Request (7.2.1); None when a mandatory element is missing.

    Raises:
        MalformedError: an element cannot be read.
    """
    context = find(ies, BEARER_CONTEXT) or b""
    values = (find(ies, IMSI), find(ies, APN), find(ies, F_TEID), find(context, EBI))
    user = find(context, F_TEID, 2)
    imsi, apn, control, bearer = values
    if not imsi or not apn or not control or not bearer or not user:
        return None
    return Request(
        decode_imsi(imsi), decode_apn(apn), bearer[0] & 0x0F, decode_f_teid(control), decode_f_teid(user)
    )
