"""Asking devices, and asking those again that are not right yet."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest

from heiiki.verify import fleet
from heiiki.verify.fleet import Answer, Looks

NAMES = ("dras", "hub-ce-a", "hub-ce-b")
ASKED = {name: {"first": True} for name in NAMES}
LATER = {name: {"first": False} for name in NAMES}


@pytest.fixture(autouse=True)
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What would have been waited for, seconds."""
    found: list[float] = []
    monkeypatch.setattr(fleet.time, "sleep", found.append)
    return found


def unsettled(answers: Mapping[str, Answer]) -> list[str]:
    return [name for name, answer in answers.items() if not answer.data.get("right")]


@pytest.mark.parametrize(
    ("right_at", "times", "waits", "right"),
    [
        ({}, {"dras": 1, "hub-ce-a": 1, "hub-ce-b": 1}, 0, set(NAMES)),
        ({"dras": 2}, {"dras": 2, "hub-ce-a": 1, "hub-ce-b": 1}, 1, set(NAMES)),
        ({"dras": 3, "hub-ce-b": 2}, {"dras": 3, "hub-ce-a": 1, "hub-ce-b": 2}, 2, set(NAMES)),
        ({"dras": 4}, {"dras": 3, "hub-ce-a": 1, "hub-ce-b": 1}, 2, {"hub-ce-a", "hub-ce-b"}),
    ],
)
def test_those_that_are_not_right_are_asked_again_and_no_others(
    fleet_of: Any,
    slept: list[float],
    right_at: dict[str, int],
    times: dict[str, int],
    waits: int,
    right: set[str],
) -> None:
    looks: Counter[str] = Counter()

    def reply(device: str, *_: Any) -> dict[str, Any]:
        looks[device] += 1
        return {"right": looks[device] >= right_at.get(device, 1)}

    found = fleet_of(reply).ask_until("read", ASKED, unsettled, Looks(most=3, every_s=1.5))
    assert looks == times
    assert slept == [1.5] * waits
    assert set(NAMES) - set(unsettled(found)) == right


def test_further_questions_may_be_others(fleet_of: Any) -> None:
    told: list[bool] = []

    def reply(_device: str, _probe: str, parameters: dict[str, Any]) -> dict[str, Any]:
        told.append(parameters["first"])
        return {"right": not parameters["first"]}

    fleet_of(reply).ask_until("read", ASKED, unsettled, Looks(most=5), later=LATER)
    assert told == [True] * 3 + [False] * 3


def test_a_device_that_does_not_answer_is_asked_as_often_as_any(fleet_of: Any, slept: list[float]) -> None:
    found = fleet_of(lambda *_: {"right": True}, dead=["dras"]).ask_until(
        "read", ASKED, unsettled, Looks(most=2)
    )
    assert len(slept) == 1
    assert found["dras"].error == "dras: not reachable"
