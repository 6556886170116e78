"""The program `ven`."""

import argparse
import logging
import random
import signal
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from ipaddress import IPv4Address
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from heiiki_agent import config, status
from heiiki_agent.database import Database
from heiiki_agent.openadr.envelope import Security, envelope
from heiiki_agent.openadr.reports import REPORT_TYPES
from heiiki_agent.openadr.statuses import LOGGED_IN
from heiiki_agent.openadr.units import PowerAttributes, unit
from heiiki_agent.openadr.ven.engine import Engine
from heiiki_agent.openadr.ven.hosts import Hosts
from heiiki_agent.openadr.ven.http import HttpTransport, Place
from heiiki_agent.openadr.ven.inbox import Inbox
from heiiki_agent.openadr.ven.model import Offer, Transport, Unreachable, Ven
from heiiki_agent.openadr.ven.resource import SocketResource
from heiiki_agent.openadr.ven.schema import SCHEMA
from heiiki_agent.openadr.ven.ways import Ways
from heiiki_agent.openadr.xmpp_settings import VenXmppSettings, unsigned
from heiiki_agent.tls import Credentials

if TYPE_CHECKING:
    from heiiki_agent.openadr.ven.xmpp import XmppTransport

log = logging.getLogger(__name__)

_FIRST_RETRY_S = 0.5
_LAST_RETRY_S = 10.0
_JITTER = 0.1
_STEP_S = 60.0
"""How long a step may take, with every message and every part of the resource slow."""


@dataclass(frozen=True, kw_only=True)
class OfferSettings:
    """A data point that is offered to the VTN.

    Attributes:
        r_id: its name, which the resource is asked by.
        kind: reportType, such as `usage` or `storedEnergy`.
        unit: element of its unit, such as `power:powerReal`.
        scale: SI prefix of its values.
        hertz, voltage: of the alternating current that a power is of.
    """

    r_id: str
    kind: Annotated[str, REPORT_TYPES]
    unit: str
    scale: str = "none"
    hertz: Annotated[int, range(1, 1000)] = 50
    voltage: Annotated[int, range(1, 1_000_000)] = 200

    def __post_init__(self) -> None:
        """Refuse what is no unit."""
        self.offer()

    def offer(self) -> Offer:
        """Return what is offered.

        Raises:
            ValueError: there is no such unit.
        """
        current = PowerAttributes(hertz=Decimal(self.hertz), voltage=Decimal(self.voltage), ac=True)
        item = unit(self.unit, self.scale, current if self.unit.startswith("power:power") else None)
        return Offer(r_id=self.r_id, kind=self.kind, item=item)


