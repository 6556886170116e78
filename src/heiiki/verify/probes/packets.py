"""Probe: send marked packets out of chosen interfaces, and tell which marked packets arrive here.

Packets are built here and sent through a packet socket (AF_PACKET), which bypasses the routing table and the
filter of the device. Every packet carries the number of the run and its own, so that a receiver identifies
it whatever its addresses are.
"""

import ctypes
import ipaddress
import os
import select
import socket
import struct
import time
from pathlib import Path
from typing import Any

_IPV4 = 0x0800
_OUTGOING = 4
_SO_RCVBUFFORCE, _SO_ATTACH_FILTER = 33, 26
_SOL_PACKET, _PACKET_STATISTICS = 263, 6
_BUFFER = 16 << 20
_DRAIN_S, _DRAIN_SLICE_S = 20.0, 0.2
_ICMP, _TCP, _UDP = 1, 6, 17
_FILTER = (
    (0x30, 0, 0, 0xFFFFF004),  # the kind of packet (SKF_AD_PKTTYPE)
    (0x15, 5, 0, _OUTGOING),
    (0x30, 0, 0, 9),  # the protocol
    (0x15, 2, 0, _ICMP),
    (0x15, 1, 0, _TCP),
    (0x15, 0, 1, _UDP),
    (0x06, 0, 0, 0x40000),  # take it
    (0x06, 0, 0, 0),  # leave it
)
"""Classic BPF: operation, jumps if true and if false, operand."""
_ECHO_REPLY, _UNREACHABLE, _ECHO, _EXPIRED = 0, 3, 8, 11
_SYN, _ACK, _RST = 0x02, 0x10, 0x04
_STAMP_SIZE, _REFLECTED_AT = 44, 24
_ECHO_SIZE, _SEGMENT_SIZE, _QUOTE_SIZE, _SMALLEST = 16, 20, 28, 28
_MARK = struct.Struct("!II")
_WHOLE = 0x4000  # Don't Fragment
_BEFORE_ECHO_DATA = 28
_BARE = {"ospf": 89, "vrrp": 112}
"""Protocols of which nothing but the number is sent; who hears such a packet does not know it by its mark."""


def main(parameters: dict[str, Any]) -> dict[str, Any]:
    """Listen for ``listen_s`` seconds; after ``start_s`` send ``packets``.

    A packet is given as [number, interface, next hop or None, source, destination, protocol, port, TTL,
    size]. An echo request with a size has that many octets, and is not to be fragmented (RFC 791).
    """
    return ProbeRun(parameters).run()


def checksum(data: bytes) -> int:
    """Return the Internet checksum (RFC 1071)."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xFFFF) + (total >> 16)
    return int(~(total + (total >> 16)) & 0xFFFF)


def encoded(run: int, packet: list[Any]) -> bytes:
    """Return `packet` as the bytes of an IPv4 packet."""
    number, _interface, _via, source, destination, protocol, port, ttl, size = packet
    addresses = ipaddress.IPv4Address(source).packed + ipaddress.IPv4Address(destination).packed
    body, kind = _body(run, number, protocol, port, addresses, size)
    head = 0x45, 0, 20 + len(body), number & 0xFFFF, _WHOLE if size else 0, ttl, kind, 0
    header = struct.pack("!BBHHHBBH", *head) + addresses
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + body


def _body(run: int, number: int, protocol: str, port: int, addresses: bytes, size: int) -> tuple[bytes, int]:
    mark = _MARK.pack(run, number)
    if protocol in _BARE:
        return mark + bytes(16), _BARE[protocol]
    if protocol == "icmp":
        payload = mark + bytes(max(16, size - _BEFORE_ECHO_DATA - len(mark)))
        header = struct.pack("!BBHHH", _ECHO, 0, 0, run & 0xFFFF, number & 0xFFFF)
        return header[:2] + struct.pack("!H", checksum(header + payload)) + header[4:] + payload, _ICMP
    if protocol == "udp":
        payload = struct.pack("!I", number) + bytes(_STAMP_SIZE - 12) + mark
        return _summed(
            struct.pack("!HHHH", _port(number), port, 8 + len(payload), 0) + payload, 6, _UDP, addresses
        )
    segment = struct.pack("!HHIIBBHHH", _port(number), port, number, run, 5 << 4, _SYN, 64240, 0, 0)
    return _summed(segment, 16, _TCP, addresses)


def _summed(segment: bytes, at: int, kind: int, addresses: bytes) -> tuple[bytes, int]:
    total = checksum(addresses + struct.pack("!BBH", 0, kind, len(segment)) + segment) or 0xFFFF
    return segment[:at] + struct.pack("!H", total) + segment[at + 2 :], kind


def _port(number: int) -> int:
    return 33000 + number % 20000


def heard(run: int, data: bytes) -> int | None:
    """Return the number of the marked packet `data`, or None if it is not one of this run's requests."""
    body = data[(data[0] & 15) * 4 :]
    if data[9] == _ICMP and len(body) >= _ECHO_SIZE and body[0] == _ECHO:
        return _marked(run, body[8:16])
    if data[9] == _UDP and len(body) >= 8 + _STAMP_SIZE:
        return _marked(run, body[8 + _STAMP_SIZE - 8 : 8 + _STAMP_SIZE])
    if data[9] == _TCP and len(body) >= _SEGMENT_SIZE and body[13] & (_SYN | _ACK) == _SYN:
        return _marked(run, body[8:12] + body[4:8])
    return None


