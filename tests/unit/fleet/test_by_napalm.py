"""Sessions by NAPALM: the contract at a real FRRouting, and what its driver of IOS may be trusted with."""

import logging
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import napalm
import pytest
from fleet_devices import Device, Make, run
from frr_host import MORE, FrrHost
from napalm.base.exceptions import ConnectionException
from waiting import awaited

from heiiki.fleet import by_napalm
from heiiki.fleet.by_napalm import FRR, IOS_XE, NapalmPlatform, NapalmSession
from heiiki.fleet.errors import (
    ConsentError,
    HostKeyError,
    LoginError,
    NotPendingError,
    RefusedError,
    UnreachableError,
)
from heiiki.fleet.frr_driver import FrrDriver
from heiiki.fleet.host_keys import HostKeys
from heiiki.fleet.model import Change, Login

ADDED = Change(tuple(MORE.splitlines()))


def platform(host: FrrHost) -> NapalmPlatform:
    options = {"frr_reload": "frr-reload.py", "folder": str(host.host.folder / "drafts")}
    return replace(FRR, options={**FRR.options, **options})


@asynccontextmanager
async def opened(host: FrrHost, **changed: Any) -> AsyncIterator[NapalmSession]:
    target = replace(host.target, **changed)
    session = await by_napalm.connect(platform(host), target, HostKeys(host.keys))
    try:
        yield session
    finally:
        await session.close()


@pytest.fixture
def frr(frr_host: FrrHost, driver: FrrDriver) -> FrrHost:
    """The host, which is as it was before once the test is done."""
    return frr_host


def test_a_change_is_applied_looked_at_and_confirmed_in_another_session(frr: FrrHost) -> None:
    async def work() -> tuple[str, str]:
        async with opened(frr) as session, opened(frr) as second:
            staged = await session.stage(ADDED)
            assert staged.checked
            assert "192.0.2.8" not in await second.running()
            pending = await session.apply(staged, revert_in_s=600)
            assert pending.until is not None
            assert await second.armed() is True
            seen = await second.running()
            await second.confirm()
            assert await second.armed() is False
            return seen, await second.running()

    seen, after = run(work())
    assert "192.0.2.8" in seen
    assert "192.0.2.8" in after


def test_a_change_is_reverted_at_once_and_then_there_is_nothing_to_confirm(frr: FrrHost) -> None:
    async def work() -> str:
        async with opened(frr) as session, opened(frr) as second:
            await session.apply(await session.stage(ADDED), revert_in_s=600)
            assert await second.revert()
            with pytest.raises(NotPendingError, match="nothing waits to be confirmed"):
                await second.confirm()
            return await second.running()

    assert "192.0.2.8" not in run(work())


def test_a_lost_session_lets_the_timer_go_on(frr: FrrHost, driver: FrrDriver) -> None:
    async def work() -> None:
        async with opened(frr) as session:
            await session.apply(await session.stage(ADDED), revert_in_s=2)

    run(work())
    awaited("the timer runs out", lambda: not driver.has_pending_commit(), 120)
    assert "192.0.2.8" not in driver.get_config("running")["running"]


def test_a_refused_change_is_told_masked_and_applies_nothing(frr: FrrHost, driver: FrrDriver) -> None:
    async def work() -> RefusedError:
        async with opened(frr) as session:
            with pytest.raises(RefusedError) as caught:
                await session.stage(Change(("router bgp 65001", " unspoken words"), secrets=("unspoken",)))
            return caught.value

    error = run(work())
    assert "Unknown command" in error.words
    assert "unspoken" not in f"{error}{error.words}"
    assert driver.compare_config() == ""


def test_without_a_timer_there_must_be_consent(frr: FrrHost, driver: FrrDriver) -> None:
    frr.program("systemd-run", "#!/bin/sh\nexit 1\n")

    async def work() -> None:
        async with opened(frr) as session:
            with pytest.raises(ConsentError, match="revert_in needs systemd"):
                await session.apply(await session.stage(ADDED), revert_in_s=60)
            assert "192.0.2.8" not in await session.running()
            pending = await session.apply(await session.stage(ADDED), revert_in_s=0, without_rollback=True)
            assert pending.until is None
            assert "192.0.2.8" in await session.running()

    run(work())


def test_keys_and_log_ins_of_a_linux_host(frr: FrrHost) -> None:
    async def work(**changed: Any) -> None:
        async with opened(frr, **changed):
            pass

    with pytest.raises(LoginError, match="is not let in"):
        run(work(login=Login(frr.target.login.user, "another")))
    frr.new_key()
    with pytest.raises(HostKeyError, match="not the pinned one"):
        run(work())
    frr.pin()
    run(work())


async def ios(device: Device, keys: HostKeys | None = None, **changed: Any) -> str:
    session = await by_napalm.connect(IOS_XE, replace(device.target, **changed), keys or device.keys)
    try:
        return await session.running()
    finally:
        await session.close()


def test_a_simulated_ios_is_read_and_left_without_a_word(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    device = make("cisco_iosxe")
    with caplog.at_level(logging.DEBUG):
        text = run(ios(device))
    assert [line for line in device.running().splitlines() if line not in text] == []
    assert device.state()["typed"] == 0
    assert "exit" not in device.state()["heard"]
    assert "neighbor 192.0.2.2" not in caplog.text


def test_napalm_below_netmiko_takes_no_other_key(make: Make, tmp_path: Path) -> None:
    """By itself the driver accepts any host key; here neither we nor the library below do."""
    device = make("cisco_iosxe")
    run(ios(device))
    device.order("new_key")
    for keys in (device.keys, HostKeys(device.keys.path)):
        with pytest.raises(HostKeyError, match="not the pinned one"):
            run(ios(device, keys))
    # As if the key had been exchanged between our look and the driver's connection.
    driver = by_napalm._driver(IOS_XE, device.target, device.keys, 15.0)
    with pytest.raises(ConnectionException) as caught:
        driver.open()
    assert "BadHostKeyException" in "".join(traceback.format_exception(caught.value))
    login = device.target.login
    options = {"port": device.target.port, "secret": login.admin_password}
    trusting = napalm.get_network_driver("ios")("127.0.0.1", login.user, login.password, 60, options)
    trusting.open()  # what NAPALM does by itself
    trusting.device.remote_conn_pre.close()


def test_a_wrong_password_and_a_dead_ios_are_told_apart(make: Make) -> None:
    device = make("cisco_iosxe")
    with pytest.raises(LoginError, match="is not let in"):
        run(ios(device, login=Login("ops", "not the one")))
    device.order("close")
    with pytest.raises(UnreachableError):
        run(ios(device))
