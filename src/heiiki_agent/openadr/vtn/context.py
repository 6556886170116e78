"""What every service of a VTN works with."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from heiiki_agent.database import Database
from heiiki_agent.openadr.errors import Code
from heiiki_agent.openadr.kept import stored
from heiiki_agent.openadr.messages import Transport
from heiiki_agent.openadr.parts import EiResponse


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Who a VTN is, and whom it serves.

    Attributes:
        vtn_id: its name in every message.
        vens: venID of each peer, by the name in the peer's certificate.
        poll_every: how often a VEN is asked to poll.
        report_every: how often a VEN is asked for a report of what it offers.
        granularity: time between two values of such a report.
        transports: how it is spoken to.
    """

    vtn_id: str
    vens: Mapping[str, str]
    poll_every: timedelta
    report_every: timedelta
    granularity: timedelta
    transports: tuple[Transport, ...] = ("simpleHttp",)


def _now() -> datetime:
    return datetime.now(UTC)


def _nothing() -> None:
    return


@dataclass(frozen=True)
class Context:
    """State, identity and clock of one VTN; `news` is called where a version of an event is made."""

    database: Database
    identity: Identity
    now: Callable[[], datetime] = _now
    news: Callable[[], None] = _nothing

    def stamp(self) -> str:
        """Return the time as it is kept."""
        return stored(self.now())


def well(request_id: str) -> EiResponse:
    """Return the response to a request that was done."""
    return EiResponse(code=Code.OK, description="OK", request_id=request_id)
