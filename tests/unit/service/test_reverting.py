"""A router gets a configuration back that it had, unless later work depends on what it has now."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result
from push_world import PushWorld, simulator, world
from vendor_service import FOLDER

from heiiki.cli.main import cli
from heiiki.errors import HeiikiError, StateError
from heiiki.fleet.comparing import OfService
from heiiki.fleet.errors import StaleError
from heiiki.fleet.journal import Entry, Journal
from heiiki.fleet.model import Outcome
from heiiki.fleet.states import Origin, States
from heiiki.service import Pushed, PushOrder, kept_states, revert

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["simulator", "world"]

IOS = "otemae-ce-a"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


def reverted(world: PushWorld, **more: Any) -> Pushed:
    order = PushOrder(without_rollback=True, check=bool(more.pop("check", False)))
    return revert(world.service, IOS, order, access=world.access, **more)[1]


def without_time_server(world: PushWorld) -> None:
    """Let the intent say something else of the router alone."""
    plan = world.service.plan
    devices = tuple(
        replace(one, clock=replace(one.clock, servers=one.clock.servers[:1]))
        if one.name == IOS and one.clock
        else one
        for one in plan.devices
    )
    world.service = replace(world.service, plan=replace(plan, devices=devices))


@pytest.fixture
def later(world: PushWorld) -> PushWorld:
    """Two pushes, of which the second changes nothing that others have."""
    world.push(only=(IOS,))
    without_time_server(world)
    assert world.push(only=(IOS,)).changed
    assert "ntp server 10.96.3.251" not in world.running()[IOS]
    return world


def test_the_former_configuration_comes_back_and_the_next_push_brings_the_intent_again(
    later: PushWorld,
) -> None:
    done = reverted(later)
    assert [one.outcome for one in done.results] == [Outcome.CHANGED]
    assert "ntp server 10.96.3.251" in later.running()[IOS]
    assert later.push(only=(IOS,)).changed
    assert "ntp server 10.96.3.251" not in later.running()[IOS]


def test_a_check_shows_it_and_changes_nothing(later: PushWorld) -> None:
    before = later.running()[IOS]
    done = reverted(later, check=True)
    assert "+ntp server 10.96.3.251" in done.results[0].diff
    assert done.digest
    assert later.running()[IOS] == before


def test_what_is_kept_is_listed_with_its_origin(later: PushWorld) -> None:
    found, first, second = kept_states(later.service, IOS, later.access)
    assert [one.state.origin for one in (found, first, second)] == [
        Origin.FOUND,
        Origin.ACCEPTED,
        Origin.ACCEPTED,
    ]
    assert found.changed_since == ("what the other ends of its lines had then is not known",)
    assert (first.changed_since, second.changed_since) == ((), ())
    listed = run("revert", FOLDER, IOS, "--list", "--access", later.file)
    assert listed.exit_code == 0
    assert f"{first.state.name} accepted\n" in listed.stdout
    assert f"{found.state.name} found; does not fit: what the other ends" in listed.stdout


def test_a_state_whose_key_the_other_end_has_replaced_does_not_fit(later: PushWorld) -> None:
    later.secrets.write("routing/bgp/a-pe2--otemae-ce-a", {"key": "another" * 4})
    before = later.running()[IOS]
    with pytest.raises(StaleError) as told:
        reverted(later)
    assert (
        "does not fit any more, for this is not as it was: key secret:routing/bgp/a-pe2--otemae-ce-a:key;"
        in (str(told.value))
    )
    assert later.running()[IOS] == before
    assert reverted(later, force=True).changed


def test_a_state_whose_line_has_another_end_now_does_not_fit(later: PushWorld) -> None:
    plan = later.service.plan
    hub = plan.device("hub-ce-a")
    ports = tuple(replace(port, mtu=1300) if port.peer == IOS else port for port in hub.interfaces)
    assert ports != hub.interfaces
    devices = tuple(replace(hub, interfaces=ports) if one is hub else one for one in plan.devices)
    later.service = replace(later.service, plan=replace(plan, devices=devices))
    with pytest.raises(StaleError, match=r"port \S+ of hub-ce-a; change that back first"):
        reverted(later)


def test_a_change_of_another_site_is_none_that_a_state_depends_on(later: PushWorld) -> None:
    later.secrets.write("routing/bgp/a-pe2--sonezaki-ce-a", {"key": "another" * 4})
    assert reverted(later).changed


def test_what_a_push_has_found_comes_back_by_force_alone(world: PushWorld) -> None:
    before = world.running()[IOS]
    world.push(only=(IOS,))
    with pytest.raises(StaleError, match="what the other ends of its lines had then is not known"):
        reverted(world)
    done = reverted(world, force=True)
    assert done.changed, done.results[0].reason
    assert OfService("cisco_iosxe").compare(world.running()[IOS], before).lines == ()


def test_without_an_other_state_there_is_nothing_to_go_back_to(world: PushWorld) -> None:
    with pytest.raises(StateError, match=f"{IOS}: no other state than the last one is kept"):
        reverted(world)
    with pytest.raises(StateError, match=f"{IOS}: no state yesterday is kept; known: none"):
        reverted(world, to="yesterday")


def test_an_unsettled_device_and_an_unknown_one_are_refused(later: PushWorld) -> None:
    Journal(later.state / "journal").write(Entry(IOS, "before", "intended", 0.0))
    with pytest.raises(HeiikiError, match=f"{IOS}: an earlier push was cut off; run `heiiki push` for it"):
        reverted(later)
    with pytest.raises(HeiikiError, match="umeda-ce-a: no router of a vendor's platform is called so"):
        revert(later.service, "umeda-ce-a", PushOrder(), access=later.access)


def test_states_are_for_their_user_alone_and_show_nothing(later: PushWorld) -> None:
    folder = later.state / "states" / IOS
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert folder.stat().st_mode & 0o777 == 0o700
    (state, *_) = States(later.state / "states", IOS).all()
    assert "hostname" not in repr(state)


def test_a_state_that_cannot_be_read_is_named(later: PushWorld) -> None:
    file: Path = next((later.state / "states" / IOS).iterdir())
    file.write_text("{}")
    with pytest.raises(StateError, match=f"{file}: a state that was kept cannot be read"):
        kept_states(later.service, IOS, later.access)


def test_the_command_says_where_it_went_back_to(later: PushWorld) -> None:
    done = run("revert", FOLDER, IOS, "--access", later.file)
    assert done.exit_code == 0
    assert f"{IOS}: back to " in done.stderr
    assert done.stdout == "1 devices: 1 changed\n"
    refused = run("revert", FOLDER, IOS, "--to", "yesterday", "--access", later.file)
    assert refused.exit_code == 1
    assert "no state yesterday is kept" in refused.stderr
