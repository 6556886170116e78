"""A small event loop for the lab's eNB and UE: sockets to read or write, and things to do in time."""

import heapq
import itertools
import json
import os
import selectors
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

Callback = Callable[[], None]


class HasFileno(Protocol):
    """Something with a file descriptor."""

    def fileno(self) -> int:
        """Return the descriptor."""


class Loop:
    """Calls back when something can be read, can be written, or is due. Times are seconds, monotonic."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._timers: list[tuple[float, int, Callback]] = []
        self._order = itertools.count()
        self._running = True

    def readable(self, source: HasFileno | int, callback: Callback) -> None:
        """Call `callback` whenever `source` can be read."""
        self._selector.register(source, selectors.EVENT_READ, callback)

    def writable(self, source: HasFileno | int, callback: Callback) -> None:
        """Call `callback` whenever `source` can be written."""
        self._selector.register(source, selectors.EVENT_WRITE, callback)

    def forget(self, source: HasFileno | int) -> None:
        """Watch `source` no more."""
        self._selector.unregister(source)

    def later(self, seconds: float, callback: Callback) -> None:
        """Call `callback` once, in `seconds`."""
        heapq.heappush(self._timers, (time.monotonic() + seconds, next(self._order), callback))

    def every(self, seconds: float, callback: Callback) -> None:
        """Call `callback` now and every `seconds`; what a stall of the machine missed is not made up for."""

        def again() -> None:
            callback()
            self.later(seconds, again)

        again()

    def stop(self) -> None:
        """Let `run` return."""
        self._running = False

    def run(self) -> None:
        """Serve until `stop`."""
        while self._running:
            for key, _ in self._selector.select(self._patience()):
                callback: Callback = key.data
                callback()
            self._due()

    def _patience(self) -> float | None:
        return max(0.0, self._timers[0][0] - time.monotonic()) if self._timers else None

    def _due(self) -> None:
        while self._running and self._timers and self._timers[0][0] <= time.monotonic():
            heapq.heappop(self._timers)[2]()


def write_status(path: Path, status: dict[str, object]) -> None:
    """Replace a status file in one step; `at` and `pid` let a reader tell what is no longer true."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps({"pid": os.getpid(), "at": time.monotonic(), **status}), encoding="ascii")
    fresh.replace(path)
