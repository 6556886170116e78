"""Many devices in one process: so many at once, one result each, and the dead named at the end."""

import asyncio
import logging
import time
import traceback
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace

from heiiki.errors import HeiikiError
from heiiki.fleet.model import Outcome, Progress, Result, Target, Watch
from heiiki.fleet.pact import Pact
from heiiki.fleet.push import Means, Push

WIDTH = 100
"""Devices at once, unless somebody says otherwise."""

_LOG = logging.getLogger(__name__)


async def push(
    targets: Sequence[Target],
    means: Means,
    *,
    lines: Iterable[Collection[str]] = (),
    width: int = WIDTH,
    watch: Watch | None = None,
) -> tuple[Result, ...]:
    """Push every device; one that fails or is dead holds up no other, but for the ends of its line.

    Args:
        targets: the devices, each once.
        means: what it is done with.
        lines: names of devices that are changed together or not at all.
        width: how many at once; the ends of a line count as one.
        watch: is told of each result as it comes.

    Returns:
        A result for each device, in the order of `targets`.
    """
    board = _Board(len(targets), watch)
    waiting = iter(together(targets, (*lines, *means.journal.lines())))
    results: dict[str, Result] = {}

    async def worker() -> None:
        for ends in waiting:
            for result in await _line(ends, means):
                results[result.device] = result
                board.add(result)

    async with asyncio.TaskGroup() as group:
        for _ in range(min(width, len(targets))):
            group.create_task(worker())
    return tuple(results[target.name] for target in targets)


def together(targets: Sequence[Target], lines: Iterable[Collection[str]]) -> tuple[tuple[Target, ...], ...]:
    """Return the devices that are changed together, in the order in which they come first.

    Lines that have an end in common are one.
    """
    groups = {target.name: {target.name} for target in targets}
    for line in lines:
        joined = set().union(*(groups[name] for name in line if name in groups))
        groups |= dict.fromkeys(joined, joined)
    firsts = {id(group): group for group in groups.values()}
    return tuple(tuple(one for one in targets if one.name in group) for group in firsts.values())


async def _line(ends: tuple[Target, ...], means: Means) -> list[Result]:
    """Push the ends of one line, or the one device that shares none."""
    if len(ends) == 1:
        return [await _one(ends[0], means)]
    names = [target.name for target in ends]
    pact = Pact(names, set(names) & set(means.journal.begun()))
    own = replace(means, journal=means.journal.of_line())
    return await asyncio.gather(*(_end(target, own, pact) for target in ends))


async def _end(target: Target, means: Means, pact: Pact) -> Result:
    """Push one end of a line, and let the others know what became of it."""
    result = await _one(target, means, pact)
    await pact.over(target.name, result.reason)
    return result


async def _one(target: Target, means: Means, pact: Pact | None = None) -> Result:
    """Push one device; a fault of Heiiki itself must not cut off the others in the middle of a change."""
    try:
        return await Push(target, means, pact).run()
    except HeiikiError as error:
        return Result(target.name, Outcome.FAILED, reason=str(error))
    except Exception as error:  # noqa: BLE001 - told as this device's failure, with the place in the log
        # Its text is left out: it may quote a configuration.
        place = "".join(traceback.format_tb(error.__traceback__))
        _LOG.error("%s: %s\n%s", target.name, type(error).__name__, place)
        reason = f"{target.name}: a fault of Heiiki ({type(error).__name__}); the log has the place"
        return Result(target.name, Outcome.FAILED, reason=reason)


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
