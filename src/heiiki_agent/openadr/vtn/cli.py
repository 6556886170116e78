"""The program `vtn`: one process for all ESPs of a host."""

import argparse
import asyncio
import logging
import signal
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path

from aiohttp.http_exceptions import HttpProcessingError

from heiiki_agent import config, status
from heiiki_agent.openadr.vtn.control import Control
from heiiki_agent.openadr.vtn.server import Server
from heiiki_agent.openadr.vtn.settings import Settings

log = logging.getLogger(__name__)


class Brief(logging.Filter):
    """Says of bytes that are no HTTP what is wrong with them; where they were read says nothing."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record through, such a one without its traceback."""
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, HttpProcessingError):
            record.msg, record.args = "%s: %r", (record.getMessage(), error.message)
            record.levelno, record.levelname = logging.WARNING, "WARNING"
            record.exc_info = None
        return True


_DAY_S = 86_400.0
_STATUS_S = 2.0


def main(argv: Sequence[str]) -> int:
    """Serve until SIGTERM; SIGHUP reads certificates and revocation lists again."""
    parser = argparse.ArgumentParser(prog="openadr vtn", description="OpenADR 2.0b VTN, simple HTTP, pull")
    parser.add_argument("config", type=Path, help="JSON file")
    settings = config.read(Settings, parser.parse_args(argv).config)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    logging.getLogger("aiohttp.server").addFilter(Brief())
    asyncio.run(serve(settings))
    return 0


async def serve(settings: Settings) -> None:
    """Serve every VTN.

    Raises:
        AgentError: a file or an address cannot be used.
    """
    loop, stop, reload = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_signal_handler(signal.SIGHUP, reload.set)
    async with AsyncExitStack() as stack:
        servers: dict[str, Server] = {}
        for one in settings.vtns:
            servers[one.vtn_id] = Server(one)
            stack.push_async_callback(servers[one.vtn_id].close)
            await servers[one.vtn_id].open()
        control = Control(servers)
        stack.push_async_callback(control.close)
        await control.open(settings.control)
        works = stop.wait(), _reloads(reload, servers), _forgets(servers), _tells(settings.status, servers)
        tasks = [asyncio.create_task(work) for work in works]
        for task in tasks:
            stack.callback(task.cancel)
        log.info("serving %s", ", ".join(servers))
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            # What fails here ends the program, whose unit starts it again: half a service is none.
            task.result()


async def _reloads(reload: asyncio.Event, servers: dict[str, Server]) -> None:
    while True:
        await reload.wait()
        reload.clear()
        for server in servers.values():
            await server.open()


async def _tells(file: Path | None, servers: dict[str, Server]) -> None:
    while file is not None:
        facts = {name: asdict(server.state()) for name, server in servers.items()}
        status.report(file, 10 * _STATUS_S, {"vtns": facts})
        await asyncio.sleep(_STATUS_S)
    await asyncio.Event().wait()


async def _forgets(servers: dict[str, Server]) -> None:
    while True:
        for server in servers.values():
            keep = timedelta(days=server.settings.keep_days)
            await server.desk.call(lambda server=server, keep=keep: server.operator.forget(keep))  # type: ignore[misc]
        await asyncio.sleep(_DAY_S)
