"""A line of a vendor's router and a Linux device: both ends or none, refused, cut, dead or killed."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from fleet_devices import Device, Make, means, run
from linux_node import LinuxNode, build
from simulated_devices import LineComparer, intended, paths
from waiting import awaited

from heiiki.fleet import engine
from heiiki.fleet.linux import LINUX, LinuxComparer
from heiiki.fleet.model import Comparer, Outcome, Result, Target
from heiiki.fleet.push import Means

ROOT = Path(__file__).parents[3]
OLD, NEW = build("old"), build("new", other=True)
PLATFORMS = ("cisco_iosxe", "yamaha_rtx")
"""One that is confirmed from any session, and one from that of the change alone."""


def comparer(platform: str) -> Comparer:
    return LinuxComparer() if platform == LINUX else LineComparer(platform)


@dataclass
class Line:
    """A router and a Linux node, and what they had."""

    router: Device
    node: LinuxNode
    before: tuple[str, dict[str, str]]
    after: dict[str, str]

    def targets(self) -> list[Target]:
        name = self.router.target.name
        return [
            replace(self.router.target, intended=intended(self.router.platform, name)),
            self.node.target(NEW),
        ]

    def means(self, **settings: Any) -> Means:
        given = means(self.router, **{"revert_in_s": 20, **settings})

        async def connect(target: Target) -> Any:
            if target.platform == LINUX:
                return await self.node.connect(target)
            return await given.connect(target)

        return replace(given, connect=connect, comparer=comparer)

    def push(self, given: Means | None = None) -> tuple[Result, ...]:
        names = [target.name for target in self.targets()]
        return run(engine.push(self.targets(), given or self.means(), lines=[names]))

    def standing(self) -> tuple[str, str]:
        now, tree = paths(self.router.running()).keys(), self.node.config()
        wanted = intended(self.router.platform, self.router.target.name)
        new = {now == paths(wanted).keys(): "new", now == paths(self.before[0]).keys(): "old"}
        return new.get(True, "neither"), _which(tree, {"new": self.after, "old": self.before[1]})

    def settled(self) -> bool:
        """Whether no timer runs, and nothing is begun."""
        held = self.node.tree() != self.node.config()
        return not (self.router.state()["armed"] or self.node.armed or held or self.begun())

    def begun(self) -> tuple[str, ...]:
        return means(self.router).journal.begun()


def _which(tree: dict[str, str], known: dict[str, dict[str, str]]) -> str:
    return next((name for name, one in known.items() if one == tree), "neither")


MakeLine = Callable[..., Line]


@pytest.fixture
def make_line(make: Make, tmp_path: Path) -> MakeLine:
    trees: list[dict[str, str]] = []

    def made(platform: str, **more: Any) -> Line:
        router = make(platform, **more)
        node = LinuxNode(tmp_path / router.target.name / "node")
        assert node.provision(OLD)["error"] == ""
        if not trees:
            other = LinuxNode(tmp_path / "as-planned")
            for one in (OLD, NEW):
                assert other.provision(one)["error"] == ""
            trees.append(other.tree())
        return Line(router, node, (router.running(), node.tree()), trees[0])

    return made


@pytest.fixture(params=PLATFORMS)
def line(make_line: MakeLine, request: pytest.FixtureRequest) -> Line:
    return make_line(str(request.param))


def outcomes(results: tuple[Result, ...]) -> list[Outcome]:
    return [one.outcome for one in results]


def test_both_ends_are_changed_and_confirmed(line: Line) -> None:
    results = line.push()
    assert [(one.outcome, one.reason) for one in results] == [(Outcome.CHANGED, "")] * 2
    assert (line.standing(), line.settled()) == (("new", "new"), True)
    assert "+new" in results[1].diff
    assert outcomes(line.push()) == [Outcome.UNCHANGED] * 2


def test_the_linux_end_is_touched_once_the_router_can_be_reached_and_both_are_tested(line: Line) -> None:
    given = line.means()
    seen: list[tuple[str, str]] = []
    opened: list[str] = []

    async def connect(target: Target) -> Any:
        opened.append(target.platform)
        return await given.connect(target)

    async def test(target: Target) -> str:
        assert line.node.armed
        assert opened.count(line.router.platform) == 2
        seen.append(line.standing())
        return ""

    assert outcomes(line.push(replace(given, connect=connect, test=test))) == [Outcome.CHANGED] * 2
    assert seen == [("new", "new")] * 2
    # The second look at the router comes before the second session with the Linux end.
    assert [one == LINUX for one in opened][-1]


def test_a_router_that_refuses_leaves_the_linux_end_untouched(line: Line) -> None:
    line.router.fail(refuse_line=3)
    results = line.push()
    assert outcomes(results) == [Outcome.FAILED] * 2
    assert "node: it was left as it was" in results[1].reason
    assert (line.standing(), line.settled()) == (("old", "old"), True)
    assert "hold" not in line.node.steps
    assert outcomes(line.push()) == [Outcome.CHANGED] * 2


def test_a_linux_end_that_refuses_takes_the_router_back(line: Line) -> None:
    line.node.refuse("reload")
    results = line.push()
    assert outcomes(results) == [Outcome.FAILED] * 2
    assert "routing.service refuses to reload" in results[1].reason
    assert "node, which shares a line with" in results[0].reason
    line.node.accept()
    assert (line.standing(), line.settled()) == (("old", "old"), True)
    assert outcomes(line.push()) == [Outcome.CHANGED] * 2


@pytest.mark.parametrize("platform", [LINUX, "router"])
def test_an_end_that_does_not_serve_takes_both_back(line: Line, platform: str) -> None:
    async def test(target: Target) -> str:
        return "a session is gone" if (target.platform == LINUX) == (platform == LINUX) else ""

    results = line.push(replace(line.means(), test=test))
    assert outcomes(results) == [Outcome.FAILED] * 2
    assert all("a session is gone" in one.reason for one in results)
    assert (line.standing(), line.settled()) == (("old", "old"), True)


def test_an_end_that_is_away_leaves_the_other_untouched(line: Line) -> None:
    line.node.away = True
    results = line.push()
    assert outcomes(results) == [Outcome.FAILED, Outcome.UNREACHABLE]
    assert (line.router.state()["typed"], line.begun()) == (0, ())
    line.node.away = False
    line.router.order("close")
    results = line.push()
    assert outcomes(results) == [Outcome.UNREACHABLE, Outcome.FAILED]
    assert "hold" not in line.node.steps


@pytest.mark.parametrize("step", ["hold", "look", "confirm"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_linux_end_that_is_lost_at_any_step_leaves_no_line_with_one_end(
    line: Line, step: str, when: str
) -> None:
    given = line.means()

    def guard(target: Target, running: str) -> str:
        if target.platform == LINUX:
            line.node.faults[step] = when  # the first look is over
        return ""

    results = line.push(replace(given, guard=guard))
    assert line.standing() in {("old", "old"), ("new", "new")}, results
    assert line.settled(), results
    assert len(set(outcomes(results))) == 1, results
    assert outcomes(line.push())[0] in {Outcome.CHANGED, Outcome.UNCHANGED}
    assert (line.standing(), line.settled()) == (("new", "new"), True)


@pytest.mark.parametrize("cut", [600, 1400, 2200])
def test_a_router_that_is_cut_at_any_byte_leaves_no_line_with_one_end(line: Line, cut: int) -> None:
    line.router.fail(cut_at=cut)
    results = line.push()
    assert line.standing() in {("old", "old"), ("new", "new")}, results
    assert line.settled(), results
    line.push()
    assert line.standing() == ("new", "new")


def test_a_linux_end_that_stays_away_comes_back_by_its_timer_and_the_next_push_settles(
    make_line: MakeLine,
) -> None:
    """It is lost behind its change, for good; its timer, and the router's word, bring both back."""
    line = make_line("cisco_iosxe")
    given = line.means(patience_s=1)

    async def test(target: Target) -> str:
        line.node.away = True
        return "nothing is heard" if target.platform == LINUX else ""

    results = line.push(replace(given, test=test))
    assert results[1].outcome is not Outcome.CHANGED
    assert "not known, the next run asks again" in results[1].reason
    assert set(line.begun()) == {target.name for target in line.targets()}
    awaited("the timer has taken it back", lambda: line.standing() == ("old", "old"))
    line.node.away = False
    line.push()
    assert (line.standing(), line.settled()) == (("new", "new"), True)


