"""Gateways at the hub: who is silent, since when, and what is said aloud."""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fake_charon import Answered, FakeCharon, Message

from heiiki_agent import vici
from heiiki_agent.errors import AgentError
from heiiki_agent.pki import supervision
from heiiki_agent.pki.supervision import SILENT_S, Supervision

NAMES = {"s0017": "umeda-ce-a", "s0042": "sakai-ce-a", "s0050": "kita-gw"}


class Hub:
    """The IKE daemon of the hub, and its clock."""

    def __init__(self) -> None:
        self.loaded = [*NAMES, "edge"]
        self.up = dict.fromkeys(self.loaded, "ESTABLISHED")
        self.now = 0.0

    def answer(self, name: str, _message: Message) -> Answered:
        if name == "get-conns":
            return [], {"conns": self.loaded}
        return [("list-sa", {one: {"state": state, "uniqueid": "1"}}) for one, state in self.up.items()], {}

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    made = Hub()
    monkeypatch.setattr(vici, "SOCKET", str(tmp_path / "charon.vici"))
    monkeypatch.setattr(supervision, "time", made)
    charon = FakeCharon(tmp_path / "charon.vici", made.answer)
    charon.start()
    yield made
    charon.stop()


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    caplog.set_level(logging.WARNING, "credentials")

    def taken() -> list[str]:
        lines = [record.getMessage() for record in caplog.records]
        caplog.clear()
        return lines

    return taken


def test_one_that_is_silent_raises_one_alarm_with_what_to_do(
    hub: Hub, said: Callable[[], list[str]], caplog: pytest.LogCaptureFixture
) -> None:
    watch = Supervision()
    assert watch.look(NAMES) == {}
    hub.up.pop("s0042")
    hub.up["s0017"] = "REKEYING"
    hub.now = 60.0
    assert watch.look(NAMES) == {"sakai-ce-a": 0.0}
    hub.now += SILENT_S - 1
    assert watch.look(NAMES) == {"sakai-ce-a": SILENT_S - 1}
    assert said() == []
    for _ in range(2):
        hub.now += 60
        watch.look(NAMES)
    assert [one.levelno for one in caplog.records] == [logging.CRITICAL]
    (line,) = said()
    assert line.startswith("sakai-ce-a: was not heard for 5 minutes; if nothing else explains it")
    assert line.endswith("to bar it: ansible-playbook playbooks/revoke.yml -e heiiki_device=sakai-ce-a")
    hub.up["s0042"] = "ESTABLISHED"
    assert watch.look(NAMES) == {}
    assert said() == ["sakai-ce-a: is heard again, or no longer asked for"]


def test_an_attempt_is_no_sign_of_life(hub: Hub) -> None:
    hub.up["s0042"] = "CONNECTING"
    assert list(Supervision().look(NAMES)) == ["sakai-ce-a"]


def test_all_at_once_is_a_network_and_no_theft(hub: Hub, said: Callable[[], list[str]]) -> None:
    watch, hub.up = Supervision(), {"edge": "ESTABLISHED"}
    watch.look(NAMES)
    hub.now = SILENT_S + 1
    assert set(watch.look(NAMES)) == set(NAMES.values())
    assert said() == ["no gateway was heard for 5 minutes: the line or the network is down"]


def test_a_connection_that_was_withdrawn_is_not_asked_after(hub: Hub) -> None:
    hub.up.pop("s0042")
    hub.loaded.remove("s0042")
    assert Supervision().look(NAMES) == {}


def test_a_daemon_that_does_not_answer_is_no_silence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vici, "SOCKET", str(tmp_path / "none"))
    with pytest.raises(AgentError, match="see whether strongswan runs"):
        Supervision().look(NAMES)
