"""Silences to rows: phases, the bound, the exemption, and the stall rule."""

from typing import Any

import pytest

from heiiki.plan.model import FailureMode, Fault
from heiiki.requirements import Result
from heiiki.verify.faults.gaps import Stream, Window, measured, row

WINDOW = Window(100.0, 100.03, 103.0, 106.0)
STREAMS = (
    Stream("umeda-bems", "10.15.0.4", "umeda", "down"),
    Stream("dras", "10.16.1.20", "umeda", "up"),
    Stream("dras", "10.15.0.5"),
)
FAULT = Fault("a-p1", "node", FailureMode.SILENT, "a", ("umeda",))


def phase(gap: float | None, *, truncated: bool = False, start: float = 100.5) -> dict[str, Any]:
    return {"gap": gap, "start": start, "truncated": truncated}


def recorded(
    down: tuple[float | None, float | None] = (0.9, 0.04), control: float = 0.03, **more: Any
) -> dict[str, list[dict[str, Any]]]:
    return {
        "umeda-bems": [{"peers": {"10.15.0.4": phase(gap)}, **more} for gap in down],
        "dras": [{"peers": {"10.16.1.20": phase(0.1), "10.15.0.5": phase(control)}} for _ in range(2)],
    }


def test_every_stream_gives_a_gap_for_each_phase() -> None:
    seen = measured(STREAMS, recorded(), WINDOW, ())
    assert [(gap.site, gap.direction, gap.phase, gap.seconds) for gap in seen.gaps] == [
        ("umeda", "down", "failure", 0.9),
        ("umeda", "down", "return", 0.04),
        ("umeda", "up", "failure", 0.1),
        ("umeda", "up", "return", 0.1),
    ]
    assert (seen.missing, seen.stalls) == ((), ())


def test_below_the_bound_passes_with_the_longest_gap() -> None:
    found = row(FAULT, measured(STREAMS, recorded(), WINDOW, ()), (), {})
    assert (found.result, found.longest, found.reason) == (
        Result.PASS,
        0.9,
        "longest: 0.90 s down at umeda on failure; put in force within 30 ms",
    )


def test_above_the_bound_fails_whatever_else_is_missing() -> None:
    found = row(FAULT, measured(STREAMS, recorded(down=(3.2, None)), WINDOW, ()), (), {})
    assert (found.result, found.reason) == (Result.FAIL, "3.20 s down at umeda on failure, bound 2 s")


def test_a_stream_that_is_missing_is_unknown_never_a_pass() -> None:
    found = row(FAULT, measured(STREAMS, recorded(down=(None, None)), WINDOW, ()), (), {})
    assert found.result is Result.UNKNOWN
    assert found.reason.startswith("umeda-bems from 10.15.0.4 at failure: no packet arrived before it; ")


def test_both_windows_begin_when_the_clock_was_read_before_the_first_step() -> None:
    assert WINDOW.questions() == [
        {"do": "gaps", "since": 100.0, "until": 103.0},
        {"do": "gaps", "since": 103.0, "until": 106.0},
    ]


def test_an_interruption_that_no_timer_could_end_so_soon_was_not_felt() -> None:
    """The planted case: 1.19 s of silence, of which 0.25 s and 0.18 s were seen, and passed."""
    felt = {("umeda", "down"): 0.9, ("umeda", "up"): 0.9}
    found = row(FAULT, measured(STREAMS, recorded(down=(0.25, 0.04)), WINDOW, ()), (), felt)
    assert found.result is Result.UNKNOWN
    assert found.reason == (
        "not felt: 0.25 s down at umeda on failure, though this traffic was on the element and nothing "
        "notices within 0.90 s"
    )


def test_each_direction_must_be_felt_and_only_on_failure() -> None:
    seen = measured(STREAMS, recorded(down=(1.0, 0.04)), WINDOW, ())
    assert row(FAULT, seen, (), {("umeda", "down"): 0.9}).result is Result.PASS
    found = row(FAULT, seen, (), {("umeda", "down"): 0.9, ("umeda", "up"): 0.9})
    assert found.reason.startswith("not felt: 0.10 s up at umeda on failure")


