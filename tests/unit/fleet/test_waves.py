"""Waves: one site first, never both networks of a site at once, and none behind one that went wrong."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from fleet_devices import Device, Make, means, run
from simulated_devices import intended

from heiiki.fleet.model import Outcome, Progress, Result, Target
from heiiki.fleet.waves import Gone, Unit, Verify, Waves, Where, planned, too_many


def units(*lines: str) -> list[Unit]:
    """Units of devices `SITE/NETWORKS`, the ends of a line with `+` between them."""
    return [
        tuple(Target(name, "nec_ix", "x", None, "") for name in line.split("+"))  # type: ignore[arg-type]
        for line in lines
    ]


def where(given: Sequence[Unit]) -> dict[str, Where]:
    names = [target.name for unit in given for target in unit]
    return {name: Where(name.split("/")[0], frozenset(name.split("/")[1][:1])) for name in names}


def waves(*lines: str) -> list[list[str]]:
    given = units(*lines)
    return [
        ["+".join(target.name for target in unit) for unit in wave] for wave in planned(given, where(given))
    ]


def test_the_first_wave_is_one_site_the_second_a_tenth_then_the_rest() -> None:
    names = [f"s{number}/a" for number in range(41)]
    made = waves(*names)
    assert made[0] == ["s0/a"]
    assert made[1] == names[1:5]
    assert made[2] == names[5:]
    assert len(made) == 3


def test_no_wave_has_both_networks_of_a_site() -> None:
    made = waves("s0/a", "s0/b", "s1/a", "s1/b", "s2/b", "s2/a")
    assert sorted(name for wave in made for name in wave) == ["s0/a", "s0/b", "s1/a", "s1/b", "s2/a", "s2/b"]
    assert made[0] == ["s0/a"]
    for wave in made:
        sites = [name.split("/")[0] for name in wave]
        assert len(sites) == len(set(sites)), wave


def test_devices_of_one_network_of_a_site_may_go_together() -> None:
    assert waves("s0/a1", "s0/a2", "s1/a1", "s1/a2") == [["s0/a1", "s0/a2"], ["s1/a1"], ["s1/a2"]]


def test_the_ends_of_a_line_are_in_one_wave() -> None:
    assert waves("s0/a", "s1/a+s2/b", "s2/a") == [["s0/a"], ["s1/a+s2/b"], ["s2/a"]]
    assert waves("s1/a+s2/b", "s1/c") == [["s1/c"], ["s1/a+s2/b"]]
    assert waves() == []


@pytest.mark.parametrize(("dead", "stops"), [(1, False), (2, True)])
def test_too_many_unreachable_are_named(dead: int, stops: bool) -> None:
    results = [
        Result(f"d{number}", Outcome.UNREACHABLE if number < dead else Outcome.CHANGED) for number in range(4)
    ]
    said = too_many(results, 0.25)
    assert said == ("2 of 4 are unreachable, more than 25%: d0, d1" if stops else "")


def pushed(
    devices: list[Device], verify: Verify = lambda _: "", watch: Any = None, most: float = 0.25
) -> Gone:
    targets = [replace(one.target, intended=intended(one.platform, one.target.name)) for one in devices]
    given = [(target,) for target in targets]
    sites = {target.name: Where(target.name, frozenset("a")) for target in targets}
    work = Waves(means(devices[0]), (), verify, most, watch=watch)
    return run(work.push(planned(given, sites)))


@pytest.fixture
def three(make: Make) -> list[Device]:
    return [make("cisco_iosxe") for _ in range(3)]


def test_a_wave_is_verified_before_the_next(three: list[Device]) -> None:
    seen: list[tuple[str, ...]] = []

    def verify(results: Sequence[Result]) -> str:
        seen.append(tuple(one.device for one in results))
        typed = [bool(one.state()["typed"]) for one in three]
        assert typed == [number < sum(map(len, seen)) for number in range(3)]
        return ""

    progress: list[Progress] = []
    gone = pushed(three, verify, progress.append)
    assert (gone.stopped, gone.left) == ("", ())
    assert [one.outcome for one in gone.results] == [Outcome.CHANGED] * 3
    assert [name for wave in seen for name in wave] == [one.target.name for one in three]
    assert [(one.done, one.changed, one.total) for one in progress] == [(1, 1, 3), (2, 2, 3), (3, 3, 3)]


def test_a_wave_whose_verification_fails_is_the_last(three: list[Device]) -> None:
    gone = pushed(three, lambda _: "the hub hears nothing")
    assert gone.stopped == "wave 1 of 3: the hub hears nothing"
    assert gone.left == tuple(one.target.name for one in three[1:])
    assert [bool(one.state()["typed"]) for one in three] == [True, False, False]


def test_a_wave_with_a_failure_is_the_last(three: list[Device]) -> None:
    three[0].fail(refuse_line=2)
    gone = pushed(three)
    assert gone.stopped == f"wave 1 of 3: failed: {three[0].target.name}"
    assert [bool(one.state()["typed"]) for one in three] == [True, False, False]


def test_a_wave_of_the_dead_is_the_last(three: list[Device]) -> None:
    three[0].order("close")
    gone = pushed(three)
    assert gone.stopped == f"wave 1 of 3: 1 of 1 are unreachable, more than 25%: {three[0].target.name}"
    assert pushed(three, most=1.0).stopped == ""
