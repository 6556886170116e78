"""Probe: note the packets of TCP connections inside of a tunnel, each with what it takes of the line.

What goes into a tunnel comes out of the line's interface encrypted, in the same order, and the other way
round; so the packets that are seen on both are put together one by one, by the kernel's times. Of a payload
the heads of records of TLS are read, which are in clear, and nothing else.
"""

import selectors
import socket
import struct
import time
from collections import Counter, deque
from typing import Any

_IPV4, _OUTGOING = 0x0800, 4
_TCP, _UDP, _ESP, _IKE_NAT = 6, 17, 50, 4500
_HEADER, _TCP_HEADER, _PORTS, _UDP_HEADER = 20, 20, 4, 8
_SO_TIMESTAMPNS, _TIMESPEC = 35, struct.Struct("ll")
_NUMBERS, _FIN, _SYN, _RST = 0xFFFFFFFF, 1, 2, 4
_RECORD, _KINDS, _MAJOR = 5, range(20, 24), 3
_AT_ONCE = 1000
_LATE_S = 0.5
"""Between a packet in the tunnel and the same one on the line; the one is never before the other."""


def main(parameters: dict[str, Any]) -> dict[str, Any]:
    """Look for ``seconds`` at ``tunnel`` and ``outer``, for connections of ``ports``; ``mtu``: of the tunnel.

    What counts as large as ``mtu`` or smaller is one packet on the line, what is larger was not cut yet.
    """
    ends = {name: _tap(parameters[name]) for name in ("tunnel", "outer")}
    began, until = time.time(), time.monotonic() + parameters["seconds"]
    seen: dict[str, list[tuple[float, bool, bytes]]] = {name: [] for name in ends}
    with selectors.DefaultSelector() as arrived:
        for name, end in ends.items():
            arrived.register(end, selectors.EVENT_READ, name)
        while (left := until - time.monotonic()) > 0:
            for key, _ in arrived.select(left):
                seen[key.data] += _read(ends[key.data])
    dropped = sum(_dropped(end) for end in ends.values())
    found = noted(seen["tunnel"], seen["outer"], frozenset(parameters["ports"]), parameters["mtu"])
    return {"began": began, "ended": time.time(), "dropped": dropped, "packets": found}


def _tap(interface: str) -> socket.socket:
    # SOCK_DGRAM: the kernel takes the head of the link layer off; a tunnel and a modem have none.
    tap = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
    tap.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    tap.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
    tap.bind((interface, 0x0003))
    tap.settimeout(0)
    return tap


def _read(tap: socket.socket) -> list[tuple[float, bool, bytes]]:
    """Return what has come: when, whether it left, and the packet."""
    found: list[tuple[float, bool, bytes]] = []
    for _ in range(_AT_ONCE):
        try:
            data, more, _, place = tap.recvmsg(1 << 16, socket.CMSG_SPACE(_TIMESPEC.size))
        except BlockingIOError:
            break
        times = [_TIMESPEC.unpack(text) for _, kind, text in more if kind == _SO_TIMESTAMPNS]
        if place[1] == _IPV4 and times:
            seconds, nanoseconds = times[0]
            found.append((seconds + nanoseconds / 1e9, place[2] == _OUTGOING, data))
    return found


def _dropped(tap: socket.socket) -> int:
    # PACKET_STATISTICS (SOL_PACKET 263, option 6): packets, drops.
    dropped: int = struct.unpack("II", tap.getsockopt(263, 6, 8))[1]
    tap.close()
    return dropped


Seen = list[tuple[float, bool, bytes]]


def noted(inside: Seen, outside: Seen, ports: frozenset[int], mtu: int) -> list[dict[str, Any]]:
    """Return the packets inside that are of connections of `ports`, each with its octets on the line."""
    flows: dict[tuple[str, ...], Flow] = {}
    sides = {out: Line([one for one in outside if one[1] is out], out) for out in (True, False)}
    found = []
    for at, out, data in inside:
        segment = _segment(data)
        on_line = sides[out].take(at, _cut(data, segment, mtu))
        if segment is None or not ports & set(segment["ports"]):
            continue
        flow = flows.setdefault(tuple(segment["ends"]), Flow())
        records, again = flow.feed(segment["number"], segment["flags"], segment["payload"])
        found.append(
            {
                "at": at,
                "from": segment["ends"][0],
                "to": segment["ends"][1],
                "octets": _length(data),
                "on_line": on_line,
                "data": len(segment["payload"]),
                "until": (segment["number"] + len(segment["payload"])) & _NUMBERS,
                "acknowledges": segment["acknowledges"],
                "begins": bool(segment["flags"] & _SYN),
                "ends": bool(segment["flags"] & (_FIN | _RST)),
                "records": records,
                "again": again,
            }
        )
    return found


