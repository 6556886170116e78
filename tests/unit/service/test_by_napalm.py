"""A service's Junos is pushed by NAPALM, the other routers by their command lines."""

import subprocess
import sys

import pytest
from click.testing import CliRunner
from push_world import PushWorld, simulator, world
from vendor_service import FOLDER

from heiiki.cli.main import cli
from heiiki.errors import HeiikiError
from heiiki.fleet import by_napalm, ways
from heiiki.fleet.model import Outcome
from heiiki.service import PushOrder, revert

__all__ = ["simulator", "world"]

JUNOS = "juniper_junos"


def heard(world: PushWorld) -> set[str]:
    return set(world.simulator.state(world.named(JUNOS))["heard"])


def test_junos_is_pushed_by_it_and_a_second_push_by_either_way_changes_nothing(world: PushWorld) -> None:
    done = world.push(napalm=(JUNOS,))
    assert [(one.outcome, one.reason) for one in done.results] == [(Outcome.CHANGED, "")] * 4
    assert {"lock-configuration", "load-configuration", "commit-configuration"} <= heard(world)
    assert not heard(world) & {"configure exclusive", "commit check"}
    name = world.named(JUNOS)
    state = world.simulator.state(name)
    assert (state["saved"], state["armed"]) == (state["running"], False)
    assert "secret:" not in state["running"]
    for order in ({"napalm": (JUNOS,)}, {}):
        assert [one.outcome for one in world.push(**order).results] == [Outcome.UNCHANGED] * 4


def test_the_server_of_netconf_is_the_devices_own(world: PushWorld) -> None:
    """A push that removed it, by whatever way, would be the last one by NAPALM."""
    world.push()
    assert "set system services netconf ssh\n" in world.running()[world.named(JUNOS)]
    assert world.push(napalm=(JUNOS,), only=(world.named(JUNOS),)).complete


def test_what_a_check_by_it_has_shown_is_applied_by_the_command_line(world: PushWorld) -> None:
    digest = world.push(check=True, napalm=(JUNOS,)).digest
    assert not world.push(shown=digest).stopped


def test_a_router_goes_back_by_it(world: PushWorld) -> None:
    name = world.named(JUNOS)
    before = world.running()[name]
    world.push(napalm=(JUNOS,))
    order = PushOrder(without_rollback=True, napalm=(JUNOS,))
    _, done = revert(world.service, name, order, force=True, access=world.access)
    assert [one.outcome for one in done.results] == [Outcome.CHANGED]
    assert sorted(world.running()[name].split("\n")) == sorted(before.split("\n"))


def test_a_platform_that_it_is_no_way_to_is_refused_before_a_device_is_asked(world: PushWorld) -> None:
    with pytest.raises(
        HeiikiError, match=r"^cisco_iosxe: NAPALM is no way to it here; it is one to juniper_junos$"
    ):
        world.push(napalm=("cisco_iosxe",))
    assert all(not world.simulator.state(name)["heard"] for name in world.names)


def test_without_the_library_it_is_said_what_to_install(
    world: PushWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(ways, "import_module", missing)
    with pytest.raises(HeiikiError, match=r"NAPALM is not here .*; install heiiki\[devices\]"):
        world.push(napalm=(JUNOS,))
    assert world.push().complete  # which needs none of it


def test_a_push_by_command_lines_does_not_load_it() -> None:
    program = "import sys, heiiki.service; raise SystemExit('napalm' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_the_command_offers_what_the_library_is_used_for() -> None:
    assert set(ways.NAPALM) == set(by_napalm.PUSHED)
    done = CliRunner().invoke(cli, ["push", str(FOLDER), "--napalm", "nec_ix"])
    assert done.exit_code == 2
    assert "'juniper_junos'" in done.output


def test_the_command_pushes_by_it(world: PushWorld) -> None:
    name = world.named(JUNOS)
    arguments = ["push", str(FOLDER), "--access", str(world.file), "--limit", name, "--napalm", JUNOS]
    done = CliRunner().invoke(cli, arguments)
    assert (done.exit_code, done.stdout) == (0, "1 devices: 1 changed\n")
    assert "load-configuration" in heard(world)
