"""Delays of one data type as a distribution against the bound of its table (TR-1072 tables 5.5 to 5.8).

The curve is the empirical distribution: how much of what was sent had arrived after so long. What has not
arrived counts among what was sent, so that its curve does not reach the top. All figures share one
logarithmic axis, so that they compare.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from heiiki.errors import EvidenceError
from heiiki.report.samples import REQUIREMENT, Samples, are_samples, read
from heiiki.report.store import flaw
from heiiki.report.table import worst
from heiiki.requirements import Result, Stage, Verdict
from heiiki.requirements.figures import quantity
from heiiki.requirements.verdict import Evidence

WIDTH, HEIGHT = 520, 168
LEFT, RIGHT, TOP, BOTTOM = 46.0, 508.0, 20.0, 140.0
_FROM_S, _DECADES = 1e-3, 5
TICKS = tuple((LEFT + (RIGHT - LEFT) * rank / _DECADES, _FROM_S * 10**rank) for rank in range(_DECADES + 1))
"""Places and seconds of the axis."""
LEVELS = tuple((BOTTOM - (BOTTOM - TOP) * percent / 100, percent) for percent in (0, 50, 100))
"""Places and percents."""
_PERCENTILES = ((0.5, "median", 3), (0.95, "95 % within", 20), (0.99, "99 % within", 100))
"""Each with the number of samples from which on it says more than the longest of them."""


@dataclass(frozen=True, slots=True)
class Figure:
    """The distribution of one data type.

    Attributes:
        result: the worst of the verdicts that rest on it.
        bound_at, curve, earlier: places in the drawing; a curve without samples is empty.
        facts: what the figure says, in words, each with its value.
    """

    title: str
    how: str
    bound: str
    bound_at: float
    result: Result
    curve: str
    earlier: str
    facts: tuple[tuple[str, str], ...]

    @property
    def told(self) -> str:
        """What is drawn, for those who do not see it."""
        return f"{self.title}; " + "; ".join(f"{name}: {value}" for name, value in self.facts)


@dataclass(frozen=True, slots=True)
class Undrawn:
    """Samples that cannot be drawn, and why."""

    file: str
    why: str


@dataclass(frozen=True, slots=True)
class Distributions:
    """What is drawn, in the order of the verdicts, and what cannot be."""

    figures: tuple[Figure, ...]
    undrawn: tuple[Undrawn, ...]


def distributions(folder: Path, verdicts: Iterable[Verdict]) -> Distributions:
    """Return a figure for each data type whose delays are among the evidence in `folder`.

    What was altered since it was kept is not drawn.
    """
    resting: dict[Evidence, list[Verdict]] = {}
    for verdict in verdicts:
        if (verdict.requirement, verdict.stage) == (REQUIREMENT, Stage.LIVE):
            for item in verdict.evidence:
                if are_samples(item.file):
                    resting.setdefault(item, []).append(verdict)
    found = [_figure(folder, item, about) for item, about in resting.items()]
    return Distributions(
        tuple(one for one in found if isinstance(one, Figure)),
        tuple(one for one in found if isinstance(one, Undrawn)),
    )


def _figure(folder: Path, evidence: Evidence, about: list[Verdict]) -> Figure | Undrawn:
    if why := flaw(folder, evidence):
        return Undrawn(evidence.file, why)
    try:
        samples = read((folder / evidence.file).read_bytes())
    except (OSError, ValueError, EvidenceError) as error:
        return Undrawn(evidence.file, str(error))
    return drawn(samples, worst(about) or Result.UNKNOWN)


def drawn(samples: Samples, result: Result) -> Figure:
    """Return the figure of `samples`, which verdicts rest on whose worst is `result`."""
    return Figure(
        title=samples.title,
        how=samples.how,
        bound=quantity(samples.within_s, "s"),
        bound_at=_across(samples.within_s),
        result=result,
        curve=_curve(samples.arrived, len(samples.waiting)),
        earlier=_curve(samples.before, 0),
        facts=tuple(_facts(samples)),
    )


def _facts(samples: Samples) -> Iterator[tuple[str, str]]:
    yield "allowed", quantity(samples.within_s, "s")
    arrived, waiting = sorted(samples.arrived), samples.waiting
    yield "judged", f"{len(arrived) + len(waiting)} at {len({*samples.judged, *waiting})} sites"
    yield from _percentiles(arrived, len(waiting))
    if arrived:
        yield "longest", quantity(arrived[-1], "s")
    if waiting:
        yield "not arrived", f"{len(waiting)}, after {quantity(max(waiting.values()), 's')}"
    if before := samples.before:
        over = sum(one > samples.within_s for one in before)
        yield (
            "earlier",
            f"{len(before)}, longest {quantity(max(before), 's')}"
            + (f", {over} beyond the bound" if over else ""),
        )


def _percentiles(arrived: Sequence[float], waiting: int) -> Iterator[tuple[str, str]]:
    """Yield the percentiles by the nearest rank, where there are enough samples to tell one."""
    number = len(arrived) + waiting
    for share, name, least in _PERCENTILES:
        if number >= least:
            rank = math.ceil(share * number)
            yield name, quantity(arrived[rank - 1], "s") if rank <= len(arrived) else "not arrived"


def _curve(delays: Sequence[float], waiting: int) -> str:
    """Return the steps of the distribution as an SVG path; each place across once, however many delays."""
    if not delays:
        return ""
    number = len(delays) + waiting
    heights = {
        _across(delay): BOTTOM - (BOTTOM - TOP) * rank / number
        for rank, delay in enumerate(sorted(delays), start=1)
    }
    steps = "".join(f"H{x:.1f}V{y:.1f}" for x, y in heights.items())
    return f"M{LEFT:.1f} {BOTTOM:.1f}{steps}H{RIGHT:.1f}"


def _across(seconds: float) -> float:
    """Return where so many seconds stand; what is beyond an end of the axis stands at that end."""
    place = math.log10(max(seconds, _FROM_S) / _FROM_S) / _DECADES
    return round(LEFT + (RIGHT - LEFT) * min(place, 1.0), 1)
