"""Netlink, netlink(7), as far as the agent speaks it: acknowledged requests, and notices of links."""

import errno
import os
import socket
import struct
from collections.abc import Iterable

REQUEST, ACK, EXCL, CREATE = 0x1, 0x4, 0x200, 0x400  # linux/netlink.h
ROUTE = socket.NETLINK_ROUTE
NEW_ROUTE, DELETE_ROUTE = 24, 25  # linux/rtnetlink.h
GROUP_LINK = 1

_ERROR = 2
_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_BUFFER = 65536
_SETTLE_S = 0.05


def attributes(values: Iterable[tuple[int, bytes]]) -> bytes:
    """Return attributes one after the other, each padded to four bytes."""
    parts = []
    for kind, value in values:
        length = _ATTRIBUTE.size + len(value)
        parts.append(_ATTRIBUTE.pack(length, kind) + value + bytes(-length % 4))
    return b"".join(parts)


def message(kind: int, flags: int, body: bytes) -> bytes:
    """Return a request that the kernel is to acknowledge."""
    return _HEADER.pack(_HEADER.size + len(body), kind, flags | REQUEST | ACK, 1, 0) + body


class Requests:
    """A socket for requests."""

    def __init__(self, family: int = ROUTE) -> None:
        """Open a socket of a netlink family."""
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, family)
        self._socket.settimeout(1.0)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def ask(self, kind: int, flags: int, body: bytes, *, accepted: Iterable[int] = ()) -> None:
        """Send a request and wait for its acknowledgement.

        Raises:
            OSError: the kernel refuses with an error number that is not among `accepted`.
        """
        self._socket.send(message(kind, flags, body))
        code = error_of(self._socket.recv(_BUFFER))
        if code and code not in accepted:
            raise OSError(code, os.strerror(code))


def error_of(answer: bytes) -> int:
    """Return the error number of an acknowledgement, 0 for success."""
    _, kind = struct.unpack_from("=IH", answer)
    return -int(struct.unpack_from("=i", answer, _HEADER.size)[0]) if kind == _ERROR else 0


class LinkChanges:
    """Notices of changed links (RTM_NEWLINK, RTM_DELLINK)."""

    def __init__(self) -> None:
        """Listen from now on."""
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, ROUTE)
        self._socket.bind((0, GROUP_LINK))

    def wait(self) -> None:
        """Wait for a change, and for the end of the burst that it comes in."""
        self._socket.settimeout(None)
        while True:
            try:
                self._socket.recv(_BUFFER)
            except TimeoutError:
                return
            except OSError as error:
                if error.errno != errno.ENOBUFS:  # more changes than the socket holds: one look sees them all
                    raise
            self._socket.settimeout(_SETTLE_S)
