"""The part of BSON (bsonspec.org, version 1.1) that a MongoDB client and our responder say to one another.

64-bit integers are a type of their own: NextEPC's HSS ignores a counter that comes back with 32 bits.
"""

import struct
from typing import Any


class Int64(int):
    """An integer that is written with 64 bits whatever its size."""


_STRING, _DOCUMENT, _ARRAY, _BINARY, _NULL = 0x02, 0x03, 0x04, 0x05, 0x0A

# Types of fixed size: in this order, since a bool is an int to Python and so is an Int64.
_FIXED = ((bool, 0x08, "<?"), (Int64, 0x12, "<q"), (int, 0x10, "<i"), (float, 0x01, "<d"))
# The date, the timestamp and the object identity are only read.
_LAYOUTS = {kind: layout for _, kind, layout in _FIXED} | {0x09: "<q", 0x11: "<q", 0x07: "<12s"}
_LONG = (0x09, 0x11, 0x12)


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
    if value is None:
        return _NULL, b""
    if isinstance(value, str):
        text = value.encode() + b"\0"
        return _STRING, struct.pack("<i", len(text)) + text
    if isinstance(value, dict):
        return _DOCUMENT, encode(value)
    if isinstance(value, list):
        return _ARRAY, encode({str(index): item for index, item in enumerate(value)})
    for python_type, kind, layout in _FIXED:
        if isinstance(value, python_type):
            return kind, struct.pack(layout, value)
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
    if kind in _LAYOUTS:
        value = struct.unpack_from(_LAYOUTS[kind], data, at)[0]
        return (Int64(value) if kind in _LONG else value), at + struct.calcsize(_LAYOUTS[kind])
    if kind in {_DOCUMENT, _ARRAY}:
        nested, size = decode(data[at:])
        return (nested if kind == _DOCUMENT else list(nested.values())), at + size
    if kind == _NULL:
        return None, at
    if kind not in {_STRING, _BINARY}:
        raise ValueError(f"BSON type {kind:#04x} is not known here")
    (size,) = struct.unpack_from("<i", data, at)
    if kind == _STRING:
        return data[at + 4 : at + 3 + size].decode(), at + 4 + size
    return data[at + 5 : at + 5 + size], at + 5 + size
