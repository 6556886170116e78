"""From recorded silences to a row of the fault table: pure rules, no clock and no network.

Stall rule (D19): a stall is an interval longer than `STALL_S` in which the guest stood still, a prober
woke up late, or the control stream on the untouched hub LAN fell silent. A measurement is void when one
touches the longest silence, which is the one that decides. It is repeated, three times at most; then the
row is unknown. What was void is kept and shown; it never passes or fails anything. A flood fails nothing that
would have to be felt: a stall can only lengthen its silences, so that one within the bound stands.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from heiiki.plan.model import ElementKind, Fault
from heiiki.report.faults import GAP_BOUND_S, FaultRow, Gap, not_measured
from heiiki.requirements import Result
from heiiki.requirements.figures import apart, quantity
from heiiki.verify.faults.felt import Least
from heiiki.verify.faults.lived import Lived
from heiiki.verify.verdicts import summarise

STALL_S = 0.170
REPEATS = 3
_BEFORE_S, _AFTER_S = 1.0, 0.1
"""A stall so long before a silence may have caused it: BFD gives up a peer that stood still."""

FAILURE, RETURN = 0, 1
PHASES = ("failure", "return")


@dataclass(frozen=True, slots=True)
class Window:
    """When things happened, CLOCK_MONOTONIC of the nodes, seconds.

    Attributes:
        before: read before the first step of the failure.
        after: read after its last step.
        healed: read before the first step of the return.
        ended: both paths are healthy again.
    """

    before: float
    after: float
    healed: float
    ended: float

    @property
    def spread_s(self) -> float:
        """Time from the first step of the failure to the last, seconds."""
        return self.after - self.before

    def questions(self) -> list[dict[str, Any]]:
        """Return what to ask every STAMP process: the failure, then the return."""
        return [
            {"do": "gaps", "since": self.before, "until": self.healed},
            {"do": "gaps", "since": self.healed, "until": self.ended},
        ]


@dataclass(frozen=True, slots=True)
class Stream:
    """One recorded stream: who hears whom, for which site and direction; the control stream has neither."""

    listener: str
    sender: str
    site: str = ""
    direction: str = ""


@dataclass(frozen=True, slots=True)
class Measured:
    """One measurement of one fault.

    Attributes:
        gaps: longest silence of every stream and phase.
        missing: streams that could not be measured, in words.
        stalls: what makes the measurement void, in words.
        spread_s: how long the failure took to be put in force, seconds.
        lived: what else was measured meanwhile: how trust did without a network, or what a flood did.
    """

    gaps: tuple[Gap, ...]
    missing: tuple[str, ...]
    stalls: tuple[str, ...]
    spread_s: float
    lived: Lived = field(default_factory=Lived)

    @property
    def longest(self) -> Gap | None:
        """The longest interruption, or None."""
        return max(self.gaps, key=lambda gap: gap.seconds, default=None)


@dataclass(frozen=True, slots=True)
class _Silence:
    start: float
    seconds: float


_NONE = _Silence(0.0, 0.0)


@dataclass(frozen=True, slots=True)
class _Stall:
    what: str
    start: float
    seconds: float


Recorded = Mapping[str, Sequence[Mapping[str, Any]]]
"""Answers of each listener's STAMP process: the failure phase, then the return."""


def measured(
    streams: Iterable[Stream],
    recorded: Recorded,
    window: Window,
    guest_stalls: Iterable[tuple[float, float]],
) -> Measured:
    """Return what one measurement shows, from what the listeners recorded and when the guest stood still."""
    silences: list[tuple[Gap, float]] = []
    missing: list[str] = []
    stalls = [*_guest(guest_stalls), *_late(recorded, window)]
    for stream in streams:
        answers = recorded.get(stream.listener, ())
        for phase, name in enumerate(PHASES):
            silence, doubt = _silence(stream, answers, phase)
            if doubt:
                missing.append(f"{stream.listener} from {stream.sender} at {name}: {doubt}")
            elif stream.site:
                gap = Gap(stream.site, _direction(stream), _phase(phase), round(silence.seconds, 4))
                silences.append((gap, silence.start))
            else:
                stalls.append(_Stall("control stream silent", silence.start, silence.seconds))
    gaps, void = tuple(gap for gap, _ in silences), tuple(_void(stalls, silences))
    return Measured(gaps, tuple(missing), void, round(window.spread_s, 4))


def standing(fault: Fault, last: Measured) -> Measured:
    """Return a measurement without the stalls that cannot have made its result."""
    longest = last.longest
    if (
        fault.kind in (ElementKind.FLOOD, ElementKind.EVENTS, ElementKind.ORDERS)
        and longest is not None
        and longest.seconds <= GAP_BOUND_S
    ):
        return replace(last, stalls=())
    return last


