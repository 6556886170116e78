"""Which of two configurations a device has whose session was lost, and how it comes to one for good."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from enum import StrEnum

from heiiki.fleet.errors import BusyError, FleetError, NotPendingError, SessionLostError, UnreachableError
from heiiki.fleet.journal import Entry
from heiiki.fleet.model import Change, Comparer, ConfirmFrom, DeviceSession, Target


class Standing(StrEnum):
    """What a device has."""

    NEW = "new"
    OLD = "old"
    MIXED = "neither"


class Asked:
    """Asks one device."""

    def __init__(
        self,
        target: Target,
        connect: Callable[[Target], Awaitable[DeviceSession]],
        comparer: Comparer,
        pause_s: float,
    ) -> None:
        """Reach the device by `connect`, and try again every `pause_s` seconds."""
        self._target, self._connect, self._comparer, self._pause_s = target, connect, comparer, pause_s

    async def settle(
        self,
        sessions: AsyncExitStack,
        entry: Entry,
        deadline: float,
        test: Callable[[], Awaitable[str]],
        wanted: Standing,
    ) -> Standing:
        """Bring the device to one of its two configurations, so that no timer changes it any more.

        Args:
            sessions: closes what is opened here.
            entry: the two configurations, and until when a timer may run.
            deadline: until when the device is waited for, as `time.time()`.
            test: says why the device does not serve.
            wanted: which of the two is kept, if the device has the new one and serves.

        Raises:
            UnreachableError: it was not reached in time; what it has is not known.
            BusyError: another operator had the configuration all the time.
            FleetError: it has neither, and cannot be brought to either.
        """

        async def decide(session: DeviceSession) -> Standing:
            return await self._decide(session, entry, test, wanted)

        return await self._patiently(sessions, deadline, decide)

    async def look(
        self, sessions: AsyncExitStack, entry: Entry, deadline: float, test: Callable[[], Awaitable[str]]
    ) -> Standing:
        """Return what the device has, and change nothing; new only if it serves, so that it can be kept.

        Raises:
            UnreachableError: it was not reached in time; what it has is not known.
        """

        async def seen(session: DeviceSession) -> Standing:
            await self._outwait(session, entry)
            standing = await self._standing(session, entry)
            return Standing.MIXED if standing is Standing.NEW and await test() else standing

        return await self._patiently(sessions, deadline, seen)

    async def _patiently(
        self, sessions: AsyncExitStack, deadline: float, work: Callable[[DeviceSession], Awaitable[Standing]]
    ) -> Standing:
        """Do something in a session, and again in a new one for as long as there is time."""
        while True:
            try:
                session = await self._connect(self._target)
                sessions.push_async_callback(session.close)
                return await work(session)
            except (SessionLostError, UnreachableError, BusyError) as error:
                if time.time() > deadline:
                    raise _unknown(error) from error
            await asyncio.sleep(self._pause_s)

    async def _decide(
        self, session: DeviceSession, entry: Entry, test: Callable[[], Awaitable[str]], wanted: Standing
    ) -> Standing:
        await self._outwait(session, entry)
        standing = await self._standing(session, entry)
        if standing is Standing.NEW and wanted is Standing.NEW and not await test():
            return await self._keep(session, entry)
        await self.take_back(session, entry)
        if standing is Standing.NEW:
            await session.save()  # the new one may have been saved
        return Standing.OLD

    async def _outwait(self, session: DeviceSession, entry: Entry) -> None:
        """Wait for a timer that another session armed, where only that one could have ended it.

        Until then it would take back whatever is done meanwhile.
        """
        if session.safety.confirm_from is ConfirmFrom.ARMING:
            await asyncio.sleep(max(0.0, entry.until - time.time()))

    async def _standing(self, session: DeviceSession, entry: Entry) -> Standing:
        running = await session.running()
        if not self._comparer.compare(running, entry.intended).lines:
            return Standing.NEW
        if not self._comparer.compare(running, entry.before).lines:
            return Standing.OLD
        return Standing.MIXED

    async def _keep(self, session: DeviceSession, entry: Entry) -> Standing:
        """Confirm the new configuration, unless that was done or no timer runs."""
        if session.safety.confirm_from is ConfirmFrom.ANY and await session.armed() is not False:
            with suppress(NotPendingError):  # it ran out meanwhile; the next reading shows it
                await session.confirm()
        standing = await self._standing(session, entry)
        if standing is Standing.NEW:
            await session.save()
        return standing

    async def take_back(self, session: DeviceSession, entry: Entry) -> None:
        """Bring the device to its old configuration: by its own word, else line by line.

        Raises:
            FleetError: it still has another one.
        """
        if session.safety.reverts and await session.armed() is not False:
            with suppress(NotPendingError):  # the device was faster
                await session.revert()
        back = self._comparer.compare(await session.running(), entry.before)
        if back.lines:
            staged = await session.stage(Change(back.lines, self._target.secrets))
            await session.apply(staged, revert_in_s=0.0, without_rollback=True)
            back = self._comparer.compare(await session.running(), entry.before)
        if back.lines:
            raise FleetError(
                f"{self._target.name}: {len(back.lines)} lines could not be taken back; the device has "
                f"neither its old nor its new configuration, look at it yourself:\n{back.diff}"
            )
        if session.safety.confirm_from is ConfirmFrom.ARMING:
            await session.confirm()  # the timer would take back whatever comes next


def _unknown(error: FleetError) -> FleetError:
    text = f"{error}; which configuration the device has is not known, the next run asks again"
    return BusyError(text) if isinstance(error, BusyError) else UnreachableError(text)