@pytest.mark.parametrize(
    "points", [range(4, 200, 33), pytest.param(range(1, 200), marks=pytest.mark.long)], ids=["some", "all"]
)
@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_killed_run_leaves_no_line_with_one_end(make_line: MakeLine, platform: str, points: range) -> None:
    """`kill -9` once router and node took so many lines and steps: the next run settles both alike."""
    begun = [killed(make_line, platform, point) for point in points]
    assert any(begun)
    assert not all(begun)


def killed(make_line: MakeLine, platform: str, point: int) -> bool:
    line = make_line(platform, prompt_delay_ms=8)
    argv = [sys.executable, "-c", _CHILD, str(line.router.keys.path), str(line.node.root)]
    child = subprocess.Popen(argv, cwd=ROOT / "tests", stdin=subprocess.PIPE)
    assert child.stdin
    router = line.targets()[0]
    row = (router.name, router.platform, router.port, router.intended)
    child.stdin.write(json.dumps(row).encode())
    child.stdin.close()
    log = line.node.root / "steps"

    def heard() -> int:
        steps = len(log.read_text().splitlines()) if log.exists() else 0
        return len(line.router.state()["heard"]) + 4 * steps

    awaited("lines were heard", lambda: heard() >= point or child.poll() is not None)
    child.kill()
    assert child.wait() in {0, -signal.SIGKILL}
    begun = line.begun()

    def guard(target: Target, running: str) -> str:
        """Refuse every change of this run: what stands then is what was settled of the last one."""
        return "not in this run"

    line.push(replace(line.means(), guard=guard))
    assert line.standing() in {("old", "old"), ("new", "new")}, (point, begun, line.standing())
    assert line.settled(), (point, begun)
    results = line.push()
    assert (line.standing(), line.settled()) == (("new", "new"), True), (point, results)
    return bool(begun)


