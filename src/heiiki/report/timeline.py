"""The fault table as a picture: one row a fault, a bar for each interruption."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from heiiki.plan.model import Plan
from heiiki.report.completion import NOT_RUN
from heiiki.report.faults import GAP_BOUND_S, FaultRow, Gap, is_row, not_measured
from heiiki.requirements import Result, Verdict
from heiiki.requirements.figures import quantity

SPAN_S = 2.5
"""Length of the time line, seconds; a longer bar is cut and says so."""

PHASES: tuple[Literal["failure"], Literal["return"]] = ("failure", "return")

_BAR_HEIGHT, _BAR_STEP = 4, 6
_MOST_BARS = 8
_COLOURS = 6
_NETWORKS = (("a", "Closed network A"), ("b", "Closed network B"), ("lan", "LAN legs"))


@dataclass(frozen=True, slots=True)
class Bar:
    """One interruption; places are percent of the time line and pixels.

    Attributes:
        over: percent of the line from the bound to the end of the bar; 0 when the bar stays within the bound.
        cut: the bar is longer than the time line.
    """

    width: float
    over: float
    y: int
    height: int
    colour: int
    direction: str
    cut: bool
    tooltip: str


@dataclass(frozen=True, slots=True)
class Lane:
    """The interruptions of one phase; `note` stands beside the longest bar."""

    bars: tuple[Bar, ...]
    height: int
    longest: float | None
    note: str
    note_at: float


@dataclass(frozen=True, slots=True)
class TimelineRow:
    """One fault, with the result of its verdict."""

    fault: FaultRow
    result: Result
    reason: str
    lanes: tuple[Lane, ...]
    longest: str
    voided: str
    spread: str

    @property
    def was_run(self) -> bool:
        """Whether the fault was injected, or at least tried."""
        return self.reason != NOT_RUN


@dataclass(frozen=True, slots=True)
class Group:
    """The faults of one network."""

    network: str
    title: str
    rows: tuple[TimelineRow, ...]

    @property
    def run(self) -> int:
        """How many of the faults were run."""
        return sum(row.was_run for row in self.rows)


@dataclass(frozen=True, slots=True)
class Timeline:
    """The whole fault table."""

    groups: tuple[Group, ...]
    sites: tuple[tuple[str, int], ...]
    ticks: tuple[float, ...]
    bound: float
    bound_percent: float


def timeline(plan: Plan, faults: Iterable[FaultRow], verdicts: Iterable[Verdict]) -> Timeline:
    """Return the fault table: every fault of the plan, in its order, and every row measured beyond them.

    A fault of the plan without a row is shown as not run. Where a row has a verdict, the result of the
    verdict counts.
    """
    colours = {site.name: rank % _COLOURS for rank, site in enumerate(plan.sites)}
    live = {v.subject: v for v in verdicts if is_row(v.requirement, v.stage, v.subject)}
    rows = [_row(row, live.get(row.name), colours) for row in _all_rows(plan, faults)]
    ticks = tuple(second / 2 for second in range(int(SPAN_S * 2) + 1))
    return Timeline(_groups(rows), tuple(colours.items()), ticks, GAP_BOUND_S, _percent(GAP_BOUND_S))


def _all_rows(plan: Plan, faults: Iterable[FaultRow]) -> list[FaultRow]:
    measured = {row.name: row for row in faults}
    rows = [measured.pop(fault.name, not_measured(fault, NOT_RUN)) for fault in plan.faults]
    return rows + list(measured.values())


def _groups(rows: list[TimelineRow]) -> tuple[Group, ...]:
    titles = dict(_NETWORKS) | {
        row.fault.network: row.fault.network for row in rows if row.fault.network not in dict(_NETWORKS)
    }
    groups = (
        Group(network, title, tuple(row for row in rows if row.fault.network == network))
        for network, title in titles.items()
    )
    return tuple(group for group in groups if group.rows)


def _row(fault: FaultRow, verdict: Verdict | None, colours: dict[str, int]) -> TimelineRow:
    told = (verdict.result, verdict.reason) if verdict else (fault.result, fault.reason)
    lanes = tuple(_lane([gap for gap in fault.gaps if gap.phase == phase], colours) for phase in PHASES)
    voided = ", ".join(quantity(seconds, "s") for seconds in fault.voided)
    return TimelineRow(
        fault, *told, lanes, quantity(fault.longest, "s") or "–", voided, quantity(fault.spread_s, "s")
    )


def _lane(gaps: list[Gap], colours: dict[str, int]) -> Lane:
    ranked = sorted(gaps, key=lambda gap: gap.seconds, reverse=True)
    kept = set(ranked[:_MOST_BARS])
    order = [gap for gap in gaps if gap in kept]
    bars = tuple(_bar(gap, index * _BAR_STEP, colours) for index, gap in enumerate(order))
    longest = ranked[0].seconds if ranked else None
    left_out = len(ranked) - len(order)
    note = quantity(longest, "s") + (f" (+{left_out} shorter)" if left_out else "")
    return Lane(bars, max(len(bars), 3) * _BAR_STEP, longest, note, min(_percent(longest or 0.0), 100.0))


def _bar(gap: Gap, y: int, colours: dict[str, int]) -> Bar:
    shown = min(gap.seconds, SPAN_S)
    over = max(0.0, shown - GAP_BOUND_S)
    arrow = "hub to site" if gap.direction == "down" else "site to hub"
    tooltip = f"{gap.site}, {arrow}, {gap.phase}: {quantity(gap.seconds, 's')}"
    colour = colours.get(gap.site, 0)
    return Bar(
        _percent(shown), _percent(over), y, _BAR_HEIGHT, colour, gap.direction, gap.seconds > SPAN_S, tooltip
    )


def _percent(seconds: float) -> float:
    return round(100 * seconds / SPAN_S, 2)
