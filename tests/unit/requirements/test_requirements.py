"""The catalogue and its one kind of answer."""

import pytest

from heiiki.requirements import REQUIREMENTS, Result, Stage, Verdict, requirement


def test_identifiers_are_unique_and_found() -> None:
    assert len({item.id for item in REQUIREMENTS}) == len(REQUIREMENTS)
    assert all(requirement(item.id) is item for item in REQUIREMENTS)


def test_an_unknown_identifier_is_refused() -> None:
    with pytest.raises(KeyError):
        requirement("R-NONE")


@pytest.mark.parametrize("result", [Result.FAIL, Result.UNKNOWN, Result.NOT_APPLICABLE])
def test_whatever_is_no_pass_needs_a_reason(result: Result) -> None:
    with pytest.raises(ValueError, match=f"^R-GAP umeda: a {result} verdict needs a reason$"):
        Verdict("R-GAP", "umeda", Stage.DESIGN, result)


def test_a_pass_needs_none() -> None:
    assert Verdict("R-GAP", "umeda", Stage.DESIGN, Result.PASS).reason == ""
