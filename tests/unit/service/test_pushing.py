"""A mixed service is pushed: read, shown, applied as it was shown, and by no secret told."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from push_world import PushWorld, simulator, world
from simulated_devices import ADMIN, PASSWORD
from vendor_service import FOLDER
from waiting import awaited

from heiiki.cli.main import cli
from heiiki.errors import FolderError, HeiikiError, SecretError, StateError
from heiiki.fleet.access import Access, access_file, from_environment
from heiiki.fleet.errors import NotShownError
from heiiki.fleet.model import Outcome
from heiiki.service import PushOrder, Service, opened, push, pushing

__all__ = ["simulator", "world"]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


def test_a_mixed_service_is_pushed_from_the_factory_and_a_second_push_changes_nothing(
    world: PushWorld,
) -> None:
    done = world.push()
    assert [(one.outcome, one.reason) for one in done.results] == [(Outcome.CHANGED, "")] * 4
    assert (done.changed, done.complete, done.unsettled) == (True, True, ())
    for name, text in world.running().items():
        assert "secret:" not in text
        state = world.simulator.state(name)
        assert (state["saved"], state["armed"]) == (state["running"], False)
    again = world.push()
    assert [one.outcome for one in again.results] == [Outcome.UNCHANGED] * 4


def test_the_accounts_of_a_device_stay(world: PushWorld) -> None:
    world.push()
    assert "username heiiki" in world.running()[world.named("cisco_iosxe")]
    assert "archive\n path flash:archive\n" in world.running()[world.named("cisco_iosxe")]
    assert "set system login user heiiki" in world.running()[world.named("juniper_junos")]
    assert "username heiiki" in world.running()[world.named("nec_ix")]
    assert "administrator password" in world.running()[world.named("yamaha_rtx")]


def test_a_check_changes_nothing_and_shows_no_secret(world: PushWorld) -> None:
    before = world.running()
    done = world.push(check=True)
    assert world.running() == before
    assert [one.outcome for one in done.results] == [Outcome.CHANGED] * 4
    told = "".join(one.diff for one in done.results)
    assert "+ neighbor 10.80.0.9 password <secret>" in told
    keys = [json.loads(file.read_text())["key"] for file in world.state.glob("secrets/routing/*/*.json")]
    assert len(keys) > 4
    assert [one for one in (*keys, PASSWORD, ADMIN) if one in told] == []


def test_what_was_shown_is_applied(world: PushWorld) -> None:
    digest = world.push(check=True).digest
    assert world.push(shown=digest).complete
    assert [one.outcome for one in world.push().results] == [Outcome.UNCHANGED] * 4


def test_what_differs_from_what_was_shown_is_named_and_no_device_is_touched(world: PushWorld) -> None:
    digest = world.push(check=True).digest
    ios, junos = world.named("cisco_iosxe"), world.named("juniper_junos")
    world.simulator.order("type", ios, mode="config", lines=["ip route 10.9.9.0 255.255.255.0 192.0.2.1"])
    path = next(iter(json.loads(world.file.read_text())["devices"]))
    assert path == ios
    key = f"routing/bgp/a-pe2--{junos}"
    world.secrets.write(key, {"key": "another" * 4})
    before = world.running()
    with pytest.raises(NotShownError) as told:
        world.push(shown=digest)
    assert str(told.value).split("\n") == [
        "no device was touched, for this is not what was shown:",
        f"{ios} has another configuration than it had then",
        f"{junos} would get another configuration than the one that was shown",
    ]
    assert world.running() == before


def test_a_device_that_was_not_shown_or_is_not_there_now_ends_the_push(world: PushWorld) -> None:
    ios, junos = world.named("cisco_iosxe"), world.named("juniper_junos")
    digest = world.push(check=True, only=(ios,)).digest
    with pytest.raises(NotShownError, match=f"{junos} was not shown"):
        world.push(shown=digest)
    world.simulator.order("close", ios)
    with pytest.raises(NotShownError, match=f"{ios}: 127.0.0.1 port"):
        world.push(shown=digest, only=(ios,))


def test_another_intent_than_the_one_that_was_shown_ends_the_push(world: PushWorld) -> None:
    digest = world.push(check=True).digest
    world.service = replace(world.service, plan=replace(world.service.plan, digest="another"))
    with pytest.raises(NotShownError, match="the service's files were changed since"):
        world.push(shown=digest)


@pytest.mark.parametrize("text", ["{", "{}", '{"intent": "x", "devices": {}}'])
def test_a_file_that_is_not_what_was_shown_is_refused(world: PushWorld, text: str) -> None:
    digest = world.push(check=True).digest
    (world.state / "shown" / f"{digest}.json").write_text(text)
    with pytest.raises(NotShownError, match=r"is not what was shown|was changed after"):
        world.push(shown=digest)


def test_a_digest_that_nobody_was_told_is_refused(world: PushWorld) -> None:
    with pytest.raises(NotShownError, match="nothing was shown under this digest; run with --check --diff"):
        world.push(shown="0" * 64)


def test_a_device_that_changes_between_the_look_and_the_push_is_not_touched(
    world: PushWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    ios = world.named("cisco_iosxe")
    digest = world.push(check=True, only=(ios,)).digest
    real = pushing.Run._look

    def looked(run: Any) -> Any:
        found = real(run)
        world.simulator.order("type", ios, mode="config", lines=["ip route 10.9.9.0 255.255.255.0 192.0.2.1"])
        return found

    monkeypatch.setattr(pushing.Run, "_look", looked)
    (result,) = world.push(shown=digest, only=(ios,)).results
    assert result.outcome is Outcome.FAILED
    assert result.reason == f"{ios}: {ios} has another configuration than it had then"
    assert "vrf definition MANAGEMENT" not in world.running()[ios]


def test_devices_are_named_by_themselves_or_by_their_site(world: PushWorld) -> None:
    ios = world.named("cisco_iosxe")
    site = ios.partition("-")[0]
    for only in ((ios,), (site,)):
        assert [one.device for one in world.push(check=True, only=only).results] == [ios]
    with pytest.raises(HeiikiError, match="umeda: no router of a vendor's platform, and no site with one"):
        world.push(only=("umeda",))


def test_the_dead_are_named_and_the_rest_is_done(world: PushWorld) -> None:
    ios = world.named("cisco_iosxe")
    world.simulator.order("close", ios)
    done = world.push()
    assert [one.outcome for one in done.results if one.device != ios] == [Outcome.CHANGED] * 3
    assert [one.device for one in done.results if one.outcome is Outcome.UNREACHABLE] == [ios]
    assert not done.complete


def test_a_second_push_at_once_is_refused(world: PushWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    def again(*_: Any) -> Any:
        world.push(check=True)

    monkeypatch.setattr(pushing.Run, "check", again)
    with pytest.raises(FolderError):
        world.push(check=True)


def test_a_log_in_that_is_nowhere_is_named_with_its_place(world: PushWorld) -> None:
    ios = world.named("cisco_iosxe")
    (world.state / f"secrets/login/{ios}.json").unlink()
    with pytest.raises(SecretError, match=f"secret login/{ios}: password cannot be read"):
        world.push(check=True)


def test_the_environment_may_name_one_log_in_for_all() -> None:
    named = {"HEIIKI_DEVICE_PASSWORD": "p", "HEIIKI_DEVICE_ADMIN_PASSWORD": "a", "HEIIKI_DEVICE_USER": "u"}
    found = from_environment("other", named)
    assert found is not None
    login = found.login("any", "yamaha_rtx")
    assert (login.user, login.password, login.admin_password) == ("u", "p", "a")
    assert from_environment("other", {}) is None
    with pytest.raises(SecretError, match="nothing says who logs in: name the user in HEIIKI_DEVICE_USER"):
        from_environment("", {"HEIIKI_DEVICE_PASSWORD": "p"})


@pytest.mark.parametrize("text", ["", "[]", '{"devices": {"x": {}}}', '{"devices": {}}'])
def test_a_file_that_says_not_how_devices_are_reached_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "access.json"
    file.write_text(text)
    with pytest.raises(StateError, match=f"{file}: does not say how devices are reached"):
        access_file(file)


def test_host_keys_that_the_service_names_are_all_that_there_are(
    world: PushWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """First contact is refused where `management:` names the file of known keys."""
    service = world.service
    known = replace(service.plan.management, known_hosts=str(tmp_path / "known"), user="ops")
    named = replace(service, plan=replace(service.plan, management=known), state_folder=tmp_path / "own")

    @contextmanager
    def secrets(_: Service) -> Iterator[Any]:
        yield world.secrets.read

    monkeypatch.setattr(Service, "secrets", secrets)
    access = Access(world.access.places, "ops", alone=True)
    done = push(named, PushOrder(check=True), access)
    assert {one.outcome for one in done.results} == {Outcome.FAILED}
    assert "no host key is pinned for" in done.results[0].reason
    assert list(tmp_path.glob("**/known_hosts")) == []


def test_the_command_shows_applies_and_says_how_far_it_is(world: PushWorld) -> None:
    file = world.file
    shown = run("push", FOLDER, "--access", file, "--check", "--diff")
    assert shown.exit_code == 0
    assert "+hostname otemae-ce-a" not in shown.stdout
    assert "+set system ntp server 10.96.3.252" in shown.stdout
    assert "read: 4 of 4 devices, 4 changed, 0 failed" in shown.stderr
    digest = shown.stdout.rstrip().rpartition("shown: ")[2]
    refused = run("push", FOLDER, "--access", file, "--shown", digest)
    assert refused.exit_code == 1
    said = "kyobashi-ce-a: nothing takes a change back here by itself; say --without-rollback to accept that"
    assert said in refused.stdout
    done = run("push", FOLDER, "--access", file, "--without-rollback")
    assert (done.exit_code, done.stdout) == (0, "4 devices: 1 changed, 3 unchanged\n")
    late = run("push", FOLDER, "--access", file, "--shown", digest, "--without-rollback")
    assert late.exit_code == 1
    assert "Error: no device was touched, for this is not what was shown:\n" in late.stderr


def test_a_service_without_such_routers_has_nothing_to_push(tmp_path: Path) -> None:
    from heiiki.cli.new_service import generate  # noqa: PLC0415 - for this test alone

    for name, text in generate("plain", 3, 1).items():
        path = tmp_path / "plain" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    service = replace(opened(tmp_path / "plain"), state_folder=tmp_path / "own")
    assert push(service, PushOrder()).results == ()


def test_a_push_stops_behind_a_wave_that_went_wrong_and_the_next_goes_on(world: PushWorld) -> None:
    """The first wave has one site; the devices behind it are as they were."""
    ios, junos = world.named("cisco_iosxe"), world.named("juniper_junos")
    world.simulator.fail(ios, refuse_line=3)
    done = world.push()
    assert [(one.device, one.outcome) for one in done.results] == [(ios, Outcome.FAILED)]
    assert (done.stopped, done.left) == (f"wave 1 of 3: failed: {ios}", world.names[1:])
    assert not done.complete
    assert [world.simulator.state(name)["typed"] for name in world.names[1:]] == [0, 0, 0]
    world.simulator.fail(junos, refuse_line=3)
    done = world.push()
    assert [one.outcome for one in done.results] == [Outcome.CHANGED, Outcome.FAILED]
    assert done.stopped == f"wave 2 of 3: failed: {junos}"
    done = world.push()
    assert [one.outcome for one in done.results] == [Outcome.UNCHANGED, *[Outcome.CHANGED] * 3]
    assert (done.stopped, done.left, done.complete) == ("", (), True)


def test_nothing_is_touched_where_too_many_are_unreachable(world: PushWorld) -> None:
    ios, junos = world.named("cisco_iosxe"), world.named("juniper_junos")
    world.simulator.order("close", ios)
    world.simulator.order("close", junos)
    done = world.push()
    assert done.stopped == f"2 of 4 are unreachable, more than 25%: {ios}, {junos}"
    assert done.left == world.names[2:]
    assert [one.device for one in done.results] == [ios, junos]
    assert [world.simulator.state(name)["typed"] for name in done.left] == [0, 0]
    assert world.push(most_unreachable=0.5).stopped == ""


def test_what_was_not_tested_from_elsewhere_is_said(world: PushWorld) -> None:
    done = world.push()
    for result in done.results:
        assert result.notices[-1].startswith("not tested from elsewhere: ")
        assert "the devices are simulated, and stand alone" in result.notices[-1]


@pytest.mark.parametrize("heard", [8, 60, 150, 240, 320, 420])
def test_a_push_that_is_killed_is_settled_by_the_next(world: PushWorld, heard: int) -> None:
    """`kill -9` of the command once the first two routers heard so many lines."""
    first = world.names[:2]
    arguments = ["push", str(FOLDER), "--access", str(world.file), "--width", "1"]
    arguments += [word for name in first for word in ("--limit", name)]
    process = subprocess.Popen([sys.executable, "-m", "heiiki", *arguments], stderr=subprocess.DEVNULL)
    awaited(
        "lines were heard",
        lambda: (
            sum(len(world.simulator.state(name)["heard"]) for name in first) >= heard
            or process.poll() is not None
        ),
    )
    process.kill()
    process.wait()
    # How far it came until the kill reached it is the machine's; the journal has no other router.
    assert {path.stem for path in (world.state / "journal").glob("*.json")} <= set(first)
    # As if it had been killed while it wrote: another device's, which the next push need not write.
    draft = world.state / "journal/.tenma-ce-a.json.a1b2c3d4.draft"
    draft.parent.mkdir(exist_ok=True)
    draft.write_text("a configuration")
    done = world.push(only=first)
    assert not draft.exists()
    assert (done.complete, done.unsettled) == (True, ()), done
    for name in first:
        state = world.simulator.state(name)
        assert (state["saved"], state["armed"]) == (state["running"], False)
    assert [one.outcome for one in world.push(only=first).results] == [Outcome.UNCHANGED] * 2
