"""Parts of a verification go on at the same time where neither sees what the other does, and else in turn."""

import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import pytest
from probe_times import TIMES

import heiiki.render
from heiiki.plan.model import Plan
from heiiki.requirements import Result
from heiiki.requirements.verdict import Evidence
from heiiki.verify.checks import parts
from heiiki.verify.equipment import TestEquipment as Equipment
from heiiki.verify.host.explained import nothing
from heiiki.verify.load import Fill
from heiiki.verify.named import CHECKS, LINES, REFUSALS
from heiiki.verify.overlap import ALL, Effect, Needs, side_by_side
from heiiki.verify.part import Part, Scene
from heiiki.verify.run import Found, Progress
from heiiki.verify.vault import VaultQueries
from heiiki.verify.verdicts import live

from .conftest import FakeTransport

LAB = parts(
    Equipment(refused_certificates=True), may_break=True, fill=Fill.ALL, may_order=True, every_port=False
)
TRIALS = {"log-ins", "clients", "rest", "trials", "on-air", "on-wire"}
OUTSIDE = parts(Equipment(), may_break=False, fill=Fill.NONE, may_order=False, every_port=False)
LIMIT_S, MANY = 60, 10


@dataclass(frozen=True)
class Work:
    """A part with a name and needs alone."""

    name: str
    needs: Needs


def work(
    name: str, does: Iterable[Effect] = (), spoiled_by: Iterable[Effect] = (), after: Iterable[str] = ()
) -> Work:
    return Work(name, Needs(frozenset(does), frozenset(spoiled_by), frozenset(after)))


def run(
    those: Iterable[Work], do: Callable[[Work], None] = lambda _: None
) -> tuple[list[str], set[frozenset[str]]]:
    """Run parts; return the order in which they began, and which were seen to go on at the same time."""
    began: list[str] = []
    running: set[str] = set()
    together: set[frozenset[str]] = set()
    lock = threading.Lock()

    def one(part: Work) -> str:
        with lock:
            began.append(part.name)
            together.update(frozenset({part.name, other}) for other in running)
            running.add(part.name)
        do(part)
        with lock:
            running.remove(part.name)
        return part.name

    done: list[str] = []
    side_by_side(tuple(those), one, lambda part, result: done.append(result) or _same(part.name, result))
    assert sorted(done) == sorted(began)
    return began, together


def _same(name: str, result: str) -> None:
    assert name == result


def test_parts_that_bear_each_other_go_on_at_the_same_time() -> None:
    met = threading.Barrier(3, timeout=LIMIT_S)
    _, together = run([work("a"), work("b", [Effect.WORK]), work("c")], lambda _: met.wait() and None)
    assert together == {frozenset(pair) for pair in ("ab", "ac", "bc")}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (work("a", [Effect.PACKETS]), work("b", (), [Effect.PACKETS])),
        (work("a", (), [Effect.PACKETS]), work("b", [Effect.PACKETS])),
        (work("a", [Effect.PACKETS], [Effect.PACKETS]), work("b", [Effect.PACKETS])),
        (work("a"), work("b", after=["a"])),
        (work("a", [Effect.WORK]), work("b", (), ALL)),
    ],
)
def test_what_would_be_spoiled_waits(first: Work, second: Work) -> None:
    pause = threading.Event()
    began, together = run([first, second], lambda _: pause.wait(0.05) and None)
    assert (began, together) == (["a", "b"], set())


def test_one_that_may_begin_does_not_wait_for_one_before_it_that_may_not() -> None:
    third_began = threading.Event()

    def do(part: Work) -> None:
        if part.name == "c":
            third_began.set()
        elif part.name == "a":
            assert third_began.wait(LIMIT_S)

    spoiled = work("b", (), [Effect.WORK])
    began, _ = run([work("a", [Effect.WORK]), spoiled, work("c")], do)
    assert began == ["a", "c", "b"]


