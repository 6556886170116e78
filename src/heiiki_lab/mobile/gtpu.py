"""GTP-U, the tunnels of user packets between eNB and SGW (3GPP TS 29.281)."""

import struct
from dataclasses import dataclass
from enum import IntEnum

PORT = 2152

_HEADER = struct.Struct("!BBHI")
_VERSION_1 = 0x30
_SEQUENCE = 0x02
_OPTIONS = 0x07
_OPTIONAL_FIELDS = 4
_RECOVERY = bytes([14, 0])


class Type(IntEnum):
    """Message types (6.1); any other is ignored."""

    ECHO_REQUEST = 1
    ECHO_RESPONSE = 2
    ERROR_INDICATION = 26
    G_PDU = 255


@dataclass(frozen=True, slots=True)
class Packet:
    """One GTP-U message: its type, tunnel, sequence number and what is in it."""

    type: int
    teid: int
    payload: bytes
    sequence: int = 0


def encode_g_pdu(teid: int, payload: bytes) -> bytes:
    """Return a user packet in its tunnel (5.1)."""
    return _HEADER.pack(_VERSION_1, Type.G_PDU, len(payload), teid) + payload


def encode_echo(kind: Type, sequence: int) -> bytes:
    """Return an Echo Request, or the Response with its recovery counter (7.2)."""
    body = struct.pack("!HBB", sequence & 0xFFFF, 0, 0) + (_RECOVERY if kind is Type.ECHO_RESPONSE else b"")
    return _HEADER.pack(_VERSION_1 | _SEQUENCE, kind, len(body), 0) + body


def decode(data: bytes) -> Packet:
    """Read a GTP-U message; extension headers are stepped over.

    Raises:
        ValueError: it is cut off, or not version 1.
    """
    if len(data) < _HEADER.size or data[0] & 0xF0 != _VERSION_1:
        raise ValueError("not a GTP-U version 1 message")
    flags, kind, length, teid = _HEADER.unpack_from(data)
    body = data[_HEADER.size : _HEADER.size + length]
    if len(body) != length:
        raise ValueError(f"GTP-U message of {length} bytes, {len(body)} came")
    if not flags & _OPTIONS:
        return Packet(kind, teid, body)
    if length < _OPTIONAL_FIELDS:
        raise ValueError("GTP-U message without the optional fields that it announces")
    return Packet(kind, teid, _behind_extensions(body), int.from_bytes(body[:2], "big"))


def _behind_extensions(body: bytes) -> bytes:
    following, position = body[3], _OPTIONAL_FIELDS
    while following:
        size = body[position] * 4 if position < len(body) else 0
        if not size or position + size > len(body):
            raise ValueError("GTP-U extension header reaches past the message")
        following, position = body[position + size - 1], position + size
    return body[position:]
