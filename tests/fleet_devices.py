"""One simulator for the tests of the fleet, and a device of its own for each."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pytest
import simulated_devices
from simulated_devices import ADMIN, PASSWORD, USER, LineComparer, Simulator

from heiiki.fleet.cli.drivers import DRIVERS
from heiiki.fleet.cli.session import connect
from heiiki.fleet.host_keys import HostKeys
from heiiki.fleet.journal import Journal
from heiiki.fleet.model import Change, ConfirmFrom, DeviceSession, Login, Target
from heiiki.fleet.push import Means, Settings

T = TypeVar("T")


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


@dataclass
class Device:
    """A simulated device, and how it is reached."""

    simulator: Simulator
    target: Target
    keys: HostKeys

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

    @asynccontextmanager
    async def session(self, **changed: Any) -> AsyncIterator[DeviceSession]:
        made = await connect(DRIVERS[self.platform], replace(self.target, **changed), self.keys)
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
    """Make devices, each named after its platform."""
    names: list[str] = []
    keys = HostKeys(tmp_path / "known_hosts")

    def made(platform: str, **more: Any) -> Device:
        name = f"{platform.replace('_', '-')}-{len(names)}"
        port = simulator.add(name, platform, **more)
        names.append(name)
        login = Login(USER, PASSWORD, ADMIN)
        return Device(simulator, Target(name, platform, "127.0.0.1", login, "", port), keys)

    yield made
    for name in names:
        simulator.order("close", name)


@pytest.fixture(params=sorted(DRIVERS))
def device(make: Make, request: pytest.FixtureRequest) -> Device:
    return make(str(request.param))


FAST = Settings(revert_in_s=2, without_rollback=True, pause_s=0.05, patience_s=5, slack_s=0.3)


async def serves(target: Target) -> str:
    del target
    return ""


async def opened(device: Device, target: Target) -> Any:
    return await connect(DRIVERS[target.platform], target, device.keys)


def means(device: Device, **settings: Any) -> Means:
    return Means(
        partial(opened, device),
        LineComparer,
        serves,
        Journal(device.keys.path.parent / "journal"),
        replace(FAST, **settings),
    )
