"""The part of BSON (bsonspec.org, version 1.1) that a MongoDB client and our responder say to one another.

64-bit integers are a type of their own: NextEPC's HSS ignores a counter that comes back with 32 bits.
"""

import struct
from typing import Any


class Int64(int):
    """An integer that is written with 64 bits whatever its size."""


def encode(document: dict[str, Any]) -> bytes:
    """Return a document as BSON.

    Raises:
        TypeError: a value is of a type that is not known here.
    """
    body = b"".join(_element(name, value) for name, value in document.items())
    return struct.pack("<i", len(body) + 5) + body + b"\0"


def _element(name: str, value: Any) -> bytes:
    kind, data = _encode_value(value)
    return bytes([kind]) + name.encode() + b"\0" + data


def _encode_value(value: Any) -> tuple[int, bytes]:
    match value:
        case bool():
            return 0x08, bytes([value])
        case Int64():
            return 0x12, struct.pack("<q", value)
        case int():
            return 0x10, struct.pack("<i", value)
        case float():
            return 0x01, struct.pack("<d", value)
        case str():
            text = value.encode() + b"\0"
            return 0x02, struct.pack("<i", len(text)) + text
        case dict():
            return 0x03, encode(value)
        case list():
            return 0x04, encode({str(index): item for index, item in enumerate(value)})
        case None:
            return 0x0A, b""
    raise TypeError(f"no BSON type for {type(value).__name__}")


def decode(data: bytes) -> tuple[dict[str, Any], int]:
    """Read the document at the start of `data`; return it and its length in bytes.

    Raises:
        ValueError: it is cut off, or holds a type that is not known here.
    """
    try:
        (length,) = struct.unpack_from("<i", data)
        return _document(data, length), length
    except (struct.error, IndexError) as error:
        raise ValueError("BSON document is cut off") from error


def _document(data: bytes, length: int) -> dict[str, Any]:
    document: dict[str, Any] = {}
    position = 4
    while data[position] and position < length:
        end = data.index(b"\0", position + 1)
        name = data[position + 1 : end].decode()
        document[name], position = _decode_value(data[position], data, end + 1)
    return document


def _decode_value(kind: int, data: bytes, at: int) -> tuple[Any, int]:
    match kind:
        case 0x01:
            return struct.unpack_from("<d", data, at)[0], at + 8
        case 0x02:
            (size,) = struct.unpack_from("<i", data, at)
            return data[at + 4 : at + 3 + size].decode(), at + 4 + size
        case 0x03 | 0x04:
            nested, size = decode(data[at:])
            return (nested if kind == 0x03 else list(nested.values())), at + size  # noqa: PLR2004
        case 0x05:
            (size,) = struct.unpack_from("<i", data, at)
            return data[at + 5 : at + 5 + size], at + 5 + size
        case 0x07:
            return data[at : at + 12], at + 12
        case 0x08:
            return bool(data[at]), at + 1
        case 0x09 | 0x11 | 0x12:
            return Int64(struct.unpack_from("<q", data, at)[0]), at + 8
        case 0x0A:
            return None, at
        case 0x10:
            return struct.unpack_from("<i", data, at)[0], at + 4
    raise ValueError(f"BSON type {kind:#04x} is not known here")
