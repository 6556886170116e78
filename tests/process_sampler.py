"""Writes down what every process shows of itself: its command line and its environment, whenever it is new.

    python3 process_sampler.py STOP RESULT SECONDS

Looks every so many SECONDS until the file STOP is there; then writes RESULT, mode 0600: every text once, NULs
between.
A process is looked at as soon as it is seen and once more a moment later, when it has become what it was
started for; all are looked at again now and then.
"""

import os
import sys
import time
from pathlib import Path
from typing import Protocol

ALL_EVERY = 50


def shown(pid: str) -> list[bytes]:
    """Return command line and environment of a process; nothing when it is gone."""
    texts = []
    for name in ("cmdline", "environ"):
        try:
            texts.append(Path("/proc", pid, name).read_bytes())
        except OSError:
            continue
    return texts


class Stop(Protocol):
    """What ends the sampler."""

    def exists(self) -> bool:
        """Tell whether it has come."""


def main(stop: Stop, result: Path, every_s: float) -> None:
    """Look until `stop` is there."""
    seen: set[bytes] = set()
    known: set[str] = set()
    fresh: set[str] = set()
    tick = 0
    while not stop.exists():
        there = {name for name in os.listdir("/proc") if name.isdigit()}  # noqa: PTH208  # the quickest
        wanted = there if tick % ALL_EVERY == 0 else (there - known) | (fresh & there)
        fresh, known = there - known, there
        for pid in wanted:
            seen.update(shown(pid))
        tick += 1
        time.sleep(every_s)
    draft = result.with_suffix(".new")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as stream:
        stream.write(b"\0\0".join(sorted(seen)))
    draft.replace(result)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3]))