def _marked(run: int, mark: bytes) -> int | None:
    its_run, number = _MARK.unpack(mark)
    return int(number) if its_run == run else None


def answer(run: int, data: bytes) -> tuple[int, str] | None:
    """Return which packet `data` answers, its number modulo 65536, and how; None if it answers none."""
    body = data[(data[0] & 15) * 4 :]
    if data[9] == _ICMP and len(body) >= _ECHO_SIZE:
        return _icmp_answer(run, body)
    if data[9] == _TCP and len(body) >= _SEGMENT_SIZE and body[13] & _ACK:
        number = struct.unpack("!I", body[8:12])[0] - 1
        if struct.unpack("!H", body[2:4])[0] == _port(number):
            return number & 0xFFFF, "reset" if body[13] & _RST else "syn-ack"
    if data[9] == _UDP and len(body) >= 8 + _STAMP_SIZE:
        number = struct.unpack("!I", body[8 + _REFLECTED_AT : 12 + _REFLECTED_AT])[0]
        if struct.unpack("!H", body[2:4])[0] == _port(number):
            return number & 0xFFFF, "reflected"
    return None


def _icmp_answer(run: int, body: bytes) -> tuple[int, str] | None:
    if body[0] == _ECHO_REPLY:
        number = _marked(run, body[8:16])
        return None if number is None else (number & 0xFFFF, "echo")
    if body[0] in (_UNREACHABLE, _EXPIRED) and len(body) >= _QUOTE_SIZE:
        name = "expired" if body[0] == _EXPIRED else f"unreachable/{body[1]}"
        return struct.unpack("!H", body[12:14])[0], name
    return None


def _listener() -> socket.socket:
    """Return a socket that hears ICMP, TCP and UDP as they arrive.

    What else a busy router carries, the kernel leaves out before it fills the buffer.
    """
    listener = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_IPV4))
    listener.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in _FILTER))
    listener.setsockopt(
        socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HP", len(_FILTER), ctypes.addressof(program))
    )
    return listener


def _dropped(listener: socket.socket) -> int:
    """Return how many packets the listener was too slow for."""
    said = listener.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8)
    return int(struct.unpack("II", said)[1])


