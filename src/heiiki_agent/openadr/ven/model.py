"""What a VEN works with: its resource, the way to its VTN, and what it offers."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from heiiki_agent.database import Database
from heiiki_agent.openadr.events import Event
from heiiki_agent.openadr.kept import stored
from heiiki_agent.openadr.parts import OptType
from heiiki_agent.openadr.reports import ReadingType, ReportType
from heiiki_agent.openadr.units import Item


class Unreachable(Exception):  # noqa: N818  # a state of the network, which passes
    """The other side did not answer, or not in a way that says whether it took what was sent."""


class NotTaken(Unreachable):
    """The VTN answered, but not about the message: it failed there, and others need not fail."""


class NotServing(Unreachable):
    """A host of the VTN says that it is not the one that answers now."""


@dataclass(frozen=True)
class Action:
    """What the resource is to do.

    Attributes:
        key: name of the action. One that comes twice under one key is done once: the VEN cannot know whether
            what it handed over before it was killed has arrived.
        kind: `perform` the event as it is now, or `withdraw` it.
    """

    key: str
    kind: Literal["perform", "withdraw"]
    event: Event


class Resource(Protocol):
    """What is controlled and measured."""

    def perform(self, action: Action) -> None:
        """Take an action over for good, once a key; Unreachable if it cannot now."""

    def measure(self, r_id: str) -> float:
        """Return a value; Unreachable if it cannot now."""


class Transport(Protocol):
    """The way to the VTN."""

    def exchange(self, service: str, body: bytes) -> bytes:
        """Send a message to a service and return what answers it; Unreachable if nothing does."""


@dataclass(frozen=True, kw_only=True)
class Offer:
    """A data point that can be reported, and its unit."""

    r_id: str
    kind: ReportType
    item: Item
    reading: ReadingType = "Direct Read"


@dataclass(frozen=True, kw_only=True)
class Ven:
    """State and surroundings of one VEN.

    Attributes:
        name: oadrVenName.
        decide: whether it takes part in an event.
        offers: data points; none: it registers no reports.
        signs: its messages have signatures.
        jid: where the VTN reaches it over XMPP; None: it polls.
    """

    database: Database
    transport: Transport
    resource: Resource
    decide: Callable[[Event], OptType]
    now: Callable[[], datetime]
    name: str
    offers: tuple[Offer, ...] = ()
    signs: bool = False
    jid: str | None = None

    def stamp(self) -> str:
        """Return the time as it is kept."""
        return stored(self.now())
