"""The auditor's matrix, requirement × stage, and its plain text for a terminal."""

import textwrap
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass

import click

from heiiki.report.header import Totals
from heiiki.report.verdicts import ordered
from heiiki.requirements import REQUIREMENTS, Requirement, Result, Stage, Verdict
from heiiki.requirements.figures import against, is_floor

SEVERITY = (Result.FAIL, Result.UNKNOWN, Result.PASS, Result.NOT_APPLICABLE)
"""Results, worst first."""

WORDS = {Result.PASS: "pass", Result.FAIL: "FAIL", Result.UNKNOWN: "unknown", Result.NOT_APPLICABLE: "n/a"}
NOT_EXAMINED = "not examined in this release"

_COLOURS = {Result.PASS: "green", Result.FAIL: "red", Result.UNKNOWN: "yellow", Result.NOT_APPLICABLE: None}
_WIDTH = 100
_NAME_WIDTH = 14
_CELL_WIDTH = 28


@dataclass(frozen=True, slots=True)
class Cell:
    """One requirement at one stage.

    Attributes:
        examined: this release examines the pair.
        totals: counts of the cell's verdicts.
        worst: the worst result among them; None when there is no verdict.
        figure: the verdict whose figure is nearest to its bound or furthest beyond it; None without a figure.
    """

    requirement: str
    stage: Stage
    examined: bool
    totals: Totals
    worst: Result | None = None
    figure: Verdict | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One requirement and its cells, one a stage."""

    requirement: Requirement
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Matrix:
    """Requirement × stage; the totals equal the sum of the cells."""

    rows: tuple[Row, ...]
    totals: Totals

    def cell(self, identifier: str, stage: Stage) -> Cell:
        """Return one cell; KeyError when the matrix has no such requirement."""
        for row in self.rows:
            if row.requirement.id == identifier:
                return row.cells[tuple(Stage).index(stage)]
        raise KeyError(identifier)


def worst(verdicts: Iterable[Verdict]) -> Result | None:
    """Return the worst result among `verdicts`, or None when there is none."""
    return min((verdict.result for verdict in verdicts), key=SEVERITY.index, default=None)


def matrix(verdicts: Iterable[Verdict]) -> Matrix:
    """Return the matrix of `verdicts`; a requirement that the catalogue lacks gets a row of its own."""
    found = ordered(verdicts)
    known = {item.id for item in REQUIREMENTS}
    unknown = dict.fromkeys(item.requirement for item in found if item.requirement not in known)
    extra = tuple(Requirement(name, "", "not in the catalogue", ()) for name in unknown)
    rows = tuple(_row(item, found) for item in (*REQUIREMENTS, *extra))
    return Matrix(rows, Totals.of(found))


def _row(item: Requirement, verdicts: tuple[Verdict, ...]) -> Row:
    mine = tuple(verdict for verdict in verdicts if verdict.requirement == item.id)
    return Row(item, tuple(_cell(item, stage, mine) for stage in Stage))


def _cell(item: Requirement, stage: Stage, verdicts: tuple[Verdict, ...]) -> Cell:
    mine = tuple(verdict for verdict in verdicts if verdict.stage is stage)
    counts = Counter(verdict.result for verdict in mine)
    totals = Totals(
        *(counts[result] for result in (Result.PASS, Result.FAIL, Result.UNKNOWN, Result.NOT_APPLICABLE))
    )
    return Cell(item.id, stage, stage in item.stages, totals, worst(mine), worst_figure(mine))


def worst_figure(verdicts: Iterable[Verdict]) -> Verdict | None:
    """Return the verdict with the worst figure: furthest beyond its bound, or nearest to it.

    Where something failed only its figures count: a good figure beside the word fail would mislead. Verdicts
    that the requirement does not apply to stay out, unless there is nothing else.
    """
    found = tuple(verdicts)
    failed = tuple(verdict for verdict in found if verdict.result is Result.FAIL)
    figures = tuple(verdict for verdict in failed or found if verdict.measured is not None)
    applicable = tuple(verdict for verdict in figures if verdict.result is not Result.NOT_APPLICABLE)
    return max(applicable or figures, key=_strain, default=None)


def _strain(verdict: Verdict) -> tuple[bool, float]:
    measured = verdict.measured or 0.0
    if verdict.bound is None:
        return False, measured
    found, allowed = (verdict.bound, measured) if is_floor(verdict.unit) else (measured, verdict.bound)
    return found > allowed, found / allowed if allowed else found


def text(table: Matrix, *, colour: bool = False, stages: Collection[Stage] = tuple(Stage)) -> str:
    """Return `table` as plain text at most 100 columns wide.

    Args:
        table: the matrix.
        colour: colour the results; for a terminal only.
        stages: the stages to show, for a command that runs one stage only.
    """
    header = "".join(stage.value.ljust(_CELL_WIDTH) for stage in stages)
    lines = [
        f"{'requirement':<{_NAME_WIDTH}}{header}".rstrip(),
        "─" * (_NAME_WIDTH + len(stages) * _CELL_WIDTH),
    ]
    lines += [_text_row(row, stages, colour=colour) for row in table.rows]
    return "\n".join([*lines, "", *_text_totals(table.totals)])


def _text_row(row: Row, stages: Collection[Stage], *, colour: bool) -> str:
    cells = "".join(_text_cell(cell, colour=colour) for cell in row.cells if cell.stage in stages)
    return f"{_name(row.requirement):<{_NAME_WIDTH}}{cells}".rstrip()


def _name(item: Requirement) -> str:
    """Return the ID; of a part, which stands below its requirement, the part's own name alone."""
    _, slash, part = item.id.partition("/")
    return f" /{part}" if slash else item.id