def test_a_part_that_is_not_there_is_not_waited_for() -> None:
    assert run([work("b", after=["a"])])[0] == ["b"]


def test_an_error_ends_all_once_what_runs_is_over() -> None:
    over: list[str] = []

    def breaks(part: Work) -> None:
        if part.name == "a":
            raise OSError("no space left")
        over.append(part.name)

    with pytest.raises(OSError, match="no space left"):
        run([work("a"), work("b"), work("c", after=["a"])], breaks)
    assert over == ["b"]


def pairs(table: Iterable[Part]) -> set[frozenset[str]]:
    """Return which parts of a verification may go on at the same time."""
    return {frozenset({a.name, b.name}) for a, b in combinations(table, 2) if a.needs.bears(b.needs)}


def test_nothing_goes_on_while_a_tunnel_is_away() -> None:
    assert not {pair for pair in pairs(LAB) if "cleartext" in pair}


@pytest.mark.parametrize(
    ("part", "beside"),
    [
        # Delays are measured: a clock that is not right yet may be asked meanwhile, and the Vault server.
        ("paths", {"vault", "time", "event", "messages", "wlan", "dot1x"}),
        # What filters drop is counted, and all devices must listen in time.
        ("isolation", {"vault", "time", "event", "messages", "wlan", "dot1x", "access", "pppoe", *TRIALS}),
        # And a port scan besides needs the budgets of the services that it asks.
        ("scan", {"vault", "time", "event", "messages", "wlan", "dot1x", "access", "pppoe"}),
        (
            "wire",
            {
                "config",
                "vault",
                "time",
                "event",
                "messages",
                "wlan",
                "dot1x",
                "lan",
                "sessions",
                "associations",
                "access",
                "control",
                "pppoe",
            },
        ),
        (
            # Whatever is on a LAN and not planned there would be its own.
            "lan",
            {
                "config",
                "vault",
                "time",
                "event",
                "messages",
                "wlan",
                "dot1x",
                "wire",
                "sessions",
                "associations",
                "access",
                "control",
                "pppoe",
            },
        ),
        (
            "trials",
            {"time", "event", "messages", "sessions", "access", "isolation", "control", "pppoe", *TRIALS}
            - {"trials"},
        ),
        (
            "log-ins",
            {"time", "event", "messages", "sessions", "access", "isolation", "control", "pppoe", *TRIALS}
            - {"log-ins"},
        ),
        (
            "clients",
            {"time", "event", "messages", "sessions", "access", "isolation", "control", "pppoe", *TRIALS}
            - {"clients"},
        ),
        (
            "rest",
            {"time", "event", "messages", "sessions", "access", "isolation", "control", "pppoe", *TRIALS}
            - {"rest"},
        ),
        (
            "on-air",
            {"time", "event", "messages", "sessions", "access", "isolation", "control", "pppoe", *TRIALS}
            - {"on-air"},
        ),
        (
            "on-wire",
            {"time", "event", "messages", "sessions", "access", "isolation", "control", "pppoe", *TRIALS}
            - {"on-wire"},
        ),
        (
            "host",
            {
                "config",
                "vault",
                "time",
                "event",
                "volume",
                "wlan",
                "dot1x",
                "sessions",
                "associations",
            },
        ),
    ],
)
def test_what_may_go_on_beside_what_is_easily_spoiled(part: str, beside: set[str]) -> None:
    assert {name for pair in pairs(LAB) if part in pair for name in pair - {part}} == beside


def test_a_new_list_comes_when_mirrors_were_judged() -> None:
    trials = [one for one in LAB if one.name in TRIALS]
    assert [one.needs.after for one in trials] == [{"associations", "volume"}] * 6


