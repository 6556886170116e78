"""Many devices in one process: so many at once, one result each, and the dead named at the end."""

import asyncio
import time
from collections.abc import Iterable, Iterator, Sequence

from heiiki.fleet.model import Outcome, Progress, Result, Target, Watch
from heiiki.fleet.push import Means, Push

WIDTH = 100
"""Devices at once, unless somebody says otherwise."""


async def push(
    targets: Sequence[Target], means: Means, *, width: int = WIDTH, watch: Watch | None = None
) -> tuple[Result, ...]:
    """Push every device; one that fails or is dead holds up no other.

    Args:
        targets: the devices, each once.
        means: what it is done with.
        width: how many at once.
        watch: is told of each result as it comes.

    Returns:
        A result for each device, in the order of `targets`.
    """
    board = _Board(len(targets), watch)
    waiting = iter(targets)
    results: dict[str, Result] = {}

    async def worker() -> None:
        for target in waiting:
            results[target.name] = result = await Push(target, means).run()
            board.add(result)

    async with asyncio.TaskGroup() as group:
        for _ in range(min(width, len(targets))):
            group.create_task(worker())
    return tuple(results[target.name] for target in targets)


def named(results: Iterable[Result], outcome: Outcome) -> tuple[str, ...]:
    """Return the devices of one outcome, in order."""
    return tuple(result.device for result in results if result.outcome is outcome)


def summary(results: Sequence[Result]) -> Iterator[str]:
    """Yield what a person reads at the end: the counts, then each device that failed, then the dead."""
    counts = ((outcome, len(named(results, outcome))) for outcome in Outcome)
    told = ", ".join(f"{count} {outcome}" for outcome, count in counts if count)
    yield f"{len(results)} devices: {told}" if results else "no device"
    for result in results:
        if result.outcome is Outcome.FAILED:
            yield f"failed: {result.reason}"
    if dead := named(results, Outcome.UNREACHABLE):
        yield f"unreachable: {', '.join(dead)}"


class _Board:
    """Counts results, and tells."""

    def __init__(self, total: int, watch: Watch | None) -> None:
        self._total, self._watch = total, watch
        self._start = time.monotonic()
        self._done = self._changed = self._failed = 0

    def add(self, result: Result) -> None:
        self._done += 1
        self._changed += result.outcome is Outcome.CHANGED
        self._failed += result.outcome in {Outcome.FAILED, Outcome.UNREACHABLE}
        if self._watch is not None:
            self._watch(self._progress())

    def _progress(self) -> Progress:
        rate = self._done / max(time.monotonic() - self._start, 1e-6)
        left = (self._total - self._done) / rate
        return Progress(self._done, self._changed, self._failed, self._total, rate, left)
