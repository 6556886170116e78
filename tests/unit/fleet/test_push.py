"""The sequence on one device, cut, refused and killed at its steps: it ends on the old or on the new."""

from dataclasses import replace
from typing import Any

import killed_pushes
import pytest
from fleet_devices import JUNOS_BY_NAPALM, WAYS, Device, Make, means, run
from simulated_devices import intended, paths

from heiiki.fleet import engine
from heiiki.fleet.journal import Entry
from heiiki.fleet.model import Outcome, Result, Target
from heiiki.fleet.push import Means


def wanted(device: Device) -> str:
    return intended(device.platform, device.target.name)


def pushed(device: Device, given: Means | None = None, **settings: Any) -> Result:
    target = replace(device.target, intended=wanted(device))
    (result,) = run(engine.push([target], given or means(device, **settings)))
    return result


def same(one: str, other: str) -> bool:
    return paths(one).keys() == paths(other).keys()


def test_a_device_is_changed_tested_confirmed_and_saved_and_a_second_run_changes_nothing(
    device: Device,
) -> None:
    result = pushed(device)
    assert (result.outcome, result.reason) == (Outcome.CHANGED, "")
    state = device.state()
    assert same(state["running"], wanted(device))
    assert (state["saved"], state["armed"]) == (state["running"], False)
    assert means(device).journal.begun() == ()
    again = pushed(device)
    assert (again.outcome, again.diff) == (Outcome.UNCHANGED, "")
    assert device.state() | {"heard": []} == state | {"heard": []}


def test_check_mode_shows_what_would_change_and_types_nothing(device: Device) -> None:
    before = device.state()
    result = pushed(device, check=True)
    assert result.outcome is Outcome.CHANGED
    assert result.diff
    assert device.state() | {"heard": []} == before
    assert not (device.keys.path.parent / "journal").exists()


def test_a_device_that_does_not_serve_gets_its_old_configuration_back(device: Device) -> None:
    before = device.running()

    async def dead(target: Target) -> str:
        assert same(device.running(), target.intended)
        return "no answer by way of the hub"

    result = pushed(device, replace(means(device), test=dead))
    assert result.outcome is Outcome.FAILED
    assert "the independent test failed: no answer by way of the hub" in result.reason
    assert same(device.running(), before)
    assert not device.state()["armed"]
    assert means(device).journal.begun() == ()


def test_without_consent_a_platform_without_a_timer_is_not_touched(make: Make) -> None:
    device = make("nec_ix")
    result = pushed(device, without_rollback=False)
    assert result.outcome is Outcome.FAILED
    assert result.reason == (
        f"{device.target.name}: nothing takes a change back here by itself; say without_rollback=True to "
        "accept that, or do it on site"
    )
    assert device.state()["typed"] == 0
    assert means(device).journal.begun() == ()


@pytest.mark.parametrize("way", WAYS)
def test_a_refusal_at_any_line_leaves_the_old_configuration(make: Make, way: str) -> None:
    for number in range(1, 5):
        device = make(way)
        before = device.running()
        device.fail(refuse_line=number)
        result = pushed(device)
        assert result.outcome is Outcome.FAILED, number
        where = "the change" if way == JUNOS_BY_NAPALM else f"line {number} of the change"
        assert f"{where} was refused" in result.reason
        assert result.reason.endswith("the device has its old configuration")
        assert same(device.running(), before)
        assert not device.state()["armed"]
        assert means(device).journal.begun() == ()


CUTS = {"yamaha_rtx": range(300, 2400, 430), JUNOS_BY_NAPALM: range(300, 3300, 320)}
"""Bytes at which a session breaks; the last is beyond the end of an undisturbed one."""


