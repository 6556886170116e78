"""The contract of a session by NETCONF, at a real server: yuma123's netconfd."""

import asyncio
import logging
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import netconfd_server
import pytest
from fleet_devices import FAST, run, serves
from netconfd_server import PASSWORD, USER

from heiiki.fleet import engine, netconf
from heiiki.fleet.errors import (
    BusyError,
    HostKeyError,
    LoginError,
    NotPendingError,
    RefusedError,
    UnreachableError,
)
from heiiki.fleet.host_keys import HostKeys
from heiiki.fleet.journal import Journal
from heiiki.fleet.model import Change, Comparison, Login, Outcome, Result, Target
from heiiki.fleet.push import Means

BASE = "urn:ietf:params:xml:ns:netconf:base:1.0"
IF = "urn:ietf:params:xml:ns:yang:ietf-interfaces"
TYPE = 'xmlns:t="urn:ietf:params:xml:ns:yang:iana-if-type"'


def interfaces(*names: str, operation: str = "replace") -> str:
    inside = "".join(
        f"<interface><name>{name}</name><type {TYPE}>t:ethernetCsmacd</type></interface>" for name in names
    )
    head = f'<interfaces xmlns="{IF}" xmlns:n="{BASE}" n:operation="{operation}">'
    return f'<config xmlns="{BASE}">{head}{inside}</interfaces></config>'


def names(text: str) -> list[str]:
    return sorted(one.text or "" for one in ET.fromstring(f"<all>{text}</all>").iter(f"{{{IF}}}name"))  # noqa: S314


class ByName:
    """Compares by the names of interfaces; what is intended is such a list."""

    def compare(self, running: str, intended: str) -> Comparison:
        old = names(running)
        new = names(intended) if "<" in intended else intended.split()
        return Comparison(() if old == new else (interfaces(*new),), f"{old} to {new}")


@dataclass
class Server:
    """The server, and how it is reached."""

    process: "subprocess.Popen[str]"
    target: Target
    keys: HostKeys

    def new_key(self) -> None:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        self.process.stdout.readline()

    async def connect(self, target: Target | None = None) -> netconf.NetconfSession:
        return await netconf.connect(target or self.target, self.keys, 30.0)

    def means(self, **changed: Any) -> Means:
        journal = Journal(self.keys.path.parent / "journal")
        return replace(Means(self.connect, lambda _: ByName(), serves, journal, FAST), **changed)

    def names(self) -> list[str]:
        async def work() -> list[str]:
            session = await self.connect()
            try:
                return names(await session.running())
            finally:
                await session.close()

        return run(work())


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple["subprocess.Popen[str]", int]]:
    root = netconfd_server.unpacked()
    if root is None:
        pytest.skip("apt cannot fetch netconfd here")
    argv = [sys.executable, netconfd_server.__file__, str(root), str(tmp_path_factory.mktemp("netconfd"))]
    made = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert made.stdout
    yield made, int(made.stdout.readline())
    assert made.stdin
    made.stdin.close()
    made.wait(60)
    made.stdout.close()


@pytest.fixture
def server(process: tuple["subprocess.Popen[str]", int], tmp_path: Path) -> Server:
    """The server with one interface."""
    target = Target("ce", "netconf", "127.0.0.1", Login(USER, PASSWORD), "", process[1])
    made = Server(process[0], target, HostKeys(tmp_path / "known_hosts"))

    async def reset() -> None:
        session = await made.connect()
        await session.apply(
            await session.stage(Change((interfaces("eth0"),))), revert_in_s=0, without_rollback=True
        )
        await session.close()

    run(reset())
    return made


async def applied(session: netconf.NetconfSession, seconds: float) -> None:
    await session.apply(await session.stage(Change((interfaces("eth0", "eth1"),))), revert_in_s=seconds)


def test_a_staged_change_is_validated_and_not_applied(server: Server) -> None:
    async def work() -> bool:
        session = await server.connect()
        staged = await session.stage(Change((interfaces("eth9"),)))
        await session.close()
        return staged.checked

    assert run(work())
    assert server.names() == ["eth0"]


