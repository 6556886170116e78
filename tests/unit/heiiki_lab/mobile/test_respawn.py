"""The respawner: one daemon kept running, and its twin followed."""

import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from waiting import awaited

from heiiki_lab.mobile import respawn
from heiiki_lab.mobile.respawn import Config, Daemon, Process, Respawner, connected

SERVE = "import sys,time; print('serving', flush=True); time.sleep(60)"


@pytest.fixture
def daemon(tmp_path: Path) -> Daemon:
    log = str(tmp_path / "d.log")
    return Daemon("d", (sys.executable, "-S", "-c", SERVE), log, ready="serving", ready_log=log)


def test_daemon_is_ready_when_it_says_so_and_started_again_when_killed(daemon: Daemon) -> None:
    process = Process(daemon, Config())
    try:
        assert process.tick()
        awaited("it is ready", lambda: process.ready)
        assert not process.tick()
        process.kill()
        assert not process.ready
        assert process.tick()
        assert process.starts == 2
        awaited("it is ready", lambda: process.ready)
    finally:
        process.kill()


@pytest.mark.parametrize("says_so", [True, False])
def test_daemon_takes_its_place_once_it_serves(daemon: Daemon, says_so: bool) -> None:
    process = Process(
        daemon if says_so else replace(daemon, ready="", ready_log=""), Config(nice=3, timer_slack_ns=7000)
    )
    try:
        process.tick()
        awaited("it is ready", lambda: process.ready)
        assert process.pid
        assert os.getpriority(os.PRIO_PROCESS, process.pid) == 3
        assert Path(f"/proc/{process.pid}/timerslack_ns").read_text() == "7000\n"
    finally:
        process.kill()


def test_daemon_that_ends_at_once_is_not_started_in_a_rush(tmp_path: Path) -> None:
    process = Process(Daemon("d", ("false",), str(tmp_path / "d.log")), Config())
    assert process.tick()
    awaited("it has ended", lambda: not process.ready)
    assert [process.tick() for _ in range(3)] == [False] * 3


def test_daemon_that_never_serves_is_started_again(tmp_path: Path) -> None:
    log = str(tmp_path / "d.log")
    daemon = Daemon("d", ("sleep", "60"), log, ready="x", ready_log=log, ready_within=0.05)
    process = Process(daemon, Config())
    try:
        process.tick()
        awaited("it is started again", process.tick)
        assert process.starts == 2
    finally:
        process.kill()


class Followed:
    """A respawner whose daemon is only asked to end."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, daemon: Daemon, tmp_path: Path) -> None:
        self.kills: list[str] = []
        monkeypatch.setattr(Process, "kill", lambda process: self.kills.append(process.daemon.name))
        monkeypatch.setattr(Process, "tick", lambda _process: False)
        monkeypatch.setattr(respawn, "STATUS", tmp_path / "respawn.json")
        self.respawner = Respawner(Config((daemon, Daemon("other", (), "")), follow=("d",)))

    def hear(self, text: str) -> None:
        self.respawner._take(text)


@pytest.fixture
def followed(monkeypatch: pytest.MonkeyPatch, daemon: Daemon, tmp_path: Path) -> Followed:
    return Followed(monkeypatch, daemon, tmp_path)


def test_first_epoch_is_noted_and_only_a_new_one_restarts_what_follows(followed: Followed) -> None:
    followed.hear("epoch one")
    followed.hear("epoch one")
    assert followed.kills == []
    followed.hear("epoch two")
    followed.hear("epoch two")
    assert followed.kills == ["d"]


@pytest.mark.parametrize(("state", "kills"), [("01", ["d"]), ("06", [])])
def test_hss_is_restarted_only_for_a_connection_of_the_dead_mme(
    followed: Followed, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, state: str, kills: list[str]
) -> None:
    table = tmp_path / "tcp"
    table.write_text(f"  sl  local\n   0: 0100007F:0F1C 0200007F:8000 {state} 00000000:00000000 00:0\n")
    monkeypatch.setattr(respawn, "connected", lambda port: connected(port, table))
    followed.respawner._config = replace(followed.respawner._config, follow_port=3868)
    followed.hear("epoch one")
    followed.hear("epoch two")
    assert followed.kills == kills


def test_stuck_restarts_once_in_a_while(followed: Followed) -> None:
    followed.hear("stuck")
    followed.hear("stuck")
    assert followed.kills == ["d"]


def test_foreign_words_are_ignored(followed: Followed) -> None:
    for text in ("", "epoch", "reboot now"):
        followed.hear(text)
    assert followed.kills == []
