"""How a program serves: until it is told to end, or a part of it fails."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from heiiki_agent import serving

WITHIN_S = 60.0


async def forever(ended: list[str]) -> None:
    try:
        await asyncio.Event().wait()
    finally:
        ended.append("the rest")


def served(renew: Callable[[], Awaitable[None]], fault: str, ended: list[str], told: signal.Signals) -> None:
    async def fails() -> None:
        if fault:
            raise ValueError(fault)
        await asyncio.Event().wait()

    async def serve() -> None:
        signals = serving.Signals()
        os.kill(os.getpid(), told)
        await asyncio.wait_for(signals.serve(renew, forever(ended), fails()), WITHIN_S)
        await asyncio.sleep(0)

    asyncio.run(serve())


def test_it_renews_when_told_and_ends_when_told() -> None:
    ended: list[str] = []

    async def renew() -> None:
        ended.append("renewed")
        os.kill(os.getpid(), signal.SIGTERM)

    served(renew, "", ended, signal.SIGHUP)
    assert ended == ["renewed", "the rest"]


@pytest.mark.parametrize("where", ["a work", "renewing"])
def test_what_fails_ends_it(where: str) -> None:
    ended: list[str] = []

    async def renew() -> None:
        raise ValueError(where)

    with pytest.raises(ValueError, match=where):
        served(renew, where if where == "a work" else "", ended, signal.SIGHUP)
    assert ended == ["the rest"]


def test_without_a_file_nothing_is_reported(tmp_path: Path) -> None:
    async def report(file: Path | None) -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(serving.report(file, lambda: {"problem": None}), 0.2)

    asyncio.run(report(None))
    assert not list(tmp_path.iterdir())
    asyncio.run(report(tmp_path / "state"))
    assert '"problem"' in (tmp_path / "state").read_text()
