"""Tables for a terminal."""

from collections import Counter
from collections.abc import Sequence

from heiiki.requirements import Result, Verdict
from heiiki.requirements.figures import is_floor, pair, quantity

_MARKS = {Result.PASS: "pass", Result.FAIL: "FAIL", Result.UNKNOWN: "UNKNOWN", Result.NOT_APPLICABLE: "n/a"}


def columns(rows: Sequence[Sequence[str]]) -> str:
    """Return one line a row, each column as wide as its widest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


def verdict_table(verdicts: Sequence[Verdict]) -> str:
    """Return one line a verdict, the reason of what is not a pass below it, and the totals."""
    rows = [(item.requirement, item.subject, _figure(item), _MARKS[item.result]) for item in verdicts]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(3)]
    lines = []
    for row, item in zip(rows, verdicts, strict=True):
        cells = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False))
        lines.append(f"{cells}  {row[3]}")
        if item.result is not Result.PASS:
            lines.append(f"    {item.reason} ({item.clause})")
    totals = Counter(item.result for item in verdicts)
    lines.append(", ".join(f"{totals[result]} {_MARKS[result]}" for result in Result))
    return "\n".join(lines)


def _figure(verdict: Verdict) -> str:
    if verdict.measured is None:
        return ""
    if verdict.bound is None:
        return quantity(verdict.measured, verdict.unit)
    sign = "≥" if is_floor(verdict.unit) else "≤"
    return f"{f' {sign} '.join(pair(verdict.measured, verdict.bound))} {verdict.unit}".strip()
