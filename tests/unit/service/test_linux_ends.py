"""A push where the other ends of a router's lines, PE and hub, are Linux and not as planned either."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from linux_node import ME, LinuxNode
from peer_answers import established
from push_world import PushWorld, simulator
from push_world import world as routers_alone
from vendor_service import mixed

from heiiki.errors import TransportError
from heiiki.fleet.access import Access
from heiiki.fleet.errors import NotShownError
from heiiki.fleet.linux import LINUX
from heiiki.fleet.model import Login, Outcome, Result, Target
from heiiki.render import compile_device
from heiiki.render.model import DeviceBuild
from heiiki.render.placeholders import PLACEHOLDER
from heiiki.service import Pushed, PushOrder, linux_ends, push
from heiiki.service.lines import MOST_ENDS, Lines
from heiiki.service.peers import linux_lines
from heiiki.transport.base import Completed

__all__ = ["routers_alone", "simulator"]

ROUTER, PE, HUB = "otemae-ce-a", "a-pe2", "hub-ce-a"


def here(build: DeviceBuild, note: str = "") -> DeviceBuild:
    """Return a build as this machine can take it: its users and its programs are not those of a device."""
    files = (
        replace(
            one,
            owner=ME,
            validate=(),
            content=f"{one.content}{note if one.path.endswith('frr.conf') else ''}",
        )
        for one in build.files
        if one.encoding == "utf-8"
    )
    services = (replace(one, health=(), running=(), wanted=(), restart_on=()) for one in build.services)
    return replace(build, files=tuple(files), services=tuple(services))


@dataclass
class Network:
    """The transport: programs of an end run at its node, and everybody says that its sessions stand."""

    nodes: dict[str, LinuxNode]
    down: set[str] = field(default_factory=set)

    def run(self, device: str, argv: Any, *, stdin: bytes = b"", timeout: float = 0.0) -> Completed:
        del argv, timeout
        if b"heiiki_on_device" not in stdin:
            return established(device, self.down)
        node = self.nodes[device]
        if node.away:
            raise TransportError(f"{device}: no route")
        done = node.run(node.placed(stdin))
        return Completed(done.returncode, done.stdout, done.stderr)

    def spawn(self, device: str, argv: Any) -> None:
        raise NotImplementedError

    def close(self) -> None:
        """Nothing is open."""


@dataclass
class World:
    """Routers, and the Linux ends of their lines."""

    routers: PushWorld
    network: Network

    @property
    def access(self) -> Access:
        return replace(self.routers.access, alone=False)

    def push(self, **order: Any) -> Pushed:
        given = {"without_rollback": True, "only": (ROUTER,), **order}
        return push(self.routers.service, PushOrder(**given), self.access)

    def outcomes(self, **order: Any) -> dict[str, Outcome]:
        return {one.device: one.outcome for one in self.push(**order).results}

    def provision(self, name: str, note: str = "") -> dict[str, Any]:
        plan = self.routers.service.plan
        build = here(compile_device(plan, plan.device(name)), note)
        return self.network.nodes[name].provision(build, self.routers.secrets.read)

    def text(self, name: str) -> str:
        return (self.network.nodes[name].root / "etc/frr/frr.conf").read_text()

    def typed(self) -> int:
        return int(self.routers.simulator.state(ROUTER)["typed"])


@pytest.fixture
def world(routers_alone: PushWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr("heiiki.service.peers._PAUSE_S", 0.01)
    monkeypatch.setattr("heiiki.service.pushing._BACK_S", 0.05)
    plan = routers_alone.service.plan
    for name in (PE, HUB):
        for file in compile_device(plan, plan.device(name)).files:
            for found in PLACEHOLDER.finditer(file.content):
                if not found["path"].startswith("routing/"):
                    routers_alone.secrets.write(found["path"], {found["field"]: "00" * 32})
    made = World(routers_alone, Network({name: LinuxNode(tmp_path / name, name) for name in (PE, HUB)}))

    @contextmanager
    def transport(*_: Any) -> Iterator[Network]:
        yield made.network

    monkeypatch.setattr("heiiki.management.SshManagement.transport", transport)
    monkeypatch.setattr(linux_ends, "compile_device", lambda plan, device: here(compile_device(plan, device)))
    # A node of this test is of this machine, where the timer's program has to work in its folder as well.
    real = linux_ends.LinuxEnds.connect

    async def connect(ends: Any, target: Target) -> Any:
        session = await real(ends, target)
        session._take_back = made.network.nodes[target.name].take_back
        return session

    monkeypatch.setattr(linux_ends.LinuxEnds, "connect", connect)
    for name in (PE, HUB):
        assert made.provision(name, "! of the last plan\n")["error"] == ""
    return made


def test_a_router_and_both_ends_of_its_lines_are_changed_together(world: World) -> None:
    done = world.push()
    assert {one.device: (one.outcome, one.reason) for one in done.results} == dict.fromkeys(
        (ROUTER, PE, HUB), (Outcome.CHANGED, "")
    )
    assert "last plan" not in world.text(PE) + world.text(HUB)
    assert [world.provision(name) for name in (PE, HUB)] == [{"changed": [], "error": ""}] * 2
    assert world.outcomes() == {ROUTER: Outcome.UNCHANGED}
    assert done.unsettled == ()


def test_a_check_shows_both_ends_and_its_digest_covers_them(world: World) -> None:
    seen = world.push(check=True)
    diffs = {one.device: one.diff for one in seen.results}
    assert list(diffs) == [ROUTER, PE, HUB]
    assert "-! of the last plan" in diffs[PE]
    secrets = [world.routers.secrets.read(f"routing/bgp/a-pe2--{ROUTER}", "key"), "00" * 32]
    assert [one for one in secrets if one in "".join(diffs.values())] == []
    world.provision(HUB, "! by somebody else\n")
    with pytest.raises(NotShownError, match=f"{HUB} has another configuration than it had then"):
        world.push(shown=seen.digest)
    assert world.typed() == 0
    assert world.push(shown=world.push(check=True).digest).complete


def test_a_router_that_refuses_leaves_its_ends_as_they_were(world: World) -> None:
    world.routers.simulator.fail(ROUTER, refuse_line=3)
    assert world.outcomes() == dict.fromkeys((ROUTER, PE, HUB), Outcome.FAILED)
    assert all("last plan" in world.text(name) for name in (PE, HUB))
    assert world.outcomes() == dict.fromkeys((ROUTER, PE, HUB), Outcome.CHANGED)


@pytest.mark.parametrize("name", [PE, HUB])
def test_an_end_that_refuses_takes_the_router_and_the_other_end_back(world: World, name: str) -> None:
    before = world.routers.running()[ROUTER]
    world.network.nodes[name].refuse("reload", "frr")
    done = world.push()
    assert {one.device: one.outcome for one in done.results} == dict.fromkeys(
        (ROUTER, PE, HUB), Outcome.FAILED
    )
    assert "frr.service refuses to reload" in next(one for one in done.results if one.device == name).reason
    assert world.routers.running()[ROUTER] == before
    assert all("last plan" in world.text(name) for name in (PE, HUB))
    assert not any(node.armed for node in world.network.nodes.values())


def test_a_session_of_the_hub_that_stood_and_falls_takes_all_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not one of the router: of somebody else who is served by the same hub."""
    real = LinuxNode.run

    def run(node: LinuxNode, program: bytes) -> Any:
        if node.name == HUB and b'"step": "hold"' in program:
            world.network.down = {"umeda-ce-a"}
        return real(node, program)

    monkeypatch.setattr(LinuxNode, "run", run)
    done = world.push()
    reasons = {one.device: one.reason for one in done.results}
    assert f"umeda-ce-a: BGP with {HUB}" in reasons[HUB]
    assert {one.outcome for one in done.results} == {Outcome.FAILED}
    assert all("last plan" in world.text(name) for name in (PE, HUB))


