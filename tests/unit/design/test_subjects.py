"""What the design stage must say of a plan is known beforehand, and what it does not say is unknown."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from heiiki.cli.new_service import generate
from heiiki.design import availability, cost, design, independence, separation, switchover, trust
from heiiki.design import subjects as module
from heiiki.design.subjects import subjects
from heiiki.intent import load
from heiiki.plan import Plan, build
from heiiki.plan.model import Network
from heiiki.render import DeviceBuild, compile_plan
from heiiki.requirements import NOTHING_EXAMINED, Result

EXAMPLE = Path(__file__).parents[3] / "inventories" / "lab"


@cache
def example() -> tuple[Plan, tuple[DeviceBuild, ...]]:
    plan = build(load(EXAMPLE))
    return plan, tuple(compile_plan(plan))


def said(plan: Plan, builds: tuple[DeviceBuild, ...]) -> set[tuple[str, str]]:
    return {(item.requirement, item.subject) for item in design(plan, builds)}


def test_the_example_says_what_is_expected_and_no_more() -> None:
    assert said(*example()) == set(subjects(example()[0]))


@pytest.mark.parametrize("sites", [1, 30])
def test_generated_services_say_what_is_expected_and_no_more(tmp_path: Path, sites: int) -> None:
    (tmp_path / "sites").mkdir()
    for name, text in generate("random", sites, 5).items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    plan = build(load(tmp_path))
    assert ("R-CLOSED", module.MANAGEMENT) in set(subjects(plan))
    assert said(plan, tuple(compile_plan(plan))) == set(subjects(plan))


def test_no_subject_is_expected_twice() -> None:
    found = list(subjects(example()[0]))
    assert len(found) == len(set(found))


@pytest.mark.parametrize(
    ("check", "requirement"),
    [
        (availability, "R-AVAIL"),
        (switchover, "R-GAP"),
        (independence, "R-DUAL"),
        (separation, "R-ISO-SITE"),
        (cost, "R-COST"),
        (trust, "R-SEC-ESP"),
    ],
)
def test_a_check_that_leaves_one_subject_out_leaves_it_unknown(
    monkeypatch: pytest.MonkeyPatch, check: object, requirement: str
) -> None:
    plan, builds = example()
    whole = check.verdicts  # type: ignore[attr-defined]
    dropped = [item for item in design(plan, builds) if item.requirement == requirement][1]

    def less(*args: object) -> object:
        return (
            item
            for item in whole(*args)
            if (item.requirement, item.subject) != (requirement, dropped.subject)
        )

    monkeypatch.setattr(check, "verdicts", less)
    unknown = [item for item in design(plan, builds) if item.result is Result.UNKNOWN]
    assert [(item.requirement, item.subject, item.reason) for item in unknown] == [
        (requirement, dropped.subject, NOTHING_EXAMINED)
    ]


def test_a_path_that_the_plan_lost_is_still_expected() -> None:
    plan, builds = example()
    lost = replace(plan, paths=tuple(one for one in plan.paths if one != plan.path("namba", Network.B)))
    found = {(item.requirement, item.subject): item for item in design(lost, builds)}
    assert found["R-SEC-ACCESS", "namba over B"].reason == NOTHING_EXAMINED


def test_a_tunnel_that_the_plan_lost_is_still_expected() -> None:
    plan, builds = example()
    devices = tuple(replace(one, ipsec=()) if one.name == "sakai-gw-b" else one for one in plan.devices)
    found = {
        (item.requirement, item.subject): item for item in design(replace(plan, devices=devices), builds)
    }
    missing = found["R-SEC-ACCESS", "return of sakai-gw-b to hub-ce-b over B"]
    assert (missing.result, missing.reason) == (Result.UNKNOWN, NOTHING_EXAMINED)
