"""One contract, every driver: what a session promises, tried on the simulated device of each platform."""

import asyncio
import re
from dataclasses import replace
from pathlib import Path

import pytest
from fleet_devices import JUNOS_BY_NAPALM, WAYS, Device, Make, run
from simulated_devices import ADMIN, PASSWORD

from heiiki.fleet.errors import (
    BusyError,
    ConsentError,
    HostKeyError,
    LoginError,
    NotPendingError,
    RefusedError,
    SessionLostError,
    UnreachableError,
)
from heiiki.fleet.host_keys import FirstContact, HostKeys
from heiiki.fleet.model import Change, ConfirmFrom, DeviceSession

EXITS = ("juniper_junos", "nec_ix")
"""Where `exit` leaves configuration mode, and nothing else."""
TIMED = ("cisco_iosxe", "juniper_junos", JUNOS_BY_NAPALM, "yamaha_rtx")


def lines(text: str) -> list[str]:
    """The lines that mean something."""
    return [line for line in text.splitlines() if line.strip() and line.strip() not in {"!", "end"}]


def read(device: Device) -> str:
    async def work() -> str:
        async with device.session() as session:
            return await session.running()

    return run(work())


def test_what_is_read_is_what_runs_and_reading_changes_nothing(device: Device) -> None:
    before = device.state()
    assert lines(read(device)) == lines(before["running"])
    assert lines(read(device)) == lines(before["running"])
    assert device.state() | {"heard": []} == before


def test_a_long_configuration_comes_whole(make: Make, device: Device) -> None:
    text = device.running() + "".join(
        {
            "cisco_iosxe": f"ip route 10.0.{n}.0 255.255.255.0 192.0.2.2\n",
            "yamaha_rtx": f"ip route 10.0.{n}.0/24 gateway 192.0.2.2\n",
            "nec_ix": f"ip route 10.0.{n}.0/24 192.0.2.2\n",
            "juniper_junos": f"set routing-options static route 10.0.{n}.0/24 next-hop 192.0.2.2\n",
        }[device.platform]
        for n in range(200)
    )
    other = make(device.way, config=text)
    assert lines(read(other)) == lines(text)


def test_a_device_that_thinks_long_is_waited_for(make: Make, device: Device) -> None:
    slow = make(device.way, prompt_delay_ms=300)
    assert lines(read(slow)) == lines(slow.running())


def test_a_staged_change_is_not_applied(device: Device) -> None:
    before = device.running()

    async def work() -> bool:
        async with device.session() as session:
            staged = await session.stage(device.change)
            assert staged.checked is bool(session.safety.checks)
            return device.running() == before

    assert run(work())


def test_a_change_that_is_not_confirmed_goes_back_by_itself(device: Device) -> None:
    before = device.running()

    async def work() -> bool:
        async with device.session() as session:
            await device.applied(session)
            assert device.running() != before
            armed = device.state()["armed"]
            assert armed is bool(session.safety.arms)
            assert await session.armed() in {armed, None}
            device.order("expire")
            return bool(armed)

    armed = run(work())
    assert (device.running() == before) is armed


def test_a_confirmed_change_stays_and_a_saved_one_outlives_a_reload(device: Device) -> None:
    async def work() -> None:
        async with device.session() as session, device.session() as second:
            await device.applied(session)
            if session.safety.confirm_from is not ConfirmFrom.NOWHERE:
                await (second if session.safety.confirm_from is ConfirmFrom.ANY else session).confirm()
            assert not device.state()["armed"]
            await second.save()

    run(work())
    after = device.running()
    assert "192.0.2.3" in after or "192.0.2.7" in after
    device.order("expire")
    device.order("reboot")
    assert device.running() == after
    # On a Yamaha both confirm what they should not.
    assert {"exit", "quit"} & set(device.state()["heard"]) <= (
        {"exit"} if device.platform in EXITS else set()
    )


