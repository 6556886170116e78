"""The program `vtn`: one process for all ESPs of a host."""

import argparse
import asyncio
import logging
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import asdict
from functools import partial
from typing import Any

from aiohttp.http_exceptions import HttpProcessingError

from heiiki_agent import serving
from heiiki_agent.openadr.vtn.control import Control
from heiiki_agent.openadr.vtn.doubled.exchange import NotServingError
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


def main(argv: Sequence[str]) -> int:
    """Serve until SIGTERM; SIGHUP reads certificates and revocation lists again."""
    parser = argparse.ArgumentParser(prog="openadr vtn", description="OpenADR 2.0b VTN, simple HTTP, pull")
    logging.getLogger("aiohttp.server").addFilter(Brief())
    return serving.main(argv, parser, Settings, serve)


async def serve(settings: Settings) -> None:
    """Serve every VTN.

    Raises:
        AgentError: a file or an address cannot be used.
    """
    signals = serving.Signals()
    async with AsyncExitStack() as stack:
        servers: dict[str, Server] = {}
        for one in settings.vtns:
            servers[one.vtn_id] = Server(one)
            stack.push_async_callback(servers[one.vtn_id].close)
            await servers[one.vtn_id].open()
        control = Control(servers)
        stack.push_async_callback(control.close)
        await control.open(settings.control)
        log.info("serving %s", ", ".join(servers))
        await signals.serve(
            partial(_renew, servers),
            _forgets(servers),
            serving.report(settings.status, partial(_facts, servers)),
        )


async def _renew(servers: dict[str, Server]) -> None:
    for server in servers.values():
        await server.open()


def _facts(servers: dict[str, Server]) -> dict[str, Any]:
    return {"vtns": {name: asdict(server.state()) for name, server in servers.items()}}


async def _forgets(servers: dict[str, Server]) -> None:
    while True:
        for server in servers.values():
            # What this host may not change now, it changes tomorrow, or the other host does.
            with suppress(NotServingError):
                await server.forget()
        await asyncio.sleep(_DAY_S)
