"""A clock that is set back leaves the kernel waiting: what it would have begun is begun."""

import pytest

from heiiki_agent.errors import AgentError
from heiiki_agent.pki import revival

NAMES = ("hub-a", "hub-b")


class Clock:
    """A wall clock that is set by hand, and connections without an IKE SA."""

    def __init__(self) -> None:
        self.offset, self.gone, self.asked = 1000.0, list[str](), list[list[str]]()

    def begun(self, names: list[str]) -> tuple[str, ...]:
        self.asked.append(names)
        return tuple(name for name in names if name in self.gone)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(revival, "_offset", lambda: made.offset)
    monkeypatch.setattr(revival, "begun_without", made.begun)
    return made


@pytest.mark.parametrize("step", [0.0, 4 * 86400.0, -revival.SET_BACK_S])
def test_nothing_is_begun_after_another_step(clock: Clock, step: float) -> None:
    made = revival.Revival()
    clock.gone = ["hub-a"]
    clock.offset += step
    assert made.look(NAMES) == ()
    assert clock.asked == []


def test_after_a_step_back_each_is_begun_until_it_was_there(clock: Clock) -> None:
    made = revival.Revival()
    clock.gone = ["hub-b"]
    clock.offset -= 11
    assert made.look(NAMES) == ("hub-b",)
    assert made.look(NAMES) == ("hub-b",)
    clock.gone = []
    assert made.look(NAMES) == ()
    clock.gone = ["hub-a"]
    assert made.look(NAMES) == ()
    assert clock.asked == [["hub-a", "hub-b"], ["hub-b"], ["hub-b"]]


def test_a_daemon_that_does_not_answer_is_asked_again(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    made = revival.Revival()
    clock.offset -= 11
    with monkeypatch.context() as patched:
        patched.setattr(revival, "begun_without", _silent)
        with pytest.raises(AgentError):
            made.look(NAMES)
    clock.gone = ["hub-a"]
    assert made.look(NAMES) == ("hub-a",)


def _silent(_names: list[str]) -> tuple[str, ...]:
    raise AgentError("charon does not answer")
