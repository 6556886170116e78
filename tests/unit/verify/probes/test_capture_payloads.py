"""What the capture makes of payloads: TLS, what asks for it, authenticated NTP, and what is none of these."""

import ssl
import struct
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from heiiki.verify.probes import capture

from .test_capture import IPV4, TCP, UDP, ip

HERE, THERE = ("10.16.1.20", 40000), ("10.15.0.4", 8443)
RULES = [
    ["openadr", "tcp", [8443], ["10.16.1.20/32"], ["10.15.0.4/32"], "tls"],
    ["xmpp", "tcp", [5222], ["10.16.1.20/32"], ["10.15.0.4/32"], "starttls"],
    ["ntp", "udp", [123], ["10.16.1.20/32"], ["10.15.0.4/32"], "ntp", 34],
    ["stamp", "udp", [862], ["10.16.1.20/32"], ["10.15.0.4/32"], "no text"],
]
FIN, SYN, PSH, ACK = 1, 2, 8, 16
UP, DOWN = True, False
Flight = tuple[bool, bytes]
"""Whether the client sent it, and what."""


@dataclass
class Line:
    """An interface on which segments go by; the client's leave by it."""

    port: int = 8443

    def __post_init__(self) -> None:
        self.seen = capture.Seen(capture.Rules(RULES))
        self.number = {True: 0xFFFFFF00, False: 7}

    def segment(self, up: bool, data: bytes = b"", flags: int = PSH | ACK, number: int | None = None) -> None:
        (source, here), (destination, there) = (HERE, THERE) if up else (THERE, HERE)
        ports = (here, self.port) if up else (self.port, there)
        own = self.number[up] if number is None else number
        head = struct.pack("!HHIIBBHHH", *ports, own & 0xFFFFFFFF, 0, 5 << 4, flags, 512, 0, 0)
        packet = ip(TCP, source, destination, head + data)
        self.seen.count(capture.heads(IPV4, packet), outgoing=up)
        if number is None:
            self.number[up] += len(data) + bool(flags & (SYN | FIN))

    def opened(self) -> "Line":
        self.segment(UP, flags=SYN)
        self.segment(DOWN, flags=SYN | ACK)
        return self

    def carries(self, flights: Sequence[Flight], size: int = 1258) -> "Line":
        for up, data in flights:
            for start in range(0, len(data), size):
                part = data[start : start + size]
                self.segment(up, part, ACK | (PSH if start + size >= len(data) else 0))
        return self

    @property
    def found(self) -> dict[str, Any]:
        return self.seen.found()

    def wrong(self) -> set[str]:
        return {said.rpartition(": ")[2] for said, _ in self.found["samples"]}


