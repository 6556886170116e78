"""A mixed service with a simulated device for each router of a vendor, reached as `heiiki push` does."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import simulated_devices
from simulated_devices import ADMIN, PASSWORD, USER, Simulator
from vendor_service import FOLDER

from heiiki.fleet.access import Access, access_file
from heiiki.pki.server.secrets import new_key, routing_keys
from heiiki.service import Pushed, PushOrder, Service, opened, push
from heiiki.state import FileSecrets
from heiiki_lab.devices.of_service import FACTORY

__all__ = ["PushWorld", "simulator", "world"]


@dataclass
class PushWorld:
    """The service, its devices, and how they are reached."""

    simulator: Simulator
    state: Path
    service: Service
    ports: dict[str, int] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(device.name for device in self.service.plan.by_hand())

    @property
    def secrets(self) -> FileSecrets:
        return FileSecrets(self.state)

    @property
    def access(self) -> Access:
        return access_file(self.file)

    @property
    def file(self) -> Path:
        """The file for `--access`."""
        devices = {name: {"host": "127.0.0.1", "port": port} for name, port in self.ports.items()}
        path = self.state / "access.json"
        found = {"user": USER, "alone": True, "state": str(self.state), "devices": devices}
        path.write_text(json.dumps(found))
        return path

    def named(self, platform: str) -> str:
        (name,) = (one.name for one in self.service.plan.by_hand() if one.platform == platform)
        return name

    def start(self) -> None:
        for device in self.service.plan.by_hand():
            config = FACTORY[device.platform].format(name=device.name)
            self.ports[device.name] = self.simulator.add(device.name, device.platform, config=config)
            login = {"password": PASSWORD, "admin_password": ADMIN}
            self.secrets.write(f"login/{device.name}", login)
        for path in routing_keys(self.service.plan):
            self.secrets.write(path, new_key(path))

    def push(self, **order: Any) -> Pushed:
        return push(self.service, PushOrder(**{"without_rollback": True, **order}), self.access)

    def running(self) -> dict[str, str]:
        return {name: str(self.simulator.state(name)["running"]) for name in self.names}


@pytest.fixture(scope="session")
def simulator() -> Iterator[Simulator]:
    made = simulated_devices.start()
    yield made
    made.end()


@pytest.fixture
def world(simulator: Simulator, tmp_path: Path) -> Iterator[PushWorld]:
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    made = PushWorld(simulator, state, opened(FOLDER))
    made.start()
    yield made
    for name in made.names:
        simulator.order("close", name)
