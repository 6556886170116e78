"""Probe: look at every packet on interfaces for a while, and count them by what they are.

A packet is looked into as far as a carrier's wrapping goes (MPLS labels, GTP-U); what is left must match one
of the rules given, or it counts as something else and its head is kept. Where a rule says by what its packets
are protected, their payload is held against that as it goes by: of a payload itself nothing is kept or told.
"""

import ipaddress
import re
import selectors
import socket
import struct
import time
from typing import Any

_ALL, _IPV4, _ARP, _MPLS = 0x0003, 0x0800, 0x0806, (0x8847, 0x8848)
_LLC, _SPANNING_TREE = 0x0004, b"\x42\x42\x03"
_NAMED = {_ARP: "arp", 0x888E: "eapol", 0x88CC: "lldp"}
_TCP, _UDP, _GTP_U, _G_PDU = 6, 17, 2152, 0xFF
_OUTGOING = 4
_LABEL, _HEADER, _PORTS, _GTP_HEADER = 4, 20, 4, 8
"""Octets of an MPLS label, an IPv4 header, a pair of ports, the least GTP-U header."""
_SAMPLES = 5
_VERSION, _UDP_HEADER, _GTP_OPTIONS = 4, 8, 4
_NAMES = {1: "icmp", 2: "igmp", 6: "tcp", 17: "udp", 47: "gre", 50: "esp", 89: "ospf", 112: "vrrp"}
_NAMES |= {132: "sctp"}
_HEADS, _WHOLE = 256, 1 << 16
"""Octets of a packet that are read: as much as heads take, or all of it."""
_AT_ONCE = 1000
"""Packets that are read before the time is looked at again: a flood does not make a capture longer."""
_FLOWS, _OTHERS = 4096, "more flows than are told apart"
_NTP, _TCP_HEADER, _RECORD = 48, 20, 5
"""Octets of an NTP packet without extensions, the least TCP header, the header of a record of TLS."""
_IN_TLS = ("tls", "starttls")
_SYN, _PSH, _NUMBERS = 2, 8, 0xFFFFFFFF
_CHANGE, _DATA, _MAJOR = 20, 23, 3
_LONGEST = (1 << 14) + 2048
"""Octets of a record at most (RFC 5246 6.2.3; of RFC 8446 5.2 fewer)."""
_MOST_HELD, _MOST_XML = 64, 4096
"""Segments that wait for one before them, octets of XML before TLS."""
_LEGIBLE, _TEXT = 16, frozenset((9, 10, 13, *range(32, 127)))
_STANZA = re.compile(rb"<(message|presence|iq|auth|response|success)[\s/>]")


def main(parameters: dict[str, Any]) -> dict[str, Any]:
    """Count for ``seconds`` on each of ``interfaces`` (name: rules); see `Rules` for what a rule is."""
    began = time.monotonic()
    taps = {name: Tap(name, rules) for name, rules in parameters["interfaces"].items()}
    until = time.monotonic() + parameters["seconds"]
    with selectors.DefaultSelector() as arrived:
        for tap in taps.values():
            arrived.register(tap.socket, selectors.EVENT_READ, tap)
        while (left := until - time.monotonic()) > 0:
            for key, _ in arrived.select(left):
                key.data.read()
    found = {name: tap.found() for name, tap in taps.items()}
    return {"interfaces": found, "began": began, "ended": time.monotonic()}