def self_signed() -> bytes:
    """A certificate that vouches for itself, and its key."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "dras.test")])
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(7).not_valid_before(now).not_valid_after(now + timedelta(days=1))
    pem = made.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)
    return pem + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.fixture(scope="module")
def credentials(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    path.write_bytes(self_signed())
    return path


def exchanged(credentials: Path, version: ssl.TLSVersion, *messages: Flight) -> list[Flight]:
    """What two ends of TLS write, handshake and `messages`."""
    contexts = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    contexts[0].check_hostname, contexts[0].verify_mode = False, ssl.CERT_NONE
    contexts[1].load_cert_chain(credentials)
    for context in contexts:
        context.minimum_version = context.maximum_version = version
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = contexts[0].wrap_bio(down, up)
    server = contexts[1].wrap_bio(up, down, server_side=True)
    return list(_flights(client, server, up, down, messages))


def _flights(client: Any, server: Any, up: Any, down: Any, messages: Sequence[Flight]) -> Iterator[Flight]:
    sides = ((True, client, up), (False, server, down))
    shaking = {True, False}
    while shaking:
        for is_client, end, written in sides:
            if is_client in shaking:
                with suppress(ssl.SSLWantReadError):
                    end.do_handshake()
                    shaking.remove(is_client)
                yield from _written(is_client, written)
    for is_client, text in messages:
        (_, writer, written), (_, reader, _) = sides if is_client else sides[::-1]
        writer.write(text)
        yield from _written(is_client, written)
        got = b""
        while len(got) < len(text):
            got += reader.read(len(text))


def _written(is_client: bool, written: Any) -> Iterator[Flight]:
    """What an end has written, which goes on to the other one."""
    data = written.read()
    if data:
        yield is_client, data
        written.write(data)


POLL, ANSWER = (True, b"POST /OpenADR2/Simple/2.0b/OadrPoll" * 9), (False, b"<oadrResponse/>" * 400)
EVERY = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)


@pytest.mark.parametrize("version", EVERY)
@pytest.mark.parametrize("size", [1258, 7, 60000])
def test_tls_from_its_first_octet_is_followed_from_record_to_record(
    credentials: Path, version: ssl.TLSVersion, size: int
) -> None:
    found = Line().opened().carries(exchanged(credentials, version, POLL, ANSWER), size).found
    assert (found["else"], found["undecided"]) == (0, [])
    assert found["records"]["openadr"]["out"] >= 1
    assert found["records"]["openadr"]["in"] >= 1


@pytest.mark.parametrize("version", EVERY)
def test_one_that_was_there_before_is_followed_from_its_next_record(
    credentials: Path, version: ssl.TLSVersion
) -> None:
    *_, answer, again, last = exchanged(credentials, version, ANSWER, POLL, ANSWER)
    within = answer[0], answer[1][700:]
    found = Line().carries([within, again, last]).found
    assert (found["else"], found["undecided"]) == (0, [])
    assert found["records"]["openadr"] == {"in": 1, "out": 1}


def test_only_the_rest_of_a_record_decides_nothing(credentials: Path) -> None:
    *_, answer = exchanged(credentials, EVERY[0], ANSWER)
    found = Line().carries([(False, answer[1][700:])]).found
    assert found["else"] == 0
    assert found["undecided"] == [
        "tcp 10.15.0.4:8443 to 10.16.1.20:40000: no record of TLS was seen to begin"
    ]


@pytest.mark.parametrize("order", [(1, 0, 2), (2, 1, 0), (0, 0, 1, 2), (0, 2, 1, 1)])
def test_segments_may_come_out_of_order_and_twice(credentials: Path, order: Sequence[int]) -> None:
    *before, (up, data) = exchanged(credentials, EVERY[1], ANSWER)
    line = Line().opened().carries(before)
    begin = line.number[up]
    for index in order:
        line.segment(up, data[index * 2500 : (index + 1) * 2500], number=begin + index * 2500)
    assert (line.found["else"], line.found["undecided"]) == (0, [])


def test_a_segment_that_was_not_seen_leaves_it_undecided(credentials: Path) -> None:
    *before, (up, data) = exchanged(credentials, EVERY[1], ANSWER)
    line = Line().opened().carries(before)
    line.segment(up, data[2500:], number=line.number[up] + 2500)
    (said,) = line.found["undecided"]
    assert said.endswith("a segment was not seen")
    line.segment(up, flags=SYN)
    assert line.found["undecided"] == [said], "a connection of the same ports does not hide it"


PLAIN = b"GET /OpenADR2 HTTP/1.1\r\n\r\n"
MMS = bytes.fromhex("0300001611e00000000100c0010dc2020001c1020001")


@pytest.mark.parametrize("data", [PLAIN, MMS, b"\x16\x03\x00\x00\x05hello", b"\x17\x03\x03\xff\xff", b"S"])
def test_a_connection_that_begins_with_anything_else_is_none(data: bytes) -> None:
    line = Line().opened().carries([(True, data)])
    assert line.wrong() == {"no records of TLS"}
    assert line.found["samples"] == [("out tcp 10.16.1.20:40000 to 10.15.0.4:8443: no records of TLS", 1)]
    assert "GET" not in str(line.found)


def test_what_comes_behind_a_record_is_judged_too(credentials: Path) -> None:
    flights = exchanged(credentials, EVERY[1], POLL)
    assert Line().opened().carries([*flights, (True, PLAIN)]).wrong() == {"no records of TLS"}
    up, data = flights[-1]
    assert Line().opened().carries([*flights[:-1], (up, data + MMS)]).wrong() == {"no records of TLS"}


def test_one_that_was_there_before_and_is_legible_is_none() -> None:
    assert Line().carries([(True, PLAIN)]).wrong() == {"no records of TLS"}


def test_one_that_was_there_before_is_none_where_two_writings_begin_no_record() -> None:
    line = Line().carries([(True, MMS)])
    assert line.found["else"] == 0
    line.carries([(True, MMS)])
    assert line.wrong() == {"no records of TLS"}


def test_more_than_the_longest_record_without_a_beginning_is_none() -> None:
    line = Line()
    for _ in range(20):
        line.segment(UP, b"\xff" * 1000, ACK)
    assert line.wrong() == {"no records of TLS"}


def test_records_that_are_not_encrypted_protect_nothing() -> None:
    line = Line().carries([(True, b"\x17\3\3" + struct.pack("!H", len(PLAIN)) + PLAIN)])
    assert line.wrong() == {"records of TLS that are not encrypted"}


OPEN = b"<?xml version='1.0'?><stream:stream to='service.test' version='1.0'>"
FEATURES = b"<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls>"
ASKED = (
    (True, OPEN),
    (False, OPEN),
    (False, FEATURES),
    (False, b"</stream:features>"),
    (True, b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"),
    (False, b"<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"),
)


@pytest.mark.parametrize("begun", [True, False])
def test_xmpp_asks_for_tls_in_clear(credentials: Path, *, begun: bool) -> None:
    line = Line(5222).opened() if begun else Line(5222)
    line.carries([*ASKED, *exchanged(credentials, EVERY[1], POLL, ANSWER)])
    assert (line.found["else"], line.found["undecided"]) == (0, [])
    assert line.found["records"]["xmpp"]["out"] >= 1


def test_xmpp_that_was_there_before_is_tls(credentials: Path) -> None:
    *_, poll, answer = exchanged(credentials, EVERY[1], POLL, ANSWER)
    found = Line(5222).carries([poll, answer]).found
    assert (found["else"], found["undecided"]) == (0, [])
    assert found["records"]["xmpp"]["out"] == 1


@pytest.mark.parametrize(
    "flights",
    [
        [(True, b"<message to='dras@service.test'><body>on</body></message>")],
        [*ASKED, (True, b"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>=</auth>")],
        [(True, OPEN), (True, b"<!-- " + b"x" * 5000)],
    ],
)
def test_xmpp_that_goes_on_in_clear_is_none(flights: list[Flight]) -> None:
    assert "XMPP without TLS" in Line(5222).opened().carries(flights).wrong()


def test_xml_is_no_way_to_begin_elsewhere() -> None:
    assert Line().opened().carries([(True, OPEN)]).wrong() == {"no records of TLS"}


def udp(port: int, data: bytes) -> bytes:
    return struct.pack("!HHHH", 40000, port, 8 + len(data), 0) + data


def datagram(port: int, data: bytes) -> dict[str, Any]:
    seen = capture.Seen(capture.Rules(RULES))
    seen.count(capture.heads(IPV4, ip(UDP, HERE[0], THERE[0], udp(port, data))), outgoing=True)
    return seen.found()


@pytest.mark.parametrize("size", [16, 20])
def test_time_is_authenticated_by_a_planned_key(size: int) -> None:
    found = datagram(123, b"\x23" + bytes(47) + struct.pack("!I", 34) + b"m" * size)
    assert (found["else"], found["classes"]) == (0, {"ntp": {"in": 0, "out": 1}})
    assert found["records"] == {}, "nothing of it is TLS"


@pytest.mark.parametrize(
    "end", [b"", struct.pack("!I", 34), struct.pack("!I", 33) + b"m" * 20, struct.pack("!I", 0) + b"m" * 16]
)
def test_time_without_a_planned_key_is_not(end: bytes) -> None:
    ((said, _),) = datagram(123, b"\x23" + bytes(47) + end)["samples"]
    assert said.endswith("no code by a key that is planned")


def test_what_the_plan_does_not_name_is_told_by_its_head() -> None:
    assert datagram(862, bytes(44))["else"] == 0
    assert datagram(5353, b"x")["samples"] == [("out udp 10.16.1.20:40000 to 10.15.0.4:5353", 1)]


def test_text_has_no_business_in_what_carries_no_data() -> None:
    ((said, _),) = datagram(862, b"P=4711 W;E=12 kWh")["samples"]
    assert said == "out udp 10.16.1.20:40000 to 10.15.0.4:862: text in clear"


def test_a_fragment_of_a_segment_is_not_followed() -> None:
    seen = capture.Seen(capture.Rules(RULES))
    head = capture.heads(IPV4, ip(TCP, HERE[0], THERE[0], struct.pack("!HH", 40000, 8443)))
    seen.count(head, outgoing=True)
    ((said, _),) = seen.found()["samples"]
    assert said.endswith("no whole segment")
