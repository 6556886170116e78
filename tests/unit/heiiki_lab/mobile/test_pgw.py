"""The packet gateway: GTPv2-C as NextEPC's SGW speaks it, decisions, and what reaches the user plane."""

import json
import os
from ipaddress import IPv4Address
from pathlib import Path
from typing import ClassVar

import pytest

from heiiki_lab.mobile import core
from heiiki_lab.mobile.pgw import gateway as pgw
from heiiki_lab.mobile.pgw.config import Config, PgwError, Watched, parse_config
from heiiki_lab.mobile.pgw.gtpv2 import (
    ACCEPTED,
    APN_ACCESS_DENIED,
    CONTEXT_NOT_FOUND,
    MANDATORY_IE_MISSING,
    MalformedError,
    Message,
    decode,
    element,
    elements,
    encode,
)
from heiiki_lab.mobile.pgw.user_plane import Session

CONFIG = {
    "address": "192.0.2.1",
    "apns": [{"name": "der-a", "pool": "10.64.0.0/24"}],
    "subscribers": [
        {"imsi": "440100000000001", "apn": "der-a", "address": "10.64.0.11"},
        {"imsi": "440100000000002", "apn": "der-a", "address": "10.64.0.12"},
    ],
}
IMSI = bytes.fromhex("44100000000000f1")


class Kernel:
    def __init__(self) -> None:
        self.tunnels: dict[str, Session] = {}

    def add(self, session: Session) -> None:
        self.tunnels[session.address] = session

    def remove(self, session: Session) -> None:
        self.tunnels.pop(session.address, None)


class Filter:
    def __init__(self) -> None:
        self.allowed: set[tuple[int, str]] = set()

    def replace(self, sessions: list[Session]) -> None:
        self.allowed = {(session.user_teid, session.address) for session in sessions}

    def count(self) -> int:
        return 0


def config(**changes: object) -> Config:
    return parse_config(json.dumps({**CONFIG, **changes}), "pgw.json")


@pytest.fixture
def gateway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pgw.Pgw:
    monkeypatch.setattr(pgw, "STATE", tmp_path / "sessions.json")
    monkeypatch.setattr(pgw, "STATUS", tmp_path / "status.json")
    monkeypatch.setattr(pgw, "run", lambda *_argv, **_rest: None)
    return pgw.Pgw(config(), Kernel(), Filter())  # type: ignore[arg-type]


def f_teid(interface: int, teid: int, address: str) -> bytes:
    return bytes([0x80 | interface]) + teid.to_bytes(4, "big") + IPv4Address(address).packed


def create(apn: bytes = b"\x05der-a", sequence: int = 7, user_teid: int = 0x20) -> bytes:
    context = element(73, b"\x05") + element(87, f_teid(4, user_teid, "192.0.2.3"), 2)
    ies = (
        element(1, IMSI) + element(87, f_teid(6, 0x10, "192.0.2.3")) + element(71, apn) + element(93, context)
    )
    return encode(Message(32, 0, sequence, ies))


def ask(gateway: pgw.Pgw, data: bytes) -> tuple[Message, dict[int, bytes]]:
    reply = gateway.handle(data, "192.0.2.3")
    assert reply is not None
    message = decode(reply)
    return message, {kind: value for kind, _, value in elements(message.ies)}


def delete(gateway: pgw.Pgw, teid: int, sequence: int = 8) -> tuple[Message, dict[int, bytes]]:
    return ask(gateway, encode(Message(36, teid, sequence, element(73, b"\x05"))))


def test_session_gets_the_address_of_its_sim(gateway: pgw.Pgw) -> None:
    message, ies = ask(gateway, create())
    assert (message.type, message.teid, message.sequence) == (33, 0x10, 7)
    assert ies[2][0] == ACCEPTED
    assert ies[79] == b"\x01" + IPv4Address("10.64.0.11").packed
    tunnel = gateway.kernel.tunnels["10.64.0.11"]  # type: ignore[attr-defined]
    assert (tunnel.peer_user_teid, tunnel.peer_user_address) == (0x20, "192.0.2.3")
    context = {(kind, instance): value for kind, instance, value in elements(ies[93])}
    assert context[87, 2][1:] == tunnel.user_teid.to_bytes(4, "big") + IPv4Address("192.0.2.1").packed
    assert gateway.spoof_filter.allowed == {(tunnel.user_teid, "10.64.0.11")}  # type: ignore[attr-defined]


def test_operator_part_of_the_apn_is_ignored(gateway: pgw.Pgw) -> None:
    apn = b"".join(bytes([len(x)]) + x for x in (b"der-a", b"mnc010", b"mcc440", b"gprs"))
    assert ask(gateway, create(apn))[1][2][0] == ACCEPTED


