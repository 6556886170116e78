"""Junos by NAPALM, beyond the contract: what its driver does by itself, and is kept from here."""

import asyncio
import logging
from pathlib import Path

import napalm
import pytest
from fleet_devices import JUNOS_BY_NAPALM, Device, Make, run
from napalm.base.exceptions import MergeConfigException
from simulated_devices import PASSWORD, USER

from heiiki.fleet import by_napalm
from heiiki.fleet.errors import (
    BusyError,
    HostKeyError,
    NotPendingError,
    RefusedError,
    SessionLostError,
    UnreachableError,
)
from heiiki.fleet.junos_driver import JunosDriver
from heiiki.fleet.model import Change


@pytest.fixture
def junos(make: Make) -> Device:
    return make(JUNOS_BY_NAPALM)


def plain(device: Device) -> napalm.base.NetworkDriver:
    """NAPALM's driver as it is."""
    options = {"port": device.target.port}
    return napalm.get_network_driver("junos")("127.0.0.1", USER, PASSWORD, 60, options)


def pinned(device: Device) -> JunosDriver:
    options = {"port": device.target.port, "known_hosts": str(device.keys.path)}
    return JunosDriver("127.0.0.1", USER, PASSWORD, 60, options)


def test_pyez_takes_no_other_key(junos: Device) -> None:
    """As if the key had been exchanged between our look and the driver's connection."""
    junos.keys.path.touch()
    with pytest.raises(HostKeyError, match="not the pinned one"):
        pinned(junos).open()  # nobody has pinned one
    run(look(junos))
    driver = pinned(junos)
    driver.open()
    driver.abort()
    junos.order("new_key")
    with pytest.raises(HostKeyError, match="not the pinned one"):
        pinned(junos).open()
    trusting = plain(junos)
    trusting.open()  # what NAPALM does by itself
    trusting.close()


async def look(device: Device) -> str:
    async with device.session() as session:
        return await session.running()


def test_settings_of_the_users_ssh_do_not_count(
    junos: Device, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tmp_path / ".ssh" / "config"
    settings.parent.mkdir()
    settings.write_text("Host *\n    Port 1\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert "set system host-name" in run(look(junos))
    with pytest.raises(Exception, match="Connect"):
        plain(junos).open()


def test_what_another_operator_has_in_the_candidate_is_not_committed(junos: Device) -> None:
    async def work() -> None:
        async with junos.session() as session, junos.session() as second:
            await junos.applied(session)
            junos.fail(occupied=True)
            with pytest.raises(BusyError, match=r"another operator has the configuration: .* locked by"):
                await second.confirm()
            with pytest.raises(BusyError):
                await second.revert()
            assert junos.state()["armed"]
            junos.fail(occupied=False)
            await second.confirm()
            with pytest.raises(NotPendingError, match="nothing waits to be confirmed"):
                await session.revert()

    run(work())
    assert "192.0.2.3" in junos.running()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("delete protocols bgp group PE type external", "Missing mandatory statement: 'type'"),
        ("delete protocols bgp group NONE", "statement not found"),
        ("set no-such thing", "syntax error"),
    ],
)
def test_a_refusal_before_the_commit_leaves_the_candidate_clean_and_free(
    junos: Device, line: str, words: str
) -> None:
    before = junos.running()

    async def work() -> RefusedError:
        async with junos.session() as session, junos.session() as second:
            with pytest.raises(RefusedError) as caught:
                await session.stage(Change(("set system ntp server 192.0.2.9", line)))
            await second.stage(junos.change)  # it has the lock; what was refused is not in it
            assert "192.0.2.9" not in second._driver.compare_config()  # type: ignore[attr-defined]
            return caught.value

    error = run(work())
    assert words in error.words
    assert error.reverted
    assert junos.running() == before


def test_a_refused_line_is_masked(junos: Device) -> None:
    async def work() -> RefusedError:
        async with junos.session() as session:
            with pytest.raises(RefusedError) as caught:
                await session.stage(Change(("set nothing unspoken",), secrets=("unspoken",)))
            return caught.value

    error = run(work())
    assert "unspoken" not in f"{error}{error.words}{error.__cause__}"


class Silent:
    """A driver of a device that answers in another format than the one that was asked for."""

    def get_config(self, **_: str) -> dict[str, str]:
        return {"running": "\n"}


def test_a_device_that_shows_nothing_is_not_taken_for_an_empty_one(junos: Device) -> None:
    session = by_napalm.NapalmSession(by_napalm.JUNOS, junos.target, Silent(), "")
    with pytest.raises(SessionLostError, match="the configuration is empty"):
        run(session.running())


@pytest.mark.parametrize("platform", ["cisco_iosxe", "juniper_junos"])
def test_a_device_without_netconf_is_unreachable_by_it(make: Make, platform: str) -> None:
    device = make(platform, config="set system host-name x\n")

    async def work() -> None:
        await by_napalm.connect(by_napalm.JUNOS, device.target, device.keys)

    with pytest.raises(UnreachableError, match="no session by NAPALM: ConnectionException"):
        run(work())


@pytest.mark.parametrize(("drop", "stays"), [("goes_on", True), ("restores", False)])
def test_a_lost_session_leaves_the_timer_or_the_old_configuration(
    junos: Device, drop: str, stays: bool
) -> None:
    """Juniper says of a session that is killed that its commit goes back; of a lost one it says nothing."""
    before = junos.running()
    junos.fail(drop=drop)

    async def work() -> bool | None:
        async with junos.session() as second:
            async with junos.session() as session:
                await junos.applied(session)
            while not stays and junos.state()["armed"]:  # noqa: ASYNC110 - the device's own doing
                await asyncio.sleep(0.05)
            return await second.armed()

    assert run(work()) is stays
    assert (junos.running() != before) is stays


def test_nothing_that_is_sent_is_logged(junos: Device, caplog: pytest.LogCaptureFixture) -> None:
    async def work() -> None:
        async with junos.session() as session:
            await session.apply(await session.stage(Change(("set snmp community unspoken",))), revert_in_s=60)
            await session.confirm()

    with caplog.at_level(logging.DEBUG):
        run(work())
    assert "unspoken" in junos.running()
    assert "unspoken" not in caplog.text
    assert PASSWORD not in caplog.text


def test_the_simulated_junos_serves_napalms_own_driver(junos: Device) -> None:
    """Text in braces, override, comparison, a message, a rollback: as people with NAPALM use it."""
    driver = plain(junos)
    driver.open()
    before = junos.running()
    driver.load_merge_candidate(config="system {\n    ntp {\n        server 192.0.2.9;\n    }\n}\n")
    assert driver.compare_config() == "+ set system ntp server 192.0.2.9"
    driver.discard_config()
    assert driver.compare_config() == ""
    driver.load_replace_candidate(config="system {\n    host-name other;\n}\n")
    driver.commit_config(message="as people do")
    assert junos.running() == "set system host-name other\n"
    driver.rollback()
    assert junos.running() == before
    with pytest.raises(MergeConfigException, match="syntax error"):
        driver.load_merge_candidate(config="system {\n")
    with pytest.raises(Exception, match="format text is not simulated"):
        driver.get_config()
    assert junos.running() == before
    driver.close()


def test_a_wait_for_confirmation_is_told_as_napalm_tells_it(junos: Device) -> None:
    driver = plain(junos)
    driver.open()
    driver.load_merge_candidate(config="set system ntp server 192.0.2.9\n")
    driver.commit_config(revert_in=120)
    assert driver.has_pending_commit()
    junos.order("expire")
    assert not driver.has_pending_commit()
    driver.close()