class Rules:
    """What may be on a line, in order.

    A rule is [class, protocol, ports, one side, other side], and behind these by what the payload of its
    packets is protected (`Payloads`), where that is looked at: ports match either end, none given match all;
    a side is a list of prefixes, and packets match in both directions. What is not IP has no sides.
    """

    def __init__(self, rules: list[list[Any]]) -> None:
        """Read them once."""
        self._rules = [
            (name, protocol, frozenset(ports), _networks(one), _networks(other), how)
            for name, protocol, ports, one, other, *how in rules
        ]

    @property
    def looks_inside(self) -> bool:
        """Whether a payload is looked at."""
        return any(how for *_, how in self._rules)

    def name(self, head: dict[str, Any]) -> str:
        """Return the class of a packet, or the empty string."""
        return self.match(head)[0]

    def match(self, head: dict[str, Any]) -> tuple[str, list[Any]]:
        """Return the class of a packet, or the empty string, and by what its payload is protected."""
        for name, protocol, ports, one, other, how in self._rules:
            if protocol == head["protocol"] and (not ports or ports & set(head["ports"])):
                here, there = head["source"], head["destination"]
                sides = (_in(here, one) and _in(there, other)) or (_in(here, other) and _in(there, one))
                if sides or not (here or there or one):
                    return str(name), how
        return "", []


def _networks(prefixes: list[str]) -> list[tuple[int, int]]:
    wanted = [ipaddress.IPv4Network(prefix) for prefix in prefixes]
    return [(int(one.network_address), int(one.netmask)) for one in wanted]


def _in(address: int, networks: list[tuple[int, int]]) -> bool:
    return any(address & mask == network for network, mask in networks)


def heads(kind: int, data: bytes) -> list[dict[str, Any]]:
    """Return the heads of a packet from the outside in: a carrier's wrapping first, then what it carries."""
    if kind in _NAMED:
        return [_head(_NAMED[kind])]
    if kind == _LLC and data.startswith(_SPANNING_TREE):
        return [_head("stp")]
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
    (length,) = struct.unpack_from("!H", data, 2)
    source, destination = struct.unpack_from("!II", data, 12)
    # Behind it a short frame is filled up; a length of 0 is that of a packet that was put together here.
    body = data[(data[0] & 15) * 4 : length or None]
    fragment = struct.unpack_from("!H", data, 6)[0] & 0x1FFF
    ports = list(struct.unpack_from("!HH", body)) if data[9] in (_TCP, _UDP) and len(body) >= _PORTS else []
    protocol = _NAMES.get(data[9], f"protocol-{data[9]}")
    return _head(protocol, source, destination, [] if fragment else ports, body), body


def _head(
    protocol: str, source: int = 0, destination: int = 0, ports: Any = (), body: bytes = b""
) -> dict[str, Any]:
    ends = {"source": source, "destination": destination, "ports": list(ports)}
    return {"protocol": protocol, **ends, "body": body}


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
        self._seen = Seen(Rules(rules))

    def read(self) -> None:
        """Count what has come."""
        for _ in range(_AT_ONCE):
            try:
                data, place = self.socket.recvfrom(self._seen.octets)
            except BlockingIOError:
                return
            self._seen.count(heads(place[1], data), outgoing=place[2] == _OUTGOING)

    def found(self) -> dict[str, Any]:
        """Return what was seen, and how many packets were missed."""
        # PACKET_STATISTICS (SOL_PACKET 263, option 6): packets, drops.
        dropped = struct.unpack("II", self.socket.getsockopt(263, 6, 8))[1]
        self.socket.close()
        return {**self._seen.found(), "dropped": dropped}