def test_unknown_pair_is_refused_and_counted(gateway: pgw.Pgw) -> None:
    message, ies = ask(gateway, create(b"\x05other"))
    assert (message.teid, ies[2][0]) == (0x10, APN_ACCESS_DENIED)
    assert (gateway.refused, gateway.sessions) == (1, {})


def test_request_without_an_element_that_must_be_there(gateway: pgw.Pgw) -> None:
    _, ies = ask(gateway, encode(Message(32, 0, 1, element(1, IMSI))))
    assert ies[2][0] == MANDATORY_IE_MISSING


def test_repeated_request_gets_the_same_answer(gateway: pgw.Pgw) -> None:
    assert gateway.handle(create(), "192.0.2.3") == gateway.handle(create(), "192.0.2.3")


def test_new_session_of_a_sim_replaces_the_old_one(gateway: pgw.Pgw) -> None:
    ask(gateway, create())
    ask(gateway, create(sequence=9, user_teid=0x21))
    assert len(gateway.sessions) == 1
    assert gateway.kernel.tunnels["10.64.0.11"].peer_user_teid == 0x21  # type: ignore[attr-defined]


def test_deleted_session_is_gone_and_a_second_delete_is_told_so(gateway: pgw.Pgw) -> None:
    ask(gateway, create())
    teid = gateway.sessions["440100000000001", "der-a"].control_teid
    assert delete(gateway, teid)[1][2][0] == ACCEPTED
    assert gateway.kernel.tunnels == {}  # type: ignore[attr-defined]
    assert gateway.spoof_filter.allowed == set()  # type: ignore[attr-defined]
    message, ies = delete(gateway, teid, sequence=9)
    assert (message.teid, ies[2][0]) == (0, CONTEXT_NOT_FOUND)


def echo(sequence: int) -> bytes:
    return encode(Message(1, None, sequence, b""))


def test_what_a_peer_sends_fills_no_memory(gateway: pgw.Pgw) -> None:
    """Each Echo has a number of its own: answers are kept for repeated requests, and only so many."""
    for sequence in range(3 * pgw._MOST_ANSWERED):
        assert gateway.handle(echo(sequence), "192.0.2.3")
    assert len(gateway._answered) <= pgw._MOST_ANSWERED


def test_answers_are_forgotten_once_no_request_is_repeated(
    gateway: pgw.Pgw, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway.handle(echo(1), "192.0.2.3")
    now = pgw.time.monotonic()
    monkeypatch.setattr(pgw.time, "monotonic", lambda: now + pgw._REPEAT_SECONDS + 1)
    gateway.handle(echo(2), "192.0.2.3")
    assert len(gateway._answered) == 1


def test_a_command_that_fails_ends_no_service(gateway: pgw.Pgw, caplog: pytest.LogCaptureFixture) -> None:
    """nft refuses once: the message is dropped, and the peer asks again."""
    messages = [create(), create()]

    class Socket:
        sent: ClassVar[list[bytes]] = []

        def recvfrom(self, _size: int) -> tuple[bytes, tuple[str, int]]:
            if not messages:
                raise EOFError
            return messages.pop(), ("192.0.2.3", 2123)

        def sendto(self, data: bytes, _to: object) -> None:
            self.sent.append(data)

    refused = iter([PgwError("nft exited 1")])

    def replace(_sessions: list[Session]) -> None:
        if error := next(refused, None):
            raise error

    gateway.spoof_filter.replace = replace  # type: ignore[method-assign]
    with pytest.raises(EOFError):
        pgw.serve(gateway, Socket(), Watched(Path("/nonexistent")))  # type: ignore[arg-type]
    assert len(Socket.sent) == 1
    assert "dropped a message: nft exited 1" in caplog.text


def test_a_name_that_steers_a_terminal_is_logged_as_text(
    gateway: pgw.Pgw, caplog: pytest.LogCaptureFixture
) -> None:
    ask(gateway, create(apn=b"\x07\x1b[2Jder"))
    assert "\x1b" not in caplog.text
    assert "\\x1b[2Jder" in caplog.text


def test_echo_is_answered(gateway: pgw.Pgw) -> None:
    message, ies = ask(gateway, encode(Message(1, None, 3, element(3, b"\0"))))
    assert (message.type, message.teid, message.sequence, ies) == (2, None, 3, {3: b"\0"})


def test_sessions_survive_a_restart(gateway: pgw.Pgw) -> None:
    ask(gateway, create())
    again = pgw.Pgw(config(), Kernel(), Filter())  # type: ignore[arg-type]
    again.restore()
    assert again.sessions == gateway.sessions
    assert list(again.kernel.tunnels) == ["10.64.0.11"]  # type: ignore[attr-defined]


def test_sim_taken_out_of_the_configuration_loses_its_session(gateway: pgw.Pgw) -> None:
    ask(gateway, create())
    gateway.reconfigure(config(subscribers=CONFIG["subscribers"][1:]))
    assert (gateway.sessions, gateway.kernel.tunnels) == ({}, {})  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "data", [b"", b"\x48\x20", b"\x28\x20\0\0\0\0\0\0", encode(Message(32, 0, 1, b"\x01\0\x09\0"))]
)
def test_malformed_datagram(gateway: pgw.Pgw, data: bytes) -> None:
    with pytest.raises(MalformedError):
        gateway.handle(data, "192.0.2.3")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "pgw.json: Expecting property name"),
        ("{}", "pgw.json: key 'address' is missing; write it as this package describes"),
        (
            json.dumps({**CONFIG, "apns": [{"name": "der-a", "pool": "10.65.0.0/24"}]}),
            "pgw.json: 10.64.0.11 of 440100000000001 is outside the pool of der-a; give it one of 10.65",
        ),
        (
            json.dumps(
                {**CONFIG, "subscribers": [*CONFIG["subscribers"], {**CONFIG["subscribers"][0], "imsi": "9"}]}
            ),
            "pgw.json: 10.64.0.11 is given to 440100000000001 and to 9; change one of them",
        ),
    ],
)
def test_wrong_configuration(text: str, message: str) -> None:
    with pytest.raises(PgwError) as caught:
        parse_config(text, "pgw.json")
    assert str(caught.value).startswith(message)


