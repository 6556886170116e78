"""A daemon's report on itself, and what it says of the daemon's health."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from heiiki_agent import status


def test_health(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    assert status.problem(state, "d", 10.0) == f"{state}: nothing has been reported yet; start d"
    state.write_text(json.dumps({"due": 11.0, "pid": os.getpid()}))
    assert status.problem(state, "d", 10.0) == ""
    assert status.problem(state, "d", 13.5) == f"{state}: the next report is 2.5 s late; restart d"
    with subprocess.Popen(["true"]) as gone:
        gone.wait()
    state.write_text(json.dumps({"due": 11.0, "pid": gone.pid}))
    assert status.problem(state, "d", 10.0) == f"{state}: the process that wrote it is gone; start d"
    state.write_text("{}")
    assert status.problem(state, "d", 10.0) == f"{state}: cannot be read: KeyError('due')"
    state.write_text("{")
    assert status.problem(state, "d", 10.0).startswith(f"{state}: cannot be read: JSONDecodeError")


def test_what_was_just_reported_is_healthy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state = tmp_path / "run" / "state.json"
    status.report(state, 60.0, {"alive": True})
    assert status.check(state, "d") == 0
    assert json.loads(capsys.readouterr().out)["alive"] is True
    status.report(state, -1.0, {"alive": True})
    assert status.check(state, "d") == 1
    assert capsys.readouterr().out.endswith(" s late; restart d\n")
