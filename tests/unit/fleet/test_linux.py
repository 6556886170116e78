"""The Linux end of a line by itself: seen, held, confirmed, and taken back by a word, a timer, an inverse."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from fleet_devices import run
from linux_node import VALUE, LinuxNode, build
from waiting import awaited

from heiiki import deploy
from heiiki.fleet import linux
from heiiki.fleet.errors import (
    BusyError,
    FleetError,
    HostKeyError,
    NotPendingError,
    RefusedError,
    SessionLostError,
    UnreachableError,
)
from heiiki.fleet.linux import LinuxComparer, LinuxSession
from heiiki.fleet.model import Change, Target
from heiiki.render.model import RenderedFile

OLD, NEW = build("old"), build("new", other=True)


@pytest.fixture
def node(tmp_path: Path) -> LinuxNode:
    made = LinuxNode(tmp_path)
    assert made.provision(OLD)["error"] == ""
    return made


def session(node: LinuxNode, target: Target) -> LinuxSession:
    return run(node.connect(target))


def held(node: LinuxNode, seconds: float = 300.0) -> tuple[LinuxSession, str]:
    """Hold the new build; returns the session, and what was there before."""
    one = session(node, node.target(NEW))
    before = run(one.running())
    lines = LinuxComparer().compare(before, node.target(NEW).intended).lines
    run(_applied(one, lines, seconds))
    return one, before


async def _applied(one: LinuxSession, lines: tuple[str, ...], seconds: float) -> None:
    pending = await one.apply(await one.stage(Change(lines)), revert_in_s=seconds)
    assert pending.until is not None


def compared(one: LinuxSession, other: str) -> tuple[str, ...]:
    return LinuxComparer().compare(run(one.running()), other).lines


def test_what_it_has_and_what_would_change_is_told_and_no_secret_is_shown(node: LinuxNode) -> None:
    running = run(session(node, node.target(NEW)).running())
    found = LinuxComparer().compare(running, node.target(NEW).intended)
    assert len(found.lines) == 1
    assert "-old\n" in found.diff
    assert "+new\n" in found.diff
    assert "service tunnels: started" in found.diff
    assert VALUE not in found.diff
    assert VALUE not in linux.identity(running)
    same = run(session(node, node.target(OLD)).running())
    assert LinuxComparer().compare(same, node.target(OLD).intended).lines == ()
    assert linux.identity(same) != running


def test_a_change_is_held_and_confirmed(node: LinuxNode) -> None:
    one, _ = held(node)
    assert (node.armed, run(one.armed())) == (True, True)
    assert compared(one, node.target(NEW).intended) == ()
    run(one.confirm())
    assert (node.armed, run(one.armed())) == (False, False)
    assert compared(one, node.target(NEW).intended) == ()
    assert not list(node.root.rglob("heiiki-held*"))
    with pytest.raises(NotPendingError, match="node: no change waits to be confirmed"):
        run(one.confirm())
    assert node.provision(NEW) == {"changed": [], "error": ""}


def test_a_change_is_taken_back_whole(node: LinuxNode) -> None:
    before = node.tree()
    one, had = held(node)
    assert node.tree() != before
    run(one.revert())
    assert (node.tree(), node.armed, run(one.armed())) == (before, False, False)
    assert compared(one, had) == ()
    with pytest.raises(NotPendingError):
        run(one.revert())


def test_a_change_that_nobody_confirms_is_taken_back_by_the_timer(node: LinuxNode) -> None:
    before = node.tree()
    held(node, 10.0)
    timer = node.root / "etc/systemd/system/heiiki-held.timer"
    assert "OnActiveSec=10\nAccuracySec=1s\n\n[Install]\nWantedBy=timers.target\n" in timer.read_text()
    awaited("the timer has taken it back", lambda: node.tree() == before)
    assert not (node.root / "var/lib/heiiki/journal").exists()


def test_a_timer_that_fires_late_finds_a_confirmed_change_and_leaves_it(node: LinuxNode) -> None:
    one, _ = held(node)
    program = (node.root / "var/lib/heiiki/take-back.py").read_bytes()
    run(one.confirm())
    assert json.loads(node.run(program).stdout)["held"] is False
    assert compared(one, node.target(NEW).intended) == ()


def test_a_confirmed_change_goes_back_by_what_was_noted_before(node: LinuxNode) -> None:
    before = node.tree()
    one, had = held(node)
    run(one.confirm())
    (inverse,) = compared(one, had)
    run(one.apply(run(one.stage(Change((inverse,)))), revert_in_s=0.0, without_rollback=True))
    assert node.tree() == before
    assert not (node.root / "etc/tunnels").exists()
    assert compared(one, had) == ()


def test_site_yml_leaves_what_is_held_and_says_what_to_do(node: LinuxNode) -> None:
    held(node)
    now = node.tree()
    done = node.provision(OLD)
    assert (
        "a push of a line has changed this node, and has not confirmed it: wait until it is" in done["error"]
    )
    assert node.tree() == now
    second = session(node, node.target(OLD))
    (lines,) = compared(second, node.target(OLD).intended)
    with pytest.raises(RefusedError, match="a push of a line has changed this node"):
        run(_applied(second, (lines,), 60.0))
    assert node.tree() == now


def test_a_node_that_was_never_provisioned_is_named_with_what_to_run(tmp_path: Path) -> None:
    node = LinuxNode(tmp_path)
    with pytest.raises(FleetError, match=r"node: this node was never provisioned: run site.yml for it first"):
        run(session(node, node.target(NEW)).running())


def test_what_is_refused_is_as_it_was_and_no_timer_runs(node: LinuxNode) -> None:
    before = node.tree()
    node.refuse("reload")
    with pytest.raises(RefusedError, match=r"routing.service refuses to reload") as told:
        held(node)
    assert told.value.reverted
    node.accept()
    assert (node.tree(), node.armed) == (before, False)


def test_a_file_that_its_check_refuses_changes_nothing_and_its_secret_is_not_told(node: LinuxNode) -> None:
    before = node.tree()
    bad = RenderedFile("/etc/more.conf", "x\n", owner="root", validate=("sh", "-c", f"echo {VALUE}; exit 1"))
    one = session(node, node.target(build("new", more=(bad,))))
    (line,) = compared(one, node.target(build("new", more=(bad,))).intended)
    with pytest.raises(RefusedError, match=r"/etc/more.conf is refused, nothing was changed") as told:
        run(_applied(one, (line,), 60.0))
    assert VALUE not in str(told.value)
    assert (node.tree(), node.armed) == (before, False)


def test_another_run_at_work_is_busy_and_not_a_failure_of_the_change(node: LinuxNode) -> None:
    one = session(node, node.target(NEW))
    with subprocess.Popen(
        ["flock", str(node.root / "var/lib/heiiki/lock"), "sh", "-c", "echo here; read x"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as other:
        assert other.stdout
        assert other.stdin
        assert other.stdout.readline() == b"here\n"
        with pytest.raises(BusyError, match="another run is at work on this node"):
            run(one.running())
        other.stdin.close()
    run(one.running())


@pytest.mark.parametrize(
    ("text", "kind"),
    [("Host key verification failed.", HostKeyError), ("Connection refused", UnreachableError)],
)
def test_a_node_that_is_not_reached_is_unreachable_and_a_strange_key_is_a_failure(
    node: LinuxNode, monkeypatch: pytest.MonkeyPatch, text: str, kind: type[FleetError]
) -> None:
    def away(*_: Any) -> Any:
        raise linux.TransportError(f"node: no SSH connection: {text}")

    monkeypatch.setattr(LinuxNode, "ask", away)
    with pytest.raises(kind):
        session(node, node.target(NEW))
    monkeypatch.setattr(LinuxNode, "opened", away)
    with pytest.raises(UnreachableError):
        session(node, node.target(NEW))


def test_a_session_that_breaks_says_nothing_of_the_change(node: LinuxNode) -> None:
    node.faults["hold"] = "after"
    with pytest.raises(SessionLostError):
        held(node)
    assert node.armed


@pytest.mark.parametrize(
    "every", [5, pytest.param(1, marks=pytest.mark.long)], ids=["every-fifth", "every-one"]
)
def test_a_program_that_is_killed_at_any_step_is_taken_back(node: LinuxNode, every: int) -> None:
    """`kill -9` of the node's program at its n-th durable write; the timer's program brings all back."""
    before, number, done = node.tree(), 1, False
    document = {"step": "hold", "build": deploy.whole(NEW, lambda *_: VALUE), "seconds": 3600}
    while not done:
        number += every
        source = node.placed(deploy.program("hold", {**document, "program": node.take_back})).decode()
        killed = _KILLED.format(number=number) + source
        done = node.run(killed.encode()).returncode == 0
        if (program := node.root / "var/lib/heiiki/take-back.py").exists():
            assert json.loads(node.run(program.read_bytes()).stdout)["error"] == ""
        for unit in node.root.glob("etc/systemd/system/heiiki-held*"):
            unit.unlink()  # cut off before it was armed
        assert node.config() == before, number
        for path in node.root.rglob("*heiiki-candidate"):
            path.unlink()
        (node.root / "var/lib/heiiki/take-back.py").unlink(missing_ok=True)
    assert number > 20


_KILLED = """\
import os, signal
_left = {number}
_fsync = os.fsync
def fsync(handle):
    global _left
    _left -= 1
    if not _left:
        os.kill(os.getpid(), signal.SIGKILL)
    _fsync(handle)
os.fsync = fsync
"""


def test_systemd_knows_the_units(node: LinuxNode) -> None:
    held(node)
    tool = shutil.which("systemd-analyze")
    if tool is None:
        pytest.skip("systemd-analyze is not here")
    units = [str(path) for path in node.root.glob("etc/systemd/system/heiiki-held.*")]
    said = subprocess.run([tool, "verify", *units], capture_output=True, text=True, check=False)
    assert len(units) == 2
    assert (said.returncode, "heiiki-held" in said.stderr) == (0, False), said.stderr