def _text_cell(cell: Cell, *, colour: bool) -> str:
    if cell.worst is None:
        return ("unknown" if cell.examined else "·").ljust(_CELL_WIDTH)
    words = f"{WORDS[cell.worst]} {_share(cell, cell.worst)}"
    figure = cell.figure
    told = f"  {against(figure.measured, figure.bound, figure.unit)}" if figure else ""
    plain = _cut(words + told, _CELL_WIDTH - 1).ljust(_CELL_WIDTH)
    return (
        click.style(plain[: len(words)], fg=_COLOURS[cell.worst]) + plain[len(words) :] if colour else plain
    )


def _share(cell: Cell, result: Result) -> str:
    counts = dict(zip(SEVERITY, _by_severity(cell.totals), strict=True))
    return f"{counts[result]}/{cell.totals.verdicts}"


def _by_severity(totals: Totals) -> tuple[int, int, int, int]:
    return totals.failed, totals.unknown, totals.passed, totals.not_applicable


def _cut(line: str, width: int) -> str:
    return line if len(line) <= width else f"{line[: width - 1]}…"


def _text_totals(totals: Totals) -> list[str]:
    counts = zip(_by_severity(totals), ("fail", "unknown", "pass", "not applicable"), strict=True)
    told = ", ".join(f"{count} {word}" for count, word in counts)
    return [
        f"{totals.verdicts} verdicts: {told}",
        f"·  {NOT_EXAMINED}: {totals.not_examined} of requirement × stage (no verdicts)",
    ]


def findings(verdicts: Iterable[Verdict]) -> str:
    """Return each fail and each unknown with its reason, fails first, as text at most 100 columns wide."""
    bad = [verdict for verdict in ordered(verdicts) if verdict.result in {Result.FAIL, Result.UNKNOWN}]
    return "\n".join(
        _finding(verdict) for verdict in sorted(bad, key=lambda item: SEVERITY.index(item.result))
    )


def _finding(verdict: Verdict) -> str:
    figure = against(verdict.measured, verdict.bound, verdict.unit)
    parts = (
        WORDS[verdict.result],
        verdict.requirement,
        verdict.stage.value,
        f"{verdict.subject}:",
        verdict.reason,
    )
    line = " ".join(parts) + (f" ({figure})" if figure else "")
    return textwrap.fill(line, _WIDTH, subsequent_indent="    ", break_on_hyphens=False)
