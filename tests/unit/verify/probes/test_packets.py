"""Marked packets: made, recognised, and answered as real stacks answer them."""

import struct
from ipaddress import IPv4Address
from typing import Any

import pytest

from heiiki.verify.probes import packets

RUN = 0x12345678
NUMBER = (3 << 16) + 258


def packet(protocol: str, port: int = 0) -> list[Any]:
    return [NUMBER, "lan0", None, "10.0.0.1", "10.0.0.2", protocol, port, 64, 0]


@pytest.mark.parametrize(("protocol", "port"), [("icmp", 0), ("udp", 862), ("tcp", 179)])
def test_a_packet_is_recognised_by_its_run_and_number(protocol: str, port: int) -> None:
    data = packets.encoded(RUN, packet(protocol, port))
    assert packets.checksum(data[:20]) == 0
    assert data[12:20] == IPv4Address("10.0.0.1").packed + IPv4Address("10.0.0.2").packed
    assert packets.heard(RUN, data) == NUMBER
    assert packets.heard(RUN + 1, data) is None
    assert packets.answer(RUN, data) is None


@pytest.mark.parametrize(("protocol", "port", "kind"), [("udp", 862, 17), ("tcp", 179, 6)])
def test_transport_checksums_hold(protocol: str, port: int, kind: int) -> None:
    data = packets.encoded(RUN, packet(protocol, port))
    segment = data[20:]
    assert packets.checksum(data[12:20] + struct.pack("!BBH", 0, kind, len(segment)) + segment) == 0


def back(data: bytes, body: bytes, protocol: int) -> bytes:
    return data[:9] + bytes([protocol]) + data[10:12] + data[16:20] + data[12:16] + body


def test_an_echo_reply_is_an_answer() -> None:
    data = packets.encoded(RUN, packet("icmp"))
    reply = back(data, b"\0" + data[21:], 1)
    assert packets.answer(RUN, reply) == (258, "echo")
    assert packets.heard(RUN, reply) is None


@pytest.mark.parametrize(("flags", "how"), [(0x12, "syn-ack"), (0x14, "reset")])
def test_syn_ack_and_reset_are_answers(flags: int, how: str) -> None:
    data = packets.encoded(RUN, packet("tcp", 179))
    source = struct.unpack("!H", data[20:22])[0]
    body = struct.pack("!HHIIBBHHH", 179, source, 99, NUMBER + 1, 5 << 4, flags, 0, 0, 0)
    assert packets.answer(RUN, back(data, body, 6)) == (258, how)


def test_a_stamp_reflection_is_an_answer() -> None:
    data = packets.encoded(RUN, packet("udp", 862))
    source = struct.unpack("!H", data[20:22])[0]
    reflected = bytes(24) + struct.pack("!I", NUMBER) + bytes(16)
    body = struct.pack("!HHHH", 862, source, 52, 0) + reflected
    assert packets.answer(RUN, back(data, body, 17)) == (258, "reflected")


@pytest.mark.parametrize(("kind", "code", "how"), [(3, 3, "unreachable/3"), (11, 0, "expired")])
def test_icmp_errors_name_the_packet_that_they_quote(kind: int, code: int, how: str) -> None:
    data = packets.encoded(RUN, packet("udp", 862))
    body = struct.pack("!BBHI", kind, code, 0, 0) + data[:28]
    assert packets.answer(RUN, back(data, body, 1)) == (258, how)


def test_traffic_of_others_is_neither_heard_nor_an_answer() -> None:
    other = back(packets.encoded(RUN, packet("udp", 53)), struct.pack("!HHHH", 53, 9, 8, 0), 17)
    assert packets.heard(RUN, other) is None
    assert packets.answer(RUN, other) is None


def test_an_echo_request_with_a_size_has_it_and_stays_whole() -> None:
    data = packets.encoded(RUN, [*packet("icmp")[:-1], 1386])
    assert len(data) == 1386 == struct.unpack("!H", data[2:4])[0]
    assert struct.unpack("!H", data[6:8])[0] == 0x4000
    assert packets.checksum(data[:20]) == packets.checksum(data[20:]) == 0
    assert packets.heard(RUN, data) == NUMBER