def test_without_a_timer_in_the_texts_nobody_knows_what_must_be_felt() -> None:
    found = row(FAULT, measured(STREAMS, recorded(), WINDOW, ()), (), {("umeda", "down"): None})
    assert found.result is Result.UNKNOWN
    assert "have no timer" in found.reason


def test_what_is_over_the_bound_fails_whether_felt_or_not() -> None:
    felt = {("umeda", "up"): 0.9}
    found = row(FAULT, measured(STREAMS, recorded(down=(3.2, 0.1)), WINDOW, ()), (), felt)
    assert found.result is Result.FAIL


def test_how_far_the_steps_of_the_injection_lie_apart_is_in_the_row() -> None:
    assert row(FAULT, measured(STREAMS, recorded(), WINDOW, ()), (), {}).spread_s == 0.03


def test_nothing_recorded_at_all_is_unknown() -> None:
    found = row(FAULT, measured(STREAMS, {}, WINDOW, ()), (), {})
    assert found.result is Result.UNKNOWN
    assert "nothing was recorded" in found.reason


def test_a_recorder_that_forgot_is_unknown() -> None:
    answers = recorded()
    answers["umeda-bems"][0]["peers"]["10.15.0.4"] = phase(0.1, truncated=True)
    found = row(FAULT, measured(STREAMS, answers, WINDOW, ()), (), {})
    assert found.result is Result.UNKNOWN
    assert "does not reach back" in found.reason


def test_the_one_gateway_is_exempt_for_its_own_site_only() -> None:
    exempt = Fault("umeda-gw", "node", FailureMode.KILL, "a", ("umeda",), "figure 5.18 (a)")
    found = row(exempt, measured(STREAMS, recorded(down=(3.2, 0.1)), WINDOW, ()), (), {})
    assert (found.result, found.reason, found.longest) == (Result.NOT_APPLICABLE, "figure 5.18 (a)", 3.2)
    other = Fault("namba-gw", "node", FailureMode.KILL, "a", ("namba",), "figure 5.18 (a)")
    assert row(other, measured(STREAMS, recorded(down=(3.2, 0.1)), WINDOW, ()), (), {}).result is Result.FAIL


@pytest.mark.parametrize(
    ("stalls", "answers", "word"),
    [
        (((101.0, 0.4),), recorded(), "guest stood still for 0.400 s"),
        ((), recorded(control=0.25), "control stream silent for 0.250 s"),
        ((), recorded(stalls=[{"at": 101.0, "late": 0.3}]), "prober of umeda-bems stood still for 0.300 s"),
    ],
    ids=["guest", "control stream", "prober"],
)
def test_a_stall_voids_a_good_measurement_as_well_as_a_bad_one(
    stalls: tuple[tuple[float, float], ...], answers: dict[str, list[dict[str, Any]]], word: str
) -> None:
    seen = measured(STREAMS, answers, WINDOW, stalls)
    assert word in seen.stalls[0]
    found = row(FAULT, seen, (0.9, 0.8, 0.7, 0.9), {})
    assert (found.result, found.voided, found.gaps) == (Result.UNKNOWN, (0.9, 0.8, 0.7, 0.9), ())


@pytest.mark.parametrize(
    "stalls",
    [((99.0, 0.5),), ((103.0, 0.5),), ((101.0, 0.169),)],
    ids=["before", "after", "short"],
)
def test_a_stall_away_from_the_longest_silence_or_below_the_threshold_voids_nothing(
    stalls: tuple[tuple[float, float], ...],
) -> None:
    assert measured(STREAMS, recorded(), WINDOW, stalls).stalls == ()


def test_what_was_voided_before_is_kept_with_the_good_row() -> None:
    found = row(FAULT, measured(STREAMS, recorded(), WINDOW, ()), (1.4,), {})
    assert (found.result, found.voided) == (Result.PASS, (1.4,))