class Seen:
    """What was seen on an interface.

    Attributes:
        octets: so many of each packet are looked at.
    """

    def __init__(self, rules: Rules) -> None:
        """Nothing yet."""
        self.octets = _WHOLE if rules.looks_inside else _HEADS
        self._rules, self._payloads = rules, Payloads()
        self._counts: dict[str, dict[str, int]] = {}
        self._records: dict[str, dict[str, int]] = {}
        self._else: dict[str, int] = {}

    def count(self, found: list[dict[str, Any]], *, outgoing: bool) -> None:
        """Count one packet by its innermost head; the outer ones must match a rule too."""
        side = "out" if outgoing else "in"
        matched = [self._rules.match(head) for head in found]
        name, how, wrong = "/".join(name for name, _ in matched), matched[-1][1], ""
        planned = all(one for one, _ in matched)
        if planned:
            self._counts.setdefault(name, {"in": 0, "out": 0})[side] += 1
            if how:
                records = self._records.setdefault(name, {"in": 0, "out": 0}) if how[0] in _IN_TLS else {}
                wrong = self._payloads.wrong(how, found[-1], records, side)
        if wrong or not planned:
            said = f"{side} {' carrying '.join(_said(head) for head in found)}{wrong and f': {wrong}'}"
            said = said if said in self._else or len(self._else) < _FLOWS else f"{side} {_OTHERS}"
            self._else[said] = self._else.get(said, 0) + 1

    def found(self) -> dict[str, Any]:
        """Return counts by class, of records of TLS too, and of other packets, with some of them.

        What may not be there is counted as other; ``undecided`` are flows that were not seen well enough.
        """
        samples = sorted(self._else.items(), key=lambda item: -item[1])[:_SAMPLES]
        return {
            "classes": self._counts,
            "records": self._records,
            "undecided": self._payloads.undecided()[:_SAMPLES],
            "else": sum(self._else.values()),
            "samples": samples,
        }


class Payloads:
    """Whether payloads are protected as their rules say.

    A rule says ``tls``: records of TLS, one after the other; ``starttls``: the same behind XML that asks for
    it (RFC 6120 5.4); ``ntp`` with numbers of keys: a message authentication code by one of them; or
    ``no text`` of a datagram that nothing protects and that carries no data.
    """

    def __init__(self) -> None:
        """Nothing has been seen."""
        self._streams: dict[tuple[int, ...], Stream] = {}
        self._past: list[str] = []
        """Flows that are over, and of which it could not be said; as many as are told."""

    def wrong(self, how: list[Any], head: dict[str, Any], records: dict[str, int], side: str) -> str:
        """Return what is wrong with a packet's payload, or the empty string; count records of data."""
        kind, *keys = how
        if kind == "ntp":
            return "" if _authenticated(head["body"], keys) else "no code by a key that is planned"
        if kind == "no text":
            return "text in clear" if _legible(head["body"][_UDP_HEADER:]) else ""
        segment = head["body"]
        if len(segment) < _TCP_HEADER or not head["ports"]:
            return "no whole segment"
        (number,), flags = struct.unpack_from("!I", segment, 4), segment[13]
        data = segment[(segment[12] >> 4) * 4 :]
        stream = self._stream(head, begins=bool(flags & _SYN), asks=kind == "starttls")
        if stream is None:
            return ""
        if flags & _SYN:
            stream.begin(number)
            return ""
        before = stream.data
        stream.feed(number, data, written=bool(flags & _PSH))
        records[side] += stream.data - before
        return stream.problem if data else ""

    def _stream(self, head: dict[str, Any], *, begins: bool, asks: bool) -> "Stream | None":
        key = head["source"], head["destination"], *head["ports"]
        found = self._streams.get(key)
        if found is not None and not begins:
            return found
        full = found is None and len(self._streams) >= _FLOWS
        why = _OTHERS if full else found.undecided if found else ""
        if why and len(self._past) < _SAMPLES:
            self._past.append(f"{_said(head)}: {why}")
        if full:
            return None
        self._streams[key] = Stream(_said(head), asks=asks)
        return self._streams[key]

    def undecided(self) -> list[str]:
        """Return the flows of which it cannot be said, each with why."""
        return [
            *self._past,
            *(f"{one.said}: {one.undecided}" for one in self._streams.values() if one.undecided),
        ]


def _authenticated(body: bytes, keys: list[int]) -> bool:
    """Tell whether an NTP packet ends in a code of 16 or 20 octets by one of these keys (RFC 5905 7.3)."""
    ends = [body[-size:][:4] for size in (20, 24) if len(body) >= _UDP_HEADER + _NTP + size]
    return any(int.from_bytes(number, "big") in keys for number in ends)


