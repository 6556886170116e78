"""R-GAP, live: fail every element of every path in every mode, one at a time, and measure the interruption.

R-DUAL/outage, live: the same with each closed network as a whole, for longer than its timers.
R-ISO-MALICE/flood, live: the same while one site floods a service that others share; nothing is failed.
R-EVENT/books, live: the same while an end of OpenADR is killed, after events were under way at all faults, or
an end of direct control, among its orders and reports.

Each row: both paths of all sites healthy (the gate), traffic on the element just before, failure, hold,
return, both paths healthy again, then the longest silence of every site in both directions, for the
failure and for the return.
"""

import json
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from difflib import get_close_matches
from traceback import format_exception
from types import FrameType
from typing import Any

from heiiki.design.sent import Sent
from heiiki.errors import HeiikiError
from heiiki.plan.model import ElementKind, Fault, Plan
from heiiki.report.faults import FaultRow, Origin
from heiiki.requirements import Result
from heiiki.verify.faults.felt import least
from heiiki.verify.faults.gaps import (
    REPEATS,
    Measured,
    Stream,
    Window,
    measured,
    row,
    said,
    standing,
    unmeasured,
)
from heiiki.verify.faults.injector import Injection
from heiiki.verify.faults.sample import SAMPLE, sample
from heiiki.verify.faults.trials import HEALTH_LIMIT_S, Equipment, Trial, trial
from heiiki.verify.fleet import reading
from heiiki.verify.network import servers
from heiiki.verify.routing.health import Health
from heiiki.verify.stamp import StampSession, measuring
from heiiki.verify.verdicts import Keep

SETTLE_S = 0.6
SAMPLE_S = 0.25
GIVE_UP_AFTER = 3
"""Rows in a row whose gate stayed shut before the rest is not tried."""

_INTERVAL_MS = 20


Record = Callable[[FaultRow, Mapping[str, Any]], FaultRow]
"""Keeps a row and the notes on it, and returns the row with its origin and its evidence."""


def recorder(keep: Keep, origin: Callable[[], Origin]) -> Record:
    """Keep rows by `keep`; `origin` gives the time, and the network that they are of."""

    def record(found: FaultRow, notes: Mapping[str, Any]) -> FaultRow:
        dated = replace(found, origin=origin())
        name = f"faults/{found.name.replace('/', '-').replace(':', '+')}.json"
        raw = json.dumps({"row": asdict(dated), **notes}, indent=1, default=str).encode()
        return replace(dated, evidence=(keep(name, raw),))

    return record


def selected(plan: Plan, faults: bool | Sequence[str]) -> tuple[Fault, ...]:
    """Return the faults asked for: all of them, or those whose name or target is listed.

    The name ``sample`` stands for the few that `sample` chooses.

    Raises:
        HeiikiError: a name is in no fault of the plan.
    """
    if faults is True:
        return plan.faults
    wanted = set(faults or ())
    if SAMPLE in wanted:
        wanted = wanted - {SAMPLE} | {fault.name for fault in sample(plan)}
    known = {name for fault in plan.faults for name in (fault.name, fault.target)}
    if wanted - known:
        raise HeiikiError("; ".join(_unknown(name, sorted(known)) for name in sorted(wanted - known)))
    return tuple(fault for fault in plan.faults if {fault.name, fault.target} & wanted)


def _unknown(name: str, known: Sequence[str]) -> str:
    """Say what a fault's name may be instead; a service has hundreds of them."""
    alike = get_close_matches(name, known, n=3, cutoff=0.5)
    nearest = f", such as {', '.join(alike)}" if alike else ""
    return (
        f"no such fault: {name}; name an element or one of its faults{nearest}, or {SAMPLE}; "
        "the report lists all of them"
    )


def streams(plan: Plan) -> tuple[Stream, ...]:
    """Return the streams that count: DRAS and every controller, both ways, and the control stream."""
    dras, xmpp = servers(plan)
    hub, other = str(dras.addresses[0]), str(xmpp.addresses[0])
    sites = [
        stream
        for site in plan.sites
        for stream in (
            Stream(site.controller, hub, site.name, "down"),
            Stream(dras.name, str(site.controller_address), site.name, "up"),
        )
    ]
    return (*sites, Stream(dras.name, other), Stream(xmpp.name, hub))


