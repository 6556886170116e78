"""Failing one program, on real processes that stand in for a unit's."""

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from heiiki_lab.agent import program_fault


class Unit:
    """A unit with one process, and a systemd that starts it again when it is told to."""

    def __init__(self, runtime: Path) -> None:
        self._runtime = runtime
        self.calls: list[str] = []
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(["sleep", "600"])

    def systemctl(self, *words: str) -> str:
        drop_in = self._runtime / "keepalived.service.d" / "zz-heiiki-fault.conf"
        self.calls.append(f"{words[0]}{' with the drop-in' if drop_in.exists() else ''}")
        if words[0] == "start":
            self.process.wait()
            self.start()
        return ""

    def pids(self, _place: object) -> list[int]:
        alive = program_fault._state(self.process.pid) not in program_fault._ENDED
        return [self.process.pid] if alive else []


@pytest.fixture
def unit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Unit]:
    made = Unit(tmp_path)
    monkeypatch.setattr(program_fault, "_RUNTIME_UNITS", tmp_path)
    monkeypatch.setattr(program_fault, "_systemctl", made.systemctl)
    monkeypatch.setattr(program_fault, "_pids", made.pids)
    yield made
    made.process.kill()
    made.process.wait()


def test_a_program_hangs_and_goes_on(unit: Unit) -> None:
    span = program_fault.fail("keepalived", "hung")
    assert span["began"] <= span["ended"]
    assert program_fault._state(unit.process.pid) == "T"
    program_fault.mend("keepalived")
    assert program_fault._state(unit.process.pid) != "T"
    assert unit.calls == []


def test_a_dead_program_is_not_started_again_before_it_is_mended(unit: Unit, tmp_path: Path) -> None:
    program_fault.fail("keepalived", "dead")
    assert unit.calls == ["daemon-reload with the drop-in"]
    assert unit.pids(None) == []
    program_fault.mend("keepalived")
    assert unit.calls[1:] == ["start with the drop-in", "daemon-reload"]
    assert program_fault.healthy("keepalived")
    assert list(tmp_path.iterdir()) == []


def test_a_program_that_does_not_run_is_not_failed(unit: Unit, capsys: pytest.CaptureFixture[str]) -> None:
    unit.process.kill()
    unit.process.wait()
    program_fault.main(["fail", "keepalived", "hung"])
    said = json.loads(capsys.readouterr().out)
    assert said == {"error": "keepalived does not run, so it cannot be failed"}


def test_a_program_that_ran_again_by_itself_was_not_measured(
    unit: Unit, capsys: pytest.CaptureFixture[str]
) -> None:
    program_fault.fail("keepalived", "hung")
    unit.process.send_signal(signal.SIGCONT)
    program_fault._await(lambda: program_fault.healthy("keepalived"), "it stays stopped")
    program_fault.main(["mend", "keepalived"])
    said = json.loads(capsys.readouterr().out)
    assert said == {"error": "keepalived ran again before it was mended, so its failure was not measured"}
