"""What a scenario's reports say, in the order in which a reader of a log needs it: the end survives."""

import json
from pathlib import Path
from typing import Any

from heiiki.evidence.completion import NOTHING_EXAMINED

_COLUMNS = ("result", "stage", "requirement", "subject", "reason")


def shortcomings(folder: Path) -> str:
    """Return what both measurements of a scenario found, the first before the second."""
    return "\n".join(
        f"{path.name}:\n{_rows(json.loads(path.read_text())['verdicts'])}"
        if path.is_file()
        else f"{path.name}: was not written"
        for path in (folder / "verdicts-first.json", folder / "verdicts.json")
    )


def _rows(verdicts: list[dict[str, Any]]) -> str:
    """One line each: first how many rows nobody asked for, then what is unknown, fails last."""
    unasked = [row for row in verdicts if row["reason"] == NOTHING_EXAMINED and row["result"] == "unknown"]
    bad = [row for row in verdicts if row["result"] in {"fail", "unknown"} and row not in unasked]
    lines = [f"{len(verdicts)} rows, {len(unasked)} of them of what was not chosen"]
    for result in ("unknown", "fail"):
        rows = [row for row in bad if row["result"] == result]
        lines += [" ".join(str(row[key]) for key in _COLUMNS) for row in rows]
    return "\n".join(lines)