def test_an_unconfirmed_change_goes_back_though_its_session_is_gone(server: Server) -> None:
    async def work() -> list[list[str]]:
        first = await server.connect()
        await applied(first, 2)
        await first.close()
        second = await server.connect()
        seen = [names(await second.running())]
        while names(await second.running()) != ["eth0"]:  # noqa: ASYNC110 - the server's timer
            await asyncio.sleep(1.5)  # asked more often, netconfd never looks at its timer
        with pytest.raises(NotPendingError):
            await second.confirm()
        await second.close()
        return seen

    assert run(work()) == [["eth0", "eth1"]]


def test_a_change_is_confirmed_by_another_session(server: Server) -> None:
    async def work() -> None:
        first, second = await server.connect(), await server.connect()
        await applied(first, 2)
        await second.confirm()
        await second.save()
        await asyncio.sleep(3)  # longer than the timer
        await first.close()
        await second.close()

    run(work())
    assert server.names() == ["eth0", "eth1"]


def test_a_change_is_cancelled_by_another_session(server: Server) -> None:
    async def work() -> bool:
        first, second = await server.connect(), await server.connect()
        await applied(first, 60)
        await first.close()
        reverted = await second.revert()
        await second.close()
        return reverted

    assert run(work())
    assert server.names() == ["eth0"]


def test_a_refused_change_is_told_and_leaves_nothing(server: Server) -> None:
    wrong = interfaces("eth0").replace("t:ethernetCsmacd", "t:no-such-type")

    async def work() -> RefusedError:
        session = await server.connect()
        with pytest.raises(RefusedError) as caught:
            await session.stage(Change((wrong,)))
        await applied(session, 60)  # the candidate is clean, and nobody's
        await session.revert()
        await session.close()
        return caught.value

    error = run(work())
    assert (error.number, error.reverted) == (1, True)
    assert "invalid" in error.words
    assert server.names() == ["eth0"]


def test_another_session_that_has_the_candidate_is_left_alone(server: Server) -> None:
    async def work() -> None:
        first, second = await server.connect(), await server.connect()
        await first.stage(Change((interfaces("eth5"),)))
        with pytest.raises(BusyError, match="another session has the candidate"):
            await second.stage(Change((interfaces("eth6"),)))
        await first.close()
        await second.close()

    run(work())
    assert server.names() == ["eth0"]


def test_a_changed_host_key_is_refused_every_time(server: Server) -> None:
    kept = server.keys.path.read_text()
    server.new_key()
    for keys in (server.keys, HostKeys(server.keys.path)):
        with pytest.raises(HostKeyError, match="which is not the pinned one"):
            run(replace(server, keys=keys).connect())
    assert server.keys.path.read_text() == kept


def test_a_wrong_password_and_a_dead_server_are_told_apart(server: Server) -> None:
    login = replace(server.target, login=Login(USER, "not the one"))
    with pytest.raises(LoginError, match="user ops is not let in"):
        run(server.connect(login))
    with pytest.raises(UnreachableError, match="port 1"):
        run(server.connect(replace(server.target, port=1)))


def pushed(server: Server, intended: str, **changed: Any) -> Result:
    (result,) = run(engine.push([replace(server.target, intended=intended)], server.means(**changed)))
    return result


def test_the_engine_pushes_and_a_second_run_changes_nothing(server: Server) -> None:
    assert pushed(server, "eth0 eth2").outcome is Outcome.CHANGED
    assert server.names() == ["eth0", "eth2"]
    assert pushed(server, "eth0 eth2").outcome is Outcome.UNCHANGED


def test_a_device_that_does_not_serve_gets_its_old_configuration_back(server: Server) -> None:
    async def dead(target: Target) -> str:
        del target
        return "no answer"

    result = pushed(server, "eth0 eth2", test=dead)
    assert result.outcome is Outcome.FAILED
    assert result.reason.endswith(
        "the independent test failed: no answer; the device has its old configuration"
    )
    assert server.names() == ["eth0"]


def test_nothing_that_is_sent_is_logged(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        pushed(server, "eth0 secretly-named")
    assert "secretly-named" not in caplog.text
    assert PASSWORD not in caplog.text