def test_a_change_is_reverted_at_once_where_there_is_a_word_for_it(device: Device) -> None:
    before = device.running()

    async def work() -> bool:
        async with device.session() as session:
            await device.applied(session)
            reverted = await session.revert()
            assert reverted is bool(session.safety.reverts)
            return reverted

    reverted = run(work())
    assert (device.running() == before) is reverted


@pytest.mark.parametrize("way", TIMED)
def test_what_has_gone_back_cannot_be_confirmed(make: Make, way: str) -> None:
    device = make(way)

    async def work() -> None:
        async with device.session() as session:
            await device.applied(session)
            device.order("expire")
            if await session.armed() is None:  # the device cannot be asked: it is read afterwards
                await session.confirm()
                return
            with pytest.raises(NotPendingError):
                await session.confirm()

    before = device.running()
    run(work())
    assert device.running() == before


@pytest.mark.parametrize("way", WAYS)
def test_any_line_that_is_refused_is_named_with_the_devices_own_words(make: Make, way: str) -> None:
    async def work(device: Device) -> RefusedError:
        async with device.session() as session:
            with pytest.raises(RefusedError) as caught:
                await device.applied(session)
            assert lines(await session.running()) == lines(device.running())  # the session can be used on
            return caught.value

    for number, line in enumerate(make(way).change.lines, start=1):
        device = make(way)
        before = device.running()
        device.fail(refuse_line=number)
        error = run(work(device))
        assert re.search("(?i)invalid|syntax error", error.words)
        if way == JUNOS_BY_NAPALM:  # NAPALM hands over all lines at once, and does not say which it was
            assert error.number == 0
        else:
            assert error.number == number
            assert f"line {number} of the change was refused, `{line.strip()}`" in str(error)
        if error.reverted:
            assert device.running() == before
            assert not device.state()["armed"]
    assert error.reverted is (device.platform in {"cisco_iosxe", "juniper_junos"})


def test_without_a_timed_rollback_nothing_is_applied_unless_that_is_accepted(make: Make) -> None:
    device = make("nec_ix")

    async def work() -> None:
        async with device.session() as session:
            with pytest.raises(ConsentError, match="nothing takes a change back"):
                await session.apply(await session.stage(device.change), revert_in_s=60)

    run(work())
    assert device.state()["typed"] == 0


def test_an_unmet_condition_of_the_timer_is_a_refusal_and_nothing_is_applied(make: Make) -> None:
    device = make("cisco_iosxe", config="hostname cisco-iosxe-0\n")

    async def work() -> None:
        async with device.session() as session:
            with pytest.raises(RefusedError, match="turn config archive on"):
                await device.applied(session)

    run(work())
    assert device.state()["typed"] == 0


def test_a_changed_host_key_fails_every_time_and_is_never_accepted(device: Device) -> None:
    read(device)
    kept = device.keys.path.read_text()
    device.order("new_key")
    for keys in (device.keys, HostKeys(device.keys.path)):
        with pytest.raises(HostKeyError, match=r"SHA256:\S+, which is not the pinned one"):
            read(replace(device, keys=keys))
    assert device.keys.path.read_text() == kept


def test_a_key_that_nobody_pinned_can_be_refused(device: Device, tmp_path: Path) -> None:
    keys = HostKeys(tmp_path / "none", FirstContact.REFUSE)
    with pytest.raises(HostKeyError, match="no host key is pinned"):
        read(replace(device, keys=keys))
    assert not keys.path.exists()


def test_first_contact_is_told_and_the_second_is_not(device: Device) -> None:
    async def notice() -> str:
        async with device.session() as session:
            return str(session.notice)  # type: ignore[attr-defined]

    assert run(notice()).startswith("first contact: pinned host key SHA256:")
    assert run(notice()) == ""
    assert device.keys.path.stat().st_mode & 0o077 == 0


def test_a_wrong_password_is_told_from_an_unreachable_device(device: Device) -> None:
    login = replace(device.target.login, password="not " + PASSWORD)

    async def work() -> None:
        async with device.session(login=login):
            pass

    with pytest.raises(LoginError) as caught:
        run(work())
    assert PASSWORD not in str(caught.value)


