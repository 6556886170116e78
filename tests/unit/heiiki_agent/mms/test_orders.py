"""Orders as texts and as values of the model."""

import json

import pytest

from heiiki_agent.errors import AgentError
from heiiki_agent.mms import references as ref
from heiiki_agent.mms.orders import MOST_ENTRIES, Schedule, SetPoint, described, kind, parsed, written

SCHEDULE = Schedule(order_id="s-1", start="2026-11-30T15:00:00Z", interval_s=1800, powers_w=(1.5, -2.0))


def test_a_power_is_what_a_float32_has() -> None:
    assert SetPoint(order_id="o-1", power_w=12345.678).power_w == 12345.677734375


@pytest.mark.parametrize("order", [SetPoint(order_id="o-1", power_w=-5000.0), SCHEDULE])
def test_what_is_written_is_read_back(order: SetPoint | Schedule) -> None:
    assert parsed(kind(order), written(order), "the book") == order


def test_times_are_kept_in_utc() -> None:
    text = written(SCHEDULE).replace("2026-11-30T15:00:00Z", "2026-12-01T00:00:00+09:00")
    assert parsed("schedule", text, "order") == SCHEDULE


@pytest.mark.parametrize(
    ("word", "order", "problem"),
    [
        ("set", {"order_id": "o-1"}, "order: power_w: is missing; add it"),
        ("set", {"order_id": "o 1", "power_w": 1}, "order: order_id: is wrong: 'o 1' does not match"),
        ("set", {"order_id": "o-1", "power_w": 1e300}, "order: is wrong: 1e+300 is no power"),
        (
            "schedule",
            {"order_id": "s", "start": "2026-12-01T00:00:00", "interval_s": 1, "powers_w": [1]},
            "order: start: is wrong: has no zone; write 2026-12-01T08:00:00Z",
        ),
        (
            "schedule",
            {"order_id": "s", "start": "2026-12-01T00:00:00Z", "interval_s": 1, "powers_w": [1] * 49},
            "order: is wrong: powers_w: 49 are too many; give 48 at most",
        ),
    ],
)
def test_mistakes_are_named(word: str, order: object, problem: str) -> None:
    with pytest.raises(AgentError) as refused:
        parsed(word, json.dumps(order), "order")
    assert str(refused.value).startswith(problem)


def test_a_resource_is_told_kilowatts() -> None:
    assert described(SetPoint(order_id="o-1", power_w=-5000.0)) == {"order_id": "o-1", "power_kw": -5.0}
    assert described(SCHEDULE)["powers_kw"] == [0.0015, -0.002]


def test_every_variable_of_a_schedule_is_written_so_that_none_of_another_is_left() -> None:
    values = ref.schedule_values(SCHEDULE)
    assert tuple(values) == tuple(ref.SCHEDULE_NAMES)
    assert list(values.values())[3 + len(SCHEDULE.powers_w) :] == [0.0] * (MOST_ENTRIES - 2)


@pytest.mark.parametrize("value", [None, 1.0, ref.analogue(1.0).members])
def test_what_is_no_number_is_none(value: object) -> None:
    with pytest.raises(ref.NotInModelError):
        ref.number(value)
