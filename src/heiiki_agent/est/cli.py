"""The program `serve`: the registration authority of a service."""

import argparse
import logging
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from functools import partial

from heiiki_agent import serving
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


def main(argv: Sequence[str]) -> int:
    """Serve until SIGTERM; SIGHUP reads certificates and revocation lists again."""
    parser = argparse.ArgumentParser(prog="est serve", description="Registration authority, EST (RFC 7030)")
    return serving.main(argv, parser, Settings, serve)


async def serve(settings: Settings) -> None:
    """Serve devices, and the operator.

    Raises:
        AgentError: a file or an address cannot be used.
    """
    signals = serving.Signals()
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
        log.info("serving %s devices", len(settings.devices))
        await signals.serve(
            partial(_renew, server, registrar),
            serving.report(settings.status, lambda: {"problem": server.problem or None}),
        )


async def _renew(server: Server, registrar: Registrar) -> None:
    """Take new certificates and lists; with a new list somebody may have been revoked who has a secret."""
    await server.open()
    try:
        await server.call(registrar.review)
    except AgentError as error:
        # Each secret is looked at again when it is used.
        log.warning("whose secrets are to be withdrawn is not known yet: %s", error)
