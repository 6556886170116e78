"""The program `server`."""

import argparse
import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from ipaddress import IPv4Address
from pathlib import Path
from typing import Annotated, Any

from heiiki_agent import serving
from heiiki_agent.database import Database
from heiiki_agent.mms.server import events
from heiiki_agent.mms.server.events import EventBook
from heiiki_agent.mms.server.ledger import SCHEMA, Ledger
from heiiki_agent.mms.server.listener import Listener, Place
from heiiki_agent.mms.server.resource import Resource
from heiiki_agent.mms.server.station import Station
from heiiki_agent.tls import Credentials

log = logging.getLogger(__name__)

_MEASURE_S = 1.0
"""How often measurements are renewed (TR-1072 table 5.8)."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The configuration, parsed.

    Attributes:
        address, port: where it listens.
        client: the DNS name in the certificate of the one that may control.
        model: SCL file of what is controlled.
        resource: socket of the resource's process.
        status: file that says how it is; None: there is none.
    """

    address: Annotated[str, IPv4Address]
    port: Annotated[int, range(65_536)]
    client: str
    model: Path
    database: Path
    credentials: Credentials
    resource: Path
    status: Path | None = None


def main(argv: Sequence[str]) -> int:
    """Serve until SIGTERM; SIGHUP reads certificates and revocation lists again, and ends every session."""
    parser = argparse.ArgumentParser(prog="mms server", description="IEC 61850 server: MMS over TLS")
    return serving.main(argv, parser, Settings, serve)


def _now() -> datetime:
    return datetime.now(UTC)


async def serve(settings: Settings) -> None:
    """Serve the resource.

    Raises:
        AgentError: a file or an address cannot be used.
    """
    signals = serving.Signals()
    resource, database = Resource(settings.resource), Database(settings.database, SCHEMA)
    told = Database(settings.database, events.SCHEMA)
    ledger = Ledger(database, resource.tell, _now)
    station = Station(settings.model, ledger, EventBook(told), resource.measure, _now)
    place = Place(settings.address, settings.port, settings.client)
    listener = Listener(place, settings.credentials, station)
    try:
        await listener.open()
        facts = partial(_facts, listener, station)
        await signals.serve(listener.open, _measures(station), serving.report(settings.status, facts))
    finally:
        await listener.close()
        for one in (database, told):
            one.close()


async def _measures(station: Station) -> None:
    """Measure whether somebody listens or not: what changes meanwhile is an event that is kept."""
    while True:
        await asyncio.get_running_loop().run_in_executor(None, station.refresh)
        await asyncio.sleep(_MEASURE_S)


def _facts(listener: Listener, station: Station) -> dict[str, Any]:
    return {"problem": listener.problem or station.problem or None, "sessions": listener.sessions}
