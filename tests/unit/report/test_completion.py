from dataclasses import replace

import pytest

from heiiki.plan.model import Plan
from heiiki.report import completeness, exit_code, expected_faults
from heiiki.report.completion import NOT_RUN, NOTHING_EXAMINED, WHOLE_SERVICE, is_not_run
from heiiki.requirements import REQUIREMENTS, Result, Stage, Verdict

PASS = Verdict("R-COST", "network a", Stage.DESIGN, Result.PASS)


def examined() -> set[tuple[str, Stage]]:
    return {(item.id, stage) for item in REQUIREMENTS for stage in item.stages}


def test_nothing_found_makes_everything_examined_unknown() -> None:
    found = completeness(())
    assert {(verdict.requirement, verdict.stage) for verdict in found} == examined()
    assert {(verdict.result, verdict.reason, verdict.subject) for verdict in found} == {
        (Result.UNKNOWN, NOTHING_EXAMINED, WHOLE_SERVICE)
    }


def test_what_was_examined_gets_no_stand_in() -> None:
    found = completeness((PASS,))
    assert len(found) == len(examined())
    assert [verdict for verdict in found if verdict.requirement == "R-COST"] == [PASS]


def test_a_stage_that_is_not_examined_gets_no_stand_in() -> None:
    assert "R-SEC-CORE" not in {verdict.requirement for verdict in completeness(())}


def test_one_stage_alone_asks_for_nothing_else() -> None:
    found = completeness((PASS,), stages=(Stage.DESIGN,))
    assert {verdict.stage for verdict in found} == {Stage.DESIGN}
    assert len(found) == len([stage for _, stage in examined() if stage is Stage.DESIGN])


def test_calling_it_again_changes_nothing(plan: Plan, verdicts: tuple[Verdict, ...]) -> None:
    once = completeness(verdicts, expected_faults(plan))
    assert completeness(once, expected_faults(plan)) == once


def test_a_stand_in_gives_way_to_what_was_examined_later() -> None:
    assert PASS in completeness((*completeness(()), PASS))
    assert len(completeness((*completeness(()), PASS))) == len(examined())


def test_each_fault_of_the_plan_without_a_row_is_unknown_and_not_run(plan: Plan) -> None:
    found = completeness((), expected_faults(plan))
    others = {"away": "R-DUAL/outage", "flood": "R-ISO-MALICE/flood", "killed": "R-EVENT/books"}
    live = [verdict for verdict in found if is_live_gap(verdict) or mode(verdict) in others]
    assert {verdict.subject for verdict in live} == {fault.name for fault in plan.faults}
    asked = {(mode(verdict), verdict.requirement) for verdict in live if mode(verdict) in others}
    assert asked == set(others.items())
    assert {(verdict.result, verdict.reason) for verdict in live} == {(Result.UNKNOWN, NOT_RUN)}


def test_one_missing_fault_is_unknown(plan: Plan, verdicts: tuple[Verdict, ...]) -> None:
    found = completeness(verdicts, expected_faults(plan))
    added = [verdict for verdict in found if is_not_run(verdict)]
    assert [verdict.subject for verdict in added] == ["b-mme/kill"]


def mode(verdict: Verdict) -> str:
    return verdict.subject.rpartition("/")[2].rpartition("-")[2]


def is_live_gap(verdict: Verdict) -> bool:
    return (verdict.requirement, verdict.stage) == ("R-GAP", Stage.LIVE)


@pytest.mark.parametrize(
    ("results", "code"),
    [
        ((), 1),
        ((Result.PASS,), 0),
        ((Result.PASS, Result.NOT_APPLICABLE), 0),
        ((Result.PASS, Result.UNKNOWN), 1),
        ((Result.PASS, Result.FAIL), 1),
    ],
)
def test_exit_code(results: tuple[Result, ...], code: int) -> None:
    assert exit_code(replace(PASS, result=result, reason="because") for result in results) == code
