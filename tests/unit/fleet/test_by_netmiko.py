"""A platform as if it had no driver of ours: the contract, as far as it holds without a timed rollback."""

import logging
from dataclasses import replace
from typing import Any

import pytest
from fleet_devices import Device, Make, means, run
from simulated_devices import LineComparer, intended, paths

from heiiki.fleet import by_netmiko, engine
from heiiki.fleet.by_netmiko import NetmikoPlatform, NetmikoSession
from heiiki.fleet.errors import ConsentError, HostKeyError, LoginError, RefusedError, UnreachableError
from heiiki.fleet.host_keys import HostKeys
from heiiki.fleet.model import Change, Login, Outcome, Result, Target

IOS = NetmikoPlatform("cisco_ios", "show running-config", r"^% ?(?:Invalid|Incomplete|Ambiguous)")


@pytest.fixture
def device(make: Make) -> Device:
    return make("cisco_iosxe")


async def opened(device: Device, **changed: Any) -> NetmikoSession:
    return await by_netmiko.connect(IOS, replace(device.target, **changed), device.keys)


class Text(LineComparer):
    """Leaves out what is said above a configuration."""

    def compare(self, running: str, intended: str) -> Any:
        return super().compare(body(running), body(intended))


def body(text: str) -> str:
    return "\n".join(one for one in text.splitlines() if not one.startswith(("Building", "Current")))


def pushed(device: Device, **changed: Any) -> Result:
    target = replace(device.target, intended=intended(device.platform, device.target.name))

    async def connect(target: Target) -> NetmikoSession:
        return await by_netmiko.connect(IOS, target, device.keys)

    given = replace(means(device), connect=connect, comparer=Text)
    settings = replace(given.settings, **changed)
    (result,) = run(engine.push([target], replace(given, settings=settings)))
    return result


def test_a_device_is_changed_and_saved_by_consent(device: Device) -> None:
    assert pushed(device).outcome is Outcome.CHANGED
    state = device.state()
    assert paths(state["running"]).keys() == paths(intended(device.platform, device.target.name)).keys()
    assert state["saved"] == state["running"]
    assert "exit" not in state["heard"]
    assert pushed(device).outcome is Outcome.UNCHANGED


def test_without_consent_nothing_is_typed(device: Device) -> None:
    result = pushed(device, without_rollback=False)
    assert result.outcome is Outcome.FAILED
    assert "nothing takes a change back here by itself" in result.reason
    assert device.state()["typed"] == 0


def test_a_refused_line_is_noticed_and_the_rest_taken_back(device: Device) -> None:
    before = device.running()
    device.fail(refuse_line=3)
    result = pushed(device)
    assert result.outcome is Outcome.FAILED
    assert "line 3 of the change was refused" in result.reason
    assert paths(device.running()).keys() == paths(before).keys()


def test_a_refused_line_is_masked(device: Device) -> None:
    device.fail(refuse_text="unspoken")

    async def work() -> RefusedError:
        session = await opened(device)
        staged = await session.stage(Change(("username x password unspoken",), secrets=("unspoken",)))
        with pytest.raises(ConsentError):
            await session.apply(staged, revert_in_s=1)
        with pytest.raises(RefusedError) as caught:
            await session.apply(staged, revert_in_s=1, without_rollback=True)
        await session.close()
        return caught.value

    error = run(work())
    assert error.line == "username x password <secret>"
    assert "unspoken" not in f"{error}{error.words}"


def test_a_changed_host_key_is_refused_every_time(device: Device) -> None:
    run(opened(device))
    device.order("new_key")
    for keys in (device.keys, HostKeys(device.keys.path)):
        with pytest.raises(HostKeyError, match="not the pinned one"):
            run(by_netmiko.connect(IOS, device.target, keys))


def test_a_wrong_password_and_a_dead_device_are_told_apart(device: Device) -> None:
    with pytest.raises(LoginError, match="is not let in"):
        run(opened(device, login=Login("ops", "not the one")))
    device.order("close")
    with pytest.raises(UnreachableError):
        run(opened(device))


def test_nothing_that_is_typed_is_logged(device: Device, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        assert pushed(device).outcome is Outcome.CHANGED
    assert "198.51.100.9" in device.running()
    assert "198.51.100.9" not in caplog.text