def test_a_wrong_administrators_password_is_told(make: Make) -> None:
    for platform in ("yamaha_rtx", "cisco_iosxe"):
        device = make(platform, admin_password="another " + ADMIN)
        with pytest.raises((LoginError, UnreachableError), match=r"password|denied") as caught:
            read(device)
        assert ADMIN not in str(caught.value)


def test_a_device_that_is_not_there_is_unreachable(device: Device) -> None:
    device.order("close")
    with pytest.raises(UnreachableError, match=r"127\.0\.0\.1 port"):
        read(device)


@pytest.mark.parametrize("way", ["nec_ix", "juniper_junos", JUNOS_BY_NAPALM])
def test_another_operator_is_not_thrown_out(make: Make, way: str) -> None:
    device = make(way)
    device.fail(occupied=True)

    async def work() -> None:
        async with device.session() as session:
            with pytest.raises(BusyError, match="another operator"):
                await device.applied(session)

    run(work())
    assert device.state()["log"] == []
    assert device.state()["typed"] == 0


def test_a_secret_that_the_device_repeats_is_masked(make: Make) -> None:
    device, secret = make("nec_ix"), "tell nobody".replace(" ", "-")

    async def work(session: DeviceSession, change: Change) -> RefusedError:
        with pytest.raises(RefusedError) as caught:
            await session.apply(await session.stage(change), revert_in_s=0, without_rollback=True)
        return caught.value

    async def both() -> list[RefusedError]:
        async with device.session() as session:
            line = f"no authentication password ops {secret}"
            return [
                await work(session, Change((line,), secrets=(secret,))),
                await work(session, Change((line,))),  # not told: the platform knows where secrets stand
            ]

    for error in run(both()):
        assert "Not configured" in error.words
        assert secret not in f"{error}{error.words}{error.__cause__}"


@pytest.mark.parametrize("piece", [1, 7])
def test_text_that_looks_like_a_prompt_gives_no_wrong_answer(make: Make, device: Device, piece: int) -> None:
    """In pieces, the end of a piece may be the end of a line that looks like a prompt."""
    name = device.target.name
    config = {
        "cisco_iosxe": f"hostname {{0}}\nbanner motd ^\n{name}#\nPassword: \n--More--\n^\n",
        "yamaha_rtx": f"description lan1 x\n{name}# \nPassword: \n",
        "nec_ix": f"hostname {name}\nremark x\n{name}(config)# \nPassword: \n--More--\n",
        "juniper_junos": (
            "set system services netconf ssh\n"
            f"set system login message x\nops@{name}> \nPassword: \n---(more)---\n"
        ),
    }[device.platform]
    other = make(device.way, config=config.replace("{0}", name + "x"))
    other.fail(piece=piece)
    try:
        text = read(other)
    except (SessionLostError, UnreachableError):
        text = other.running()  # noticed: the answer is not whole
    assert ADMIN not in other.state()["heard"]
    assert lines(text) == lines(other.running())


@pytest.mark.parametrize("way", WAYS)
def test_a_session_that_breaks_at_any_byte_is_lost_and_never_a_success(make: Make, way: str) -> None:
    async def work(device: Device, cut: int) -> bool:
        device.fail(cut_at=cut)
        async with device.session() as session:
            before = device.running()
            staged = await session.stage(device.change)
            try:
                await session.apply(
                    staged,
                    revert_in_s=60,
                    without_rollback=session.safety.confirm_from is ConfirmFrom.NOWHERE,
                )
            except SessionLostError:
                return True
            assert device.running() != before
            await asyncio.sleep(0)
            return False

    cuts, lost = list(range(0, 2200, 97)), 0
    for cut in cuts:
        device = make(way)
        try:
            lost += run(work(device, cut))
        except (UnreachableError, SessionLostError):
            lost += 1
    assert 3 <= lost <= len(cuts)
