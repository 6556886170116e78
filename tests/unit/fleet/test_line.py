"""Both ends of a line get their new configuration, or both keep the old one: refused, cut, dead, killed."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import killed_pushes
import pytest
from fleet_devices import Device, Make, means, run
from simulated_devices import intended, paths

from heiiki.fleet import engine
from heiiki.fleet.engine import together
from heiiki.fleet.journal import Entry
from heiiki.fleet.model import Outcome, Result, Target
from heiiki.fleet.push import Means

PAIRS = (
    ("cisco_iosxe", "juniper_junos"),
    ("juniper_junos", "yamaha_rtx"),
    ("yamaha_rtx", "nec_ix"),
    ("nec_ix", "cisco_iosxe"),
)
"""Each platform at each end of a line."""


@dataclass
class Line:
    """Two devices, and what they had."""

    ends: tuple[Device, Device]
    before: tuple[str, str]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(end.target.name for end in self.ends)

    def targets(self) -> list[Target]:
        return [replace(end.target, intended=wanted(end)) for end in self.ends]

    def push(self, given: Means | None = None, **settings: Any) -> tuple[Result, ...]:
        given = given or means(self.ends[0], **settings)
        return run(engine.push(self.targets(), given, lines=[self.names]))

    def standing(self) -> tuple[str, ...]:
        """What each end has: new, old, or neither."""
        return tuple(
            "new" if same(end.running(), wanted(end)) else "old" if same(end.running(), old) else "neither"
            for end, old in zip(self.ends, self.before, strict=True)
        )

    def armed(self) -> list[bool]:
        return [bool(end.state()["armed"]) for end in self.ends]

    def begun(self) -> tuple[str, ...]:
        return means(self.ends[0]).journal.begun()


def wanted(device: Device) -> str:
    return intended(device.platform, device.target.name)


def same(one: str, other: str) -> bool:
    return paths(one).keys() == paths(other).keys()


MakeLine = Callable[..., Line]


@pytest.fixture
def make_line(make: Make) -> MakeLine:
    def made(pair: tuple[str, str], **more: Any) -> Line:
        first, second = (make(platform, **more) for platform in pair)
        return Line((first, second), (first.running(), second.running()))

    return made


@pytest.fixture(params=PAIRS, ids="-".join)
def line(make_line: MakeLine, request: pytest.FixtureRequest) -> Line:
    return make_line(request.param)


def test_both_ends_are_changed_confirmed_and_saved(line: Line) -> None:
    results = line.push()
    assert [(one.outcome, one.reason) for one in results] == [(Outcome.CHANGED, "")] * 2
    assert line.standing() == ("new", "new")
    assert (line.armed(), line.begun()) == ([False, False], ())
    for end in line.ends:
        assert end.state()["saved"] == end.running()
    assert [one.outcome for one in line.push()] == [Outcome.UNCHANGED] * 2


def test_the_second_end_is_touched_once_the_first_can_be_reached(line: Line) -> None:
    """Not before the first was read over its second session; and both are tested together."""
    given = means(line.ends[0])
    seen: list[tuple[str, ...]] = []
    opened: list[str] = []

    async def connect(target: Target) -> Any:
        opened.append(target.name)
        if opened.count(line.names[1]) == 2:
            assert same(line.ends[0].running(), wanted(line.ends[0]))
        return await given.connect(target)

    async def test(target: Target) -> str:
        seen.append(line.standing())
        return ""

    results = line.push(replace(given, connect=connect, test=test))
    assert [one.outcome for one in results] == [Outcome.CHANGED] * 2
    assert seen == [("new", "new")] * 2
    # Two looks at the first come before the second look at the second.
    assert opened.index(line.names[0], opened.index(line.names[0]) + 1) < (
        len(opened) - 1 - opened[::-1].index(line.names[1])
    )


def test_an_end_that_is_away_leaves_the_other_untouched(line: Line) -> None:
    for away, other in ((0, 1), (1, 0)):
        line.ends[away].order("close")
        results = line.push()
        assert results[away].outcome is Outcome.UNREACHABLE
        assert results[other].outcome is Outcome.FAILED
        assert "it was left as it was" in results[other].reason
        assert line.names[away] in results[other].reason
        assert line.ends[other].state()["typed"] == 0
        assert line.begun() == ()
        line.ends[away].order("new_key")  # it is there again, at its port
        line.ends[away].keys.path.unlink(missing_ok=True)
        line.ends[away].keys._keys.clear()


@pytest.mark.parametrize("number", [1, 3])
@pytest.mark.parametrize("end", [0, 1])
def test_a_line_that_is_refused_at_either_end_takes_both_back(line: Line, end: int, number: int) -> None:
    line.ends[end].fail(refuse_line=number)
    results = line.push()
    assert [one.outcome for one in results] == [Outcome.FAILED] * 2
    assert f"line {number} of the change was refused" in results[end].reason
    assert f"{line.names[end]}, which shares a line with" in results[1 - end].reason
    assert line.standing() == ("old", "old")
    assert (line.armed(), line.begun()) == ([False, False], ())
    assert [one.outcome for one in line.push()] == [Outcome.CHANGED] * 2


@pytest.mark.parametrize("end", [0, 1])
def test_an_end_that_does_not_serve_takes_both_back(line: Line, end: int) -> None:
    async def test(target: Target) -> str:
        return "no answer by way of the hub" if target.name == line.names[end] else ""

    results = line.push(replace(means(line.ends[0]), test=test))
    assert [one.outcome for one in results] == [Outcome.FAILED] * 2
    assert "the independent test failed: no answer by way of the hub" in results[end].reason
    assert "the independent test failed: no answer by way of the hub" in results[1 - end].reason
    assert line.standing() == ("old", "old")
    assert (line.armed(), line.begun()) == ([False, False], ())


@pytest.mark.parametrize("end", [0, 1])
def test_a_session_cut_at_any_byte_of_either_end_leaves_no_line_with_one_end(
    make_line: MakeLine, end: int
) -> None:
    for pair in PAIRS:
        for cut in range(350, 2400, 500):
            line = make_line(pair)
            line.ends[end].fail(cut_at=cut)
            results = line.push()
            assert line.standing() in {("old", "old"), ("new", "new")}, (pair, cut, results)
            assert (line.armed(), line.begun()) == ([False, False], ()), (pair, cut, results)
            outcomes = {one.outcome for one in results}
            assert outcomes == {Outcome.CHANGED} if line.standing()[0] == "new" else {Outcome.FAILED}
            line.push()
            assert line.standing() == ("new", "new")


def test_an_end_without_a_difference_is_left_alone_and_the_other_changed(line: Line) -> None:
    first = line.targets()[0]
    run(engine.push([first], means(line.ends[0])))
    assert line.standing() == ("new", "old")
    typed = line.ends[0].state()["typed"]
    assert [one.outcome for one in line.push()] == [Outcome.UNCHANGED, Outcome.CHANGED]
    assert (line.standing(), line.ends[0].state()["typed"]) == (("new", "new"), typed)


def test_without_consent_neither_end_of_a_line_is_touched(make_line: MakeLine) -> None:
    line = make_line(("cisco_iosxe", "nec_ix"))
    results = line.push(without_rollback=False)
    assert [one.outcome for one in results] == [Outcome.FAILED] * 2
    assert line.standing() == ("old", "old")
    assert line.ends[1].state()["typed"] == 0
    assert (line.armed(), line.begun()) == ([False, False], ())


def test_a_fault_of_ours_at_one_end_holds_up_nobody(make_line: MakeLine) -> None:
    line = make_line(("cisco_iosxe", "juniper_junos"))
    given = means(line.ends[0])

    def comparer(platform: str) -> Any:
        if platform == "juniper_junos":
            raise ValueError(platform)
        return given.comparer(platform)

    results = line.push(replace(given, comparer=comparer))
    assert "a fault of Heiiki (ValueError)" in results[1].reason
    assert "it was left as it was" in results[0].reason
    assert line.standing() == ("old", "old")


def test_lines_with_an_end_in_common_are_one() -> None:
    def names(lines: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
        given = [Target(name, "nec_ix", "x", None, "") for name in "abcde"]  # type: ignore[arg-type]
        return [tuple(one.name for one in ends) for ends in together(given, lines)]

    assert names([]) == [("a",), ("b",), ("c",), ("d",), ("e",)]
    assert names([("b", "d"), ("d", "e"), ("x", "a")]) == [("a",), ("b", "d", "e"), ("c",)]


def test_the_entries_of_a_line_are_one_file_that_goes_with_the_last(make_line: MakeLine) -> None:
    line = make_line(("cisco_iosxe", "juniper_junos"))
    journal = means(line.ends[0]).journal.of_line()
    for name in line.names:
        journal.write(Entry(name, "before", "intended", 1.0))
    assert journal.begun() == ()
    journal.flush()
    assert journal.lines() == (line.names,)
    journal.remove(line.names[0])
    assert journal.begun() == tuple(sorted(line.names))
    journal.remove(line.names[1])
    assert journal.begun() == ()


@pytest.mark.parametrize(
    "points", [range(4, 76, 6), pytest.param(range(3, 78), marks=pytest.mark.long)], ids=["some", "all"]
)
@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
def test_a_killed_run_leaves_no_line_with_one_end(
    make_line: MakeLine, pair: tuple[str, str], points: range
) -> None:
    """`kill -9` once the two heard so many lines: the next run settles both, and both have the same."""
    begun = [killed(make_line, pair, heard) for heard in points]
    assert any(begun)
    assert not all(begun)


def killed(make_line: MakeLine, pair: tuple[str, str], heard: int) -> bool:
    """Kill a run, and run one that only settles; tell whether the first had begun something."""
    line = make_line(pair, prompt_delay_ms=8)
    push = killed_pushes.start(line.ends[0].keys.path, *line.targets())
    push.kill_when("lines were heard", lambda: sum(len(end.state()["heard"]) for end in line.ends) >= heard)
    begun = line.begun()
    given = means(line.ends[0])

    def guard(target: Target, running: str) -> str:
        """Refuse every change of this run: what stands then is what was settled of the last one."""
        return "not in this run"

    line.push(replace(given, guard=guard))
    assert line.standing() in {("old", "old"), ("new", "new")}, (heard, begun, line.standing())
    assert (line.armed(), line.begun()) == ([False, False], ()), (heard, begun)
    results = line.push()
    assert line.standing() == ("new", "new"), (heard, results)
    for end in line.ends:
        assert end.state()["saved"] == end.running(), heard
    return bool(begun)