def _length(data: bytes) -> int:
    """Return the length of an IP packet; 0 is that of one that was put together here."""
    (length,) = struct.unpack_from("!H", data, 2)
    return length or len(data)


def _segment(data: bytes) -> dict[str, Any] | None:
    head = (data[0] & 15) * 4
    body = data[head : _length(data)]
    if data[9] != _TCP or len(body) < _TCP_HEADER or struct.unpack_from("!H", data, 6)[0] & 0x1FFF:
        return None
    ports = struct.unpack_from("!HH", body)
    addresses = (socket.inet_ntoa(data[12:16]), socket.inet_ntoa(data[16:20]))
    size = (body[12] >> 4) * 4
    return {
        "ports": ports,
        "ends": [f"{address}:{port}" for address, port in zip(addresses, ports, strict=True)],
        "number": struct.unpack_from("!I", body, 4)[0],
        "acknowledges": struct.unpack_from("!I", body, 8)[0],
        "flags": body[13],
        "heads": head + size,
        "payload": body[size:],
    }


def _cut(data: bytes, segment: dict[str, Any] | None, mtu: int) -> int:
    """Return in how many packets it crosses the line: the kernel cuts TCP late, or has joined it."""
    if segment is None or _length(data) <= mtu:
        return 1
    cut: int = -(-len(segment["payload"]) // (mtu - segment["heads"]))
    return cut


class Line:
    """Encrypted packets of one direction on the line, in order, each taken once."""

    def __init__(self, outside: Seen, out: bool) -> None:
        """Take out of `outside`; `out`: what leaves, which is in the tunnel first."""
        self._out = out
        self._left = deque((at, _length(data)) for at, _, data in outside if _is_esp(data))
        self._times = Counter(at for at, _ in self._left)

    def take(self, at: float, number: int) -> int | None:
        """Return the octets of the next packets, which were in the tunnel then; None: none were."""
        earliest = at if self._out else at - _LATE_S
        if not self._out and self._times[at]:
            # The kernel keeps a packet's time when it takes it out of the tunnel.
            earliest = at
        while self._left and self._left[0][0] < earliest:
            self._next()
        found = [self._left[place] for place in range(min(number, len(self._left)))]
        latest = at + _LATE_S if self._out else at
        if len(found) < number or found[0][0] > latest:
            return None
        return sum(self._next() for _ in found)

    def _next(self) -> int:
        at, octets = self._left.popleft()
        self._times[at] -= 1
        return octets


def _is_esp(data: bytes) -> bool:
    """Tell whether a packet is ESP, or ESP in UDP (RFC 3948), where IKE begins with a mark of zeros."""
    if data[9] == _UDP:
        body = data[(data[0] & 15) * 4 :]
        ports = struct.unpack_from("!HH", body) if len(body) > _UDP_HEADER + _PORTS else ()
        return _IKE_NAT in ports and body[_UDP_HEADER : _UDP_HEADER + _PORTS] != bytes(_PORTS)
    return data[9] == _ESP


class Flow:
    """One direction of a connection: which records of TLS begin in each packet."""

    def __init__(self) -> None:
        """Nothing of it has been seen: it may be within a record."""
        self._next: int | None = None
        self._left: int | None = None
        self._head = b""

    def feed(self, number: int, flags: int, data: bytes) -> tuple[list[int], bool]:
        """Take a packet; return the sizes of records that begin in it, and whether it was there before."""
        if flags & _SYN:
            self._next, self._left, self._head = (number + 1) & _NUMBERS, 0, b""
            return [], False
        if not data:
            return [], False
        if self._next is not None and 0 < (self._next - number) & _NUMBERS <= _NUMBERS >> 1:
            return [], True
        if self._next != number:
            self._left, self._head = None, b""
        self._next = (number + len(data)) & _NUMBERS
        return list(self._records(data)), False

    def _records(self, data: bytes) -> list[int]:
        if self._left is None:
            if not _begins(data):
                return []
            self._left = 0
        found = []
        while data:
            passed = min(self._left, len(data))
            self._left, data = self._left - passed, data[passed:]
            if not data:
                break
            missing = _RECORD - len(self._head)
            self._head, data = self._head + data[:missing], data[missing:]
            if len(self._head) == _RECORD:
                if not _begins(self._head):
                    self._left, self._head = None, b""
                    break
                self._left = int.from_bytes(self._head[3:], "big")
                found.append(_RECORD + self._left)
                self._head = b""
        return found


def _begins(data: bytes) -> bool:
    return len(data) >= _RECORD and data[0] in _KINDS and data[1] == _MAJOR
