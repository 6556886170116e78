"""What probes try at servers of TLS: how often, and what they return."""

import socket
import ssl
from collections.abc import Mapping
from threading import Thread
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


@pytest.mark.parametrize(("more", "seen"), [({}, "127.0.0.1"), ({"source": "127.0.0.2"}, "127.0.0.2")])
def test_a_place_is_asked_from_a_certain_address_where_it_says_so(
    monkeypatch: pytest.MonkeyPatch, more: dict[str, str], seen: str
) -> None:
    """Who answers one address alone hangs up on others, whatever they show."""
    monkeypatch.setattr(tls_attempt, "contexts", lambda _: [("TLS 1.3", ssl.create_default_context())])
    with socket.create_server(("127.0.0.1", 0)) as server:
        peers: list[str] = []

        def hang_up() -> None:
            for _ in range(2):  # what is tried, and the own certificate
                line, (address, _port) = server.accept()
                line.close()
                peers.append(address)

        answering = Thread(target=hang_up)
        answering.start()
        place = {
            "device": "it",
            "name": "it",
            "address": "127.0.0.1",
            "port": server.getsockname()[1],
            **more,
        }
        came = tls_attempt.everywhere({"places": [place], "attempts": [STOLEN]}, 5.0, lambda _: {})
        answering.join()
    assert peers == [seen] * 2
    assert came["attempts"]["stolen"]["it by TLS 1.3"]["stage"] == "tls"
