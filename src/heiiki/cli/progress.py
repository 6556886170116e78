"""How far a run over many devices is: one line that changes at a terminal, plain lines elsewhere."""

import sys
import time
from typing import TextIO

from heiiki.fleet.model import Progress

_EVERY_S = 5.0
"""Seconds between two plain lines."""


class ProgressLine:
    """Shows `Progress`, as who watches the phases of a push."""

    def __init__(self, stream: TextIO | None = None, every_s: float = _EVERY_S) -> None:
        """Write to `stream`, by default standard error; to no terminal every `every_s` seconds at most."""
        self._stream = stream or sys.stderr
        self._every_s, self._last = every_s, time.monotonic()
        self._terminal = self._stream.isatty()

    def __call__(self, phase: str, progress: Progress) -> None:
        """Show how far a phase is."""
        ended = progress.done == progress.total
        if self._terminal:
            end = "\n" if ended else ""
            self._stream.write(f"\r{phase}: {line(progress)}\x1b[K{end}")
        elif ended or time.monotonic() - self._last >= self._every_s:
            self._last = time.monotonic()
            self._stream.write(f"{phase}: {line(progress)}\n")
        self._stream.flush()


def line(progress: Progress) -> str:
    """Return a run's state on one line.

    Example:
        >>> line(Progress(done=30, changed=4, failed=1, total=100, per_s=15.2, left_s=4.6))
        '30 of 100 devices, 4 changed, 1 failed, 15.2/s, 5 s left'
    """
    told = (
        f"{progress.done} of {progress.total} devices, {progress.changed} changed, {progress.failed} failed"
    )
    return f"{told}, {progress.per_s:.1f}/s, {progress.left_s:.0f} s left"