class Campaign:
    """One run over faults."""

    def __init__(
        self,
        equipment: Equipment,
        sent: Mapping[str, Sent],
        record: Record,
        report: Callable[[str], None],
    ) -> None:
        """Measure what `equipment` breaks.

        What the devices were `sent` says how long an interruption must be at least; `record` keeps a row and
        the notes on it; `report` is told each row as it is done.
        """
        self._equipment = equipment
        self._plan = equipment.plan
        self._fleet = equipment.fleet
        self._injector = equipment.injector
        self._course = equipment.course
        self._sent = sent
        self._record = record
        self._report = report
        self._health = Health(self._plan, self._fleet, radio=True)
        self._streams = streams(self._plan)
        self._open: Trial | None = None
        # The gate after a row is the gate before the next one, as long as nothing else happened.
        self._healthy = False
        self._baseline: dict[str, int] = {}

    def run(self, faults: Sequence[Fault]) -> tuple[FaultRow, ...]:
        """Measure every fault; at the end, whatever happens, everything is healed and no stream runs."""
        rows: list[FaultRow] = []
        shut = 0
        names = dict.fromkeys(stream.listener for stream in self._streams)
        with _interruptible(), measuring(self._plan, self._fleet, names) as session:
            try:
                self._stream(session)
                self._remember_traffic(faults)
                for index, fault in enumerate(faults, start=1):
                    if shut >= GIVE_UP_AFTER:
                        why = f"not tried: both paths stayed unhealthy for {GIVE_UP_AFTER} faults in a row"
                        rows.append(self._record(unmeasured(fault, why), {}))
                        continue
                    began = time.monotonic()
                    rows.append(self._row(fault, session))
                    shut = shut + 1 if "unhealthy" in rows[-1].reason else 0
                    self._report(progress(index, len(faults), rows[-1], time.monotonic() - began))
            finally:
                self._mend()
                if self._course is not None:
                    self._course.end()
        return tuple(rows)

    def _row(self, fault: Fault, session: StampSession) -> FaultRow:
        voided: list[float] = []
        last: Measured | None = None
        if self._course is not None and fault.kind not in (ElementKind.EVENTS, ElementKind.ORDERS):
            self._course.accompany(fault.name)
        notes: dict[str, Any] = {}
        for _ in range(1 + REPEATS):
            try:
                with reading(fault.target):
                    last, notes = self._once(fault, session)
            except HeiikiError as error:
                self._mend()
                notes = {"error": str(error), "traceback": format_exception(error)}
                return self._record(unmeasured(fault, str(error), voided), notes)
            if not last.stalls:
                break
            voided.append(last.longest.seconds if last.longest else 0.0)
            self._report(f"  {fault.name}: void ({'; '.join(last.stalls[:2])}), measured again")
        if last is None:
            return self._record(unmeasured(fault, "never measured"), {})
        return self._record(row(fault, last, voided, least(self._plan, self._sent, fault)), notes)

    def _once(self, fault: Fault, session: StampSession) -> tuple[Measured, dict[str, Any]]:
        session.renew()
        if not self._healthy:
            self._health.wait(HEALTH_LIMIT_S)
        self._healthy = False
        trying = trial(fault, self._equipment)
        traffic = self._traffic(trying)
        self._open = trying
        injection = trying.fail()
        lived = trying.hold()
        early = self._early(session, injection) if trying.outlasts_recorders else {}
        healed = self._injector.now()
        trying.heal()
        trying.restart()
        self._open = None
        after = self._health.wait(trying.health_limit_s)
        self._healthy = True
        time.sleep(SETTLE_S)
        window = Window(injection.before, injection.after, healed, self._injector.now())
        recorded = _with_early(self._read(session, window), early)
        stalls = self._injector.stalls(window.before - 1.0)
        notes = {"traffic": traffic, "window": asdict(window), "healthy_after_s": after, "recorded": recorded}
        notes |= {"stalls": stalls, "meanwhile": lived.notes}
        found = replace(measured(self._streams, recorded, window, stalls), lived=lived)
        return standing(fault, found), notes

    def _early(self, session: StampSession, injection: Injection) -> dict[str, list[dict[str, Any]]]:
        """Return what must be read before a recorder forgets it."""
        question = {"do": "gaps", "since": injection.before, "until": self._injector.now()}
        return self._answers(session, [question])

    def _mend(self) -> None:
        """Heal whatever is still broken; used when a row or the whole run ends early."""
        self._healthy = False
        self._injector.heal_all()
        if self._open is not None:
            self._open.restart()
        self._open = None

    def _traffic(self, trying: Trial) -> dict[str, Any]:
        """Show that the element carries packets: in a sample just before or, where few pass, so far."""
        fault, (device, interfaces) = trying.fault, trying.watched()
        asked = {device: {"elements": {fault.target: interfaces}, "seconds": SAMPLE_S}}
        answer = self._fleet.ask("traffic", asked)[device]
        if answer.error:
            raise HeiikiError(f"traffic on {fault.target} cannot be read: {answer.error}")
        before, after = answer.data["before"][fault.target], answer.data["after"][fault.target]
        on_path = any(fault.target in path.elements for path in self._plan.paths)
        carries = on_path or fault.kind is ElementKind.NETWORK
        if carries and after <= min(before, self._baseline.get(fault.target, before)):
            raise HeiikiError(f"no traffic on {fault.target} before the fault: its loss would prove nothing")
        return {"device": device, "interfaces": interfaces, **answer.data}

    def _remember_traffic(self, faults: Sequence[Fault]) -> None:
        elements: dict[str, dict[str, list[str]]] = {}
        for fault in faults:
            device, interfaces = trial(fault, self._equipment).watched()
            elements.setdefault(device, {})[fault.target] = interfaces
        asked = {device: {"elements": own, "seconds": 0.0} for device, own in elements.items()}
        for answer in self._fleet.ask("traffic", asked).values():
            self._baseline |= answer.data.get("after", {})

    def _read(self, session: StampSession, window: Window) -> dict[str, list[dict[str, Any]]]:
        return self._answers(session, window.questions())

    def _answers(
        self, session: StampSession, questions: Sequence[Mapping[str, Any]]
    ) -> dict[str, list[dict[str, Any]]]:
        listeners = (stream.listener for stream in self._streams)
        answers = session.ask(dict.fromkeys(listeners, questions))
        return {
            name: answer.data.get("answers", [{"error": answer.error}] * len(questions))
            for name, answer in answers.items()
        }

    def _stream(self, session: StampSession) -> None:
        """Start the streams and let the first packets arrive."""
        address = {str(self._plan.device(one.listener).addresses[0]): one.listener for one in self._streams}
        peers: dict[str, list[str]] = {}
        for stream in self._streams:
            listener = str(self._plan.device(stream.listener).addresses[0])
            peers.setdefault(address[stream.sender], []).append(listener)
        session.ask(
            {
                device: ({"do": "start", "peers": own, "interval_ms": _INTERVAL_MS},)
                for device, own in peers.items()
            }
        )
        time.sleep(3 * SETTLE_S)


def _with_early(
    recorded: dict[str, list[dict[str, Any]]], early: Mapping[str, list[dict[str, Any]]]
) -> dict[str, list[dict[str, Any]]]:
    """Put what was read during a long failure in the place of what the recorders have forgotten since."""

    def failure(name: str, late: dict[str, Any]) -> dict[str, Any]:
        found = early.get(name, [{}])[0]
        return late | {key: found[key] for key in ("peers", "error") if key in found}

    return {name: [failure(name, first), *rest] for name, (first, *rest) in recorded.items()}


def progress(index: int, total: int, found: FaultRow, took: float) -> str:
    """Return the line that a reader sees when a row is done."""
    longest = max(found.gaps, key=lambda gap: gap.seconds, default=None)
    figure = said(longest) if longest else found.reason
    word = {Result.PASS: "ok", Result.NOT_APPLICABLE: "n/a"}.get(found.result, str(found.result).upper())
    voided = f", {len(found.voided)} void" if found.voided else ""
    return f"[{index}/{total}] {found.name}: {figure}: {word}{voided} ({took:.1f} s)"


@contextmanager
def _interruptible() -> Iterator[None]:
    """Have SIGTERM end the run as ^C does, so that everything is healed on the way out."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
