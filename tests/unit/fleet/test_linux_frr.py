"""A line whose Linux end is a real bgpd of FRRouting, changed by the real vtysh and frr-reload.py."""

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import frr_daemon
import pytest
from fleet_devices import Make, means, run
from free_ports import free_port
from linux_node import KEY, ME, VALUE, LinuxNode
from simulated_devices import LineComparer, intended, paths
from waiting import awaited

from heiiki.fleet import engine
from heiiki.fleet.linux import LINUX, LinuxComparer
from heiiki.fleet.model import Change, Comparer, Outcome, Result, Target
from heiiki.render.model import DeviceBuild, RenderedFile, Service

CONFIG = """\
frr defaults traditional
router bgp 65001
 bgp router-id 192.0.2.1
 neighbor 192.0.2.9 remote-as 65009
 neighbor 192.0.2.9 shutdown
"""
NEIGHBOUR = f"""\
 neighbor 192.0.2.8 remote-as 65008
 neighbor 192.0.2.8 password {KEY}
 neighbor 192.0.2.8 shutdown
"""


def build(text: str) -> DeviceBuild:
    file = RenderedFile(
        "/etc/frr.conf", text, "0640", ME, validate=("vtysh", "-C", "-f", "{path}"), service="frr"
    )
    running = ("vtysh", "-c", "show running-config no-header")
    service = Service("frr", on_change="reload", health=("vtysh", "-c", "show version"), running=running)
    return DeviceBuild("node", (file,), (service,))


OLD, NEW = build(CONFIG), build(CONFIG + NEIGHBOUR)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[LinuxNode]:
    root = frr_daemon.unpacked()
    if root is None:
        pytest.skip("apt cannot fetch FRRouting here")
    folder = tmp_path / "frr"
    folder.mkdir()
    host = frr_daemon.Host(root, folder)
    made = LinuxNode(tmp_path / "node", environment=host.environment)
    hook = made.root / "hook.frr.service"
    hook.write_text(f"#!/bin/sh\nexec frr-reload.py --reload {made.root}/etc/frr.conf\n")
    hook.chmod(0o755)
    with host.bgpd("127.0.0.1", free_port(), "run"):
        awaited("bgpd answers", (folder / "run/bgpd.vty").exists)
        assert made.provision(OLD)["error"] == ""
        yield made


def shown(node: LinuxNode) -> str:
    """What bgpd runs, by its own word."""
    argv = ["vtysh", "-c", "show running-config no-header"]
    return subprocess.run(argv, env=node.environment, capture_output=True, text=True, check=True).stdout


class Line:
    """A simulated router, and the node."""

    def __init__(self, make: Make, node: LinuxNode) -> None:
        self.router, self.node = make("juniper_junos"), node
        self.before = paths(self.router.running()).keys()

    @property
    def targets(self) -> list[Target]:
        wanted = intended(self.router.platform, self.router.target.name)
        return [replace(self.router.target, intended=wanted), self.node.target(NEW)]

    def push(self, **faults: Any) -> tuple[Result, ...]:
        given = means(self.router, revert_in_s=20)

        async def connect(target: Target) -> Any:
            if target.platform == LINUX:
                return await self.node.connect(target)
            return await given.connect(target)

        def comparer(platform: str) -> Comparer:
            return LinuxComparer() if platform == LINUX else LineComparer(platform)

        made = replace(given, connect=connect, comparer=comparer, **faults)
        return run(engine.push(self.targets, made, lines=[[one.name for one in self.targets]]))


def test_both_ends_are_changed_and_bgpd_runs_what_was_pushed(make: Make, node: LinuxNode) -> None:
    line = Line(make, node)
    results = line.push()
    assert [(one.outcome, one.reason) for one in results] == [(Outcome.CHANGED, "")] * 2
    assert f"neighbor 192.0.2.8 password {VALUE}" in shown(node)
    assert "+ neighbor 192.0.2.8 password (hidden)" in results[1].diff
    assert VALUE not in "".join(one.diff for one in results)
    assert [one.outcome for one in line.push()] == [Outcome.UNCHANGED] * 2
    assert node.provision(NEW) == {"changed": [], "error": ""}


def test_a_line_that_does_not_serve_goes_back_and_bgpd_runs_what_it_ran(make: Make, node: LinuxNode) -> None:
    line, before = Line(make, node), shown(node)
    seen: list[str] = []

    async def test(target: Target) -> str:
        seen.append(shown(node))
        return "a session is gone"

    assert [one.outcome for one in line.push(test=test)] == [Outcome.FAILED] * 2
    assert "neighbor 192.0.2.8" in seen[0]
    assert shown(node) == before
    assert paths(line.router.running()).keys() == line.before


def test_a_configuration_that_bgpd_does_not_take_takes_the_router_back(make: Make, node: LinuxNode) -> None:
    line, before = Line(make, node), shown(node)
    bad = build(f"{CONFIG} neighbor 192.0.2.8 no-such-word\n")
    line.node.target = lambda _: LinuxNode.target(node, bad)  # type: ignore[method-assign]
    results = line.push()
    assert [one.outcome for one in results] == [Outcome.FAILED] * 2
    assert "/etc/frr.conf is refused, nothing was changed" in results[1].reason
    assert shown(node) == before
    assert paths(line.router.running()).keys() == line.before


def test_an_unconfirmed_change_of_bgpd_is_taken_back_by_the_timer(node: LinuxNode) -> None:
    before = shown(node)

    async def held() -> None:
        session = await node.connect(node.target(NEW))
        lines = LinuxComparer().compare(await session.running(), node.target(NEW).intended).lines
        await session.apply(await session.stage(Change(lines)), revert_in_s=10)

    run(held())
    assert "neighbor 192.0.2.8" in shown(node)
    awaited("the timer has taken it back", lambda: shown(node) == before)
