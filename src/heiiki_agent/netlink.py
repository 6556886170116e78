"""Netlink, netlink(7), as far as the agent speaks it: acknowledged requests, dumps, notices of changes."""

import errno
import os
import socket
import struct
from collections.abc import Iterable, Iterator

REQUEST, ACK, EXCL, CREATE, DUMP = 0x1, 0x4, 0x200, 0x400, 0x300  # linux/netlink.h
ROUTE = socket.NETLINK_ROUTE
NEW_ROUTE, DELETE_ROUTE, GET_ROUTE = 24, 25, 26  # linux/rtnetlink.h
TABLE_MAIN, SCOPE_LINK, UNICAST = 254, 253, 1
DESTINATION, INTERFACE, SOURCE = 1, 4, 7  # RTA_DST, RTA_OIF, RTA_PREFSRC
ROUTE_HEADER = struct.Struct("=8BI")
"""struct rtmsg: family, lengths of destination and source, TOS, table, protocol, scope, type, flags."""
GROUP_LINK, GROUP_IPV4_ROUTE = 0x1, 0x40

_ERROR, _DONE = 2, 3
_SOL_NETLINK, _STRICT_CHECK = 270, 12
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


def parsed(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the attributes that stand one after the other in `data`."""
    while len(data) >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(data)
        yield kind, data[_ATTRIBUTE.size : length]
        data = data[(length + 3) & ~3 :]


def message(kind: int, flags: int, body: bytes) -> bytes:
    """Return a request that the kernel is to acknowledge."""
    return _HEADER.pack(_HEADER.size + len(body), kind, flags | REQUEST | ACK, 1, 0) + body


class Requests:
    """A socket for requests."""

    def __init__(self, family: int = ROUTE) -> None:
        """Open a socket of a netlink family."""
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, family)
        self._socket.settimeout(1.0)
        # Without it the kernel ignores what a dump asks for, and sends every table.
        self._socket.setsockopt(_SOL_NETLINK, _STRICT_CHECK, 1)

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

    def dump(self, kind: int, body: bytes) -> list[bytes]:
        """Return the bodies of every message that answers a question.

        Raises:
            OSError: the kernel refuses, or does not answer.
        """
        self._socket.send(message(kind, DUMP, body))
        found: list[bytes] = []
        while True:
            data = self._socket.recv(_BUFFER)
            while data:
                length, of, *_ = _HEADER.unpack_from(data)
                if of == _DONE:
                    return found
                if code := error_of(data):
                    raise OSError(code, os.strerror(code))
                found.append(data[_HEADER.size : length])
                data = data[(length + 3) & ~3 :]


def error_of(answer: bytes) -> int:
    """Return the error number of an acknowledgement, 0 for success."""
    _, kind = struct.unpack_from("=IH", answer)
    return -int(struct.unpack_from("=i", answer, _HEADER.size)[0]) if kind == _ERROR else 0


class Changes:
    """Notices of changes of one group, rtnetlink(7)."""

    def __init__(self, group: int) -> None:
        """Listen from now on."""
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, ROUTE)
        self._socket.bind((0, group))

    def close(self) -> None:
        """Listen no longer."""
        self._socket.close()

    def fileno(self) -> int:
        """Return the descriptor that becomes readable with a change."""
        return self._socket.fileno()

    def pending(self) -> bool:
        """Tell whether anything has changed since the last call."""
        return self._drain(0.0)

    def wait(self) -> None:
        """Wait for a change, and for the end of the burst that it comes in."""
        self._receive(None)
        self._drain(_SETTLE_S)

    def _drain(self, pause_s: float) -> bool:
        """Read until nothing comes for `pause_s`; return whether anything came."""
        came = False
        while self._receive(pause_s):
            came = True
        return came

    def _receive(self, limit_s: float | None) -> bool:
        self._socket.settimeout(limit_s)
        try:
            self._socket.recv(_BUFFER)
        except (TimeoutError, BlockingIOError):
            return False
        except OSError as error:
            if error.errno != errno.ENOBUFS:  # more changes than the socket holds: one look sees them all
                raise
        return True
