"""Probe: flood one address out of a chosen interface, and tell how many packets left.

They are sent through a packet socket (AF_PACKET), which bypasses the sender's routing table and filter: a
device in other hands keeps no rule of ours.
"""

import errno
import ipaddress
import socket
import struct
import time
from itertools import cycle
from pathlib import Path
from typing import Any

_IPV4 = 0x0800
_ICMP, _TCP, _UDP = 1, 6, 17
_ECHO, _SYN = 8, 0x02
_HOPS = 255
"""As a sender on the link may write it: whatever asks for less would drop the flood before its budget."""
_SOURCE_PORTS = 4096
"""In turn: to connection tracking each packet is the first of its flow."""
_BATCH = 20


def main(parameters: dict[str, Any]) -> dict[str, Any]:
    """Send to ``destination`` for ``seconds``, at the most ``rate`` packets a second.

    Further parameters: ``interface``, ``via`` (next hop, or None), ``source``, ``protocol`` (number),
    ``port`` and ``body`` (in hexadecimal digits).
    """
    packets = cycle([encoded(parameters, number) for number in range(_SOURCE_PORTS)])
    mac = _neighbour(parameters["interface"], parameters["via"], parameters["destination"])
    place = (parameters["interface"], _IPV4, 0, 0, mac)
    sent = refused = 0
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0) as wire:
        began = due = time.monotonic()
        while time.monotonic() < began + parameters["seconds"]:
            for _ in range(_BATCH):
                left = _sent(wire, next(packets), place)
                sent, refused = sent + left, refused + (not left)
            due += _BATCH / parameters["rate"]
            time.sleep(max(0.0, due - time.monotonic()))
        return {"sent": sent, "refused": refused, "seconds": time.monotonic() - began}


def _sent(wire: socket.socket, packet: bytes, place: tuple[Any, ...]) -> bool:
    """Send; a queue that is full loses the packet, as it does any other sender's."""
    try:
        wire.sendto(packet, place)
    except OSError as error:
        if error.errno != errno.ENOBUFS:
            raise
        return False
    return True


def encoded(parameters: dict[str, Any], number: int) -> bytes:
    """Return packet `number` as the bytes of an IPv4 packet."""
    source, destination = (ipaddress.IPv4Address(parameters[end]).packed for end in ("source", "destination"))
    protocol = parameters["protocol"]
    body = _body(parameters, number, source + destination)
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), number, 0, _HOPS, protocol, 0)
    return _summed(head + source + destination, 10) + body


def _body(parameters: dict[str, Any], number: int, ends: bytes) -> bytes:
    protocol, port, own = parameters["protocol"], parameters["port"], 20000 + number
    body = bytes.fromhex(parameters["body"])
    if protocol == _ICMP:
        return _summed(struct.pack("!BBHHH", _ECHO, 0, 0, own, number) + body, 2)
    if protocol == _UDP:
        return struct.pack("!HHHH", own, port, 8 + len(body), 0) + body
    if protocol == _TCP:
        head = struct.pack("!HHIIBBHHH", own, port, number, 0, 5 << 4, _SYN, 1024, 0, 0)
        pseudo = ends + struct.pack("!BBH", 0, _TCP, len(head))
        return _summed(pseudo + head, len(pseudo) + 16)[len(pseudo) :]
    return body


def _summed(data: bytes, at: int) -> bytes:
    """Put the Internet checksum (RFC 1071) of `data` into it."""
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xFFFF) + (total >> 16)
    return data[:at] + struct.pack("!H", ~(total + (total >> 16)) & 0xFFFF) + data[at + 2 :]


def _neighbour(interface: str, via: str | None, destination: str) -> bytes:
    """Return the address on the link of the next hop; empty where there is only one other end."""
    group = ipaddress.IPv4Address(destination)
    if group.is_multicast:
        return b"\x01\x00\x5e" + (int(group) & 0x7FFFFF).to_bytes(3)
    if via is None:
        return b""
    for line in Path("/proc/net/arp").read_text(encoding="ascii").splitlines()[1:]:
        words = line.split()
        if words[0] == via and words[5] == interface and words[3] != "00:00:00:00:00:00":
            return bytes.fromhex(words[3].replace(":", ""))
    raise OSError(errno.EHOSTUNREACH, f"no neighbour {via} on {interface}")
