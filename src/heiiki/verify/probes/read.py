"""Probe: run commands that only read, and read files.

What is a Python program of the device's own is run in a fork of this interpreter (`heiiki_agent.forked`).
"""

import subprocess
from pathlib import Path
from typing import Any

_LIMIT_S = 15


def main(parameters: dict[str, Any]) -> dict[str, Any]:
    """Return what each of ``commands`` (name: argv) said and what each of ``files`` holds; None: missing."""
    return {
        "commands": {name: _run(argv) for name, argv in parameters.get("commands", {}).items()},
        "files": {path: _read(path) for path in parameters.get("files", ())},
    }


def _run(argv: list[str]) -> dict[str, Any]:
    try:
        rc, out, err = _ended(argv)
    except (OSError, ImportError, subprocess.TimeoutExpired) as error:
        return {"rc": None, "out": "", "err": f"{type(error).__name__}: {error}"}
    return {"rc": rc, "out": out.decode(errors="replace"), "err": err.decode(errors="replace")}


def _ended(argv: list[str]) -> tuple[int, bytes, bytes]:
    if argv[0] == "python3":
        from heiiki_agent import forked  # noqa: PLC0415 - it stands on every device that has such a program

        return forked.run(argv, _LIMIT_S)
    done = subprocess.run(argv, capture_output=True, timeout=_LIMIT_S, check=False, stdin=subprocess.DEVNULL)
    return done.returncode, done.stdout, done.stderr


def _read(path: str) -> str | None:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
