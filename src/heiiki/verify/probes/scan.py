"""Probe: scan ports by single segments and datagrams, and tell which of others' arrive here.

They leave through a packet socket (AF_PACKET), which bypasses the routing table and the filter of the
device: a site in other hands keeps no rule of ours. Every SYN (RFC 9293 3.4) has the number of the run as its
sequence number, so that an answer is known by what it acknowledges, and an arrival by its number. A SYN-ACK
is answered by a reset, and no connection is left half open.
"""

import ctypes
import errno
import os
import select
import socket
import struct
import time
from pathlib import Path
from typing import Any

_IPV4, _OUTGOING = 0x0800, 4
_SO_RCVBUFFORCE, _SO_ATTACH_FILTER, _SOL_PACKET, _PACKET_STATISTICS = 33, 26, 263, 6
_BUFFER = 8 << 20
_ICMP, _TCP, _UDP = 1, 6, 17
_SYN, _RST, _ACK = 0x02, 0x04, 0x10
_UNREACHABLE, _HEADER, _PORTS, _UDP_HEADER = 3, 20, 4, 8
_HOPS = 255
"""As a neighbour on the link may write it: what asks for that would drop it before its filter is asked."""
_LOAD, _LOAD_BYTE, _EQUAL, _RETURN = 0x20, 0x30, 0x15, 0x06
_KIND, _DESTINATION = 0xFFFFF004, 16
_BEHIND = 10
"""Packets that a sender which was held up sends at once, to come back to its rate."""


def main(parameters: dict[str, Any]) -> dict[str, Any]:
    """Listen for ``listen_s`` seconds at the addresses ``hears``, and after ``start_s`` send along ``ways``.

    A way has a ``key``, an ``interface``, ``via`` (next hop, or None), a ``source``, a source ``port``, a
    ``pace_s``, ``packets`` as [destination, protocol, port], and such packets ``again``, which are sent once
    more at the end where they were not answered. No packet leaves after ``limit_s``.
    """
    return Scan(parameters).run()


def checksum(data: bytes) -> int:
    """Return the Internet checksum (RFC 1071)."""
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xFFFF) + (total >> 16)
    return int(~(total + (total >> 16)) & 0xFFFF)


def encoded(ends: bytes, protocol: int, ports: tuple[int, int], run: int, flags: int = _SYN) -> bytes:
    """Return a segment, or a datagram of four octets, as an IPv4 packet; `ends`: both addresses."""
    if protocol == _TCP:
        body = struct.pack("!HHIIBBHHH", *ports, run, 0, 5 << 4, flags, 1024, 0, 0)
        at = 16
    else:
        body = struct.pack("!HHHHI", *ports, 12, 0, run)
        at = 6
    total = checksum(ends + struct.pack("!BBH", 0, protocol, len(body)) + body) or 0xFFFF
    body = body[:at] + struct.pack("!H", total) + body[at + 2 :]
    head = struct.pack("!BBHHHBBH", 0x45, 0, _HEADER + len(body), 0, 0, _HOPS, protocol, 0) + ends
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + body


def arrived(run: int, data: bytes) -> tuple[str, int, str, int, int] | None:
    """Return source, source port, destination, protocol, port of a packet of this run; None: it is none."""
    body = data[(data[0] & 15) * 4 :]
    if data[9] == _TCP and len(body) >= _HEADER:
        number, flags = struct.unpack_from("!I", body, 4)[0], body[13]
        mine = number == run and flags & (_SYN | _ACK | _RST) == _SYN
    else:
        mine = data[9] == _UDP and body[8:12] == struct.pack("!I", run)
    if not mine:
        return None
    here, there = struct.unpack_from("!HH", body)
    return socket.inet_ntoa(data[12:16]), here, socket.inet_ntoa(data[16:20]), data[9], there


