"""Rows of the fault table: what failed or was flooded, how, and how long each site heard nothing (live)."""

import hashlib
import json
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Literal

from heiiki.plan.model import ElementKind, FailureMode, Fault, fault_name
from heiiki.requirements import Result, Stage, Verdict
from heiiki.requirements.verdict import Evidence

GAP_BOUND_S = 2.0
"""Longest interruption that TR-1072 5.3.1 tolerates, seconds."""

REQUIREMENT = "R-GAP"
DRILL = "R-THEFT/drill"
"""No row, but as one of them it is run where it is asked for, and it ages."""
_WHOLE_NETWORK, _FLOOD, _BOOKS = "R-DUAL/outage", "R-ISO-MALICE/flood", "R-EVENT/books"
_OF_KIND = {
    ElementKind.NETWORK: _WHOLE_NETWORK,
    ElementKind.FLOOD: _FLOOD,
    ElementKind.EVENTS: _BOOKS,
    ElementKind.ORDERS: _BOOKS,
}
_OF_MODE = {
    FailureMode.AWAY: _WHOLE_NETWORK,
    FailureMode.FLOOD: _FLOOD,
    FailureMode.KILLED: _BOOKS,
    FailureMode.FAILOVER: _BOOKS,
}


def requirement(kind: str) -> str:
    """Return what a fault of an element of `kind` is measured for."""
    return _OF_KIND.get(ElementKind(kind), REQUIREMENT)


def is_row(identifier: str, stage: Stage, subject: str) -> bool:
    """Tell whether a verdict is of what runs where it is asked for: a fault, ``target/mode``, or a drill."""
    if stage is not Stage.LIVE:
        return False
    if identifier == DRILL:
        return True
    words = subject.rpartition("/")[2].split("-")
    return identifier == next((_OF_MODE[mode] for mode in _OF_MODE if mode == words[-1]), REQUIREMENT)


@dataclass(frozen=True, slots=True)
class Gap:
    """The longest interruption of one stream of probes in one phase of a fault.

    Attributes:
        site: the site at one end of the stream; the other end is the hub.
        direction: ``down`` from the hub to the site, ``up`` from the site to the hub.
        phase: ``failure`` when the element is failed, ``return`` when it comes back.
        seconds: length of the interruption; a stream that never came back counts to the end of the
            observation.

    Raises:
        ValueError: a length that is negative, infinite or not a number.
    """

    site: str
    direction: Literal["down", "up"]
    phase: Literal["failure", "return"]
    seconds: float

    def __post_init__(self) -> None:
        """Refuse a length that no clock can give."""
        if not math.isfinite(self.seconds) or self.seconds < 0:
            message = (
                f"gap of {self.site} {self.direction} at {self.phase}: {self.seconds} is no length in seconds"
            )
            raise ValueError(message)


@dataclass(frozen=True, slots=True)
class Step:
    """One step of an event on its way, at one site.

    Attributes:
        at: seconds since the event was ordered, each by the clock of the device that noted it.
        source, target: who did it, and to whom; the same, where no other took part.
        what: such as ``event`` or ``optIn``.
    """

    site: str
    at: float
    source: str
    target: str
    what: str


@dataclass(frozen=True, slots=True)
class Origin:
    """When a row was measured, and of what.

    Attributes:
        measured: ISO 8601 time.
        expires: ISO 8601 time from which it counts no more.
        fingerprint: digest of the configuration and the software that were measured.
    """

    measured: str
    expires: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class FaultRow:
    """One single failure and what it did.

    Attributes:
        target: name of the link or device that was failed.
        kind: ``link``, ``node``, ``program``, ``network``, ``flood``, ``events`` or ``orders``.
        network: ``a``, ``b`` or ``lan``.
        exempt: why R-GAP does not apply (clause), or the empty string.
        result: the verdict; ``unknown`` where it was not or could not be measured.
        reason: mandatory unless the result is ``pass``, as in a verdict.
        gaps: one for each site, direction and phase that was measured.
        voided: longest interruption, in seconds, of each measurement that a stall of the guest made void.
        spread_s: time from the first step of putting the failure in force to the last, seconds; None when
            nothing was failed.
        origin: when and of what it was measured; None when it was not.
        evidence: what it rests on.
        program: the program that was failed, or the service concerned; empty where it was all of it.
        steps: of the last event that was under way, at each site that the row is about.
    """

    target: str
    kind: str
    mode: FailureMode
    network: str
    exempt: str
    result: Result
    reason: str
    gaps: tuple[Gap, ...] = ()
    voided: tuple[float, ...] = ()
    spread_s: float | None = None
    origin: Origin | None = None
    evidence: tuple[Evidence, ...] = ()
    program: str = ""
    steps: tuple[Step, ...] = ()

    @property
    def name(self) -> str:
        """Subject of the verdict, as the plan names the fault."""
        return fault_name(self.target, self.mode, self.program)

    @property
    def longest(self) -> float | None:
        """Longest interruption of any site, direction and phase, seconds; None when nothing was measured."""
        return max((gap.seconds for gap in self.gaps), default=None)

    def verdict(self, doubt: str = "") -> Verdict:
        """Return the verdict that this row stands for; unknown where there is a `doubt` about it."""
        return Verdict(
            requirement(self.kind),
            self.name,
            Stage.LIVE,
            Result.UNKNOWN if doubt else self.result,
            doubt or self.reason,
            self.longest,
            GAP_BOUND_S,
            "s",
            self.evidence,
        )

    @property
    def sha256(self) -> str:
        """Digest of the row, the same before it was written and after it was read."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


def not_measured(fault: Fault, reason: str) -> FaultRow:
    """Return the row of a fault of the plan that was not measured: unknown, with the reason."""
    return FaultRow(
        fault.target,
        fault.kind,
        fault.mode,
        fault.segment,
        fault.exempt,
        Result.UNKNOWN,
        reason,
        program=fault.part,
    )


def merge_rows(old: Iterable[FaultRow], new: Iterable[FaultRow]) -> tuple[FaultRow, ...]:
    """Return the rows of `old` and `new`; a new row replaces an old one of the same name."""
    rows = {row.name: row for row in old}
    rows.update({row.name: row for row in new})
    return tuple(rows.values())
