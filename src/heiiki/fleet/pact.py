"""The ends of one line in step: each waits for the others, and where one goes back, all do."""

import asyncio
from collections.abc import Callable, Collection
from enum import IntEnum

from heiiki.fleet.ask import Standing
from heiiki.fleet.errors import LineError, RefusedError


class Step(IntEnum):
    """How far an end is."""

    NONE = 0
    READ = 1
    NOTED = 2
    HELD = 3
    TESTED = 4
    SETTLED = 5


class Pact:
    """What the ends of a line agree on.

    No end is touched before all were read and noted in the journal; each is touched once those before it can
    be reached with what they got; none is confirmed before all were tested together.
    """

    def __init__(self, ends: Collection[str], begun: Collection[str] = ()) -> None:
        """Begin.

        Args:
            ends: names, in the order in which they are touched.
            begun: those of them that an earlier run has begun, and that are settled together first.
        """
        self._ends = tuple(ends)
        self._steps = dict.fromkeys(self._ends, Step.NONE)
        self._standings: dict[str, Standing] = {}
        self._begun = frozenset(begun)
        self._gone: dict[str, str] = {}
        self._agreed = len(self._ends) == 1
        self._moved = asyncio.Condition()

    @property
    def agreed(self) -> bool:
        """Whether every end has its new configuration for good, so that none may go back any more."""
        return self._agreed

    @property
    def shared(self) -> bool:
        """Whether there is another end."""
        return len(self._ends) > 1

    def turn(self, end: str) -> int:
        """Return which end this is, from 1 on.

        Each is touched while the timers of those before it run, so its own ends by so many timers from the
        beginning of the line.
        """
        return self._ends.index(end) + 1

    async def read(self, end: str) -> None:
        """Wait until every end was read.

        Raises:
            LineError: one could not be, so none is touched.
        """
        await self._reach(end, Step.READ)
        self._untouched(end)

    async def noted(self, end: str) -> None:
        """Wait until every end is in the journal, and those before this one can be reached as they are now.

        Raises:
            LineError: one gave up, so this one is not touched.
        """
        before = self._ends[: self._ends.index(end)]
        await self._reach(end, Step.NOTED)
        await self._until(lambda: all(self._steps[one] >= Step.HELD for one in before))
        self._untouched(end)

    async def together(self, end: str, step: Step) -> None:
        """Wait until every end has come as far.

        Raises:
            RefusedError: one went back, so this one has to.
        """
        await self._reach(end, step)
        if self._gone and not self._agreed:
            why = self._other(end)
            raise RefusedError(f"{end}: {why}", 0, why)

    async def verdict(self, end: str, standing: Standing) -> Standing:
        """Say what an end has that an earlier run has begun; returns what all of them shall have.

        Raises:
            LineError: one of them did not say, so nothing is decided.
        """
        self._standings[end] = standing
        await self._tell()
        await self._until(lambda: self._begun <= self._standings.keys())
        self._untouched(end)
        return Standing.NEW if set(self._standings.values()) == {Standing.NEW} else Standing.OLD

    async def over(self, end: str, failed: str) -> None:
        """Say that an end is at its end: `failed` says why it has not what it should, if it has not."""
        if failed and not self._agreed:
            self._gone.setdefault(end, failed)
        self._steps[end] = Step.SETTLED
        await self._tell()

    async def _reach(self, end: str, step: Step) -> None:
        self._steps[end] = step
        self._agreed = self._agreed or self._all(Step.SETTLED)
        await self._tell()
        await self._until(lambda: self._all(step))

    def _all(self, step: Step) -> bool:
        return not self._gone and all(now >= step for now in self._steps.values())

    def _untouched(self, end: str) -> None:
        if self._gone:
            raise LineError(f"{end}: it was left as it was: {self._other(end)}")

    def _other(self, end: str) -> str:
        other, why = next(iter(self._gone.items()))
        return f"{other}, which shares a line with {end}, failed: {why}"

    async def _tell(self) -> None:
        async with self._moved:
            self._moved.notify_all()

    async def _until(self, reached: Callable[[], bool]) -> None:
        async with self._moved:
            await self._moved.wait_for(lambda: bool(self._gone) or reached())
