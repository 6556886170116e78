"""What probes try at servers of TLS: how often, and what they return."""

from collections.abc import Mapping
from typing import Any

import pytest

from heiiki_agent import tls_attempt

STOLEN = {"name": "stolen", "certificate": "of another"}
IN, OUT = {"taken": "client"}, {"stage": "tls", "cause": "alert certificate revoked"}


class Server:
    """Lets the stolen certificate in until it knows of the revocation, after so many tries."""

    def __init__(self, knows_after: int) -> None:
        self.knows_after = knows_after
        self.tried: list[str] = []

    def came_of(self, attempt: Mapping[str, Any]) -> dict[str, dict[str, str]]:
        self.tried.append(attempt.get("name", "own"))
        inside = "name" not in attempt or len(self.tried) <= self.knows_after
        return {"TLS 1.2": OUT, "TLS 1.3": IN if inside else OUT}


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(tls_attempt.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(tls_attempt.time, "sleep", lambda seconds: clock.append(clock.pop() + seconds))


def test_what_is_let_in_is_tried_again_and_the_device_itself_once() -> None:
    server = Server(knows_after=3)
    came = tls_attempt.tried({"attempts": [STOLEN], "seconds": 15.0}, server.came_of)
    assert server.tried == [*["stolen"] * 4, "own"]
    assert came == {
        "attempts": {
            "stolen": {"TLS 1.2": OUT, "TLS 1.3": OUT},
            "again": {"TLS 1.2": OUT, "TLS 1.3": IN},
        }
    }


def test_what_stays_open_is_said_when_the_time_is_over() -> None:
    server = Server(knows_after=1000)
    came = tls_attempt.tried({"attempts": [STOLEN], "seconds": 1.0}, server.came_of)
    assert came["attempts"]["stolen"]["TLS 1.3"] == IN
    assert 5 <= server.tried.count("stolen") <= 7
    assert server.tried[-1] == "own"


def test_without_a_time_each_is_tried_once() -> None:
    server = Server(knows_after=1000)
    tls_attempt.tried({"attempts": [STOLEN, {"name": "none", "anonymous": True}]}, server.came_of)
    assert server.tried == ["stolen", "none", "own"]
