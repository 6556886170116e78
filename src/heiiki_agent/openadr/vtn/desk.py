"""Takes requests as they come and has them answered together: one commit, and one wait for the disk."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate
from typing import Protocol, TypeVar

from heiiki_agent.openadr.vtn.doubled.thread import Guard, confirmed
from heiiki_agent.openadr.vtn.engine import Reply, Request

T = TypeVar("T")
_MOST = 256
_OCTETS = 4 * 1024 * 1024
"""Octets of the requests in a batch: what comes of it is given to a second host at once."""


class Answers(Protocol):
    """What answers requests: an engine."""

    def answer(self, requests: Sequence[Request]) -> list[Reply]:
        """Answer all of them, committed at once."""


class Desk:
    """The one thread that works on a VTN's state."""

    def __init__(self, engine: Answers, guard: Guard | None = None) -> None:
        """Have `engine` answer, if `guard` lets it; None: there is no second host."""
        self._engine, self._guard = engine, guard
        self._thread = ThreadPoolExecutor(max_workers=1)
        self._waiting: list[tuple[Request, asyncio.Future[Reply]]] = []
        self._worker: asyncio.Task[None] | None = None

    async def answer(self, request: Request) -> Reply:
        """Return the answer to a request, once it is committed.

        Raises:
            NotServingError: this host may not answer.
        """
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._waiting.append((request, future))
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())
        return await future

    async def call(self, work: Callable[[], T]) -> T:
        """Do something else with the state, between two batches.

        Raises:
            NotServingError: this host may not answer; the work may be done.
        """
        guard = self._guard
        return await self.apart(work if guard is None else lambda: confirmed(guard, work))

    async def apart(self, work: Callable[[], T]) -> T:
        """Do something of which no answer of the VTN is made, whether this host may answer or not."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def close(self) -> None:
        """Answer what waits, and end the thread."""
        if self._worker is not None:
            await self._worker
        self._thread.shutdown()

    def _batch(self) -> int:
        """Return how many of those that wait are answered next."""
        octets = accumulate(len(request.body) for request, _ in self._waiting[:_MOST])
        return max(1, sum(one <= _OCTETS for one in octets))

    async def _work(self) -> None:
        while self._waiting:
            count = self._batch()
            batch, self._waiting = self._waiting[:count], self._waiting[count:]
            requests = [request for request, _ in batch]
            try:
                replies = await self.call(lambda requests=requests: self._engine.answer(requests))  # type: ignore[misc]
            except Exception as error:  # noqa: BLE001  # each that waits gets it
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)
                continue
            for (_, future), reply in zip(batch, replies, strict=True):
                if not future.done():
                    future.set_result(reply)