def _void(stalls: Iterable[_Stall], silences: Sequence[tuple[Gap, float]]) -> Iterator[str]:
    """Yield the stalls that touch the longest silence: a shorter one, drawn out, decides nothing."""
    if not silences:
        return
    longest, start = max(silences, key=lambda one: one[0].seconds)
    for stall in stalls:
        in_time = stall.start < start + longest.seconds + _AFTER_S
        if stall.seconds > STALL_S and in_time and stall.start + stall.seconds > start - _BEFORE_S:
            yield f"{stall.what} for {stall.seconds:.3f} s"


def _direction(stream: Stream) -> Any:
    return stream.direction


def _phase(phase: int) -> Any:
    return PHASES[phase]


def _silence(stream: Stream, answers: Sequence[Mapping[str, Any]], phase: int) -> tuple[_Silence, str]:
    nothing: Mapping[str, Any] = {"error": "nothing was recorded"}
    answer = answers[phase] if len(answers) > phase else nothing
    if "error" in answer:
        return _NONE, str(answer["error"])
    peer = answer["peers"].get(stream.sender)
    if peer is None:
        return _NONE, "it does not record this peer"
    if peer["truncated"]:
        return _NONE, "the recorder's memory does not reach back so far"
    if peer["gap"] is None:
        return _NONE, "no packet arrived before it"
    return _Silence(float(peer["start"]), float(peer["gap"])), ""


def _guest(stalls: Iterable[tuple[float, float]]) -> Iterator[_Stall]:
    for ended, seconds in stalls:
        yield _Stall("guest stood still", ended - seconds, seconds)


def _late(recorded: Recorded, window: Window) -> Iterator[_Stall]:
    for listener, answers in recorded.items():
        for stall in answers[FAILURE].get("stalls", ()) if answers else ():
            if stall["at"] < window.ended:
                yield _Stall(f"prober of {listener} stood still", stall["at"] - stall["late"], stall["late"])


def row(fault: Fault, last: Measured, voided: Sequence[float], least: Least) -> FaultRow:
    """Return the row of a fault from its last measurement.

    Args:
        fault: what was failed.
        last: what was measured.
        voided: the longest gaps of void measurements.
        least: the shortest interruptions that are possible.
    """
    if last.stalls:
        reason = f"{len(voided)} measurements were void: {'; '.join(last.stalls[:2])}"
        result = Result.UNKNOWN
    else:
        result, reason = _judged(fault, last, least)
    return replace(
        not_measured(fault, reason),
        result=result,
        gaps=() if last.stalls else last.gaps,
        voided=tuple(voided),
        spread_s=last.spread_s,
        steps=last.lived.steps,
    )


def _judged(fault: Fault, last: Measured, least: Least) -> tuple[Result, str]:
    over = [gap for gap in last.gaps if gap.seconds > GAP_BOUND_S]
    if fault.exempt:
        over = [gap for gap in over if gap.site not in fault.sites]
    if over:
        worst = max(over, key=lambda gap: gap.seconds)
        return Result.FAIL, f"{said(worst)}, bound {GAP_BOUND_S:g} s"
    if fault.exempt:
        return Result.NOT_APPLICABLE, fault.exempt
    if last.lived.wrong:
        return Result.FAIL, summarise([*last.lived.wrong])
    longest = last.longest
    doubts = [*last.missing, *last.lived.doubts] or [*_unfelt(last.gaps, least)][:1]
    if doubts or longest is None:
        return Result.UNKNOWN, summarise(doubts) or "no stream was measured"
    how = last.lived.said or f"put in force within {quantity(last.spread_s, 's')}"
    return Result.PASS, f"longest: {said(longest)}; {how}"


def _unfelt(gaps: Iterable[Gap], least: Least) -> Iterator[str]:
    """Yield why a failure cannot have been measured, for each stream that was on the element."""
    for gap in gaps:
        if gap.phase != PHASES[FAILURE] or (gap.site, gap.direction) not in least:
            continue
        bound = least[gap.site, gap.direction]
        if bound is None:
            yield f"{gap.site}: the rendered texts have no timer that tells how long a silence must be"
        elif gap.seconds < bound:
            yield (
                f"not felt: {said(gap)}, though this traffic was on the element and nothing notices within "
                f"{bound:.2f} s"
            )


def said(gap: Gap) -> str:
    """Return a gap in words."""
    seconds = apart(f"{gap.seconds:.2f}", gap.seconds, GAP_BOUND_S)
    return f"{seconds} s {gap.direction} at {gap.site} on {gap.phase}"


def unmeasured(fault: Fault, reason: str, voided: Sequence[float] = ()) -> FaultRow:
    """Return the row of a fault that could not be measured."""
    return replace(not_measured(fault, reason), voided=tuple(voided))
