"""The control socket of the IKE daemon: messages, and a connection that is tried and taken away again."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from fake_charon import FakeCharon

from heiiki.verify.probes import vici as probe
from heiiki_agent import vici
from heiiki_agent.errors import AgentError

MESSAGE = {
    "hub-b": {
        "version": "2",
        "local_addrs": ["10.112.0.17"],
        "empty": [],
        "children": {"hub-b": {"local_ts": ["10.112.0.17/32[gre]", "b"], "mode": "transport"}},
    },
    "last": "x" * 300,
}


def test_a_message_comes_back_as_it_was() -> None:
    assert vici.decode(vici.encode(MESSAGE)) == MESSAGE


def test_a_file_is_sent_by_content(tmp_path: Path) -> None:
    path = tmp_path / "a.pem"
    path.write_text("PEM")
    assert vici.decode(vici.encode({"certs": [{"file": str(path)}], "key": {"file": "x"}})) == {
        "certs": ["PEM"],
        "key": {"file": "x"},
    }


def test_what_is_no_text_is_shown_in_hexadecimal() -> None:
    assert vici.decode(vici.encode({"data": b"\xff\x00"})) == {"data": "ff00"}


@pytest.fixture
def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    started = []

    def start(answers: dict[str, Any], events: dict[str, list[tuple[str, Any]]]) -> FakeCharon:
        path = tmp_path / "charon.vici"
        monkeypatch.setattr(vici, "SOCKET", str(path))
        started.append(FakeCharon(path, lambda name, _: (events.get(name, []), answers.get(name))))
        started[-1].start()
        return started[-1]

    yield start
    for one in started:
        one.stop()


SA = {"hub-b": {"uniqueid": "1", "state": "ESTABLISHED"}}


def test_lists_are_what_the_events_say(daemon: Any) -> None:
    daemon({"list-sas": {}, "get-shared": {"keys": []}}, {"list-sas": [("list-sa", SA), ("list-sa", SA)]})
    asked = {"lists": {"sas": ["list-sas", "list-sa", {}], "shared": ["get-shared"]}}
    assert probe.main(asked) == {"sas": [SA, SA], "shared": {"keys": []}}


def test_a_command_that_the_daemon_does_not_know_is_an_error(daemon: Any) -> None:
    daemon({}, {})
    with pytest.raises(ConnectionError, match="knows no command list-sas"):
        probe.main({"lists": {"sas": ["list-sas", "list-sa", {}]}})


ATTEMPT = {
    "name": "foreign CA",
    "connection": {"probe-foreign": {"children": {"probe-foreign": {"mode": "transport"}}}},
    "key": "KEY",
    "terminate": {"ike": "probe-foreign"},
    "timeout_ms": 100,
}
ANSWERS = {
    "load-key": {"success": "yes", "id": "77"},
    "load-conn": {"success": "yes"},
    "initiate": {"success": "no", "errmsg": "establishing CHILD_SA 'probe-foreign' failed"},
    "unload-conn": {"success": "yes"},
    "unload-key": {"success": "yes"},
    "terminate": {"success": "yes"},
    "list-sas": {},
    "rekey": {"success": "yes"},
}


ORDER = {"do": "attempt", "attempts": [ATTEMPT], "pause_s": 0, "again": "hub-b"}


def tried(daemon: Any, answers: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    log = [("control-log", {"msg": "received AUTHENTICATION_FAILED notify error"})]
    one = daemon(answers, {"initiate": log})
    done = probe.main({**ORDER, "forget": ["true"]})
    return done, [name for name, _ in one.asked]


def test_the_certificates_that_were_tried_are_forgotten_whatever_comes_of_them(
    daemon: Any, tmp_path: Path
) -> None:
    """Without, they stay loaded, and the next look at the trust anchors finds them."""
    told = tmp_path / "told"
    daemon({}, {})
    with pytest.raises(ConnectionError):
        probe.main({**ORDER, "forget": ["touch", str(told)]})
    assert told.exists()


def test_certificates_that_cannot_be_forgotten_are_an_error(daemon: Any) -> None:
    daemon(ANSWERS, {})
    with pytest.raises(AgentError, match="certificates that were tried are still loaded: Vault is away"):
        probe.main({**ORDER, "forget": ["sh", "-c", "echo Vault is away >&2; exit 1"]})


def test_an_attempt_leaves_nothing_behind(daemon: Any) -> None:
    done, asked = tried(daemon, ANSWERS)
    assert asked == ["load-key", "load-conn", "initiate", "unload-conn", "unload-key", "list-sas"]
    attempt = done["attempts"]["foreign CA"]
    assert not attempt["up"]
    assert attempt["log"] == ["received AUTHENTICATION_FAILED notify error"]
    assert done["again"] == {"error": "hub-b is not up"}


def test_who_is_let_in_is_thrown_out(daemon: Any) -> None:
    done, asked = tried(daemon, ANSWERS | {"initiate": {"success": "yes"}})
    assert done["attempts"]["foreign CA"]["up"]
    assert asked[3:6] == ["terminate", "unload-conn", "unload-key"]


def test_a_connection_that_is_not_taken_is_an_error(daemon: Any) -> None:
    done, asked = tried(daemon, ANSWERS | {"load-conn": {"success": "no", "errmsg": "no such option"}})
    assert done["attempts"]["foreign CA"] == {"error": "the connection was not taken: no such option"}
    assert asked[2:4] == ["unload-conn", "unload-key"]


def test_a_connection_is_forgotten_and_its_sas_ended(daemon: Any) -> None:
    one = daemon(ANSWERS, {})
    done = probe.main({"do": "without", "connection": "hub-b"})
    assert done["left"] == []
    assert one.asked[:2] == [
        ("unload-conn", {"name": "hub-b"}),
        ("terminate", {"ike": "hub-b", "timeout": "3000"}),
    ]


FLUSHED = {"flush-certs": {"success": "yes"}}, {"flush-certs": [("log", {"msg": "flushed"})]}


def test_the_log_is_read_until_the_listener_is_told_that_it_is_enough(daemon: Any) -> None:
    one = daemon(*FLUSHED)
    name = f"test-{os.getpid()}"
    tell = {"do": "tell", "name": name, "seconds": 60, "enough": False}
    with ThreadPoolExecutor(1) as side:
        listening = side.submit(probe.main, {"do": "listen", "name": name, "seconds": 3600})
        assert probe.main(tell) == {"listens": True}
        assert not listening.done()
        assert probe.main(tell | {"enough": True}) == {"listens": True}
        done = listening.result(60)
    assert [line for _, line in done["lines"]] == ["flushed"]
    assert done["ended"] > done["began"]
    assert one.asked == [("flush-certs", {"type": "x509"})]
    assert probe.main(tell | {"seconds": 0}) == {"listens": False}


def test_a_listener_that_is_told_nothing_ends_by_itself(daemon: Any) -> None:
    daemon(*FLUSHED)
    done = probe.main({"do": "listen", "name": f"test-{os.getpid()}", "seconds": 0.2})
    assert done["ended"] - done["began"] >= 0.2