def test_what_crosses_lines_is_counted_before_anything_of_the_verification_crosses_them() -> None:
    """It begins first, and what may go on beside it sends nothing over a site's line."""
    assert LAB[0].name == "volume"
    beside = {name for pair in pairs(LAB) if "volume" in pair for name in pair}
    later = {one.name for one in LAB if "volume" in one.needs.after}
    assert later == {"messages", "associations", "control", *TRIALS}
    assert beside - later == {
        *("volume", "config", "vault", "time", "event", "sessions", "wlan", "dot1x", "host")
    }


@pytest.mark.parametrize("table", [LAB, OUTSIDE])
def test_every_check_has_its_parts_and_every_part_its_line(table: tuple[Part, ...]) -> None:
    assert {one.check for one in table} == set(CHECKS) - {"faults"}
    assert {one.reported_as for one in table} == set(LINES) - {"faults"}
    assert len({one.name for one in table}) == len(table)
    assert {one.check for one in table if one.line == REFUSALS} == {"trust"}


class Ue:
    """A UE that tries nothing."""

    def attempt(self, usim_path: str, apn: str) -> list[str]:
        return [usim_path, apn]

    def forge(self, source: Any, destination: Any, count: int) -> list[str]:
        return [str(source), str(destination), str(count)]


DOES: Mapping[str, Effect] = {
    "packets": Effect.PROBES,
    "capture": Effect.PROBES,
    "stamp_client": Effect.PROBES,
    "tap": Effect.TAPS,
    "forge": Effect.PACKETS,
    "scan": Effect.PACKETS,
    "attempt": Effect.TRIALS,
    "without": Effect.FAILURE,
}
"""What a probe does while it runs, by its name, or by what it is told to do."""


def test_a_part_says_what_its_probes_do(
    plan: Plan, kept: Callable[[str, bytes], Evidence], fleet_of: Any
) -> None:
    """And that it keeps many devices busy, if it looks at more than some."""
    seen: set[str] = set()
    for part in LAB:
        asked = asked_by(part, plan, kept, fleet_of)
        seen |= set(asked)
        assert {DOES[one] for one in asked if one in DOES} <= part.needs.does, part.name
        looked = {device for probe in ("running", "reads", "host", "capture") for device in asked[probe]}
        assert len(looked) < MANY or Effect.WORK in part.needs.does, part.name
    assert set(DOES) <= seen


def asked_by(part: Part, plan: Plan, kept: Any, fleet_of: Any) -> Mapping[str, set[str]]:
    """Examine a part as far as answers without meaning let it come; return whom each probe asked."""
    asked: defaultdict[str, set[str]] = defaultdict(set)

    def reply(device: str, probe: str, parameters: dict[str, Any]) -> dict[str, Any]:
        asked[parameters.get("do", probe)].add(device)
        heard = {"sent": [], "unsent": {}, "heard": {}, "answers": {}, **TIMES}
        return heard if probe == "packets" else {"commands": {}, "files": {}}

    builds = tuple(heiiki.render.compile_plan(plan))
    equipment = Equipment(sim_trials=Ue(), refused_certificates=True)
    mute = FakeTransport(reply, dead=[device.name for device in plan.devices])
    scene = Scene(plan, builds, mute, fleet_of(reply), kept, equipment, VaultQueries(), nothing)
    with suppress(LookupError, ValueError, TypeError, AttributeError):
        list(part.examine(scene))
    return asked


def test_lines_of_the_progress_come_in_order_each_when_its_check_is_over() -> None:
    said: list[str] = []
    progress = Progress(LAB, said.append)
    verdict = live("R-DUAL", "x", Result.PASS)
    seen = []
    for part in reversed(LAB):
        progress.take(part, Found((verdict,), 1.0))
        seen.append(len(said))
    before = LINES.index("volume")
    assert seen[-3:] == [0, before, len(said)], "config is first in the list, and volume is over last"
    assert [line.partition(":")[0] for line in said] == [line for line in LINES if line != "faults"]
    assert said[0] == "config: 1 pass (1.0 s)"
    assert "trust: 2 pass (2.0 s)" in said
    assert len(list(progress.verdicts())) == len(LAB)
