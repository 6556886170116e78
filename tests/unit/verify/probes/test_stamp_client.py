"""The probe that starts a STAMP process on a host, asks it and ends it."""

import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from heiiki.verify.probes import stamp_client


class Systemd:
    """Stands for systemctl and systemd-run, and for the control socket of what they run."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.session = ""
        self.refused = self.deaf = self.short = False

    def run(self, argv: list[str]) -> "subprocess.CompletedProcess[str]":
        self.log.append(" ".join(argv[:2]) if argv[0] == "systemctl" else argv[0])
        if argv[:2] == ["systemctl", "stop"]:
            self.session = ""
        elif argv[0] == "systemd-run" and self.refused:
            return subprocess.CompletedProcess(argv, 1, "", "Failed to start transient service unit\n")
        elif argv[0] == "systemd-run" and not self.short:
            self.session = argv[-1]
        return subprocess.CompletedProcess(argv, 0, "active\n" if self.session else "inactive\n", "")

    def ask(self, question: dict[str, Any]) -> dict[str, Any]:
        if not self.session or self.deaf:
            raise ConnectionRefusedError(111, "Connection refused")
        if question["session"] != self.session:
            return {"error": "another measurement"}
        if question["do"] == "end":
            self.session = ""
        return {"now": 1.0}


@pytest.fixture
def systemd(monkeypatch: pytest.MonkeyPatch) -> Iterator[Systemd]:
    made = Systemd()
    monkeypatch.setattr(stamp_client, "_run", made.run)
    monkeypatch.setattr(stamp_client, "ask", made.ask)
    monkeypatch.setattr(stamp_client, "START_LIMIT_S", 0.2)
    return made  # type: ignore[return-value]


def start(session: str) -> dict[str, Any]:
    return stamp_client.main({"session": session, "start": ["serve", session]})


def test_a_process_is_started_in_place_of_a_leftover_and_ended(systemd: Systemd) -> None:
    start("killed")
    start("mine")
    assert systemd.session == "mine"
    assert systemd.log.count("systemctl stop") == 2
    answers = stamp_client.main({"session": "mine", "questions": [{"do": "status"}], "end": True})
    assert answers == {"answers": [{"now": 1.0}]}
    assert systemd.session == ""


def test_the_process_of_another_measurement_is_not_ended(systemd: Systemd) -> None:
    start("mine")
    assert stamp_client.main({"session": "killed", "end": True}) == {"answers": []}
    assert systemd.session == "mine"


def _refused(systemd: Systemd) -> None:
    systemd.refused = True


def _deaf(systemd: Systemd) -> None:
    systemd.deaf = True


def _short(systemd: Systemd) -> None:
    systemd.short = True


@pytest.mark.parametrize(
    ("how", "said"),
    [
        (_refused, "cannot be started: Failed to start transient service unit"),
        (_deaf, "did not answer within 0.2 s of its start"),
        (_short, "ended as soon as it was started; see journalctl -u"),
    ],
)
def test_a_process_that_does_not_start_says_why_and_is_stopped(
    systemd: Systemd, how: Callable[[Systemd], None], said: str
) -> None:
    how(systemd)
    with pytest.raises(SystemExit, match=said):
        start("mine")
    assert systemd.session == ""


def test_a_question_without_a_process_is_answered_with_an_error(systemd: Systemd) -> None:
    found = stamp_client.main({"session": "mine", "questions": [{"do": "status"}]})
    assert found["answers"][0]["error"].startswith("no answer from the STAMP process: ")
    assert systemd.log == []
