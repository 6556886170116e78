"""Many devices in waves: one site first, then some, then the rest; a wave that goes wrong is the last."""

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from heiiki.fleet import engine
from heiiki.fleet.model import Outcome, Progress, Result, Target, Watch
from heiiki.fleet.push import Means

_BAD = (Outcome.FAILED, Outcome.UNREACHABLE)
_SECOND = 10
"""The wave behind the first has a tenth of the devices."""

Unit = tuple[Target, ...]
"""Devices that are changed together."""

Verify = Callable[[Sequence[Result]], str]
"""Looks at a wave that is done; says what is wrong with it, or the empty string."""


@dataclass(frozen=True, slots=True)
class Where:
    """Where a device is.

    Attributes:
        site: its name.
        networks: the closed networks that it is on.
    """

    site: str
    networks: frozenset[str]


@dataclass(frozen=True, slots=True)
class Gone:
    """What became of waves.

    Attributes:
        results: of every device that was pushed.
        stopped: why the rest was not begun; empty where all were.
        left: devices that were not begun.
    """

    results: tuple[Result, ...] = ()
    stopped: str = ""
    left: tuple[str, ...] = field(default=())


def planned(units: Iterable[Unit], where: Mapping[str, Where]) -> tuple[tuple[Unit, ...], ...]:
    """Return the waves: the first has one site, and none has devices of both networks of a site.

    The ends of one line are in one wave, wherever they are.

    Args:
        units: what is changed together, in order.
        where: each device is, by its name.
    """
    given = tuple(units)
    if not given:
        return ()
    first = where[given[0][0].name].site
    canary = [unit for unit in given if {where[one.name].site for one in unit} == {first}] or [given[0]]
    rest = [unit for unit in given if unit not in canary]
    size = max(1, len(given) // _SECOND)
    waves = (*_packed(canary, where, len(canary)), *_packed(rest, where, size))
    return tuple(map(tuple, waves))


def _packed(units: Sequence[Unit], where: Mapping[str, Where], size: int) -> list[list[Unit]]:
    """Put units into waves, the first of `size` units, the others of any."""
    waves: list[list[Unit]] = []
    for unit in units:
        fits = (
            wave
            for number, wave in enumerate(waves)
            if (number or len(wave) < size) and _apart(wave, unit, where)
        )
        wave = next(fits, None)
        if wave is None:
            waves.append(wave := [])
        wave.append(unit)
    return waves


def _apart(wave: Iterable[Unit], unit: Unit, where: Mapping[str, Where]) -> bool:
    """Tell whether a wave with this unit holds no site on two networks, the unit's own ends aside."""
    return all(
        where[mine.name].site != where[other.name].site
        or where[mine.name].networks == where[other.name].networks
        for mine in unit
        for others in wave
        for other in others
    )


@dataclass(slots=True)
class Waves:
    """Pushes wave after wave.

    Attributes:
        means: what it is done with.
        lines: devices that are changed together.
        verify: looks at each wave.
        most_unreachable: share of a wave that may be unreachable.
        width: devices at once.
        watch: is told of each device.
    """

    means: Means
    lines: Collection[Collection[str]]
    verify: Verify
    most_unreachable: float
    width: int = engine.WIDTH
    watch: Watch | None = None

    async def push(self, waves: Sequence[Sequence[Unit]]) -> Gone:
        """Push waves until one goes wrong; the rest is as it was, and a later push goes on with it."""
        total = sum(len(unit) for wave in waves for unit in wave)
        count = _Counted(total, self.watch)
        results: list[Result] = []
        for number, wave in enumerate(waves, start=1):
            targets = [target for unit in wave for target in unit]
            done = await engine.push(
                targets, self.means, lines=self.lines, width=self.width, watch=count.within()
            )
            results += done
            left = tuple(one.name for later in waves[number:] for unit in later for one in unit)
            if why := self._wrong(done):
                return Gone(tuple(results), f"wave {number} of {len(waves)}: {why}", left)
        return Gone(tuple(results))

    def _wrong(self, done: Sequence[Result]) -> str:
        if failed := engine.named(done, Outcome.FAILED):
            return f"failed: {', '.join(failed)}"
        if why := too_many(done, self.most_unreachable):
            return why
        return self.verify([result for result in done if result.outcome not in _BAD])


def too_many(done: Sequence[Result], most: float) -> str:
    """Say that more than a share of the devices is unreachable, and which; empty where it is not."""
    dead = engine.named(done, Outcome.UNREACHABLE)
    if len(dead) <= most * len(done):
        return ""
    return f"{len(dead)} of {len(done)} are unreachable, more than {most:.0%}: {', '.join(dead)}"


class _Counted:
    """Counts over all waves."""

    def __init__(self, total: int, watch: Watch | None) -> None:
        self._total, self._watch, self._start = total, watch, time.monotonic()
        self._done = self._changed = self._failed = 0

    def within(self) -> Watch:
        """Return what watches one wave."""
        before = self._done, self._changed, self._failed

        def watch(progress: Progress) -> None:
            mine = progress.done, progress.changed, progress.failed
            self._done, self._changed, self._failed = (a + b for a, b in zip(before, mine, strict=True))
            if self._watch is not None:
                rate = self._done / max(time.monotonic() - self._start, 1e-6)
                left = (self._total - self._done) / rate
                self._watch(Progress(self._done, self._changed, self._failed, self._total, rate, left))

        return watch
