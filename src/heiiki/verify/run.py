"""The examination of a running service: configuration, sessions, paths, isolation, access, trust, faults."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from time import monotonic
from traceback import format_exception

from heiiki.design.texts import read
from heiiki.errors import HeiikiError
from heiiki.plan.model import ElementKind, Plan
from heiiki.render.model import DeviceBuild
from heiiki.report.faults import FaultRow, Origin, not_measured
from heiiki.report.fingerprint import Fingerprint
from heiiki.report.header import iso, utc_now
from heiiki.report.verdicts import EVERY_FAULT
from heiiki.requirements import Result, Stage, Verdict
from heiiki.transport.base import Transport
from heiiki.verify import load
from heiiki.verify.checks import parts
from heiiki.verify.config.running import requirements_of
from heiiki.verify.equipment import TestEquipment
from heiiki.verify.events.course import Course
from heiiki.verify.faults import campaign, trials
from heiiki.verify.faults.sample import SAMPLE
from heiiki.verify.fingerprint import fingerprint
from heiiki.verify.fleet import UnreadableError, fleet, reading
from heiiki.verify.host.explained import Adds, nothing
from heiiki.verify.mms import orders
from heiiki.verify.mms.kills import Kills
from heiiki.verify.named import ABOUT, CHECKS, LINES
from heiiki.verify.overlap import side_by_side
from heiiki.verify.part import Part, Scene
from heiiki.verify.routing.health import Health, UnhealthyError
from heiiki.verify.scan import course as port_scan
from heiiki.verify.vault import VaultQueries
from heiiki.verify.vendors import Examined, not_examined
from heiiki.verify.verdicts import Keep, unknown

SETTLE_LIMIT_S = 30.0
ROW_S = 15
"""Approximate time of one fault: failure, hold, return, and both paths healthy again."""

AGAIN = 2
"""How often a check is repeated when it leaves a result unknown."""

NOT_ASKED = "not asked for: run verify.yml with -e heiiki_verify_faults=true"
NO_INJECTOR = "faults are injected in a lab only: nothing here can fail an element on purpose"


_CONFIG = "config"
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
        faults: True for every fault of the plan, names or targets for some, False for none; lines are filled
            where all, a sample (some of them) or ``load`` are asked for, and resources ordered where all, a
            sample or ``control`` are; a port scan leaves no port out where ``scan`` is.
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
    if named := _rows_asked_for(faults):
        campaign.selected(plan, named)
    rows: tuple[FaultRow, ...] = ()
    may_break = bool(faults) and equipment.injector is not None
    transport = Examined(plan, transport)
    asked = tuple(build for build in builds if plan.device(build.device).managed)
    with fleet(transport, len(plan.devices)) as devices:
        scene = Scene(plan, asked, transport, devices, keep, equipment, queries, adds)
        made_of = fingerprint(plan, builds, devices)
        if set(wanted) & {"volume", "sessions", "paths", "isolation", "scan", "xmpp", "trust"}:
            report(_settled(scene))
        may_order = _asked_for(orders.NAME, faults)
        every = parts(
            equipment,
            may_break=may_break,
            fill=_fill(faults),
            may_order=may_order,
            every_port=_every_port(faults),
        )
        chosen = [one for one in every if one.check in wanted]
        progress = Progress(chosen, report)
        side_by_side(chosen, partial(_examined, scene), progress.take)
        verdicts = [*progress.verdicts(), *_not_asked(plan, builds, wanted)]
        if "faults" in wanted:
            found, rows = _faults(scene, made_of, faults, report)
            verdicts += found
    return Observation(tuple(verdicts), rows, made_of)


def _not_asked(plan: Plan, builds: Sequence[DeviceBuild], wanted: Collection[str]) -> Iterator[Verdict]:
    """Yield *unknown* for what the routers of vendors are sent: no configuration of theirs is read."""
    for build in builds if _CONFIG in wanted else ():
        if reason := not_examined(plan.device(build.device)):
            for identifier in requirements_of(build):
                yield Verdict(identifier, build.device, Stage.CONFIG, Result.UNKNOWN, reason)


def _settled(scene: Scene) -> str:
    """Give a service that was just changed the time that its protocols need; then judge it as it is."""
    try:
        took = Health(scene.plan, scene.fleet).wait(SETTLE_LIMIT_S)
    except UnhealthyError as error:
        return f"examined nevertheless: {error}"
    return f"both paths of every site are up ({took:.1f} s)"


@dataclass(frozen=True, slots=True)
class Found:
    """What a part found, and how long it took, seconds."""

    verdicts: tuple[Verdict, ...]
    took_s: float


def _examined(scene: Scene, part: Part) -> Found:
    """Return what a part finds; one that has devices listen has threads of its own to ask them.

    None of its listeners may wait until a device has answered another part. It may have two runs at a time.
    """
    began = monotonic()
    if not part.needs.holds_devices:
        return Found(_repeated(scene, part), monotonic() - began)
    with fleet(scene.transport, 2 * len(scene.plan.devices)) as own:
        return Found(_repeated(replace(scene, fleet=own), part), monotonic() - began)


def _repeated(scene: Scene, part: Part) -> tuple[Verdict, ...]:
    """Return a part's verdicts; it is repeated while a result is unknown on a busy machine.

    Each repetition doubles the time that the devices have.
    """
    found = _collected(scene, part)
    for attempt in range(1, 1 + AGAIN if part.repeated else 1):
        if all(verdict.result is not Result.UNKNOWN for verdict in found):
            break
        with suppress(UnhealthyError):
            Health(scene.plan, scene.fleet).wait(SETTLE_LIMIT_S)
        found = _collected(replace(scene, patience=2**attempt), part)
    return found


def _collected(scene: Scene, part: Part) -> tuple[Verdict, ...]:
    """Return a part's verdicts; one that meets an answer which it cannot read ends there, and says so.

    The error may be the check's own: where it arose is kept as evidence.
    """
    found: list[Verdict] = []
    try:
        with reading(f"check {part.check}"):
            found.extend(part.examine(scene))
    except UnreadableError as error:
        trace = scene.keep(f"{part.check}/traceback.txt", "".join(format_exception(error)).encode())
        about = ABOUT[part.check]
        found.append(unknown(about, f"check {part.check}", f"{error}; see {trace.file}", (trace,)))
    return tuple(found)


def _asked_for(name: str, faults: bool | Collection[str]) -> bool:
    """Tell whether something that disturbs is to be done: by its name, or with all faults or a sample."""
    return faults is True or (faults is not False and bool({name, SAMPLE} & set(faults)))


def _rows_asked_for(faults: bool | Collection[str]) -> bool | tuple[str, ...]:
    """Return which faults are to be injected, without what is asked for beside them."""
    if isinstance(faults, bool):
        return faults
    return tuple(name for name in faults if name not in {load.NAME, orders.NAME, port_scan.NAME})


def _fill(faults: bool | Collection[str]) -> load.Fill:
    if faults is True or (faults and load.NAME in faults):
        return load.Fill.ALL
    return load.Fill.SAMPLE if _asked_for(load.NAME, faults) else load.Fill.NONE


def _every_port(faults: bool | Collection[str]) -> bool:
    """By its name alone: it takes minutes, and fails nothing that a row would show."""
    return not isinstance(faults, bool) and port_scan.NAME in faults


class Progress:
    """What was found so far, and the lines that say so: one a check, in their order, each once it is over."""

    def __init__(self, expected: Sequence[Part], report: Callable[[str], None]) -> None:
        """Expect these parts, and report by `report`."""
        self._report = report
        self._found: dict[str, Found] = {}
        self._lines = {line: [one for one in expected if one.reported_as == line] for line in LINES}
        self._left = [line for line in LINES if self._lines[line]]

    def take(self, part: Part, found: Found) -> None:
        """Take what a part found, and report every check that is over and has none before it that is not."""
        self._found[part.name] = found
        while self._left and all(one.name in self._found for one in self._lines[self._left[0]]):
            self._tell(self._left.pop(0))

    def verdicts(self) -> Iterator[Verdict]:
        """Yield what was found, in the order of the checks."""
        for those in self._lines.values():
            for one in those:
                yield from self._found[one.name].verdicts

    def _tell(self, line: str) -> None:
        """Report how many verdicts of each result, and how long they took; checks go on side by side."""
        found = [self._found[one.name] for one in self._lines[line]]
        counts = Counter(str(verdict.result) for one in found for verdict in one.verdicts)
        said = ", ".join(f"{count} {result}" for result, count in counts.items()) or "nothing examined"
        self._report(f"{line}: {said} ({sum(one.took_s for one in found):.1f} s)")


def _faults(
    scene: Scene,
    made_of: Fingerprint,
    faults: bool | Collection[str],
    report: Callable[[str], None],
) -> tuple[tuple[Verdict, ...], tuple[FaultRow, ...]]:
    if not faults:
        return (unknown("R-GAP", EVERY_FAULT, NOT_ASKED),), ()
    names = _rows_asked_for(faults)
    if not names:
        return (), ()
    chosen = campaign.selected(scene.plan, names)
    equipment = scene.equipment
    if equipment.injector is None:
        rows = tuple(not_measured(fault, NO_INJECTOR) for fault in chosen)
        return tuple(row.verdict() for row in rows), rows
    report(f"faults: {_extent(len(chosen), len(scene.plan.faults))}")
    sent = read(scene.plan, scene.builds)
    record = campaign.recorder(scene.keep, partial(_origin, scene.plan, made_of.sha256))
    kinds = {fault.kind for fault in chosen}
    outside = trials.Equipment(
        scene.plan,
        scene.fleet,
        equipment.injector,
        equipment.restart,
        scene.queries.renew,
        Course(scene.plan, scene.fleet, scene.transport) if ElementKind.EVENTS in kinds else None,
        Kills(scene.plan, scene.fleet, scene.transport) if ElementKind.ORDERS in kinds else None,
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
