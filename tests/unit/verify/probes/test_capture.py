"""What the capture makes of packets, a carrier's wrapping included."""

import struct
from ipaddress import IPv4Address
from typing import Any

import pytest

from heiiki.verify.probes import capture

IPV4, ARP, MPLS = 0x0800, 0x0806, 0x8847
RULES = [
    ["esp", "esp", [], ["10.96.0.17/32"], ["10.96.3.254/32"]],
    ["ike", "udp", [500, 4500], ["10.96.0.17/32"], ["10.96.3.254/32"]],
    ["tls", "tcp", [8200], ["10.96.0.17/32"], ["10.96.3.253/32"]],
    ["gtp", "udp", [2123, 2152], ["10.200.0.0/16"], ["10.200.0.0/16"]],
    ["arp", "arp", [], [], []],
]
ESP, UDP, TCP, GRE = 50, 17, 6, 47


def ip(protocol: int, source: str, destination: str, body: bytes = b"", fragment: int = 0) -> bytes:
    addresses = IPv4Address(source).packed + IPv4Address(destination).packed
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 1, fragment, 64, protocol, 0)
    return head + addresses + body


def udp(port: int, body: bytes = b"") -> bytes:
    return struct.pack("!HHHH", port, port, 8 + len(body), 0) + body


def gtp(inner: bytes, *, options: bool = False) -> bytes:
    head = struct.pack("!BBHI", 0x32 if options else 0x30, 0xFF, len(inner), 7)
    return udp(2152, head + (b"\0\1\0\0" if options else b"") + inner)


def label(number: int, *, bottom: bool) -> bytes:
    return struct.pack("!I", number << 12 | bottom << 8 | 64)


def classes(kind: int, data: bytes) -> list[str]:
    rules = capture.Rules(RULES)
    return [rules.name(head) for head in capture.heads(kind, data)]


UP = "10.96.0.17", "10.96.3.254"
DOWN = UP[::-1]


@pytest.mark.parametrize(
    ("kind", "data", "found"),
    [
        (IPV4, ip(ESP, *UP), ["esp"]),
        (IPV4, ip(ESP, *DOWN), ["esp"]),
        (IPV4, ip(ESP, "10.96.0.23", "10.96.3.254"), [""]),
        (IPV4, ip(UDP, *UP, udp(500)), ["ike"]),
        (IPV4, ip(UDP, *UP, udp(501)), [""]),
        (IPV4, ip(TCP, "10.96.3.253", "10.96.0.17", struct.pack("!HH", 8200, 40000)), ["tls"]),
        (IPV4, ip(TCP, *UP, struct.pack("!HH", 8200, 40000)), [""]),
        (IPV4, ip(GRE, *UP), [""]),
        (ARP, b"\0" * 28, ["arp"]),
        (0x86DD, b"\x60" + b"\0" * 40, [""]),
        (IPV4, b"\x45\0", [""]),
        (MPLS, label(17, bottom=False) + label(18, bottom=True) + ip(ESP, *UP), ["esp"]),
        (MPLS, label(18, bottom=True) + ip(GRE, *UP), [""]),
        (MPLS, label(18, bottom=False), [""]),
        (IPV4, ip(UDP, "10.200.0.1", "10.200.0.2", gtp(ip(ESP, *UP))), ["gtp", "esp"]),
        (IPV4, ip(UDP, "10.200.0.1", "10.200.0.2", gtp(ip(ESP, *UP), options=True)), ["gtp", "esp"]),
        (IPV4, ip(UDP, "10.200.0.1", "10.200.0.2", gtp(ip(GRE, *UP))), ["gtp", ""]),
        (IPV4, ip(UDP, "10.200.0.1", "10.200.0.2", udp(2152, b"\x32\1" + b"\0" * 10)), ["gtp"]),
    ],
)
def test_a_packet_is_what_its_heads_say(kind: int, data: bytes, found: list[str]) -> None:
    assert classes(kind, data) == found


def test_a_later_fragment_has_no_ports() -> None:
    (head,) = capture.heads(IPV4, ip(UDP, *UP, udp(500), fragment=100))
    assert head["ports"] == []


def test_what_fills_up_a_short_frame_is_no_payload() -> None:
    (head,) = capture.heads(IPV4, ip(UDP, *UP, udp(500)) + b"\0" * 18)
    assert head["body"] == udp(500)


@pytest.mark.parametrize(
    ("kind", "data", "found"),
    [
        (0x888E, b"\2\0\0\0", "eapol"),
        (0x88CC, b"\2\7", "lldp"),
        (0x0004, b"\x42\x42\3\0\0", "stp"),
        (0x0004, b"\xaa\xaa\3\0\0", "ethertype-0004"),
        (IPV4, ip(112, *UP), "vrrp"),
        (IPV4, ip(2, *UP), "igmp"),
    ],
)
def test_what_a_lan_needs_has_a_name(kind: int, data: bytes, found: str) -> None:
    (head,) = capture.heads(kind, data)
    assert head["protocol"] == found


def test_what_matches_no_rule_is_kept_with_its_head() -> None:
    seen = capture.Seen(capture.Rules(RULES))
    for data in (ip(ESP, *UP), ip(ESP, *UP), ip(GRE, *UP)):
        seen.count(capture.heads(IPV4, data), outgoing=True)
    seen.count(capture.heads(IPV4, ip(ESP, *DOWN)), outgoing=False)
    wrapped = ip(UDP, "10.200.0.1", "10.200.0.2", gtp(ip(TCP, "10.16.1.1", "10.15.0.4", udp(80))))
    seen.count(capture.heads(IPV4, wrapped), outgoing=False)
    assert seen.found() == {
        "classes": {"esp": {"in": 1, "out": 2}},
        "records": {},
        "undecided": [],
        "else": 2,
        "samples": [
            ("out gre 10.96.0.17 to 10.96.3.254", 1),
            ("in udp 10.200.0.1:2152 to 10.200.0.2:2152 carrying tcp 10.16.1.1:80 to 10.15.0.4:80", 1),
        ],
    }


class Socket:
    """A socket with packets that never end, and that counts two losses."""

    def recvfrom(self, _octets: int) -> tuple[bytes, tuple[str, int, int]]:
        return ip(GRE, *UP), ("x", IPV4, 0)

    def getsockopt(self, *_: Any) -> bytes:
        return struct.pack("II", 5, 2)

    def close(self) -> None:
        """Nothing is open."""


def test_a_flood_ends_a_look_and_fills_no_memory() -> None:
    tap = object.__new__(capture.Tap)
    tap.socket = Socket()  # type: ignore[assignment]
    tap._seen = capture.Seen(capture.Rules(RULES))
    tap.read()
    for port in range(5000):
        segment = ip(TCP, *UP, struct.pack("!HH", port, 1))
        tap._seen.count(capture.heads(IPV4, segment), outgoing=False)
    found = tap.found()
    assert found["dropped"] == 2
    assert found["else"] == 6000
    assert len(tap._seen._else) <= 4097


def test_whole_packets_are_read_where_payloads_are_looked_at_alone() -> None:
    assert capture.Seen(capture.Rules(RULES)).octets == 256
    assert capture.Seen(capture.Rules([*RULES, ["x", "tcp", [1], [], [], "tls"]])).octets == 65536
