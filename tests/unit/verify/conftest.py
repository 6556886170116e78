"""The worked example's plan, and devices that answer as they are told."""

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import heiiki.intent
import heiiki.plan
from heiiki.errors import TransportError
from heiiki.plan.model import Plan
from heiiki.requirements.verdict import Evidence
from heiiki.transport import Completed
from heiiki.verify.fleet import Fleet
from heiiki.verify.host import state

Reply = Callable[[str, str, dict[str, Any]], dict[str, Any]]


@pytest.fixture(scope="session")
def plan(lab_inventory: Path) -> Plan:
    """The plan of the worked example."""
    return heiiki.plan.build(heiiki.intent.load(lab_inventory))


def keep(name: str, data: bytes) -> Evidence:
    """Keep nothing, and say what would have been kept."""
    return Evidence("2026-01-01T00:00:00Z", f"evidence/{name}", "", data[:20].decode(errors="replace"))


@pytest.fixture
def kept() -> Callable[[str, bytes], Evidence]:
    """A store that keeps nothing."""
    return keep


class FakeTransport:
    """Devices that answer a probe by a function of device, probe and parameters; those in `dead` do not."""

    def __init__(self, reply: Reply, dead: Sequence[str] = ()) -> None:
        self._reply = reply
        self._dead = dead

    def run(
        self,
        device: str,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        timeout: float = 30.0,  # noqa: ARG002 - answers come at once
    ) -> Completed:
        if device in self._dead:
            raise TransportError(f"{device}: not reachable")
        lines = stdin.decode().rstrip().splitlines()
        summary = next((line for line in lines if line.startswith('"""Probe: ')), "")
        if not summary:
            return Completed(127, b"", f"{argv[0]}: not on this device".encode())
        call = lines[-1]
        names = {
            "list": "reads",
            "run": "read",
            "send": "packets",
            "compare": "running",
            "flood": "flood",
            "fill": "load",
            "scan": "scan",
            "forge": "forge",
            "put": "stamp_client",
            "packets": "traffic",
            "note": "tap",
            "ask": "vici",
            "knock": "rest",
            "speak": "xmpp",
            "be": "wlan",
            "try": "mms",
            "attempt": "pppoe",
            "look": "host" if "look at what a host" in summary else "capture",
        }
        probe = names[summary.removeprefix('"""Probe: ').split()[0]]
        scope: dict[str, Any] = {"json": json, "main": lambda parameters: parameters}
        parameters = eval(call.removeprefix("print(json.dumps(main(").removesuffix(")))"), scope)  # noqa: S307
        return Completed(0, json.dumps(self._reply(device, probe, parameters)).encode(), b"")

    def spawn(self, device: str, argv: Sequence[str]) -> None:
        raise NotImplementedError

    def close(self) -> None:
        """Hold nothing open."""


@pytest.fixture
def fleet_of() -> Any:
    """Make a fleet of devices that answer as told."""
    pools = []

    def make(reply: Reply, dead: Sequence[str] = ()) -> Fleet:
        pools.append(ThreadPoolExecutor(4))
        return Fleet(FakeTransport(reply, dead), pools[-1])

    yield make
    for pool in pools:
        pool.shutdown()


@pytest.fixture(autouse=True)
def no_pause_between_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at a host as often as a verification does, but for the pauses: these hosts do not change."""
    monkeypatch.setattr(state, "LOOKS", replace(state.LOOKS, every_s=0.0))
