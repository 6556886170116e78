"""Many devices at once: one result each, the dead named, and no secret in anything that is told."""

import asyncio
import logging
from dataclasses import replace
from typing import Any

import pytest
from fleet_devices import Device, Make, means, run
from simulated_devices import ADMIN, PASSWORD, LineComparer, intended

from heiiki.fleet import engine
from heiiki.fleet.model import Change, Login, Outcome, Progress, Result, Target


def wanted(devices: list[Device]) -> list[Target]:
    return [replace(one.target, intended=intended(one.platform, one.target.name)) for one in devices]


@pytest.fixture
def mixed(make: Make) -> list[Device]:
    """Three devices of each platform; of each the second is dead."""
    made = [
        make(platform)
        for platform in ("cisco_iosxe", "juniper_junos", "nec_ix", "yamaha_rtx")
        for _ in range(3)
    ]
    for device in made[1::3]:
        device.order("close")
    return made


def test_the_dead_hold_up_nobody_and_are_named_at_the_end(mixed: list[Device]) -> None:
    seen: list[Progress] = []
    results = run(engine.push(wanted(mixed), means(mixed[0]), width=5, watch=seen.append))
    dead = tuple(one.target.name for one in mixed[1::3])
    assert [result.device for result in results] == [one.target.name for one in mixed]
    assert engine.named(results, Outcome.UNREACHABLE) == dead
    assert len(engine.named(results, Outcome.CHANGED)) == 8
    assert list(engine.summary(results)) == [
        "12 devices: 8 changed, 4 unreachable",
        f"unreachable: {', '.join(dead)}",
    ]
    assert [one.done for one in seen] == list(range(1, 13))
    assert (seen[-1].changed, seen[-1].failed, seen[-1].total, seen[-1].left_s) == (8, 4, 12, 0.0)


def test_a_second_run_changes_nothing(mixed: list[Device]) -> None:
    run(engine.push(wanted(mixed), means(mixed[0])))
    results = run(engine.push(wanted(mixed), means(mixed[0])))
    assert len(engine.named(results, Outcome.UNCHANGED)) == 8


def test_no_more_devices_than_wanted_are_asked_at_once(make: Make) -> None:
    devices = [make("cisco_iosxe") for _ in range(6)]
    at_once: list[int] = []
    now = 0
    given = means(devices[0])

    async def counted(target: Target) -> Any:
        nonlocal now
        now += 1
        at_once.append(now)
        await asyncio.sleep(0.02)
        now -= 1
        return await given.connect(target)

    run(
        engine.push(
            wanted(devices),
            replace(given, connect=counted, settings=replace(given.settings, check=True)),
            width=2,
        )
    )
    assert max(at_once) == 2


def test_a_fault_of_ours_fails_its_device_alone_and_quotes_nothing(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    devices = [make("cisco_iosxe"), make("juniper_junos")]
    given = means(devices[0])

    def comparer(platform: str) -> LineComparer:
        if platform == "cisco_iosxe":
            raise ValueError(devices[0].running())
        return LineComparer(platform)

    results = run(engine.push(wanted(devices), replace(given, comparer=comparer)))
    assert [result.outcome for result in results] == [Outcome.FAILED, Outcome.CHANGED]
    assert "a fault of Heiiki (ValueError)" in results[0].reason
    assert "test_engine.py" in caplog.text
    assert "is no prompt" in devices[0].running()
    assert "is no prompt" not in f"{results}{caplog.text}"


def test_a_journal_that_cannot_be_read_fails_its_device_alone(make: Make) -> None:
    devices = [make("cisco_iosxe"), make("juniper_junos")]
    folder = devices[0].keys.path.parent / "journal"
    folder.mkdir()
    (folder / f"{devices[0].target.name}.json").write_text("{")
    results = run(engine.push(wanted(devices), means(devices[0])))
    assert [result.outcome for result in results] == [Outcome.FAILED, Outcome.CHANGED]
    assert "the journal of an earlier run cannot be read" in results[0].reason
    assert devices[0].state()["heard"] == []


def test_nothing_to_do_is_said() -> None:
    assert list(engine.summary(())) == ["no device"]


def test_what_failed_is_said_with_its_reason() -> None:
    results = (Result("ce", Outcome.FAILED, reason="ce: line 3 of the change was refused: no"),)
    assert list(engine.summary(results)) == [
        "1 devices: 1 failed",
        "failed: ce: line 3 of the change was refused: no",
    ]


def test_no_secret_is_told_shown_or_logged(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    """A secret of the configuration in a line that is refused, and the log-ins; logged at level DEBUG."""
    secret = intended("nec_ix", "in-no-text-at-all").split()[1]
    device = make("nec_ix")
    device.fail(refuse_text=secret)
    text = (
        intended(device.platform, device.target.name)
        + f"ikev2 authentication psk id fqdn x key char {secret}\n"
    )
    target = replace(device.target, intended=text, secrets=(secret,))
    with caplog.at_level(logging.DEBUG):
        (result,) = run(engine.push([target], means(device)))
    assert result.outcome is Outcome.FAILED
    told = f"{result}{target}{Change((secret,))}{caplog.text}{Login('ops', PASSWORD, ADMIN)}"
    assert [one for one in (secret, PASSWORD, ADMIN) if one in told] == []


def test_the_comparer_of_the_tests_leads_there_and_back() -> None:
    for platform in ("cisco_iosxe", "juniper_junos", "nec_ix", "yamaha_rtx"):
        comparer = LineComparer(platform)
        text = intended(platform, "x")
        assert comparer.compare(text, text).lines == ()
