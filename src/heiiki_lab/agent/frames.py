"""The wire format between a client and an agent: frames of JSON and bytes.

A frame is two unsigned 32-bit lengths in network order, a JSON object in UTF-8, and raw bytes. Requests and
answers take turns on one connection, except in a `stream`, where both ends send whenever they have something,
and after `connect`, when no more frames follow but the bytes of that connection.
"""

import json
import socket
import struct
from collections.abc import Mapping
from typing import Any

VERSION = 1
HEAD = struct.Struct("!II")
MAX_HEADER = 4 << 20
MAX_BODY = 512 << 20
CHUNK = 1 << 18

Frame = tuple[dict[str, Any], bytes]


class FrameError(Exception):
    """The other end sent something that is no frame, or went away inside one."""


def pack(header: Mapping[str, Any], body: bytes = b"") -> bytes:
    """One frame as bytes."""
    text = json.dumps(header, separators=(",", ":")).encode()
    if len(text) > MAX_HEADER or len(body) > MAX_BODY:
        raise FrameError(f"a frame of {len(text)} + {len(body)} bytes is over {MAX_HEADER} + {MAX_BODY}")
    return HEAD.pack(len(text), len(body)) + text + body


def send(sock: socket.socket, header: Mapping[str, Any], body: bytes = b"") -> None:
    """Send one frame whole."""
    sock.sendall(pack(header, body))


def receive(sock: socket.socket) -> Frame | None:
    """Read one frame; None when the other end has closed between frames.

    Raises:
        FrameError: the connection ended inside a frame, or what came is no frame.
    """
    head = _read(sock, HEAD.size, optional=True)
    if not head:
        return None
    header_size, body_size = HEAD.unpack(head)
    if header_size > MAX_HEADER or body_size > MAX_BODY:
        raise FrameError(f"a frame says it has {header_size} + {body_size} bytes: not this protocol")
    return _header(_read(sock, header_size)), bytes(_read(sock, body_size))


def _header(text: bytes | bytearray) -> dict[str, Any]:
    try:
        header = json.loads(bytes(text))
    except ValueError as error:
        raise FrameError("the header of a frame is not JSON") from error
    if not isinstance(header, dict):
        raise FrameError("the header of a frame is not a JSON object")
    return header


def _read(sock: socket.socket, size: int, *, optional: bool = False) -> bytearray:
    """Exactly `size` bytes; nothing at all only if `optional` and the other end has closed."""
    data = bytearray()
    while len(data) < size:
        part = sock.recv(min(size - len(data), CHUNK))
        if not part:
            if optional and not data:
                return data
            raise FrameError(f"the connection ended {size - len(data)} bytes before the end of a frame")
        data += part
    return data
