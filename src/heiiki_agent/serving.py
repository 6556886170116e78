"""How a program serves: by the configuration that its arguments name, until it is told to end."""

import argparse
import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from heiiki_agent import config, status

_STATUS_S = 2.0

_Settings = TypeVar("_Settings")


def main(
    argv: Sequence[str],
    parser: argparse.ArgumentParser,
    kind: type[_Settings],
    serve: Callable[[_Settings], Coroutine[Any, Any, None]],
) -> int:
    """Read the configuration that the arguments name, of a `kind`; serve, and return the exit status.

    Raises:
        AgentError: a file or an address cannot be used.
    """
    parser.add_argument("config", type=Path, help="JSON file")
    settings = config.read(kind, parser.parse_args(argv).config)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    asyncio.run(serve(settings))
    return 0


class Signals:
    """What the program is told by SIGTERM and SIGHUP; from now on neither ends the process by itself."""

    def __init__(self) -> None:
        """Attend to both, in the loop that runs."""
        self._end, self._renew = asyncio.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._end.set)
        loop.add_signal_handler(signal.SIGHUP, self._renew.set)

    async def serve(self, renew: Callable[[], Awaitable[None]], *works: Coroutine[Any, Any, None]) -> None:
        """Do `works` until SIGTERM, and `renew` at each SIGHUP.

        What fails is raised: it ends the program, whose unit starts it again. Half a service is none.
        """
        tasks = [asyncio.create_task(one) for one in (self._ended(), self._renewed(renew), *works)]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()

    async def _ended(self) -> None:
        await self._end.wait()

    async def _renewed(self, renew: Callable[[], Awaitable[None]]) -> None:
        while True:
            await self._renew.wait()
            self._renew.clear()
            await renew()


async def report(file: Path | None, facts: Callable[[], Mapping[str, Any]]) -> None:
    """Report to `file` how the program is, again and again; with none, only wait."""
    while file is not None:
        status.report(file, 10 * _STATUS_S, facts())
        await asyncio.sleep(_STATUS_S)
    await asyncio.Event().wait()
