"""The STAMP program: packets, silences, memory, and two daemons talking on the loopback interface."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from waiting import PATIENCE_S, awaited

from heiiki_agent import stamp

PORT = 18620


def test_a_sender_packet_is_as_rfc_8762_and_8972_draw_it() -> None:
    packet = stamp.sender_packet(7, stamp.ONE_WAY, 0.5)
    assert len(packet) == 44
    assert packet[:4] == b"\0\0\0\7"
    assert int.from_bytes(packet[4:8]) == 2_208_988_800
    assert int.from_bytes(packet[8:12]) == 1 << 31
    assert packet[13] != 0, "RFC 8762 4.2.1: the multiplier of the error estimate is never 0"
    assert packet[14:16] == b"OW"
    assert packet[16:] == bytes(28)


def test_a_reflection_carries_the_senders_fields_back() -> None:
    sent = stamp.sender_packet(9, 5, 100.0)
    back = stamp.reflection(sent, 101.0, 102.0, 63)
    sequence, sent_at, _error, session, received_at, its_sequence, its_stamp, its_error, ttl = (
        stamp.REFLECTOR.unpack(back)
    )
    assert len(back) == 44
    assert (sequence, its_sequence, session, ttl) == (9, 9, 5, 63)
    assert (received_at, sent_at) == (stamp.ntp(101.0), stamp.ntp(102.0))
    assert its_stamp.to_bytes(8) == sent[4:12]
    assert its_error.to_bytes(2) == sent[12:14]


@pytest.mark.parametrize(
    ("since", "until", "now", "start", "seconds"),
    [
        (0.0, 5.0, 5.0, 2.0, 2.0),
        (0.0, 1.5, 5.0, 0.0, 1.0),
        (3.0, 5.0, 9.0, 4.0, 5.0),
        (1.5, 2.5, 9.0, 2.0, 2.0),
        (5.0, 9.0, 9.0, None, None),
    ],
    ids=["longest", "early window", "open at the end", "begins inside, ends outside", "none begins"],
)
def test_a_silence_belongs_to_the_window_in_which_it_begins(
    since: float, until: float, now: float, start: float | None, seconds: float | None
) -> None:
    assert stamp.longest_silence([0.0, 1.0, 2.0, 4.0], since, until, now) == stamp.Silence(start, seconds)


def test_windows_side_by_side_never_cut_a_silence_in_two() -> None:
    times = [0.0, 1.0, 4.0, 4.1]
    first = stamp.longest_silence(times, 0.0, 2.5, 4.2)
    second = stamp.longest_silence(times, 2.5, 4.2, 4.2)
    assert (first.seconds, round(second.seconds or 0, 3)) == (3.0, 0.1)


def test_a_ring_keeps_the_last_arrivals_and_says_what_it_forgot() -> None:
    ring = stamp.Ring(3)
    for second in range(5):
        ring.add(float(second), second)
    assert ring.times() == [2.0, 3.0, 4.0]
    assert ring.window(0.0, 9.0, 9.0)["truncated"] is True
    assert ring.window(2.0, 9.0, 9.0) == {
        "gap": 5.0,
        "start": 4.0,
        "count": 3,
        "last": 4.0,
        "truncated": False,
    }


def test_a_stream_that_woke_up_late_tells_so_and_does_not_catch_up() -> None:
    stream = stamp.Stream(0.02)
    stream.start(["a"], 0.02, 10.0, 60.0)
    assert stream.due(10.0) == (True, 0.0)
    assert stream.due(10.01) == (False, 0.0)
    due, late = stream.due(10.5)
    assert (due, round(late, 3)) == (True, 0.48)
    assert stream.due(10.51) == (False, 0.0)


def test_a_forgotten_stream_stops_by_itself() -> None:
    stream = stamp.Stream(0.02)
    stream.start(["a"], 0.02, 10.0, 1.0)
    assert stream.due(11.5) == (False, 0.0)
    assert stream.peers == []


def test_quantiles() -> None:
    samples = [float(number) for number in range(1, 101)]
    assert stamp.quantile(samples, 0.50) == 50.0
    assert stamp.quantile(samples, 0.99) == 99.0
    assert stamp.quantile([3.0], 0.99) == 3.0
    assert stamp.quantile([], 0.5) is None


@contextmanager
def running(folder: Path, own: str, peer: str) -> Iterator[str]:
    control = str(folder / f"{own}.sock")
    config = {"address": own, "interval_ms": 5, "peers": [{"site": "x", "address": peer}]}
    daemon, stop = stamp.Daemon(config, control, PORT), threading.Event()

    def serve() -> None:
        while not stop.is_set():
            daemon.step()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield control
    finally:
        stop.set()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wake:
            wake.sendto(b"", (own, PORT))
        thread.join()
        daemon.close()


def test_two_daemons_stream_record_and_count_what_they_do_not_know(tmp_path: Path) -> None:
    with (
        running(tmp_path, "127.0.0.2", "127.0.0.3") as one,
        running(tmp_path, "127.0.0.3", "127.0.0.2") as other,
    ):
        began = stamp.ask({"do": "start", "peers": ["127.0.0.3"]}, one)["now"]
        unknown = stamp.round_trips("127.0.0.2", 2, 0.01, 0.1, PORT)
        heard = {"do": "gaps", "since": began, "until": began + 3600}
        awaited("more", lambda: stamp.ask(heard, other)["peers"]["127.0.0.2"]["count"] > 10)
        answer = stamp.ask(heard, other)
        status = stamp.ask({"do": "status"}, one)
    assert 0 < answer["peers"]["127.0.0.2"]["gap"] < PATIENCE_S
    assert unknown["lost"] == 2, "127.0.0.1 is no peer"
    assert status["unknown_senders"] == 2
    assert status["reflected"] == 0


def test_a_known_peer_is_reflected(tmp_path: Path) -> None:
    with running(tmp_path, "127.0.0.2", "127.0.0.1"):
        figures = stamp.round_trips("127.0.0.2", 5, 0.005, 30.0, PORT)
    assert (figures["sent"], figures["lost"], figures["unit"]) == (5, 0, "s")
    assert 0 < figures["p50"] <= figures["p99"] <= figures["max"]


def test_a_question_that_is_none_is_answered_with_an_error(tmp_path: Path) -> None:
    with running(tmp_path, "127.0.0.2", "127.0.0.3") as control:
        assert "error" in stamp.ask({"do": "dance"}, control)
        assert "error" in stamp.ask({"do": "start", "peers": ["192.0.2.1"]}, control)


def test_a_question_that_comes_late_and_in_parts_is_answered(tmp_path: Path) -> None:
    with (
        running(tmp_path, "127.0.0.2", "127.0.0.3") as control,
        socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as slow,
        socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as gone,
    ):
        for connection in (slow, gone):
            connection.settimeout(5)
            connection.connect(control)
        gone.close()
        threading.Event().wait(0.4)
        slow.sendall(b'{"do": ')
        assert "streams" in stamp.ask({"do": "status"}, control), "others are answered meanwhile"
        threading.Event().wait(0.4)
        slow.sendall(b'"status"}\n')
        assert "streams" in json.loads(slow.recv(65536))


def test_a_wrong_configuration_says_what_is_expected(tmp_path: Path) -> None:
    file = tmp_path / "stamp.json"
    file.write_text(json.dumps({"address": "10.0.0.300", "peers": []}))
    with pytest.raises(SystemExit, match=r"stamp\.json: AddressValueError: .*expected"):
        stamp.read_config(str(file))
    with pytest.raises(SystemExit, match="write it first"):
        stamp.read_config(str(tmp_path / "none.json"))


def test_status_without_a_daemon_exits_1(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody(_question: object) -> dict[str, object]:
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(stamp, "ask", nobody)
    assert stamp.main(["status"]) == 1
    assert "start heiiki-stamp" in capsys.readouterr().err