class Stream:
    """One direction of a TCP connection: whether what it carries is records of TLS, one after the other.

    One that was there before may begin within a record. It is followed from the first segment on that begins
    with one; and so must the segment that comes after the end of what was written at once (PSH).

    Attributes:
        said: the connection.
        data: how many records of application data began.
        problem: what is wrong with it; empty: nothing yet.
    """

    def __init__(self, said: str, *, asks: bool) -> None:
        """Nothing of it has been seen; `asks`: XML may come first."""
        self.said, self.data, self.problem = said, 0, ""
        self._asks, self._xml = asks, b""
        self._next: int | None = None
        self._left: int | None = None
        """Octets until the next record begins; None while that is not known."""
        self._header = b""
        self._held: dict[int, tuple[bytes, bool]] = {}
        self._passed, self._was_written = 0, False

    @property
    def undecided(self) -> str:
        """Why it cannot be said whether all of it is TLS; empty where it can."""
        if self.problem:
            return ""
        if self._held:
            return "a segment was not seen"
        unknown = self._header or (self._left is None and self._passed)
        return "no record of TLS was seen to begin" if unknown else ""

    def begin(self, number: int) -> None:
        """Take the segment that opens it."""
        self._next, self._left = (number + 1) & _NUMBERS, 0

    def feed(self, number: int, data: bytes, *, written: bool) -> None:
        """Take a segment, in whatever order they come; `written`: it ends what was written at once."""
        if not data or self.problem:
            return
        if self._next is None:
            self._next = number
        behind = (self._next - number) & _NUMBERS
        if behind > _NUMBERS >> 1:
            if len(self._held) < _MOST_HELD:
                self._held[number] = data, written
            return
        if new := data[behind:]:
            self._next = (self._next + len(new)) & _NUMBERS
            self._take(new, written=written)
        for later in [one for one in self._held if (self._next - one) & _NUMBERS <= _NUMBERS >> 1]:
            if later in self._held:
                octets, ended = self._held.pop(later)
                self.feed(later, octets, written=ended)

    def _take(self, data: bytes, *, written: bool) -> None:
        if self._is_xml(data):
            self._xml += data
            if len(self._xml) > _MOST_XML or _STANZA.search(self._xml):
                self.problem = "XMPP without TLS"
            return
        if self._left is None and len(data) >= _RECORD and _begins_record(data[:_RECORD]):
            self._left = 0
        if self._left is not None:
            self._asks = False
            self._follow(data)
        elif self._was_written or _legible(data) or self._passed > _LONGEST:
            self.problem = "no records of TLS"
        else:
            self._passed += len(data)
            self._was_written = written

    def _is_xml(self, data: bytes) -> bool:
        begun = self._xml or (data.startswith(b"<") and _legible(data))
        return bool(self._asks and begun and not _begins_record(data[:_RECORD]))

    def _follow(self, data: bytes) -> None:
        """Go from record to record."""
        while data and not self.problem:
            if self._left:
                passed = min(self._left, len(data))
                self._left, data = self._left - passed, data[passed:]
                continue
            missing = _RECORD - len(self._header)
            self._header, data = self._header + data[:missing], data[missing:]
            if not _begins_record(self._header):
                self.problem = "no records of TLS"
            elif len(self._header) == _RECORD:
                self._begin_record(data)

    def _begin_record(self, data: bytes) -> None:
        self._left = int.from_bytes(self._header[3:], "big")
        if self._header[0] == _DATA:
            self.data += 1
            if _legible(data[: self._left]):
                self.problem = "records of TLS that are not encrypted"
        self._header = b""


def _begins_record(head: bytes) -> bool:
    """Tell whether octets may be the first ones of a record: its kind, version 3.1 to 3.4, and length."""
    kind, major, minor, *length = (*head, *(_CHANGE, _MAJOR, 1)[len(head) :])
    return (
        kind in range(_CHANGE, _DATA + 1)
        and major == _MAJOR
        and minor in range(1, 5)
        and (len(head) < _RECORD or int.from_bytes(bytes(length), "big") <= _LONGEST)
    )


def _legible(data: bytes) -> bool:
    return len(data) >= _LEGIBLE and _TEXT.issuperset(data[:64])