@dataclass(frozen=True, kw_only=True)
class HostSettings:
    """Another host of the VTN.

    Attributes:
        name: in its certificate.
        address, port: where it listens.
    """

    name: str
    address: Annotated[str, IPv4Address]
    port: Annotated[int, range(1, 65_536)]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The configuration, parsed.

    Attributes:
        name: oadrVenName.
        vtn_name, vtn_address, vtn_port: the VTN's certificate name, and where it listens.
        vtn_others: its other hosts, which are asked where that one does not answer.
        resource: socket of the resource's process.
        keep_days: for how long events that are over, and messages that were taken, are kept.
        status: file that says how it is; None: there is none.
        security: ``high``: each message is signed, and an answer without a signature is none.
        xmpp: the first way to the VTN, and that of what the VTN sends by itself; None: HTTP is the only one.
    """

    name: str
    vtn_name: str
    vtn_address: Annotated[str, IPv4Address]
    vtn_port: Annotated[int, range(1, 65_536)]
    database: Path
    credentials: Credentials
    resource: Path
    vtn_others: tuple[HostSettings, ...] = ()
    offers: tuple[OfferSettings, ...] = ()
    keep_days: Annotated[int, range(1, 3651)] = 7
    status: Path | None = None
    security: Security = "standard"
    xmpp: VenXmppSettings | None = None

    def __post_init__(self) -> None:
        """Refuse signatures in XMPP."""
        unsigned(self.security, self.xmpp)


def main(argv: Sequence[str]) -> int:
    """Poll until SIGTERM."""
    parser = argparse.ArgumentParser(prog="openadr ven", description="OpenADR 2.0b VEN, simple HTTP or XMPP")
    parser.add_argument("config", type=Path, help="JSON file")
    settings = config.read(Settings, parser.parse_args(argv).config)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    stop, inbox = threading.Event(), Inbox()

    def end(*_: object) -> None:
        stop.set()
        inbox.wake()

    signal.signal(signal.SIGTERM, end)
    by_xmpp = _by_xmpp(settings, inbox)
    made = engine(settings, by_xmpp)
    try:
        run(made, timedelta(days=settings.keep_days), stop, Surroundings(inbox, settings.status, by_xmpp))
    finally:
        made.ven.database.close()
    return 0


def _by_xmpp(settings: Settings, inbox: Inbox) -> "XmppTransport | None":
    if settings.xmpp is None:
        return None
    # A VEN without XMPP has no package for it.
    from heiiki_agent.openadr.ven.xmpp import XmppTransport  # noqa: PLC0415

    transport = XmppTransport(settings.xmpp, settings.credentials, inbox)
    transport.start()
    return transport


def engine(settings: Settings, by_xmpp: "XmppTransport | None" = None) -> Engine:
    """Return the engine that the settings describe, with a first way beside HTTP where there is one.

    Raises:
        AgentError: the state cannot be used.
    """
    resource = SocketResource(settings.resource)
    by_http = _by_http(settings)
    return Engine(
        Ven(
            database=Database(settings.database, SCHEMA),
            transport=Ways(by_xmpp, by_http) if by_xmpp else by_http,
            resource=resource,
            decide=resource.decide,
            now=lambda: datetime.now(UTC),
            name=settings.name,
            offers=tuple(one.offer() for one in settings.offers),
            signs=settings.security == "high",
            jid=settings.xmpp.jid if settings.xmpp else None,
        )
    )


def _by_http(settings: Settings) -> Transport:
    first = Place(name=settings.vtn_name, address=settings.vtn_address, port=settings.vtn_port)
    others = (Place(name=one.name, address=one.address, port=one.port) for one in settings.vtn_others)
    # An envelope is of one connection.
    return Hosts(
        HttpTransport(place, settings.credentials, envelope(settings.security)) for place in (first, *others)
    )


@dataclass(frozen=True)
class Surroundings:
    """What a VEN runs in.

    Attributes:
        inbox: what the VTN sends by itself.
        told: file that says how the VEN is; None: there is none.
        by_xmpp: its way over XMPP.
    """

    inbox: Inbox
    told: Path | None = None
    by_xmpp: "XmppTransport | None" = None

    def tell(self, engine: Engine, within_s: float, problem: str) -> None:
        """Say how the VEN is."""
        if self.told is not None:
            xmpp = (self.by_xmpp.problem or LOGGED_IN) if self.by_xmpp else None
            facts = {"ven_id": engine.ven_id, "problem": problem or None, "xmpp": xmpp}
            status.report(self.told, within_s, facts)


def run(engine: Engine, keep: timedelta, stop: threading.Event, around: Surroundings) -> None:
    """Go on step by step; less often while the VTN or the resource is away, never less than every 10 s."""
    retry, problem = _FIRST_RETRY_S, ""
    while not stop.is_set():
        try:
            engine.step()
            engine.forget(keep)
        except Unreachable as error:
            if str(error) != problem:
                log.warning("%s", error)
            problem = str(error)
            pause, retry = retry, min(2 * retry, _LAST_RETRY_S)
        else:
            problem = ""
            pause, retry = engine.poll_every.total_seconds(), _FIRST_RETRY_S
        around.tell(engine, pause + _STEP_S, problem)
        # Spread, so that a thousand VENs that lost their VTN at once do not come back at once.
        _rest(engine, around.inbox, pause * random.uniform(1 - _JITTER, 1 + _JITTER))  # noqa: S311  # spreads, hides nothing


def _rest(engine: Engine, inbox: Inbox, pause: float) -> None:
    """Wait, and take what is pushed meanwhile; what cannot be done about it now, the next step does."""
    until = time.monotonic() + pause
    # What is pushed without an end keeps no step from its turn.
    while (left := until - time.monotonic()) > 0 and (pushed := inbox.next(left)) is not None:
        try:
            pushed.answer_by(engine.pushed)
            engine.go_on()
        except Unreachable as error:
            log.warning("%s", error)
            return
