"""The control interface: answers and events of a daemon that the test plays."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from heiiki_agent.errors import AgentError
from heiiki_agent.wlan import control
from heiiki_agent.wlan.control import Control


@contextmanager
def daemon(path: Path, answer: Callable[[str], list[str]]) -> Iterator[None]:
    """Answer each request by datagrams, until one says ``END``."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(str(path))

        def serve() -> None:
            while True:
                data, peer = server.recvfrom(4096)
                if data == b"END":
                    return
                for text in answer(data.decode()):
                    server.sendto(text.encode(), peer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield
        finally:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as last:
                last.sendto(b"END", str(path))
            thread.join(5)


def test_an_answer_is_told_from_the_events_before_it(tmp_path: Path) -> None:
    path = tmp_path / "lan0"
    events = ["<3>CTRL-EVENT-SCAN-STARTED ", "<2>AP-STA-CONNECTED 02:00:0a:10:01:74"]
    with daemon(path, lambda _: [*events, "PONG\n"]), Control(path, "station") as found:
        assert found.ask("PING") == "PONG"
        assert found.event(1.0) == "CTRL-EVENT-SCAN-STARTED"
        assert found.event(1.0) == "AP-STA-CONNECTED 02:00:0a:10:01:74"
        assert found.event(0.01) is None


def test_facts_and_stations_are_read(tmp_path: Path) -> None:
    path = tmp_path / "lan0"
    said = {
        "STATUS": "state=ENABLED\nchannel=6\nno fact\n",
        "STA-FIRST": "02:00:0a:10:01:74\nflags=[AUTH][MFP]\n",
        "STA-NEXT 02:00:0a:10:01:74": "02:01:0a:10:01:74\nflags=[AUTH]\n",
        "STA-NEXT 02:01:0a:10:01:74": "",
    }
    with daemon(path, lambda asked: [said[asked]]), Control(path, "access point") as found:
        assert found.facts("STATUS") == {"state": "ENABLED", "channel": "6"}
        assert [(address, facts["flags"]) for address, facts in found.stations()] == [
            ("02:00:0a:10:01:74", "[AUTH][MFP]"),
            ("02:01:0a:10:01:74", "[AUTH]"),
        ]


def test_an_access_point_without_a_station_has_none(tmp_path: Path) -> None:
    path = tmp_path / "lan0"
    with daemon(path, lambda _: ["FAIL\n"]), Control(path, "access point") as found:
        assert list(found.stations()) == []
        with pytest.raises(AgentError, match="access point refuses DEAUTHENTICATE: FAIL"):
            found.ordered("DEAUTHENTICATE 02:00:0a:10:01:74")


def test_a_daemon_that_is_not_there_or_silent_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "ANSWER_S", 0.05)
    path = tmp_path / "lan0"
    with pytest.raises(AgentError, match="No such file or directory: start station"):
        Control(path, "station")
    with (
        daemon(path, lambda _: []),
        Control(path, "station") as found,
        pytest.raises(AgentError, match=r"station does not answer PING within 0\.05 s"),
    ):
        found.ask("PING")