def test_status_names_sessions_and_what_was_refused(gateway: pgw.Pgw) -> None:
    ask(gateway, create())
    ask(gateway, create(b"\x05other"))
    gateway.report()
    status = json.loads(pgw.STATUS.read_text())
    assert status["sessions"] == [{"imsi": "440100000000001", "apn": "der-a", "address": "10.64.0.11"}]
    assert (status["refused"], status["spoofed"]) == (1, 0)
    assert status["last_refusal"] == {"imsi": "440100000000001", "apn": "other", "cause": APN_ACCESS_DENIED}
    assert 0 < status["due"] - status["at"] <= pgw.FRESH_S


def test_status_names_what_runs_and_not_what_stands_in_the_file(gateway: pgw.Pgw) -> None:
    gateway.reconfigure(
        config(subscribers=[{"imsi": "440100000000001", "apn": "der-a", "address": "10.64.0.12"}])
    )
    gateway.report()
    runs = json.loads(pgw.STATUS.read_text())["runs"]
    assert runs["subscribers"] == [{"imsi": "440100000000001", "apn": "der-a", "address": "10.64.0.12"}]
    assert runs["address"] == str(config().address)
    assert runs["apns"] == {name: str(pool) for name, pool in config().pools.items()}


def test_a_changed_file_is_taken_up_and_the_session_is_not_touched(gateway: pgw.Pgw, tmp_path: Path) -> None:
    file = tmp_path / "pgw.json"
    file.write_text(json.dumps(CONFIG))
    watched = Watched(file)
    assert pgw._tick(gateway, watched)
    ask(gateway, create())
    touched: list[str] = []
    gateway.kernel.add = gateway.kernel.remove = touched.append  # type: ignore[assignment, method-assign]
    fresh = tmp_path / "pgw.new"
    fresh.write_text(json.dumps({**CONFIG, "subscribers": CONFIG["subscribers"][:1]}))
    fresh.replace(file)
    assert pgw._tick(gateway, watched)
    assert (list(gateway.config.subscribers), touched) == ([("440100000000001", "der-a")], [])
    assert list(gateway.sessions) == [("440100000000001", "der-a")]


def test_a_file_seen_half_written_is_read_when_it_is_whole(gateway: pgw.Pgw, tmp_path: Path) -> None:
    """The clock of a file system has coarse ticks: both states may bear the same time."""
    file, whole = tmp_path / "pgw.json", json.dumps({**CONFIG, "subscribers": CONFIG["subscribers"][:1]})
    watched = Watched(file)
    for text, known in ((whole[:40], 2), (whole, 1)):
        file.write_text(text)
        os.utime(file, ns=(1, 1))
        assert pgw._tick(gateway, watched)
        assert len(gateway.config.subscribers) == known
    assert not watched.changed()


def test_the_unit_reloads_by_no_signal() -> None:
    """One that came before the program is ready for it would end every session."""
    assert "kill" not in core.pgw_unit()
