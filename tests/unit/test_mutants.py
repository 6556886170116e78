"""What mutants of the lab are compared with: a check is made once, and says what it says in a combination."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.molecule.mutants import Bench, Verdicts, in_turn

from heiiki.requirements import Result, Stage, Verdict


class Recorded(Bench):
    """A bench whose checks find one thing each, and `shared`, and say when they are made."""

    def __init__(self) -> None:
        nowhere: Any = SimpleNamespace(plan=None)
        super().__init__(nowhere, (), nowhere, Path("/nowhere"))
        self.made: list[tuple[str, ...]] = []

    def verdicts(self, checks: tuple[str, ...]) -> Verdicts:
        self.made.append(checks)
        found = [
            Verdict("R-DUAL", subject, Stage.LIVE, Result.PASS, name)
            for name in in_turn(checks)
            for subject in (name, "shared")
        ]
        return {(item.requirement, str(item.stage), item.subject): item for item in found}


COMBINATIONS = (
    ("config",),
    ("config", "isolation"),
    ("config", "sessions"),
    ("files", "associations", "anchors"),
    ("associations", "mirrors"),
    ("files", "associations"),
    ("config",),
)


def test_each_check_is_made_once_whatever_it_is_combined_with() -> None:
    bench = Recorded()
    for checks in COMBINATIONS:
        bench.baseline(checks)
    once = ("config", "isolation", "sessions", "files", "associations", "anchors", "mirrors")
    assert sorted(bench.made) == sorted((name,) for name in once)


@pytest.mark.parametrize("checks", COMBINATIONS)
def test_a_baseline_is_what_the_checks_say_together(checks: tuple[str, ...]) -> None:
    bench = Recorded()
    assert bench.baseline(checks) == Recorded().verdicts(checks)
    assert bench.baseline(checks[::-1]) == Recorded().verdicts(checks)


def test_what_is_refused_is_tried_after_what_it_would_spoil() -> None:
    assert in_turn(("refusals", "mirrors", "config")) == ("config", "mirrors", "refusals")


def test_a_check_that_is_not_known_is_no_check_that_finds_nothing() -> None:
    with pytest.raises(AssertionError, match="confg"):
        in_turn(("confg",))
