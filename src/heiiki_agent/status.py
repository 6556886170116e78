"""A daemon's report on itself, in a file below /run, and what it says of the daemon's health."""

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from heiiki_agent import files


def report(path: Path, within_s: float, facts: Mapping[str, Any]) -> None:
    """Write `facts`, and that the next report comes within so many seconds.

    Raises:
        OSError: the file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    due = round(time.monotonic() + within_s, 3)
    files.write(path, json.dumps({**facts, "pid": os.getpid(), "due": due}))


def problem(path: Path, unit: str, now: float) -> str:
    """Return what is wrong with the daemon that reports to `path`, or nothing.

    Args:
        path: the report.
        unit: the daemon's systemd unit, for the remedy.
        now: CLOCK_MONOTONIC, seconds.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        late = now - found["due"]
        os.kill(found["pid"], 0)
    except FileNotFoundError:
        return f"{path}: nothing has been reported yet; start {unit}"
    except ProcessLookupError:
        return f"{path}: the process that wrote it is gone; start {unit}"
    except (OSError, ValueError, KeyError, TypeError) as error:
        return f"{path}: cannot be read: {error!r}"
    return "" if late < 0 else f"{path}: the next report is {late:.1f} s late; restart {unit}"


def check(path: Path, unit: str) -> int:
    """Print the report, or what is wrong with it; return the exit status of a health check."""
    wrong = problem(path, unit, time.monotonic())
    print(wrong or path.read_text(encoding="utf-8"))
    return 1 if wrong else 0
