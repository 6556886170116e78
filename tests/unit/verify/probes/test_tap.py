"""Packets in a tunnel, put together with what they take of the line, and the records of TLS in them."""

import struct
from ipaddress import IPv4Address
from itertools import pairwise

import pytest

from heiiki.plan.sizes import in_esp
from heiiki.verify.probes import tap

MTU = 1340
SITE, HUB = ("10.16.1.18", 41000), ("10.15.0.2", 8443)
SYN, ACK, PSH, FIN = 2, 16, 8, 1
PORTS = frozenset({8443})


def ip(protocol: int, source: str, destination: str, body: bytes) -> bytes:
    addresses = IPv4Address(source).packed + IPv4Address(destination).packed
    return struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 1, 0, 64, protocol, 0) + addresses + body


def tcp(number: int, payload: bytes = b"", flags: int = ACK, *, up: bool = True, port: int = HUB[1]) -> bytes:
    here, there = (SITE, (HUB[0], port)) if up else ((HUB[0], port), SITE)
    head = struct.pack("!HHIIBBHHH", here[1], there[1], number, 0, 8 << 4, flags, 500, 0, 0) + bytes(12)
    return ip(6, here[0], there[0], head + payload)


def esp(octets: int) -> bytes:
    return ip(50, "10.96.0.17", "10.96.3.254", bytes(octets - 20))


def record(octets: int, kind: int = 23) -> bytes:
    return bytes((kind, 3, 3)) + (octets - 5).to_bytes(2) + bytes(octets - 5)


def sent(at: float, packet: bytes, *lengths: int) -> tuple[tap.Seen, tap.Seen]:
    """A packet that leaves by the tunnel, and the packets of the line that it becomes a little later."""
    return [(at, True, packet)], [(at + 0.0001, True, esp(one)) for one in lengths]


def came(at: float, packet: bytes, *lengths: int, late: float = 0.0001) -> tuple[tap.Seen, tap.Seen]:
    return [(at, False, packet)], [(at - late, False, esp(one)) for one in lengths]


def noted(*those: tuple[tap.Seen, tap.Seen]) -> list[dict[str, object]]:
    inside = [one for seen, _ in those for one in seen]
    outside = sorted(one for _, seen in those for one in seen)
    return tap.noted(inside, outside, PORTS, MTU)


def test_a_packet_has_the_octets_that_it_is_on_the_line() -> None:
    """What goes before and after it in the tunnel takes its own; of that no more is told."""
    bfd = ip(17, "10.144.0.2", "10.144.0.1", struct.pack("!HHHH", 49152, 3784, 32, 0) + bytes(24))
    found = noted(
        sent(1.0, bfd, 112),
        sent(1.00005, tcp(7, record(214)), in_esp(266)),
        came(1.2, bfd, 112),
        came(1.3, tcp(9, up=False), in_esp(52)),
        sent(1.4, tcp(221, record(214), port=9), 326),
    )
    assert [(one["octets"], one["on_line"], one["records"]) for one in found] == [
        (266, in_esp(266), [214]),
        (52, in_esp(52), []),
    ]
    assert [(one["from"], one["to"]) for one in found] == [
        ("10.16.1.18:41000", "10.15.0.2:8443"),
        ("10.15.0.2:8443", "10.16.1.18:41000"),
    ]


@pytest.mark.parametrize("way", [sent, came])
def test_what_the_kernel_has_not_cut_yet_is_several_packets_on_the_line(way: object) -> None:
    """2,184 octets in one: 1,288 have room in 1,340, so that they are two."""
    assert callable(way)
    (found,) = noted(way(1.0, tcp(7, record(2184)), 1400, in_esp(2184 - 1288 + 52)))
    assert (found["octets"], found["on_line"]) == (2236, 1400 + in_esp(948))


def test_the_time_that_the_kernel_kept_says_which_packet_it_was() -> None:
    """One before it was dropped when it was taken out of the tunnel."""
    lost: tuple[tap.Seen, tap.Seen] = ([], [(0.9, False, esp(1400))])
    (found,) = noted(lost, came(1.0, tcp(9, up=False), 112, late=0.0))
    assert found["on_line"] == 112


@pytest.mark.parametrize(
    "those",
    [
        sent(1.0, tcp(7, record(214))),
        ([(1.0, True, tcp(7))], [(0.9, True, esp(112))]),
        ([(1.0, True, tcp(7))], [(1.6, True, esp(112))]),
        ([(1.0, False, tcp(7))], [(0.4, False, esp(112))]),
        ([(1.0, False, tcp(7))], [(1.1, False, esp(112))]),
        ([(1.0, True, tcp(7))], [(1.1, False, esp(112))]),
        ([(1.0, True, tcp(7))], [(1.1, True, ip(17, "10.0.0.1", "10.0.0.2", bytes(30)))]),
        sent(1.0, tcp(7, record(2184)), 1400),
    ],
)
def test_what_was_not_seen_on_the_line_is_not_known(those: tuple[tap.Seen, tap.Seen]) -> None:
    (found,) = noted(those)
    assert found["on_line"] is None


@pytest.mark.parametrize(("mark", "known"), [(b"\0\0\0\7", 80), (bytes(4), None)])
def test_esp_may_be_in_udp_beside_ike(mark: bytes, known: int | None) -> None:
    body = struct.pack("!HHHH", 4500, 4500, 60, 0) + mark + bytes(48)
    (found,) = noted(([(1.0, True, tcp(7))], [(1.1, True, ip(17, "10.0.0.1", "10.0.0.2", body))]))
    assert found["on_line"] == known


def test_records_that_begin_in_each_packet() -> None:
    whole = record(30) + record(2000) + record(40)
    flow = tap.Flow()
    assert flow.feed(99, SYN, b"") == ([], False)
    cuts = [0, 33, 1000, 2032, len(whole)]
    found = [flow.feed(100 + here, ACK, whole[here:there]) for here, there in pairwise(cuts)]
    # Of the second only three octets are in the first packet, of the third two in that before the last.
    assert found == [([30], False), ([2000], False), ([], False), ([40], False)]


def test_what_comes_again_is_said_and_counts_no_record() -> None:
    flow = tap.Flow()
    assert flow.feed(100, ACK, record(30)) == ([30], False)
    assert flow.feed(100, ACK, record(30)) == ([], True)
    assert flow.feed(130, PSH, record(40)) == ([40], False)


def test_a_connection_is_followed_from_the_next_record_on() -> None:
    """Where it was within one, and where a packet was not seen."""
    flow = tap.Flow()
    assert flow.feed(100, ACK, bytes(30)) == ([], False)
    assert flow.feed(130, ACK, record(40)) == ([40], False)
    assert flow.feed(500, ACK, bytes(10)) == ([], False)
    assert flow.feed(510, ACK, record(50)) == ([50], False)
    assert flow.feed(560, ACK, b"no record of TLS") == ([], False)
    assert flow.feed(576, FIN, b"") == ([], False)