_CHILD = """
import asyncio, json, sys
from pathlib import Path
from dataclasses import replace
from linux_node import LinuxNode, build
from simulated_devices import ADMIN, PASSWORD, USER, LineComparer
from heiiki.fleet import engine
from heiiki.fleet.cli.drivers import DRIVERS
from heiiki.fleet.cli.session import connect
from heiiki.fleet.host_keys import HostKeys
from heiiki.fleet.journal import Journal
from heiiki.fleet.linux import LINUX, LinuxComparer
from heiiki.fleet.model import Login, Target
from heiiki.fleet.push import Means, Settings

keys, folder = Path(sys.argv[1]), Path(sys.argv[2])
name, platform, port, text = json.load(sys.stdin)
host_keys, node = HostKeys(keys), LinuxNode(folder)
ask = node.ask

def told(step, seconds=60.0):
    with (folder / "steps").open("a") as log:
        log.write("begun\\n")
    answer = ask(step, seconds)
    with (folder / "steps").open("a") as log:
        log.write("done\\n")
    return answer

node.ask = told

async def opened(target):
    if target.platform == LINUX:
        return await node.connect(target)
    return await connect(DRIVERS[target.platform], target, host_keys)

async def serves(target):
    return ""

def comparer(platform):
    return LinuxComparer() if platform == LINUX else LineComparer(platform)

login = Login(USER, PASSWORD, ADMIN)
targets = [Target(name, platform, "127.0.0.1", login, text, port), node.target(build("new", other=True))]
means = Means(opened, comparer, serves, Journal(keys.parent / "journal"), Settings(
    revert_in_s=10, without_rollback=True, slack_s=0.3))
asyncio.run(engine.push(targets, means, lines=[[target.name for target in targets]]))
"""
