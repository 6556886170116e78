"""The examination of a running service: configuration, sessions, paths, isolation, access, trust, faults."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from random import Random, SystemRandom
from time import monotonic
from traceback import format_exception

from heiiki.design.sent import read
from heiiki.errors import HeiikiError
from heiiki.plan.model import ElementKind, Plan
from heiiki.render.model import DeviceBuild
from heiiki.report.faults import FaultRow, Origin, not_measured
from heiiki.report.fingerprint import Fingerprint
from heiiki.report.header import iso, utc_now
from heiiki.report.verdicts import EVERY_FAULT
from heiiki.requirements import Result, Verdict
from heiiki.transport.base import Transport
from heiiki.verify import access, paths, sizes, time, vault
from heiiki.verify.config import running as configuration
from heiiki.verify.config import server
from heiiki.verify.equipment import TestEquipment
from heiiki.verify.events import course, served
from heiiki.verify.faults import campaign, trials
from heiiki.verify.fingerprint import fingerprint
from heiiki.verify.fleet import Fleet, UnreadableError, fleet, reading
from heiiki.verify.host import state
from heiiki.verify.host.explained import Adds, nothing
from heiiki.verify.ipsec import (
    anchors,
    associations,
    certificates,
    cleartext,
    mirrors,
    refusals,
    space,
    supervision,
    wire,
)
from heiiki.verify.isolation import carrier, control, group, lan, sample, sites, spoofing
from heiiki.verify.isolation.packets import send_probes
from heiiki.verify.routing import sessions
from heiiki.verify.routing.health import Health, UnhealthyError
from heiiki.verify.vault import VaultQueries
from heiiki.verify.verdicts import Keep, unknown

CHECKS = (
    "config",
    "vault",
    "host",
    "time",
    "sessions",
    "paths",
    "event",
    "isolation",
    "access",
    "trust",
    "faults",
)

SETTLE_LIMIT_S = 30.0
ROW_S = 15
"""Approximate time of one fault: failure, hold, return, and both paths healthy again."""

AGAIN = 2
"""How often a check is repeated when it leaves a result unknown."""

NOT_ASKED = "not asked for: run verify.yml with -e heiiki_verify_faults=true"
NO_INJECTOR = "faults are injected in a lab only: nothing here can fail an element on purpose"


_NONE, _NO_SERVER = TestEquipment(), VaultQueries()


@dataclass(frozen=True, slots=True)
class Observation:
    """What was seen.

    Attributes:
        verdicts: all of them, those of the fault rows included.
        fault_rows: the fault table.
        fingerprint: what the network was made of.
    """

    verdicts: tuple[Verdict, ...]
    fault_rows: tuple[FaultRow, ...]
    fingerprint: Fingerprint


@dataclass(frozen=True, slots=True)
class _Scene:
    plan: Plan
    builds: Sequence[DeviceBuild]
    transport: Transport
    fleet: Fleet
    keep: Keep
    equipment: TestEquipment
    queries: VaultQueries
    adds: Adds
    patience: int = 1
    """Factor by which every time is multiplied on a busy machine."""


Check = Callable[[_Scene], Iterator[Verdict]]


def silent(_line: str) -> None:
    """Report nothing."""


def verify(  # noqa: PLR0913 - every part of the outside comes in as an argument
    plan: Plan,
    builds: Sequence[DeviceBuild],
    transport: Transport,
    keep: Keep,
    *,
    equipment: TestEquipment = _NONE,
    queries: VaultQueries = _NO_SERVER,
    adds: Adds = nothing,
    faults: bool | Collection[str] = False,
    report: Callable[[str], None] = silent,
    checks: Collection[str] | None = None,
) -> Observation:
    """Examine the running service.

    Args:
        plan: what it should be.
        builds: what was compiled for it.
        transport: reaches its devices.
        keep: where raw output goes.
        equipment: what may be done to the network; nothing, but in a lab.
        queries: to the service's Vault server.
        adds: says what the way to a device adds to it, which no plan explains.
        faults: True for every fault of the plan, names or targets for some, False for none.
        report: progress callback, called once for each step and each fault.
        checks: names out of `CHECKS`; None for all.

    Raises:
        HeiikiError: an unknown check or fault was asked for.
    """
    wanted = CHECKS if checks is None else tuple(checks)
    if set(wanted) - set(CHECKS):
        raise HeiikiError(
            f"no such check: {', '.join(sorted(set(wanted) - set(CHECKS)))}; known: {', '.join(CHECKS)}"
        )
    verdicts: list[Verdict] = []
    rows: tuple[FaultRow, ...] = ()
    with fleet(transport, len(plan.devices)) as devices:
        scene = _Scene(plan, builds, transport, devices, keep, equipment, queries, adds)
        made_of = fingerprint(plan, builds, devices)
        if set(wanted) & {"sessions", "paths", "isolation", "trust"}:
            report(_settled(scene))
        for name, check in _HARMLESS:
            if name in wanted:
                verdicts += _reported(name, partial(_examined, name, check, scene), report)
        if "trust" in wanted:
            tried = partial(_tried, may_break=bool(faults) and equipment.injector is not None)
            verdicts += _reported("refusals", partial(_collected, "trust", tried, scene), report)
        if "faults" in wanted:
            found, rows = _faults(scene, made_of, faults, report)
            verdicts += found
    return Observation(tuple(verdicts), rows, made_of)


def _settled(scene: _Scene) -> str:
    """Give a service that was just changed the time that its protocols need; then judge it as it is."""
    try:
        took = Health(scene.plan, scene.fleet).wait(SETTLE_LIMIT_S)
    except UnhealthyError as error:
        return f"examined nevertheless: {error}"
    return f"both paths of every site are up ({took:.1f} s)"


def _examined(name: str, check: Check, scene: _Scene) -> tuple[Verdict, ...]:
    """Return a check's verdicts; the check is repeated while a result is unknown on a busy machine.

    Each repetition doubles the time that the devices have.
    """
    found = _collected(name, check, scene)
    for attempt in range(1, 1 + AGAIN):
        if all(verdict.result is not Result.UNKNOWN for verdict in found):
            break
        with suppress(UnhealthyError):
            Health(scene.plan, scene.fleet).wait(SETTLE_LIMIT_S)
        found = _collected(name, check, replace(scene, patience=2**attempt))
    return found


def _collected(name: str, check: Check, scene: _Scene) -> tuple[Verdict, ...]:
    """Return a check's verdicts; one that meets an answer which it cannot read ends there, and says so.

    The error may be the check's own: where it arose is kept as evidence.
    """
    found: list[Verdict] = []
    try:
        with reading(f"check {name}"):
            found.extend(check(scene))
    except UnreadableError as error:
        trace = scene.keep(f"{name}/traceback.txt", "".join(format_exception(error)).encode())
        found.append(unknown(_ABOUT[name], f"check {name}", f"{error}; see {trace.file}", (trace,)))
    return tuple(found)


def _reported(
    name: str, examine: Callable[[], tuple[Verdict, ...]], report: Callable[[str], None]
) -> tuple[Verdict, ...]:
    """Return what a check found, and report how many verdicts of each result, and how long it took."""
    began = monotonic()
    found = examine()
    counts = Counter(str(verdict.result) for verdict in found)
    said = ", ".join(f"{count} {result}" for result, count in counts.items()) or "nothing examined"
    report(f"{name}: {said} ({monotonic() - began:.1f} s)")
    return found


def _config(scene: _Scene) -> Iterator[Verdict]:
    return configuration.verdicts(scene.plan, scene.builds, scene.fleet, scene.keep, scene.adds)


def _vault(scene: _Scene) -> Iterator[Verdict]:
    yield from server.verdicts(scene.keep, scene.queries.problems)
    yield from vault.verdicts(scene.keep, scene.queries.log_ins)


def _host(scene: _Scene) -> Iterator[Verdict]:
    return state.verdicts(scene.plan, scene.builds, scene.fleet, scene.keep, scene.adds)


def _time(scene: _Scene) -> Iterator[Verdict]:
    return time.verdicts(scene.plan, scene.fleet, scene.keep)


def _event(scene: _Scene) -> Iterator[Verdict]:
    return served.verdicts(scene.plan, scene.fleet, scene.keep)


def _sessions(scene: _Scene) -> Iterator[Verdict]:
    return sessions.verdicts(scene.plan, scene.builds, scene.fleet, scene.keep)


def _paths(scene: _Scene) -> Iterator[Verdict]:
    legs, large = tuple(paths.legs(scene.plan)), sizes.packets(scene.plan)
    probe_run = paths.measure(scene.fleet, legs, scene.patience, large)
    yield from paths.verdicts(scene.plan, probe_run, scene.keep)
    yield from sizes.verdicts(scene.plan, probe_run, scene.keep)
    yield from paths.in_service(scene.plan, scene.fleet, scene.keep)


def _isolation(scene: _Scene) -> Iterator[Verdict]:
    """One probe run answers four questions, so every negative has a positive of the same seconds (D20)."""
    plan, devices = scene.plan, scene.fleet
    guards = spoofing.guards(plan)
    before, failures = spoofing.read_counters(devices, guards)
    random = SystemRandom()
    everything = (
        *sites.packets(plan, sample.Population(plan).draw(random)),
        *group.packets(plan, random),
        *carrier.packets(plan, random),
        *spoofing.packets(plan),
    )
    listeners = (*spoofing.listeners(plan), *(one.name for one in carrier.second_customers(plan)))
    probe_run = send_probes(devices, everything, listeners, patience=scene.patience)
    after, more = spoofing.read_counters(devices, guards)
    readings = spoofing.Readings(before, after, failures | more)
    yield from sites.verdicts(plan, probe_run, scene.keep, devices)
    yield from group.verdicts(plan, probe_run, scene.keep)
    yield from carrier.verdicts(plan, probe_run, scene.keep)
    yield from spoofing.verdicts(plan, probe_run, scene.keep, readings)
    yield from _control(scene, random)
    yield from lan.verdicts(plan, devices, scene.keep, random, scene.patience)


def _control(scene: _Scene, random: Random) -> Iterator[Verdict]:
    """In a run of its own: what else a filter drops must not be taken for these packets."""
    plan, devices = scene.plan, scene.fleet
    tried = tuple(control.trials(plan, random))
    guards = tuple(dict.fromkeys(one.guard for one in tried))
    before, failures = spoofing.read_counters(devices, guards)
    probe_run = send_probes(devices, (one.packet for one in tried), guards, patience=scene.patience)
    after, more = spoofing.read_counters(devices, guards)
    yield from control.verdicts(
        plan, tried, probe_run, scene.keep, spoofing.Readings(before, after, failures | more)
    )


def _access(scene: _Scene) -> Iterator[Verdict]:
    return access.verdicts(scene.plan, scene.transport, scene.fleet, scene.keep, scene.equipment.sim_trials)


def _trust(scene: _Scene) -> Iterator[Verdict]:
    yield from associations.verdicts(scene.plan, scene.fleet, scene.keep)
    yield from anchors.verdicts(scene.plan, scene.fleet, scene.keep, scene.queries.authorities)
    yield from certificates.verdicts(scene.plan, scene.fleet, scene.keep)
    yield from mirrors.verdicts(scene.plan, scene.fleet, scene.keep)
    yield from supervision.verdicts(scene.plan, scene.fleet, scene.keep)
    yield from space.verdicts(scene.plan, scene.fleet, scene.keep)
    yield from wire.verdicts(scene.plan, wire.look(scene.plan, scene.fleet), scene.keep)


def _tried(scene: _Scene, *, may_break: bool) -> Iterator[Verdict]:
    """What IPsec must refuse; and, where faults are allowed, that nothing is in clear without a tunnel."""
    if scene.equipment.refused_certificates:
        authority = scene.queries.authority
        yield from refusals.verdicts(scene.plan, scene.builds, scene.fleet, scene.keep, authority)
    else:
        yield from refusals.not_tried(scene.plan, refusals.OUTSIDE_LAB)
    if may_break:
        yield from cleartext.verdicts(scene.plan, scene.transport, scene.fleet, scene.keep)
    else:
        yield from cleartext.not_tried(scene.plan, cleartext.NOT_ASKED)


_ABOUT = {
    "config": "R-DUAL",
    "vault": "R-THEFT",
    "host": "R-MINIMAL",
    "time": "R-SEC-ACCESS/time",
    "event": "R-EVENT",
    "sessions": "R-DUAL",
    "paths": "R-DELAY",
    "isolation": "R-ISO-SITE",
    "access": "R-ISO-CARRIER",
    "trust": "R-SEC-ACCESS",
}
"""Requirement of the verdict that says that a check could not be completed."""

_HARMLESS: tuple[tuple[str, Check], ...] = (
    ("config", _config),
    ("vault", _vault),
    ("host", _host),
    ("time", _time),
    ("sessions", _sessions),
    ("paths", _paths),
    ("event", _event),
    ("isolation", _isolation),
    ("access", _access),
    ("trust", _trust),
)


def _faults(
    scene: _Scene,
    made_of: Fingerprint,
    faults: bool | Collection[str],
    report: Callable[[str], None],
) -> tuple[tuple[Verdict, ...], tuple[FaultRow, ...]]:
    if not faults:
        return (unknown("R-GAP", EVERY_FAULT, NOT_ASKED),), ()
    chosen = campaign.selected(scene.plan, faults if faults is True else tuple(faults))
    equipment = scene.equipment
    if equipment.injector is None:
        rows = tuple(not_measured(fault, NO_INJECTOR) for fault in chosen)
        return tuple(row.verdict() for row in rows), rows
    report(f"faults: {_extent(len(chosen), len(scene.plan.faults))}")
    sent = read(scene.plan, scene.builds)
    record = campaign.recorder(scene.keep, partial(_origin, scene.plan, made_of.sha256))
    has_events = any(fault.kind is ElementKind.EVENTS for fault in chosen)
    outside = trials.Equipment(
        scene.plan,
        scene.fleet,
        equipment.injector,
        equipment.restart,
        scene.queries.renew,
        course.Course(scene.plan, scene.fleet, scene.transport) if has_events else None,
    )
    rows = campaign.Campaign(outside, sent, record, report).run(chosen)
    return tuple(row.verdict() for row in rows), rows


def _origin(plan: Plan, digest: str) -> Origin:
    now = utc_now()
    return Origin(iso(now), iso(now + timedelta(days=plan.evidence_days)), digest)


def _extent(chosen: int, total: int) -> str:
    """Return how many of the plan's faults are run, and about how long that takes."""
    minutes = max(1, round(chosen * ROW_S / 60))
    others = f"; {total - chosen} are not run" if chosen < total else ""
    return f"{chosen} of {total}, about {minutes} minute{'s' if minutes > 1 else ''}{others}"
