"""How a measurement is asked for, and what decides against it."""

from typing import Any

import pytest
from ansible.errors import AnsibleError
from ansible_collections.heiiki.network.plugins.action.design import line
from ansible_collections.heiiki.network.plugins.plugin_utils.verification import chosen_faults

from heiiki.report.completion import NOT_RUN, NOTHING_EXAMINED
from heiiki.requirements.verdict import Result, Stage, Verdict
from heiiki.service import bad_ones
from heiiki.verify import load
from heiiki.verify.mms import orders


@pytest.mark.parametrize(
    ("value", "faults"),
    [
        (False, False),
        ("false", False),
        (True, True),
        ("yes", True),
        ("a-p1", ("a-p1",)),
        ("sample", ("sample",)),
        ("a-p1/kill, umeda-ce-a/poweroff", ("a-p1/kill", "umeda-ce-a/poweroff")),
        (["a-p1"], ("a-p1",)),
    ],
)
def test_faults_are_all_none_or_named(value: Any, faults: Any) -> None:
    assert chosen_faults(value) == faults


@pytest.mark.parametrize("value", [[], ["a", 1], {"a": 1}, 7])
def test_anything_else_is_refused(value: Any) -> None:
    with pytest.raises(AnsibleError, match="is neither true, false, nor names of faults"):
        chosen_faults(value)


def verdict(requirement: str, result: Result, reason: str = "because") -> Verdict:
    return Verdict(requirement, "x", Stage.LIVE, result, reason)


MISSING = verdict("R-GAP", Result.UNKNOWN, NOT_RUN)
VERDICTS = (
    verdict("R-REACH", Result.PASS),
    verdict("R-AVAIL", Result.NOT_APPLICABLE),
    verdict("R-GAP", Result.FAIL),
    verdict("R-REACH", Result.UNKNOWN),
    verdict("R-REACH", Result.UNKNOWN, NOTHING_EXAMINED),
    MISSING,
)


@pytest.mark.parametrize("faults", [True, False])
def test_what_is_unknown_decides_against_a_run(faults: bool) -> None:
    assert bad_ones(VERDICTS, faults) == VERDICTS[2:]


def test_where_faults_are_named_the_others_do_not_decide() -> None:
    assert bad_ones(VERDICTS, ("a-p1",)) == VERDICTS[2:-1]


@pytest.mark.parametrize("reason", [load.NOT_ASKED, load.NOT_IN_SAMPLE, orders.NOT_ASKED])
def test_where_faults_are_named_what_is_asked_for_beside_them_does_not_decide(reason: str) -> None:
    """A sample fills the slowest lines alone, and what was spoilt is measured again by its name."""
    left_out = verdict("R-DELAY/load", Result.UNKNOWN, reason)
    assert bad_ones((left_out,), ("sample",)) == ()
    assert bad_ones((left_out,), faults=True) == (left_out,)


def test_a_line_of_the_table_shows_figure_bound_and_reason() -> None:
    found = Verdict("R-GAP", "umeda", Stage.DESIGN, Result.FAIL, "too slow", 2.5, 2.0, "s")
    assert line(found).split() == ["fail", "R-GAP", "umeda", "2.5", "s", "(bound", "2)", "too", "slow"]