def test_ends_that_are_as_planned_are_not_in_the_change(world: World) -> None:
    for name in (PE, HUB):
        world.provision(name)
    assert world.outcomes() == {ROUTER: Outcome.CHANGED}


def test_an_end_that_differs_for_no_router_of_the_push_is_left_and_told(world: World) -> None:
    world.provision(HUB)
    assert world.outcomes() == {ROUTER: Outcome.CHANGED, PE: Outcome.CHANGED}
    world.provision(PE, "! again\n")
    for check in (True, False):
        done = world.push(check=check)
        assert [(one.device, one.outcome) for one in done.results] == [
            (ROUTER, Outcome.UNCHANGED),
            (PE, Outcome.UNCHANGED),
        ]
        assert done.results[1].notices == (
            "differs from the plan, but no router's change has to do with it: site.yml brings it there",
        )
    assert "! again" in world.text(PE)


def test_an_end_that_is_not_there_or_was_never_provisioned_keeps_the_router_as_it_is(world: World) -> None:
    world.network.nodes[PE].away = True
    done = world.push()
    reasons = {one.device: one.reason for one in done.results}
    assert f"{ROUTER}: it was left as it was: {PE}" in reasons[ROUTER]
    world.network.nodes[PE].away = False
    (world.network.nodes[PE].root / "var/lib/heiiki/owned.json").unlink()
    reasons = {one.device: one.reason for one in world.push().results}
    assert f"{PE}: this node was never provisioned: run site.yml for it first" in reasons[ROUTER]
    assert world.typed() == 0
    assert "last plan" in world.text(HUB)


def test_a_person_may_leave_the_ends_to_site_yml(world: World) -> None:
    assert world.outcomes(alone=True) == {ROUTER: Outcome.CHANGED}
    assert all("last plan" in world.text(name) for name in (PE, HUB))


def test_the_gateway_on_the_other_network_is_no_end_of_a_line() -> None:
    found = dict.fromkeys(linux_lines(mixed()[0]))
    assert [pair for pair in found if pair[0] == ROUTER] == [(ROUTER, PE), (ROUTER, HUB)]


def test_more_routers_than_can_be_changed_together_are_named_with_what_to_do() -> None:
    def told(routers: int, outcome: Outcome) -> str:
        names = [f"r{number}" for number in range(routers)]
        targets = [Target(name, "cisco_iosxe", name, Login("u"), "") for name in names]
        hub = Target("hub", LINUX, "hub", Login("u"), "")
        lines = Lines((*targets, hub), [(name, "hub") for name in names], ())
        looked = [*(Result(name, Outcome.CHANGED) for name in names), Result("hub", outcome)]
        return lines.too_long(lines.units(looked))

    assert told(MOST_ENDS - 1, Outcome.CHANGED) == ""
    assert told(MOST_ENDS, Outcome.UNCHANGED) == ""
    assert told(MOST_ENDS, Outcome.CHANGED) == (
        f"{MOST_ENDS} routers would have to be changed together, more than can be, for their lines end at "
        "hub, not as planned: push fewer by --limit, or run site.yml for hub first"
    )
