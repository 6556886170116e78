"""What a scenario's reports say, in the order in which a reader of a log needs it: the end survives."""

import json
import re
from pathlib import Path
from typing import Any

from heiiki.report.completion import NOT_RUN

# What Ansible prints of a task that failed: of an item of a loop or of the whole, then the result as YAML.
_FAILED = re.compile(r"^(?:fatal|failed): \[(?P<host>[^\]]+)\].*$")
_MESSAGE = re.compile(r"^ {4}msg: (?P<text>.*(?:\n {5,}.*)*)", re.MULTILINE)
_COLOUR = re.compile("\x1b\\[[0-9;]*m")
_COLUMNS = ("result", "stage", "requirement", "subject", "reason")


def shortcomings(folder: Path) -> str:
    """Return what both measurements of a scenario found, the first before the second."""
    return "\n".join(
        f"{path.name}:\n{_rows(json.loads(path.read_text())['verdicts'])}"
        if path.is_file()
        else f"{path.name}: was not written"
        for path in (folder / "verdicts-first.json", folder / "verdicts.json")
    )


def failures(said: str) -> str:
    """Return a line for each task that failed of what ansible-playbook printed: host, name, message."""
    result, task = [], ""
    # Molecule asks for colours on some machines whatever its environment says.
    said = _COLOUR.sub("", said)
    blocks = re.split(r"^(?=TASK \[|fatal: |failed: |ok: |changed: |PLAY RECAP)", said, flags=re.MULTILINE)
    for block in blocks:
        first = block.partition("\n")[0]
        if first.startswith("TASK ["):
            task = first.removeprefix("TASK ").rstrip("* ")
        elif found := _FAILED.match(first):
            message = _MESSAGE.search(block)
            text = " ".join(message["text"].split()) if message else first
            result.append(f"{found['host']} {task}: {text[:600]}")
    return "\n".join(result)


def _rows(verdicts: list[dict[str, Any]]) -> str:
    """One line each: first how many rows were not asked for, then what is unknown, fails last."""
    unasked = [row for row in verdicts if row["reason"] == NOT_RUN and row["result"] == "unknown"]
    bad = [row for row in verdicts if row["result"] in {"fail", "unknown"} and row not in unasked]
    lines = [f"{len(verdicts)} rows, {len(unasked)} of them of what was not chosen"]
    for result in ("unknown", "fail"):
        rows = [row for row in bad if row["result"] == result]
        lines += [" ".join(str(row[key]) for key in _COLUMNS) for row in rows]
    return "\n".join(lines)
