"""One simulator for the tests of the fleet, and a device of its own for each."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
import simulated_devices
from simulated_devices import ADMIN, PASSWORD, USER, LineComparer, Simulator

from heiiki.fleet import by_napalm
from heiiki.fleet.cli.drivers import DRIVERS
from heiiki.fleet.cli.session import connect
from heiiki.fleet.host_keys import HostKeys
from heiiki.fleet.journal import Journal
from heiiki.fleet.model import Change, ConfirmFrom, DeviceSession, Login, Target
from heiiki.fleet.push import Means, Settings

T = TypeVar("T")
JUNOS_BY_NAPALM = "juniper_junos by NAPALM"
WAYS = (*sorted(DRIVERS), JUNOS_BY_NAPALM)
"""Every driver that has a simulated device: by the command line under the platform's name, and by NAPALM."""


def run(work: Coroutine[Any, Any, T]) -> T:
    async def limited() -> T:
        async with asyncio.timeout(60):
            return await work

    return asyncio.run(limited())


@pytest.fixture(scope="session")
def simulator() -> Iterator[Simulator]:
    made = simulated_devices.start()
    yield made
    made.end()


async def connected(way: str, target: Target, keys: HostKeys) -> DeviceSession:
    """Open a session by one of the ways; a device of another platform is reached by its command line."""
    if way == JUNOS_BY_NAPALM and target.platform == "juniper_junos":
        return await by_napalm.connect(by_napalm.JUNOS, target, keys)
    return await connect(DRIVERS[target.platform], target, keys)


@dataclass
class Device:
    """A simulated device, and how it is reached."""

    simulator: Simulator
    target: Target
    keys: HostKeys
    way: str

    @property
    def platform(self) -> str:
        return self.target.platform

    @property
    def change(self) -> Change:
        return Change(simulated_devices.CHANGES[self.platform])

    def state(self) -> dict[str, Any]:
        return self.simulator.state(self.target.name)

    def running(self) -> str:
        return str(self.state()["running"])

    def fail(self, **faults: Any) -> None:
        self.simulator.fail(self.target.name, **faults)

    def order(self, what: str, **more: Any) -> dict[str, Any]:
        return self.simulator.order(what, self.target.name, **more)

    async def connect(self, target: Target) -> DeviceSession:
        return await connected(self.way, target, self.keys)

    @asynccontextmanager
    async def session(self, **changed: Any) -> AsyncIterator[DeviceSession]:
        made = await self.connect(replace(self.target, **changed))
        try:
            yield made
        finally:
            await made.close()

    async def applied(self, session: DeviceSession, revert_in_s: float = 60.0) -> None:
        staged = await session.stage(self.change)
        await session.apply(
            staged,
            revert_in_s=revert_in_s,
            without_rollback=session.safety.confirm_from is ConfirmFrom.NOWHERE,
        )


Make = Callable[..., Device]


@pytest.fixture
def make(simulator: Simulator, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Make]:
    """Make devices, each named after its platform, to be reached by its way."""
    names: list[str] = []
    keys = HostKeys(tmp_path / "known_hosts")

    def made(way: str, **more: Any) -> Device:
        platform = way.partition(" ")[0]
        name = f"{platform.replace('_', '-')}-{len(names)}"
        port = simulator.add(name, platform, **more)
        names.append(name)
        login = Login(USER, PASSWORD, ADMIN)
        return Device(simulator, Target(name, platform, "127.0.0.1", login, "", port), keys, way)

    yield made
    for name in names:
        simulator.order("close", name)


@pytest.fixture(params=WAYS)
def device(make: Make, request: pytest.FixtureRequest) -> Device:
    return make(str(request.param))


FAST = Settings(revert_in_s=2, without_rollback=True, pause_s=0.05, patience_s=5, slack_s=0.3)


async def serves(target: Target) -> str:
    del target
    return ""


def means(device: Device, **settings: Any) -> Means:
    return Means(
        device.connect,
        LineComparer,
        serves,
        Journal(device.keys.path.parent / "journal"),
        replace(FAST, **settings),
    )
