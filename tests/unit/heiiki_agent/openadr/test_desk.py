"""Requests that wait are answered together, and one batch that fails says so to each that waited."""

import asyncio
import threading
from collections.abc import Sequence
from http import HTTPStatus

import pytest

from heiiki_agent.openadr.vtn.desk import Desk
from heiiki_agent.openadr.vtn.engine import Reply, Request


class Slow:
    """Answers when it is let; fails as often as it is told."""

    def __init__(self, failures: int = 0) -> None:
        self.go, self.batches, self.threads = threading.Event(), list[int](), set[int]()
        self._failures = failures

    def answer(self, requests: Sequence[Request]) -> list[Reply]:
        self.go.wait(60)
        self.batches.append(len(requests))
        self.threads.add(threading.get_ident())
        if self._failures:
            self._failures -= 1
            raise OSError("the disk is full")
        return [Reply(HTTPStatus.OK, request.body) for request in requests]


def requests(count: int) -> list[Request]:
    return [Request("umeda.example", "OadrPoll", str(number).encode()) for number in range(count)]


def test_what_waits_is_answered_in_one_batch_each_with_its_own() -> None:
    slow = Slow()

    async def run() -> list[Reply]:
        desk = Desk(slow)
        tasks = [asyncio.create_task(desk.answer(request)) for request in requests(50)]
        await asyncio.sleep(0)
        slow.go.set()
        replies = await asyncio.gather(*tasks)
        await desk.close()
        return list(replies)

    replies = asyncio.run(run())
    assert [reply.body for reply in replies] == [request.body for request in requests(50)]
    assert (slow.batches, len(slow.threads)) == ([50], 1)


def test_a_batch_that_fails_is_told_to_all_and_the_next_is_answered() -> None:
    slow = Slow(failures=1)
    slow.go.set()

    async def run() -> list[Reply | BaseException]:
        desk = Desk(slow)
        failed = await asyncio.gather(*map(desk.answer, requests(3)), return_exceptions=True)
        assert [str(error) for error in failed] == ["the disk is full"] * 3
        done = await asyncio.gather(*map(desk.answer, requests(2)), return_exceptions=True)
        await desk.close()
        return list(done)

    assert [reply.status for reply in asyncio.run(run()) if isinstance(reply, Reply)] == [HTTPStatus.OK] * 2


def test_one_that_no_longer_waits_is_answered_all_the_same_and_disturbs_none() -> None:
    slow = Slow()

    async def run() -> tuple[bool, Reply]:
        desk = Desk(slow)
        gone, there = (asyncio.create_task(desk.answer(request)) for request in requests(2))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.sleep(0)
        slow.go.set()
        reply = await there
        await desk.close()
        return gone.cancelled(), reply

    cancelled, reply = asyncio.run(run())
    assert (cancelled, reply.body) == (True, b"1")
    # What was sent counts, whether its sender still listens or not: it will ask again, and be told the same.
    assert slow.batches == [2]


@pytest.fixture(autouse=True)
def debug(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have asyncio complain about what is not awaited."""
    monkeypatch.setenv("PYTHONASYNCIODEBUG", "1")
