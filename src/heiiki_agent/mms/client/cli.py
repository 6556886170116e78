"""The program `client`."""

import argparse
import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from heiiki_agent import serving
from heiiki_agent.database import Database
from heiiki_agent.errors import AgentError
from heiiki_agent.mms.client import desk as orders
from heiiki_agent.mms.client import inbox
from heiiki_agent.mms.client.desk import Desk
from heiiki_agent.mms.client.inbox import Inbox
from heiiki_agent.mms.client.operator import Operator
from heiiki_agent.mms.client.reports import Listening
from heiiki_agent.mms.client.session import Session, Shown, Site, used
from heiiki_agent.mms.model import loaded
from heiiki_agent.mms.orders import Order
from heiiki_agent.tls import Credentials, client_context

_THREADS = 32
"""Sites that are spoken with at a time."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The configuration, parsed.

    Attributes:
        sites: whom it controls.
        operator: socket on which its operator is answered.
        status: file that says how it is; None: there is none.
    """

    sites: tuple[Site, ...]
    database: Path
    credentials: Credentials
    operator: Path
    status: Path | None = None


def main(argv: Sequence[str]) -> int:
    """Give orders and hear reports until SIGTERM; SIGHUP ends the sessions that stand, which begin again.

    Certificates and revocation lists are read at each new session.
    """
    parser = argparse.ArgumentParser(prog="mms client", description="IEC 61850 client: MMS over TLS")
    return serving.main(argv, parser, Settings, serve)


class _Sites:
    """The sites by name, and what is done with one."""

    def __init__(self, settings: Settings) -> None:
        self._sites = {one.name: one for one in settings.sites}
        self._models = {one.model: loaded(Path(one.model)) for one in settings.sites}
        self._credentials = settings.credentials

    async def give(self, name: str, order: Order) -> int | None:
        site = self._sites[name]
        return await used(site, self._models[site.model], self._credentials, lambda one: one.order(order))

    async def show(self, name: str) -> Shown:
        if name not in self._sites:
            raise AgentError(f"{name} is not controlled from here; use {', '.join(self._sites)}")
        site = self._sites[name]
        return await used(site, self._models[site.model], self._credentials, Session.show)


async def serve(settings: Settings) -> None:
    """Give orders, and hear reports.

    Raises:
        AgentError: a file cannot be used.
    """
    signals = serving.Signals()
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(_THREADS, thread_name_prefix="site"))
    sites, database = _Sites(settings), Database(settings.database, orders.SCHEMA + inbox.SCHEMA)
    names = [one.name for one in settings.sites]
    desk = Desk(database, names, sites.give, lambda: datetime.now(UTC))
    listening = Listening(settings.sites, settings.credentials, Inbox(database))
    operator = Operator(desk, sites.show, listening)
    try:
        desk.resume()
        listening.begin()
        await operator.open(settings.operator)
        facts = partial(_facts, settings.credentials, desk, listening)
        await signals.serve(listening.renew, serving.report(settings.status, facts))
    finally:
        operator.close()
        await listening.end()
        await desk.close()
        database.close()


def _facts(credentials: Credentials, desk: Desk, listening: Listening) -> dict[str, Any]:
    return {
        "problem": _problem(credentials),
        "pending": desk.pending,
        "silent": dict(listening.problems),
    }


def _problem(credentials: Credentials) -> str | None:
    """Return why no session can be opened, as before the device is enrolled."""
    try:
        client_context(credentials)
    except AgentError as error:
        return str(error)
    return None
