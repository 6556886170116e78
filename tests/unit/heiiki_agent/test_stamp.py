"""The STAMP programs: packets, silences, memory, and two processes talking on the loopback interface."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from waiting import PATIENCE_S, awaited

from heiiki_agent.stamp import cli, packets
from heiiki_agent.stamp.control import ask
from heiiki_agent.stamp.daemon import Daemon, Settings, Stream
from heiiki_agent.stamp.round_trips import quantile, round_trips
from heiiki_agent.stamp.silence import Ring, Silence, longest_silence

PORT = 18620


def test_a_sender_packet_is_as_rfc_8762_and_8972_draw_it() -> None:
    packet = packets.sender_packet(7, packets.ONE_WAY, 0.5)
    assert len(packet) == 44
    assert packet[:4] == b"\0\0\0\7"
    assert int.from_bytes(packet[4:8]) == 2_208_988_800
    assert int.from_bytes(packet[8:12]) == 1 << 31
    assert packet[13] != 0, "RFC 8762 4.2.1: the multiplier of the error estimate is never 0"
    assert packet[14:16] == b"OW"
    assert packet[16:] == bytes(28)


def test_a_reflection_carries_the_senders_fields_back() -> None:
    sent = packets.sender_packet(9, 5, 100.0)
    back = packets.reflection(sent, 101.0, 102.0, 63)
    sequence, sent_at, _error, session, received_at, its_sequence, its_stamp, its_error, ttl = (
        packets.REFLECTOR.unpack(back)
    )
    assert len(back) == 44
    assert (sequence, its_sequence, session, ttl) == (9, 9, 5, 63)
    assert (received_at, sent_at) == (packets.ntp(101.0), packets.ntp(102.0))
    assert its_stamp.to_bytes(8) == sent[4:12]
    assert its_error.to_bytes(2) == sent[12:14]


@pytest.mark.parametrize(
    ("since", "until", "now", "start", "seconds"),
    [
        (0.0, 5.0, 5.0, 2.0, 2.0),
        (0.0, 0.5, 5.0, 0.0, 1.0),
        (4.0, 5.0, 9.0, 4.0, 5.0),
        (1.5, 2.5, 9.0, 2.0, 2.0),
        (3.0, 3.5, 9.0, 2.0, 2.0),
        (5.0, 9.0, 9.0, 4.0, 5.0),
        (-1.0, 9.0, 9.0, None, None),
    ],
    ids=[
        "longest",
        "early window",
        "open at the end",
        "begins inside, ends outside",
        "begins before, ends after",
        "nothing arrives any more",
        "nothing arrived before",
    ],
)
def test_a_silence_counts_in_every_window_that_it_overlaps(
    since: float, until: float, now: float, start: float | None, seconds: float | None
) -> None:
    assert longest_silence([0.0, 1.0, 2.0, 4.0], since, until, now) == Silence(start, seconds)


def test_a_probe_lost_just_before_the_failure_does_not_hide_the_interruption() -> None:
    """The planted case: the last arrival is 60 ms old when the clock is read; 2.36 s read as 0.02 s once."""
    before = [9.70 + number * 0.02 for number in range(13)]
    after = [before[-1] + 2.36 + number * 0.02 for number in range(100)]
    found = longest_silence([*before, *after], 10.0, 12.5, 14.0)
    assert (round(found.start or 0, 2), round(found.seconds or 0, 2)) == (9.94, 2.36)


def test_a_ring_keeps_the_last_arrivals_and_says_what_it_forgot() -> None:
    ring = Ring(3)
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
    stream = Stream(0.02)
    stream.start(["a"], 0.02, 10.0)
    assert stream.due(10.0) == (True, 0.0)
    assert stream.due(10.01) == (False, 0.0)
    due, late = stream.due(10.5)
    assert (due, round(late, 3)) == (True, 0.48)
    assert stream.due(10.51) == (False, 0.0)


def test_quantiles() -> None:
    samples = [float(number) for number in range(1, 101)]
    assert quantile(samples, 0.50) == 50.0
    assert quantile(samples, 0.99) == 99.0
    assert quantile([3.0], 0.99) == 3.0
    assert quantile([], 0.5) is None


def question(do: str, control: str, **more: object) -> dict[str, Any]:
    return ask({"do": do, "session": "mine", **more}, control)


@contextmanager
def running(folder: Path, own: str, peer: str, lease_s: float = 600.0) -> Iterator[str]:
    control = str(folder / f"{own}.sock")
    daemon = Daemon(Settings(own, (peer,), "mine", lease_s), control, PORT)
    thread = threading.Thread(target=daemon.run)
    thread.start()
    try:
        yield control
    finally:
        if not daemon.over:
            question("end", control)
        thread.join()
        daemon.close()


def test_two_processes_stream_record_and_count_what_they_do_not_know(tmp_path: Path) -> None:
    with (
        running(tmp_path, "127.0.0.2", "127.0.0.3") as one,
        running(tmp_path, "127.0.0.3", "127.0.0.2") as other,
    ):
        began = question("start", one, peers=["127.0.0.3"], interval_ms=5)["now"]
        unknown = round_trips("127.0.0.2", 2, 0.01, 0.1, PORT)
        heard = {"since": began, "until": began + 3600}
        awaited("more", lambda: question("gaps", other, **heard)["peers"]["127.0.0.2"]["count"] > 10)
        heard["since"] = question("gaps", other, **heard)["peers"]["127.0.0.2"]["last"]
        answer = question("gaps", other, **heard)
        status = question("status", one)
    assert 0 < answer["peers"]["127.0.0.2"]["gap"] < PATIENCE_S
    assert unknown["lost"] == 2, "127.0.0.1 is no peer"
    assert status["unknown_senders"] == 2
    assert status["reflected"] == 0


def test_a_known_peer_is_reflected(tmp_path: Path) -> None:
    with running(tmp_path, "127.0.0.2", "127.0.0.1"):
        figures = round_trips("127.0.0.2", 5, 0.005, 30.0, PORT)
    assert (figures["sent"], figures["lost"], figures["unit"]) == (5, 0, "s")
    assert 0 < figures["p50"] <= figures["p99"] <= figures["max"]


def test_two_reflectors_never_answer_each_other(tmp_path: Path) -> None:
    with (
        running(tmp_path, "127.0.0.2", "127.0.0.3") as one,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other,
    ):
        other.bind(("127.0.0.3", PORT))
        other.sendto(packets.sender_packet(1, 5, 100.0), ("127.0.0.2", PORT))
        awaited("it arrived", lambda: question("status", one)["malformed"] == 1)
        assert question("status", one)["reflected"] == 0


def test_a_process_that_is_not_asked_for_its_lease_ends(tmp_path: Path) -> None:
    control = str(tmp_path / "control.sock")
    daemon = Daemon(Settings("127.0.0.2", (), "mine", 0.5), control, PORT)
    daemon.run()
    assert daemon.over
    daemon.close()


def test_a_question_renews_the_lease_and_one_of_another_measurement_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr("heiiki_agent.stamp.daemon.time.monotonic", lambda: now[0])
    daemon = Daemon(Settings("127.0.0.2", (), "mine", 10.0), str(tmp_path / "control.sock"), PORT)
    now[0] = 109.0
    assert "now" in daemon.answer(b'{"do": "status", "session": "mine"}')
    now[0] = 118.0
    assert not daemon.over
    assert daemon.answer(b'{"do": "status", "session": "other"}') == {
        "error": "ValueError: this STAMP process was started by another measurement"
    }
    now[0] = 119.0
    assert daemon.over
    daemon.close()


def test_a_measurement_ends_its_process_and_no_other_does(tmp_path: Path) -> None:
    daemon = Daemon(Settings("127.0.0.2", (), "mine", 600.0), str(tmp_path / "control.sock"), PORT)
    assert "error" in daemon.answer(b'{"do": "end", "session": "other"}')
    assert not daemon.over
    assert "now" in daemon.answer(b'{"do": "end", "session": "mine"}')
    assert daemon.over
    daemon.close()


def test_a_question_that_is_none_is_answered_with_an_error(tmp_path: Path) -> None:
    with running(tmp_path, "127.0.0.2", "127.0.0.3") as control:
        assert "error" in ask({"do": "dance", "session": "mine"}, control)
        assert "error" in ask({"do": "status"}, control)
        assert "error" in ask({"do": "start", "session": "mine", "peers": ["192.0.2.1"]}, control)


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
        assert "streams" in question("status", control), "others are answered meanwhile"
        threading.Event().wait(0.4)
        slow.sendall(b'"status", "session": "mine"}\n')
        assert "streams" in json.loads(slow.recv(65536))


def test_a_wrong_address_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["serve", "--address", "10.0.0.300", "--session", "mine", "--lease", "9"])
    assert "argument --address" in capsys.readouterr().err
