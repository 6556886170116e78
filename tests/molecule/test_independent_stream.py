"""The fault table against a second witness: echoes of `ping`, which shares no code with the STAMP sender."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest
from waiting import awaited

from heiiki.management import management
from heiiki.render import compile_plan
from heiiki.report import FaultRow
from heiiki.requirements import Result
from heiiki.requirements.verdict import Evidence
from heiiki.verify.faults.injector import Injector
from heiiki.verify.run import verify
from heiiki_lab.guest_client import GuestClient
from heiiki_lab.state import GUEST, lab_dir, socket_path

from .service import Service

AGREE_S = 0.05
"""Two intervals of 20 ms, one of either stream, and what scheduling adds."""

MOST_ATTEMPTS = 5
REPLY = re.compile(r"^\[(\d+\.\d+)\] \d+ bytes from .*icmp_seq=", re.MULTILINE)


@dataclass(frozen=True)
class Compared:
    """One fault: what the fault table says of a site, and what ping saw.

    Attributes:
        row: of the fault table.
        ours: longest interruption of the site at the failure in either direction, seconds.
        independent: longest silence between two echo replies that overlaps the failure, seconds.
        stalled: the guest stood still meanwhile.
    """

    row: FaultRow
    ours: float
    independent: float
    stalled: bool

    @property
    def disturbed(self) -> bool:
        """Whether the machine, and not the network, may have made the two differ."""
        return self.stalled or "void" in self.row.reason

    @property
    def apart(self) -> float:
        """How far the two are from each other, seconds."""
        return abs(self.ours - self.independent)

    def __str__(self) -> str:
        return f"{self.row.name}: ours {self.ours:.3f} s, ping {self.independent:.3f} s, {self.row.reason}"


@contextmanager
def echoes(service: Service, address: str) -> Iterator[list[float]]:
    """Ping `address` from DRAS every 20 ms; afterwards the list has when each reply came, CLOCK_MONOTONIC."""
    times: list[float] = []
    file = f"/tmp/echoes-{address}"
    command = f": > {file}; ping -D -n -i 0.02 {address} > {file} 2>&1 < /dev/null & echo $!"
    pid = service.run("dras", "sh", "-c", command).strip()
    try:
        awaited("the first echoes came", lambda: len(REPLY.findall(service.run("dras", "cat", file))) > 20)
        yield times
    finally:
        ended = f"kill -INT {pid}; while kill -0 {pid} 2>/dev/null; do sleep 0.1; done"
        service.run("dras", "sh", "-c", ended)
        with GuestClient(socket_path(lab_dir(), GUEST)) as guest:
            clock = guest.clock()
        said = REPLY.findall(service.run("dras", "cat", file))
        times += sorted(float(one) - clock.realtime + clock.monotonic for one in said)


def longest(times: list[float], since: float, until: float) -> float:
    """Return the longest time between two replies that overlaps the window."""
    return max(after - before for before, after in pairwise(times) if before <= until and after >= since)


def compared(service: Service, name: str, site: str) -> Compared:
    """Measure a fault while ping runs beside."""
    kept: dict[str, Mapping[str, Any]] = {}

    def keep(file: str, data: bytes) -> Evidence:
        kept[file] = json.loads(data)
        return Evidence("", file)

    plan = service.plan
    equipment = management(plan).test_equipment(plan, faults=True)
    with echoes(service, str(plan.site(site).controller_address)) as times:
        seen = verify(
            plan,
            tuple(compile_plan(plan)),
            service.transport,
            keep,
            equipment=equipment,
            faults=(name,),
            checks=("faults",),
        )
    (row,) = seen.fault_rows
    (notes,) = kept.values()
    assert "window" in notes, row.reason
    window = notes["window"]
    mine = [gap.seconds for gap in row.gaps if (gap.site, gap.phase) == (site, "failure")]
    return Compared(
        row,
        max(mine, default=0.0),
        longest(times, window["before"], window["healed"]),
        stalled(equipment.injector, window["before"] - 1, window["healed"]),
    )


def stalled(injector: Injector, since: float, until: float) -> bool:
    return any(ended - seconds < until for ended, seconds in injector.stalls(since))


FAULTS = ("umeda-ce-a/poweroff", "a-pe2/poweroff")


@pytest.mark.long
@pytest.mark.parametrize("name", FAULTS)
def test_ping_saw_the_same_interruption(service: Service, name: str) -> None:
    for _ in range(MOST_ATTEMPTS):
        found = compared(service, name, "umeda")
        # A busy machine delays a sender or a clock now and then; one that counts wrongly does so each time.
        if not found.disturbed and found.apart <= AGREE_S:
            break
    assert not found.disturbed, f"the machine stood still each time: {found}"
    assert found.apart <= AGREE_S, str(found)
    assert found.row.result in {Result.PASS, Result.FAIL}, str(found)


def test_the_witness_counts_what_begins_before_the_window() -> None:
    assert longest([9.9, 9.95, 11.14, 11.16], 10.0, 12.5) == pytest.approx(1.19)
