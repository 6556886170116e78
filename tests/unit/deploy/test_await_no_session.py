"""The program that waits until a SIM has no session at the packet gateway."""

import json
from pathlib import Path
from typing import Any

import pytest

from heiiki.deploy.on_device import await_no_session


@pytest.mark.parametrize(
    ("status", "error"),
    [
        ({"sessions": [{"imsi": "2"}]}, ""),
        ({"sessions": [{"imsi": "1"}]}, "the session of 1 goes on"),
        (None, "cannot be read"),
        ({}, "cannot be read"),
    ],
)
def test_the_session_must_be_seen_to_end(tmp_path: Path, status: Any, error: str) -> None:
    file = tmp_path / "pgw.json"
    if status is not None:
        file.write_text(json.dumps(status))
    answer = await_no_session.main({"file": str(file), "without": "1", "wait_s": 0.1})
    assert answer["changed"] == []
    assert (answer["error"] == "") == (error == "")
    assert error in answer["error"]