class ProbeRun:
    """The probe packets that one device sends and hears."""

    def __init__(self, parameters: dict[str, Any]) -> None:
        """Open the listening socket at once, so that nothing early is missed."""
        self._listener = _listener()
        self._arrived = select.poll()
        self._arrived.register(self._listener, select.POLLIN)
        self._sender = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
        self._run = int(parameters["run"])
        self._packets = {packet[0] & 0xFFFF: packet for packet in parameters["packets"]}
        self._order = parameters["packets"]
        self._pace = float(parameters.get("pace_s", 0.001))
        self._from = time.monotonic() + float(parameters.get("start_s", 0.0))
        self._until = time.monotonic() + float(parameters["listen_s"])
        self._watched = dict.fromkeys(parameters.get("watch", ()), 0)
        self._macs: dict[tuple[str, str | None], bytes] = {}
        self._sent: dict[int, float] = {}
        self._unsent: dict[int, str] = {}
        self._heard: dict[int, list[str]] = {}
        self._answers: dict[int, list[list[Any]]] = {}

    def run(self) -> dict[str, Any]:
        """Send, listen, and return what was sent, heard and answered."""
        os.nice(5)
        listening = time.time()
        self._resolve()
        self._listen(self._from)
        began = time.time()
        for packet in self._order:
            self._send(packet)
            self._listen(time.monotonic() + self._pace)
        ended = time.time()
        self._listen(self._until)
        closed = time.time()
        self._drain()
        dropped = _dropped(self._listener)
        self._listener.close()
        self._sender.close()
        return {
            "listening": listening,
            "began": began,
            "ended": ended,
            "closed": closed,
            "dropped": dropped,
            "sent": list(self._sent),
            "unsent": self._unsent,
            "heard": self._heard,
            "answers": self._answers,
            "watched": self._watched,
        }

    def _resolve(self) -> None:
        wanted = {(packet[1], packet[2]) for packet in self._order if packet[2] is not None}
        for interface, via in wanted:
            if not _neighbour(interface, via):
                _poke(interface, via)
        if any(not _neighbour(interface, via) for interface, via in wanted):
            time.sleep(0.3)
        self._macs = {(interface, via): _neighbour(interface, via) for interface, via in wanted}

    def _send(self, packet: list[Any]) -> None:
        number, interface, via = packet[:3]
        mac = b"" if via is None else self._macs[interface, via]
        if via is not None and not mac:
            self._unsent[number] = f"no neighbour {via} on {interface}"
            return
        try:
            self._sent[number] = time.monotonic()
            self._sender.sendto(encoded(self._run, packet), (interface, _IPV4, 0, 0, mac))
        except OSError as error:
            self._sent.pop(number, None)
            self._unsent[number] = f"{interface}: {error.strerror}"

    def _listen(self, until: float) -> None:
        while (left := until - time.monotonic()) > 0:
            if not self._arrived.poll(left * 1000):
                return
            try:
                data, source = self._listener.recvfrom(4096)
            except OSError:
                continue
            if len(data) >= _SMALLEST:
                self._take(data, source[0])

    def _drain(self) -> None:
        """Read what arrived in time but was not read yet, on a device that is slower than its network."""
        last = time.monotonic() + _DRAIN_S
        while time.monotonic() < last and self._arrived.poll(0):
            self._listen(time.monotonic() + _DRAIN_SLICE_S)

    def _take(self, data: bytes, interface: str) -> None:
        origin = socket.inet_ntoa(data[12:16])
        if origin in self._watched:
            self._watched[origin] += 1
        number = heard(self._run, data)
        if number is not None:
            where = self._heard.setdefault(number, [])
            if interface not in where:
                where.append(interface)
            return
        found = answer(self._run, data)
        if found is not None and found[0] in self._packets:
            mine = self._packets[found[0]][0]
            if mine in self._sent:
                seconds = time.monotonic() - self._sent[mine]
                self._answers.setdefault(mine, []).append([found[1], origin, seconds])


def _neighbour(interface: str, via: str) -> bytes:
    for line in Path("/proc/net/arp").read_text(encoding="ascii").splitlines()[1:]:
        words = line.split()
        if words[0] == via and words[5] == interface and words[3] != "00:00:00:00:00:00":
            return bytes.fromhex(words[3].replace(":", ""))
    return b""


def _poke(interface: str, via: str) -> None:
    """Have the kernel ask for the neighbour's address: a datagram to the discard port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as test:
        try:
            test.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, os.fsencode(interface))
            test.sendto(b"", (via, 9))
        except OSError:
            return
