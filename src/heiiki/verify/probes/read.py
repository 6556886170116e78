"""Probe: run commands that only read, and read files."""

import subprocess
from pathlib import Path
from typing import Any


def main(parameters: dict[str, Any]) -> dict[str, Any]:
    """Return what each of ``commands`` (name: argv) said and what each of ``files`` holds; None: missing."""
    return {
        "commands": {name: _run(argv) for name, argv in parameters.get("commands", {}).items()},
        "files": {path: _read(path) for path in parameters.get("files", ())},
    }


def _run(argv: list[str]) -> dict[str, Any]:
    try:
        done = subprocess.run(argv, capture_output=True, timeout=15, check=False, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired) as error:
        return {"rc": None, "out": "", "err": f"{type(error).__name__}: {error}"}
    return {
        "rc": done.returncode,
        "out": done.stdout.decode(errors="replace"),
        "err": done.stderr.decode(errors="replace"),
    }


def _read(path: str) -> str | None:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
