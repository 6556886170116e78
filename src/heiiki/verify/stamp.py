"""STAMP processes on the hosts of the service, for as long as a measurement lasts (R-MINIMAL)."""

import logging
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from heiiki.plan.model import Device, Plan
from heiiki.render import agent
from heiiki.verify.fleet import Answer, Fleet

LEASE_S = 300.0
"""A process ends by itself so long after the last question: longer than a row of the fault table takes."""

_TIMEOUT_S = 150.0
_LOG = logging.getLogger(__name__)

Questions = Sequence[Mapping[str, Any]]


class StampSession:
    """The STAMP processes of one measurement.

    Attributes:
        failures: why a device has no process, by device.
    """

    def __init__(self, fleet: Fleet, devices: Iterable[Device], lease_s: float) -> None:
        """Measure on `devices`; nothing is started yet."""
        self._fleet = fleet
        self._devices = tuple(devices)
        self._lease_s = lease_s
        self._session = secrets.token_hex(8)
        self.failures: Mapping[str, str] = {}

    def start(self) -> None:
        """Start a process on each device, and wait until it answers; `failures` says where none does."""
        asked = self._ask({one.name: {"start": self._command(one)} for one in self._devices})
        self.failures = {name: answer.error for name, answer in asked.items() if answer.error}

    def ask(self, questions: Mapping[str, Questions]) -> dict[str, Answer]:
        """Put questions to the devices named, which renews their leases; a failed process is an error."""
        asked = {
            name: {"questions": list(own)} for name, own in questions.items() if name not in self.failures
        }
        failed = {
            name: Answer(name, {}, self.failures[name], b"") for name in questions if name in self.failures
        }
        return {**self._ask(asked), **failed}

    def renew(self) -> None:
        """Renew every lease."""
        self.ask({one.name: ({"do": "status"},) for one in self._devices})

    def end(self) -> None:
        """End every process, those that may have been started although no answer came included."""
        for answer in self._ask({one.name: {"end": True} for one in self._devices}).values():
            if answer.error:
                _LOG.warning("%s; its STAMP process ends by itself within %g s", answer.error, self._lease_s)

    def _ask(self, parameters: Mapping[str, Mapping[str, Any]]) -> dict[str, Answer]:
        session = {"session": self._session}
        asked = {name: {**session, **own} for name, own in parameters.items()}
        return self._fleet.ask("stamp_client", asked, _TIMEOUT_S)

    def _command(self, device: Device) -> list[str]:
        peers = [word for stream in device.stamp for word in ("--peer", str(stream.address))]
        lease = ("--session", self._session, "--lease", f"{self._lease_s:g}")
        return list(agent.command("stamp", "serve", "--address", str(device.addresses[0]), *lease, *peers))


@contextmanager
def measuring(
    plan: Plan, fleet: Fleet, devices: Iterable[str], lease_s: float = LEASE_S
) -> Iterator[StampSession]:
    """Run STAMP processes on `devices` while the block lasts.

    Where the block is never left, because the program is killed, each of them ends `lease_s` seconds after
    its last question.
    """
    session = StampSession(fleet, [plan.device(name) for name in devices], lease_s)
    try:
        session.start()
        yield session
    finally:
        session.end()
