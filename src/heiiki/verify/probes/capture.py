"""Probe: look at every packet on interfaces for a while, and count them by what they are.

A packet is looked into as far as a carrier's wrapping goes (MPLS labels, GTP-U); what is left must match one
of the rules given, or it counts as something else and its head is kept.
"""

import ipaddress
import select
import socket
import struct
import time
from typing import Any

_ALL, _IPV4, _ARP, _MPLS = 0x0003, 0x0800, 0x0806, (0x8847, 0x8848)
_TCP, _UDP, _GTP_U, _G_PDU = 6, 17, 2152, 0xFF
_OUTGOING = 4
_LABEL, _HEADER, _PORTS, _GTP_HEADER = 4, 20, 4, 8
"""Octets of an MPLS label, an IPv4 header, a pair of ports, the least GTP-U header."""
_SAMPLES = 5
_VERSION, _UDP_HEADER, _GTP_OPTIONS = 4, 8, 4
_NAMES = {1: "icmp", 6: "tcp", 17: "udp", 47: "gre", 50: "esp", 89: "ospf", 132: "sctp"}


def main(parameters: dict[str, Any]) -> dict[str, Any]:
    """Count for ``seconds`` on each of ``interfaces`` (name: rules); see `Rules` for what a rule is."""
    began = time.monotonic()
    taps = {name: Tap(name, rules) for name, rules in parameters["interfaces"].items()}
    until = time.monotonic() + parameters["seconds"]
    by_socket = {tap.socket: tap for tap in taps.values()}
    while (left := until - time.monotonic()) > 0:
        for ready in select.select(list(by_socket), [], [], left)[0]:
            by_socket[ready].read()
    found = {name: tap.found() for name, tap in taps.items()}
    return {"interfaces": found, "began": began, "ended": time.monotonic()}


class Rules:
    """What may be on a line, in order.

    A rule is [class, protocol, ports, one side, other side]: ports match either end, none given match all; a
    side is a list of prefixes, and packets match in both directions. Protocol ``arp`` has no sides.
    """

    def __init__(self, rules: list[list[Any]]) -> None:
        """Read them once."""
        self._rules = [
            (name, protocol, frozenset(ports), _networks(one), _networks(other))
            for name, protocol, ports, one, other in rules
        ]

    def name(self, head: dict[str, Any]) -> str:
        """Return the class of a packet, or the empty string."""
        for name, protocol, ports, one, other in self._rules:
            if protocol == head["protocol"] and (not ports or ports & set(head["ports"])):
                if protocol == "arp":
                    return str(name)
                here, there = head["source"], head["destination"]
                if (_in(here, one) and _in(there, other)) or (_in(here, other) and _in(there, one)):
                    return str(name)
        return ""


def _networks(prefixes: list[str]) -> list[tuple[int, int]]:
    wanted = [ipaddress.IPv4Network(prefix) for prefix in prefixes]
    return [(int(one.network_address), int(one.netmask)) for one in wanted]


def _in(address: int, networks: list[tuple[int, int]]) -> bool:
    return any(address & mask == network for network, mask in networks)


def heads(kind: int, data: bytes) -> list[dict[str, Any]]:
    """Return the heads of a packet from the outside in: a carrier's wrapping first, then what it carries."""
    if kind == _ARP:
        return [_head("arp")]
    while kind in _MPLS and len(data) > _LABEL:
        bottom, data = data[2] & 1, data[_LABEL:]
        kind = _IPV4 if bottom else kind
    if kind != _IPV4 or len(data) < _HEADER or data[0] >> 4 != _VERSION:
        return [_head(f"ethertype-{kind:04x}")]
    found, body = _ip(data)
    gtp = body[_UDP_HEADER:] if found["protocol"] == "udp" and _GTP_U in found["ports"] else b""
    if len(gtp) > _GTP_HEADER and gtp[1] == _G_PDU:
        return [found, *heads(_IPV4, gtp[_GTP_HEADER + (_GTP_OPTIONS if gtp[0] & 7 else 0) :])]
    return [found]


def _ip(data: bytes) -> tuple[dict[str, Any], bytes]:
    source, destination = struct.unpack_from("!II", data, 12)
    body = data[(data[0] & 15) * 4 :]
    fragment = struct.unpack_from("!H", data, 6)[0] & 0x1FFF
    ports = list(struct.unpack_from("!HH", body)) if data[9] in (_TCP, _UDP) and len(body) >= _PORTS else []
    protocol = _NAMES.get(data[9], f"protocol-{data[9]}")
    return _head(protocol, source, destination, [] if fragment else ports), body


def _head(protocol: str, source: int = 0, destination: int = 0, ports: Any = ()) -> dict[str, Any]:
    return {"protocol": protocol, "source": source, "destination": destination, "ports": list(ports)}


def _said(head: dict[str, Any]) -> str:
    ends = [str(ipaddress.IPv4Address(head[side])) for side in ("source", "destination")]
    ports = head["ports"] or ["", ""]
    places = [f"{end}:{port}" if port else end for end, port in zip(ends, ports, strict=True)]
    return f"{head['protocol']} {places[0]} to {places[1]}"


class Tap:
    """One interface and what was seen on it."""

    def __init__(self, interface: str, rules: list[list[Any]]) -> None:
        """Begin to look; OSError when there is no such interface."""
        # SOCK_DGRAM: the kernel takes the head of the link layer off; a modem has none.
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        self.socket.bind((interface, _ALL))
        self.socket.settimeout(0)
        self._rules = Rules(rules)
        self._counts: dict[str, dict[str, int]] = {}
        self._else: dict[str, int] = {}

    def read(self) -> None:
        """Count what has come."""
        while True:
            try:
                data, place = self.socket.recvfrom(256)
            except BlockingIOError:
                return
            self.count(heads(place[1], data), outgoing=place[2] == _OUTGOING)

    def count(self, found: list[dict[str, Any]], *, outgoing: bool) -> None:
        """Count one packet by its innermost head; the outer ones must match a rule too."""
        classes = [self._rules.name(head) for head in found]
        side = "out" if outgoing else "in"
        if all(classes):
            counts = self._counts.setdefault("/".join(classes), {"in": 0, "out": 0})
            counts[side] += 1
            return
        said = f"{side} {' carrying '.join(_said(head) for head in found)}"
        self._else[said] = self._else.get(said, 0) + 1

    def found(self) -> dict[str, Any]:
        """Return counts by class, the number of other packets with some of them, and what was missed."""
        # PACKET_STATISTICS (SOL_PACKET 263, option 6): packets, drops.
        dropped = struct.unpack("II", self.socket.getsockopt(263, 6, 8))[1]
        self.socket.close()
        samples = sorted(self._else.items(), key=lambda item: -item[1])[:_SAMPLES]
        return {
            "classes": self._counts,
            "else": sum(self._else.values()),
            "samples": samples,
            "dropped": dropped,
        }