def answer(run: int, data: bytes) -> tuple[int, tuple[str, int, int], str] | None:
    """Return what `data` says of a packet of this run; None: nothing.

    Returns:
        The source port that asked; destination, protocol and port that were asked; and the answer.
    """
    body = data[(data[0] & 15) * 4 :]
    if data[9] == _ICMP and len(body) >= 8 + _HEADER + _PORTS and body[0] == _UNREACHABLE:
        quoted = body[8:]
        at = (quoted[0] & 15) * 4
        if quoted[9] not in (_TCP, _UDP) or len(quoted) < at + _PORTS:
            return None
        here, there = struct.unpack_from("!HH", quoted, at)
        return here, (socket.inet_ntoa(quoted[16:20]), quoted[9], there), f"unreachable/{body[1]}"
    if data[9] == _TCP and len(body) >= _HEADER:
        there, here, _, acknowledged, _, flags = struct.unpack_from("!HHIIBB", body)
        if flags & _ACK and acknowledged == (run + 1) & 0xFFFFFFFF and flags & (_SYN | _RST):
            how = "reset" if flags & _RST else "syn-ack"
            return here, (socket.inet_ntoa(data[12:16]), _TCP, there), how
    if data[9] == _UDP and len(body) >= _UDP_HEADER:
        there, here = struct.unpack_from("!HH", body)
        return here, (socket.inet_ntoa(data[12:16]), _UDP, there), "datagram"
    return None


def _listener(addresses: list[str]) -> socket.socket:
    """Return a socket that hears what arrives for these addresses, and nothing else."""
    listener = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_IPV4))
    listener.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
    count = len(addresses)
    lines = [
        (_LOAD_BYTE, 0, 0, _KIND),
        (_EQUAL, count + 1, 0, _OUTGOING),
        (_LOAD, 0, 0, _DESTINATION),
        *(
            (_EQUAL, count - place, 0, struct.unpack("!I", socket.inet_aton(one))[0])
            for place, one in enumerate(addresses)
        ),
        (_RETURN, 0, 0, 0),
        (_RETURN, 0, 0, 0x40000),
    ]
    text = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in lines))
    listener.setsockopt(
        socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HP", len(lines), ctypes.addressof(text))
    )
    return listener


class Way:
    """One way by which this device scans."""

    def __init__(self, given: dict[str, Any]) -> None:
        """Nothing has been sent."""
        self.key, self.port, self.due = given["key"], given["port"], 0.0
        self._given, self._again = given, given["again"]
        self._left = list(reversed(given["packets"]))
        self._sent: dict[str, set[tuple[int, int]]] = {}
        self.answers: dict[tuple[str, str, int, int, str], None] = {}
        self._answered: set[tuple[str, int, int]] = set()
        self.error = ""
        mac = _neighbour(given["interface"], given["via"])
        if mac is None:
            self.error = f"no neighbour {given['via']} on {given['interface']}"
        self._place = (given["interface"], _IPV4, 0, 0, mac or b"")

    @property
    def going_on(self) -> bool:
        """Something is left to send; what was not answered is sent once more."""
        if self.error:
            return False
        if not self._left and self._again:
            self._left = [one for one in reversed(self._again) if tuple(one) not in self._answered]
            self._again = []
        return bool(self._left)

    def step(self, wire: socket.socket, run: int) -> None:
        """Send the next packet, and say when the one after it is due."""
        destination, protocol, port = self._left.pop()
        if self._out(wire, destination, encoded(self._ends(destination), protocol, (self.port, port), run)):
            self._sent.setdefault(destination, set()).add((protocol, port))
        pace = self._given["pace_s"]
        self.due = max(self.due + pace, time.monotonic() - _BEHIND * pace)

    def take(self, wire: socket.socket, run: int, found: tuple[str, int, int], how: str, origin: str) -> None:
        """Take an answer; one that opens a connection is reset."""
        destination, protocol, port = found
        self._answered.add(found)
        self.answers[origin, destination, protocol, port, how] = None
        if how == "syn-ack":
            reset = encoded(self._ends(destination), _TCP, (self.port, port), (run + 1) & 0xFFFFFFFF, _RST)
            self._out(wire, destination, reset)

    def _ends(self, destination: str) -> bytes:
        return socket.inet_aton(self._given["source"]) + socket.inet_aton(destination)

    def _out(self, wire: socket.socket, destination: str, packet: bytes) -> bool:
        try:
            wire.sendto(packet, self._place)
        except OSError as error:
            if error.errno != errno.ENOBUFS:  # a queue that is full loses it, as the network may
                self.error = f"{self._given['interface']} to {destination}: {error.strerror}"
                return False
        return True

    def found(self) -> dict[str, Any]:
        """Return how many ports were tried of each destination, how many were not, and what answered."""
        return {
            "sent": {one: len(ports) for one, ports in self._sent.items()},
            "left": len(self._left) + len(self._again),
            "error": self.error,
            "answers": [list(one) for one in self.answers],
        }