@pytest.mark.parametrize("drop", ["goes_on", "confirms", "restores"])
@pytest.mark.parametrize("way", WAYS)
def test_a_session_cut_at_any_byte_ends_on_the_old_or_the_new(make: Make, way: str, drop: str) -> None:
    """Whatever a lost session does to the timer of the platform, which no reference says of every one."""
    outcomes = set()
    for cut in CUTS.get(way, range(300, 2400, 230)):
        device = make(way)
        before = device.running()
        device.fail(cut_at=cut, drop=drop)
        result = pushed(device)
        outcomes.add(result.outcome)
        state = device.state()
        assert not state["armed"], (cut, result)
        assert means(device).journal.begun() == ()
        kept = wanted(device) if result.outcome is Outcome.CHANGED else before
        assert same(state["running"], kept), (cut, result)
        assert pushed(device).outcome in {Outcome.CHANGED, Outcome.UNCHANGED}
        assert same(device.running(), wanted(device))
    assert Outcome.CHANGED in outcomes


@pytest.mark.parametrize("way", WAYS)
def test_a_killed_run_is_finished_or_taken_back_by_the_next(make: Make, way: str) -> None:
    """`kill -9` once the device heard so many lines, in every phase: the next ends on what is intended."""
    cut_off = [killed(make, way, heard) for heard in KILLS]
    assert any(cut_off)


@pytest.mark.parametrize("ways", [("juniper_junos", JUNOS_BY_NAPALM), (JUNOS_BY_NAPALM, "juniper_junos")])
def test_what_a_killed_run_began_is_settled_by_another_way(make: Make, ways: tuple[str, str]) -> None:
    begun, settled = ways
    cut_off = [killed(make, begun, heard, settled) for heard in KILLS]
    assert any(cut_off)


KILLS = range(5, 30, 6)


def killed(make: Make, way: str, heard: int, then: str = "") -> bool:
    """Kill a run and run another, by the same way or `then`; tell whether the first had begun something."""
    device = replace(make(way, prompt_delay_ms=15), way=then or way)
    before = device.running()
    push = killed_pushes.start(device.keys.path, replace(device.target, intended=wanted(device)), way=way)
    push.kill_when("lines were heard", lambda: len(device.state()["heard"]) >= heard)
    begun = means(device).journal.begun()
    for entry in (device.keys.path.parent / "journal").glob("*"):
        assert entry.stat().st_mode & 0o077 == 0
    if not begun:
        assert same(device.running(), before) or same(device.running(), wanted(device))
    result = pushed(device)
    assert result.outcome is (Outcome.CHANGED if begun else result.outcome), (heard, result)
    if begun:
        assert "an earlier run was cut off" in result.notices[0]
    state = device.state()
    assert same(state["running"], wanted(device)), (heard, result)
    assert (state["saved"], state["armed"]) == (state["running"], False)
    assert means(device).journal.begun() == ()
    return bool(begun)


def test_a_device_that_stays_away_is_unknown_and_the_next_run_asks(make: Make) -> None:
    device = make("nec_ix")

    async def vanishes(target: Target) -> str:
        del target
        device.order("close")
        return "no answer"

    result = pushed(device, replace(means(device, patience_s=0.2), test=vanishes))
    assert result.outcome is Outcome.UNREACHABLE
    assert "which configuration the device has is not known" in result.reason
    assert means(device).journal.begun() == (device.target.name,)


def test_check_mode_leaves_what_a_killed_run_began(device: Device) -> None:
    journal = means(device).journal
    journal.write(Entry(device.target.name, device.running(), wanted(device), 0.0))
    assert pushed(device, check=True).outcome is Outcome.CHANGED
    assert journal.begun() == (device.target.name,)
    assert pushed(device).outcome is Outcome.CHANGED
    assert journal.begun() == ()


def test_the_journal_is_for_its_user_alone_and_shows_no_configuration(device: Device) -> None:
    journal = means(device).journal
    entry = Entry("ce", "before", "intended", 1.0)
    journal.write(entry)
    assert [path.stat().st_mode & 0o777 for path in (device.keys.path.parent / "journal").iterdir()] == [
        0o600
    ]
    assert journal.read("ce") == entry
    assert "before" not in repr(entry)
