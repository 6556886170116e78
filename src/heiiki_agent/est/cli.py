"""The program `serve`: the registration authority of a service."""

import argparse
import asyncio
import logging
import signal
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path

from heiiki_agent import config, status
from heiiki_agent.database import Database
from heiiki_agent.errors import AgentError
from heiiki_agent.est.authority import Authority
from heiiki_agent.est.book import Book
from heiiki_agent.est.control import Control
from heiiki_agent.est.log_in import LogIns
from heiiki_agent.est.registrar import Registrar
from heiiki_agent.est.schema import SCHEMA
from heiiki_agent.est.server import Server
from heiiki_agent.est.settings import Settings

log = logging.getLogger(__name__)

_STATUS_S = 2.0


def main(argv: Sequence[str]) -> int:
    """Serve until SIGTERM; SIGHUP reads certificates and revocation lists again."""
    parser = argparse.ArgumentParser(prog="est serve", description="Registration authority, EST (RFC 7030)")
    parser.add_argument("config", type=Path, help="JSON file")
    settings = config.read(Settings, parser.parse_args(argv).config)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    asyncio.run(serve(settings))
    return 0


async def serve(settings: Settings) -> None:
    """Serve devices, and the operator.

    Raises:
        AgentError: a file or an address cannot be used.
    """
    loop, stop, reload = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_signal_handler(signal.SIGHUP, reload.set)
    async with AsyncExitStack() as stack:
        book = Book(Database(settings.database, SCHEMA), lambda: datetime.now(UTC))
        stack.callback(book.close)
        log_ins = LogIns(settings.log_in, settings.host)
        authority = Authority(settings.vault, settings.credentials.trust, log_ins)
        registrar = Registrar(settings.devices, book, authority, settings.per_day)
        server = Server(settings, registrar)
        stack.push_async_callback(server.close)
        await server.open()
        control = Control(server, registrar, book, log_ins)
        stack.push_async_callback(control.close)
        await control.open(settings.control)
        works = stop.wait(), _reloads(reload, server, registrar), _tells(settings.status, server)
        tasks = [asyncio.create_task(work) for work in works]
        for task in tasks:
            stack.callback(task.cancel)
        log.info("serving %s devices", len(settings.devices))
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            # What fails here ends the program, whose unit starts it again: half a service is none.
            task.result()


async def _reloads(reload: asyncio.Event, server: Server, registrar: Registrar) -> None:
    """Take new certificates and lists; with a new list somebody may have been revoked who has a secret."""
    while True:
        await reload.wait()
        reload.clear()
        await server.open()
        try:
            await server.call(registrar.review)
        except AgentError as error:
            # Each secret is looked at again when it is used.
            log.warning("whose secrets are to be withdrawn is not known yet: %s", error)


async def _tells(file: Path | None, server: Server) -> None:
    while file is not None:
        status.report(file, 10 * _STATUS_S, {"problem": server.problem or None})
        await asyncio.sleep(_STATUS_S)
    await asyncio.Event().wait()
