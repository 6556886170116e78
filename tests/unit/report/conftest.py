"""The worked example, its faults measured, and verdicts of every kind about it."""

import pathlib
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from heiiki.intent import load
from heiiki.plan import build
from heiiki.plan.model import Fault, Plan
from heiiki.report import FaultRow, Gap, Header
from heiiki.requirements import Result, Stage, Verdict
from heiiki.requirements.verdict import Evidence

NOON = datetime(2026, 10, 1, 12, 0, 0, tzinfo=UTC)

_INVENTORY = pathlib.Path(__file__).parents[3] / "inventories" / "lab"
_SITES = ("umeda", "namba", "sakai")


@pytest.fixture
def noon() -> datetime:
    """The time of every header and piece of evidence."""
    return NOON


@pytest.fixture(scope="session")
def plan() -> Plan:
    """The worked example, with its faults."""
    return build(load(_INVENTORY))


@pytest.fixture
def header(plan: Plan) -> Header:
    """A header of a fixed time."""
    return Header.of(plan, machine="2 cores, 4 GiB", lab=True, clock=lambda: NOON)


def _row(fault: Fault, rank: int) -> FaultRow:
    gaps = tuple(
        Gap(site, direction, phase, round((0.06 if phase == "return" else 0.5) + (rank * 37 % 90) / 100, 3))
        for site in fault.sites
        for direction in ("down", "up")
        for phase in ("failure", "return")
    )
    if fault.name == "b-sgw/poweroff":
        gaps = (Gap("sakai", "down", "failure", 2.31), *gaps[1:])
        return _measured(fault, Result.FAIL, "sakai heard nothing for 2.31 s, more than 2 s", gaps)
    if fault.exempt:
        gone = (Gap("namba", "down", "failure", 8.4), Gap("namba", "up", "failure", 8.4))
        return _measured(fault, Result.NOT_APPLICABLE, fault.exempt, gone)
    if fault.name == "a-p1/kill":
        reason = "the guest stalled in each of three measurements"
        return replace(_measured(fault, Result.UNKNOWN, reason, ()), voided=(1.42, 0.98, 1.1))
    return _measured(fault, Result.PASS, "", gaps)


def _measured(fault: Fault, result: Result, reason: str, gaps: tuple[Gap, ...]) -> FaultRow:
    row = (fault.target, fault.kind, fault.mode, fault.network, fault.exempt, result, reason, gaps)
    return FaultRow(*row, program=fault.part)  # type: ignore[arg-type]


@pytest.fixture
def faults(plan: Plan) -> tuple[FaultRow, ...]:
    """Every fault of the plan but the kill of the MME, measured."""
    return tuple(_row(fault, rank) for rank, fault in enumerate(plan.faults) if fault.name != "b-mme/kill")


def verdict(
    name: str, subject: str, stage: Stage, result: Result = Result.PASS, reason: str = "", **more: object
) -> Verdict:
    """Return a verdict with the clause of the catalogue."""
    return Verdict(name, subject, stage, result, reason, **more)  # type: ignore[arg-type]


def _negatives() -> list[Verdict]:
    leak = (
        Evidence(
            "2026-10-01T11:58:03+00:00",
            "evidence/leak.txt",
            "0" * 64,
            "10.15.17.4 to 10.15.42.4 icmp: umeda-ce-a, a-pe2, sakai-ce-a; let through by forward rule 'hub'",
        ),
    )
    found = [
        verdict("R-ISO-SITE", f"{source} to {target} over {network}", Stage.LIVE, measured=0, bound=0)
        for network in "ab"
        for source in _SITES
        for target in _SITES
        if source != target and (network, source, target) != ("a", "umeda", "sakai")
    ]
    reason = "sakai-bems answered umeda-bems"
    found.append(
        verdict("R-ISO-SITE", "umeda to sakai over a", Stage.LIVE, Result.FAIL, reason, evidence=leak)
    )
    found += [
        verdict("R-ISO-CARRIER", "second-branch to dras", Stage.LIVE),
        verdict("R-ISO-MALICE", "spoofed source from umeda-bems", Stage.LIVE),
        verdict("R-ISO-GROUP", "dras to xmpp", Stage.LIVE),
        verdict(
            "R-SEC-ACCESS", "SIM with a wrong key", Stage.LIVE, reason="refused with cause 20, MAC failure"
        ),
        verdict("R-SEC-ACCESS", "unknown IMSI", Stage.LIVE, reason="refused with cause 8"),
    ]
    return found


@pytest.fixture
def verdicts(faults: tuple[FaultRow, ...]) -> tuple[Verdict, ...]:
    """Verdicts of every result and stage, some stages left out."""
    found = [row.verdict() for row in faults] + _negatives()
    found += [
        verdict("R-AVAIL", "umeda", Stage.DESIGN, measured=1.2e-5, bound=2e-5),
        verdict("R-AVAIL", "namba", Stage.DESIGN, measured=1.9e-5, bound=2e-5),
        verdict("R-COST", "network a", Stage.DESIGN, measured=900, bound=1000, unit="yen"),
        verdict("R-SCALE", "hub", Stage.DESIGN, measured=3, bound=1000, unit="BEMS/ERC"),
        verdict("R-CLOSED", "kansai", Stage.DESIGN),
        verdict(
            "R-GAP",
            "network a",
            Stage.DESIGN,
            measured=1.35,
            bound=2.0,
            unit="s",
            reason="BFD 0.9 + SPF 0.05",
        ),
        verdict("R-GAP", "network b", Stage.DESIGN, measured=1.2, bound=2.0, unit="s"),
        verdict("R-DUAL", "umeda", Stage.DESIGN),
        verdict("R-ISO-SITE", "kansai", Stage.DESIGN),
    ]
    for name in _SITES:
        for network, delay in (("a", 0.0021), ("b", 0.0138)):
            subject = f"{name} over {network}"
            found.append(verdict("R-DELAY", subject, Stage.LIVE, measured=delay, bound=2.0, unit="s"))
            found.append(verdict("R-DUAL", f"{name} to dras over {network}", Stage.LIVE))
    found += [verdict("R-GAP", device, Stage.CONFIG) for device in ("a-pe1", "a-pe2", "a-p1")]
    found += [
        verdict("R-GAP", "umeda-gw-b", Stage.CONFIG, Result.UNKNOWN, "its configuration could not be read")
    ]
    found += [
        verdict("R-FIT", "namba", Stage.DESIGN, Result.NOT_APPLICABLE, "no directly controlled resource")
    ]
    return tuple(found)
