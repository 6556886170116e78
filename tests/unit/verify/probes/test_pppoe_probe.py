"""The probe of optical lines: packets of discovery, answers to challenges, and what radclient says."""

import hashlib

from heiiki.verify.probes import pppoe

ACCEPTED = """Sent Access-Request Id 161 from 0.0.0.0:49529 to 127.0.0.1:1812 length 100
\tUser-Name = "namba-gw@optical.internal"
Received Access-Accept Id 161 from 127.0.0.1:1812 to 127.0.0.1:49529 length 68
\tService-Type = Framed-User
\tFramed-IP-Address = 10.80.0.94
"""
REFUSED = """Sent Access-Request Id 1 from 0.0.0.0:4 to 127.0.0.1:1812 length 100
Received Access-Reject Id 1 from 127.0.0.1:1812 to 127.0.0.1:4 length 73
\tReply-Message = "unknown user, or not on this line"
(0) -: Expected Access-Accept got Access-Reject
"""


def test_an_answer_to_a_challenge_is_that_of_rfc_1994() -> None:
    wanted = hashlib.md5(b"\x01secret" + bytes(16), usedforsecurity=False).digest()
    assert pppoe.chap(1, "secret", bytes(16)) == wanted


def test_a_packet_of_discovery_is_read_as_it_was_written() -> None:
    written = pppoe.packet(0x65, 3, [(0x0101, b""), (0x0103, b"mark")])
    assert written[:6] == b"\x11\x65\x00\x03\x00\x0c"
    assert pppoe.parsed(written + b"padding of the frame") == (0x65, 3, {0x0101: b"", 0x0103: b"mark"})


def test_what_radclient_received_counts_and_not_what_it_sent() -> None:
    found = pppoe.came_of(ACCEPTED)
    assert found["kind"] == "Access-Accept"
    assert found["attributes"] == {"Service-Type": "Framed-User", "Framed-IP-Address": "10.80.0.94"}
    refused = pppoe.came_of(REFUSED)
    assert refused["kind"] == "Access-Reject"
    assert refused["attributes"]["Reply-Message"] == "unknown user, or not on this line"


def test_silence_is_no_answer() -> None:
    assert pppoe.came_of("(0) No reply from server for ID 34 socket 3\n") == {"kind": "", "attributes": {}}


def test_an_unsigned_request_has_everything_but_a_signature() -> None:
    asked = {"user": "x@y", "line": "ac0017", "number": 1, "answer": "00" * 16, "challenge": "11" * 16}
    packet = pppoe.access_request(asked)
    assert (packet[0], int.from_bytes(packet[2:4], "big")) == (1, len(packet))
    kinds, rest = {}, packet[20:]
    while rest:
        kinds[rest[0]], rest = rest[2 : rest[1]], rest[rest[1] :]
    assert kinds == {1: b"x@y", 3: b"\x01" + bytes(16), 87: b"ac0017", 60: b"\x11" * 16}