class Scan:
    """What one device sends and hears."""

    def __init__(self, parameters: dict[str, Any]) -> None:
        """Open the listening socket at once, so that nothing early is missed."""
        began = time.monotonic()
        hears, ways = parameters["hears"], parameters["ways"]
        self._listener = _listener(sorted({*hears, *(one["source"] for one in ways)}))
        self._arrival = select.poll()
        self._arrival.register(self._listener, select.POLLIN)
        self._wire = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
        self._run, self._hears = int(parameters["run"]), frozenset(hears)
        self._start, self._limit = began + parameters["start_s"], began + parameters["limit_s"]
        self._end = began + parameters["listen_s"]
        self._ways = {one["port"]: Way(one) for one in ways}
        self._arrived: dict[tuple[str, int, str], set[tuple[int, int]]] = {}

    def run(self) -> dict[str, Any]:
        """Send, listen, and return what was sent, heard and answered."""
        os.nice(5)
        self._listen(self._start)
        began = time.monotonic()
        for way in self._ways.values():
            way.due = began
        while left := [one for one in self._ways.values() if one.going_on]:
            way = min(left, key=lambda one: one.due)
            self._listen(min(way.due, self._limit))
            if time.monotonic() >= self._limit:
                break
            way.step(self._wire, self._run)
        seconds = time.monotonic() - began
        self._listen(self._end)
        # PACKET_STATISTICS: packets, drops.
        dropped = struct.unpack("II", self._listener.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8))[1]
        self._listener.close()
        self._wire.close()
        return {
            "seconds": seconds,
            "dropped": dropped,
            "ways": {way.key: way.found() for way in self._ways.values()},
            "arrived": [[*ends, len(ports)] for ends, ports in self._arrived.items()],
        }

    def _listen(self, until: float) -> None:
        """Hear what comes until then, and at least what is there already."""
        while self._arrival.poll(max(0.0, until - time.monotonic()) * 1000):
            data, _ = self._listener.recvfrom(4096)
            if len(data) >= _HEADER + 8:
                self._take(data)
            if time.monotonic() >= until:
                return

    def _take(self, data: bytes) -> None:
        came = arrived(self._run, data)
        if came is not None:
            source, port, destination, *asked = came
            if destination in self._hears:
                self._arrived.setdefault((source, port, destination), set()).add((asked[0], asked[1]))
            return
        found = answer(self._run, data)
        if found is not None and found[0] in self._ways:
            origin = socket.inet_ntoa(data[12:16])
            self._ways[found[0]].take(self._wire, self._run, found[1], found[2], origin)


def _neighbour(interface: str, via: str | None) -> bytes | None:
    """Return the link address of the next hop, for which the kernel asks if it must; None: it has none."""
    if via is None:
        return b""
    for wait in (0.0, 0.3, 0.7):
        time.sleep(wait)
        for line in Path("/proc/net/arp").read_text(encoding="ascii").splitlines()[1:]:
            words = line.split()
            if words[0] == via and words[5] == interface and words[3] != "00:00:00:00:00:00":
                return bytes.fromhex(words[3].replace(":", ""))
        _poke(interface, via)
    return None


def _poke(interface: str, via: str) -> None:
    """Have the kernel ask for the neighbour's address: a datagram to the discard port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as test:
        try:
            test.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, os.fsencode(interface))
            test.sendto(b"", (via, 9))
        except OSError:
            return
