"""What the packet gateway says of itself, as the health check of its service prints it."""

import json
import os
import time
from pathlib import Path

import pytest

from heiiki_agent import pgw
from heiiki_agent.__main__ import main


@pytest.fixture
def report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(pgw, "STATE", tmp_path / "pgw.json")
    return pgw.STATE


def test_a_gateway_that_reports_is_healthy_and_its_report_is_printed(
    report: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = {"pid": os.getpid(), "due": time.monotonic() + 5, "runs": {"subscribers": []}}
    report.write_text(json.dumps(said))
    assert main(["pgw", "status"]) == 0
    assert json.loads(capsys.readouterr().out) == said


@pytest.mark.parametrize(
    ("due", "wrong"),
    [(-60.0, "the next report is 6"), (None, "nothing has been reported yet; start heiiki-pgw")],
)
def test_a_gateway_that_hangs_or_never_reported_is_not(
    report: Path, capsys: pytest.CaptureFixture[str], due: float | None, wrong: str
) -> None:
    if due is not None:
        report.write_text(json.dumps({"pid": os.getpid(), "due": time.monotonic() + due}))
    assert main(["pgw", "status"]) == 1
    assert wrong in capsys.readouterr().out
