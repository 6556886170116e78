"""One device from what it has to what it shall have, or back.

Read, compare, stage, apply with the device's own timed rollback, look over a second session, have it tested
from elsewhere, confirm, read again, save. A session that is lost at any point is asked about: a later one
reads which configuration the device has.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from functools import lru_cache

from heiiki.fleet.ask import Asked, Standing
from heiiki.fleet.errors import (
    ConsentError,
    FleetError,
    HostKeyError,
    RefusedError,
    SessionLostError,
    UnreachableError,
)
from heiiki.fleet.journal import Entry, Journal
from heiiki.fleet.model import (
    Change,
    Comparer,
    Comparison,
    ConfirmFrom,
    DeviceSession,
    Outcome,
    Pending,
    Result,
    Target,
)
from heiiki.fleet.pact import Pact, Step

Connect = Callable[[Target], Awaitable[DeviceSession]]
"""Opens a session with a device; see `heiiki.fleet.cli.connect` for its errors."""

Test = Callable[[Target], Awaitable[str]]
"""Looks from elsewhere whether the device serves; returns why it does not, or the empty string."""


Guard = Callable[[Target, str], str]
"""Says why a device that has this configuration must not be changed; the empty string where it may."""


def unguarded(target: Target, running: str) -> str:
    """Let every device be changed."""
    del target, running
    return ""


@dataclass(frozen=True, slots=True)
class Settings:
    """How devices are changed.

    Attributes:
        check: compare only.
        revert_in_s: time of the rollback timers.
        without_rollback: a person accepts that a device without a timed rollback is changed.
        consent: how a person says so where the push was asked for, for a device that is refused without.
        pause_s: between two attempts to reach a device.
        patience_s: how long a device without a timer is waited for after its session was lost.
        slack_s: how much later than agreed a timer may have taken the change back.
    """

    check: bool = False
    revert_in_s: float = 300.0
    without_rollback: bool = False
    consent: str = "without_rollback=True"
    pause_s: float = 2.0
    patience_s: float = 60.0
    slack_s: float = 15.0


@dataclass(frozen=True, slots=True)
class Means:
    """What a push is done with.

    Attributes:
        connect: opens a session.
        comparer: returns what compares configurations of a platform, by its name.
        test: the independent test.
        journal: of the run.
        settings: how devices are changed.
        guard: is asked before anything is typed, with what the device has.
    """

    connect: Connect
    comparer: Callable[[str], Comparer]
    test: Test
    journal: Journal
    settings: Settings
    guard: Guard = unguarded


class Push:
    """The work on one device."""

    def __init__(self, target: Target, means: Means, pact: Pact | None = None) -> None:
        """Prepare it; `run` does it.

        Args:
            target: the device.
            means: what it is done with.
            pact: with the other ends of its line; None where it is changed alone.
        """
        self._target, self._means = target, means
        self._pact = pact or Pact((target.name,))
        comparer = means.comparer(target.platform)
        self._compare = lru_cache(maxsize=1)(comparer.compare)  # most devices show the same before and after
        self._notices: list[str] = []
        self._finished = False
        self._asked = Asked(target, means.connect, comparer, means.settings.pause_s)

    async def run(self) -> Result:
        """Do it, and say what became of the device; nothing that a device does is raised."""
        start = time.monotonic()
        try:
            result = await self._run()
        except UnreachableError as error:
            result = Result(self._target.name, Outcome.UNREACHABLE, reason=str(error))
        except FleetError as error:
            result = Result(self._target.name, Outcome.FAILED, reason=str(error))
        return replace(result, notices=tuple(self._notices), seconds=time.monotonic() - start)

    async def _run(self) -> Result:
        entry = self._means.journal.read(self._target.name)
        if entry is not None and not self._means.settings.check:
            await self._finish(entry)
        async with AsyncExitStack() as sessions:
            session = await self._open(sessions)
            running = await session.running()
            comparison = self._compare(running, self._target.intended)
            if why := self._means.guard(self._target, running):
                return self._result(Outcome.FAILED, reason=f"{self._target.name}: {why}")
            if not comparison.lines:
                return self._result(Outcome.CHANGED if self._finished else Outcome.UNCHANGED)
            if self._means.settings.check:
                return self._result(Outcome.CHANGED, comparison.diff)
            return await self._change(sessions, session, running, comparison)

    async def _finish(self, entry: Entry) -> None:
        """Settle what an earlier run has begun; the ends of a line have all of them the same then."""
        self._notices.append("an earlier run was cut off: the device is asked what it has")
        if not self._pact.shared:
            self._finished = await self._settled(entry) is Standing.NEW
            return
        async with AsyncExitStack() as sessions:
            seen = await self._asked.look(sessions, entry, self._deadline(entry), self._serves)
        wanted = await self._pact.verdict(self._target.name, seen)
        self._finished = await self._settled(entry, wanted, tested=True) is Standing.NEW

    async def _change(
        self, sessions: AsyncExitStack, session: DeviceSession, running: str, comparison: Comparison
    ) -> Result:
        settings, safety = self._means.settings, session.safety
        timed = safety.confirm_from is not ConfirmFrom.NOWHERE
        timer = safety.units(settings.revert_in_s) * safety.unit_s
        seconds = timer * self._pact.turn(self._target.name) + settings.slack_s
        await self._pact.read(self._target.name)  # before the time is taken: another end may be slow to read
        entry = Entry(
            self._target.name, running, self._target.intended, time.time() + seconds if timed else 0.0
        )
        await self._begin(entry)
        try:
            pending = await self._applied(
                session, Change(comparison.lines, self._target.secrets), timed=timed
            )
        except RefusedError as error:
            return await self._refused(session, entry, error, comparison)
        except (SessionLostError, UnreachableError) as error:
            return await self._lost(entry, error, comparison)
        except FleetError:
            self._means.journal.remove(self._target.name)
            raise
        try:
            await self._accept(sessions, session, pending)
        except RefusedError as error:
            if self._pact.shared and self._pact.agreed:
                raise  # every end has what it should; the journal stays, and the next run saves
            return await self._refused(session, entry, error, comparison)
        except HostKeyError:
            raise  # the journal stays: what answers now may not be the device
        except FleetError as error:
            return await self._lost(entry, error, comparison)
        self._means.journal.remove(self._target.name)
        return self._result(Outcome.CHANGED, comparison.diff)

    async def _begin(self, entry: Entry) -> None:
        """Note what is begun, on disk before the first line."""
        name, journal = self._target.name, self._means.journal
        await asyncio.to_thread(journal.write, entry)  # waits for the disk
        try:
            await self._pact.noted(name)
            if self._pact.shared:  # else it is on disk already, and a thread more would be for nothing
                await asyncio.to_thread(journal.flush)
        except FleetError:
            journal.remove(name)
            raise

    async def _applied(self, session: DeviceSession, change: Change, *, timed: bool) -> Pending:
        settings = self._means.settings
        try:
            pending = await session.apply(
                await session.stage(change),
                revert_in_s=settings.revert_in_s,
                without_rollback=settings.without_rollback and not timed,
            )
        except ConsentError as error:
            if timed:
                raise  # the device lacks what the platform has; no consent is a way around that
            raise ConsentError(f"{error}; say {settings.consent} to accept that, or do it on site") from error
        self._notices += pending.notices
        return pending

    async def _accept(self, sessions: AsyncExitStack, first: DeviceSession, pending: Pending) -> None:
        """Look over a second session, have it tested, confirm, read again, save; each with the whole line.

        Raises:
            RefusedError: the device has something else than intended, or does not serve; or another end of
                its line does.
        """
        name = self._target.name
        second = await self._second(sessions, pending)
        await self._right(second)
        await self._pact.together(name, Step.HELD)
        if why := await self._means.test(self._target):
            raise RefusedError(f"{self._target.name}: the independent test failed: {why}", 0, why)
        await self._pact.together(name, Step.TESTED)
        if pending.until is not None:
            any_session = first.safety.confirm_from is ConfirmFrom.ANY
            await (second if any_session else first).confirm()
            await self._right(second)
        await self._pact.together(name, Step.SETTLED)
        await second.save()

    async def _second(self, sessions: AsyncExitStack, pending: Pending) -> DeviceSession:
        """Open the second session; a device may need some time, but not more than a third of its timer."""
        settings = self._means.settings
        left = settings.patience_s if pending.until is None else (pending.until - time.time()) / 3
        end = time.monotonic() + left
        while True:
            try:
                return await self._open(sessions)
            except UnreachableError:
                if time.monotonic() > end:
                    raise
            await asyncio.sleep(settings.pause_s)

    async def _right(self, session: DeviceSession) -> None:
        left = self._compare(await session.running(), self._target.intended)
        if left.lines:
            words = f"{len(left.lines)} lines differ from what was intended"
            raise RefusedError(f"{self._target.name}: after the change {words}:\n{left.diff}", 0, words)

    async def _refused(
        self, session: DeviceSession, entry: Entry, error: RefusedError, comparison: Comparison
    ) -> Result:
        """Take back what was applied before the refusal."""
        await self._pact.over(self._target.name, str(error))
        try:
            if not error.reverted:
                await self._asked.take_back(session, entry)
        except (SessionLostError, UnreachableError) as lost:
            result = await self._lost(entry, lost, comparison, wanted=Standing.OLD)
            return replace(result, reason=f"{error}; {result.reason}")
        except FleetError as wrong:  # the journal stays: the next run tries again
            return self._result(Outcome.FAILED, reason=f"{error}; it was not taken back: {wrong}")
        self._means.journal.remove(self._target.name)
        return self._result(Outcome.FAILED, reason=f"{error}; the device has its old configuration")

    async def _lost(
        self, entry: Entry, error: FleetError, comparison: Comparison, wanted: Standing = Standing.NEW
    ) -> Result:
        """Ask what a device has whose session was lost; before its line is agreed on, it goes back."""
        await self._pact.over(self._target.name, str(error))
        wanted = wanted if self._pact.agreed else Standing.OLD
        self._notices.append(f"{error}; the device is asked what it has")
        standing = await self._settled(entry, wanted)
        if standing is Standing.NEW:
            return self._result(Outcome.CHANGED, comparison.diff)
        return self._result(Outcome.FAILED, reason=f"{error}; the device has its old configuration")

    def _deadline(self, entry: Entry) -> float:
        return max(entry.until, time.time() + self._means.settings.patience_s)

    async def _settled(
        self, entry: Entry, wanted: Standing = Standing.NEW, *, tested: bool = False
    ) -> Standing:
        """Bring a device to one of its two configurations for good.

        Raises:
            FleetError: it cannot be reached, or has neither; the journal keeps its entry.
        """
        test = _tested if tested else self._serves
        async with AsyncExitStack() as sessions:
            standing = await self._asked.settle(sessions, entry, self._deadline(entry), test, wanted)
        self._means.journal.remove(self._target.name)
        return standing

    async def _serves(self) -> str:
        return await self._means.test(self._target)

    async def _open(self, sessions: AsyncExitStack) -> DeviceSession:
        session = await self._means.connect(self._target)
        sessions.push_async_callback(session.close)
        if session.notice:
            self._notices.append(session.notice)
        return session

    def _result(self, outcome: Outcome, diff: str = "", reason: str = "") -> Result:
        return Result(self._target.name, outcome, diff, reason)


async def _tested() -> str:
    """Find nothing wrong: it was tested already."""
    return ""
