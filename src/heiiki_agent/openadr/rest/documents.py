"""What the REST API takes and gives. Times are in UTC (RFC 3339), durations as in ISO 8601."""

from dataclasses import dataclass
from typing import Annotated

from heiiki_agent.openadr.events import EventStatus
from heiiki_agent.openadr.vtn.orders import Length, Moment, SignalOrder

Opt = Annotated[str, "optIn|optOut"]


@dataclass(frozen=True, kw_only=True)
class NewEvent:
    """A demand-response event that is to be sent to sites."""

    sites: Annotated[tuple[str, ...], 1]
    start: Moment
    duration: Length
    signals: Annotated[tuple[SignalOrder, ...], 1]
    priority: Annotated[int, range(256)] = 0
    ramp_up: Length = "PT0S"
    test: bool = False


@dataclass(frozen=True, kw_only=True)
class SiteAnswer:
    """What a site does about the newest version of an event; `acknowledged`: it has answered this version."""

    site: str
    opt: Opt | None
    acknowledged: bool


@dataclass(frozen=True, kw_only=True)
class EventState:
    """An event, and what its sites answer; `version` is its modificationNumber in OpenADR."""

    event_id: str
    version: int
    status: EventStatus
    start: Moment
    duration: Length
    test: bool
    sites: tuple[SiteAnswer, ...]


@dataclass(frozen=True, kw_only=True)
class Events:
    """Events of this ESP, in the order in which they were sent; `more`: ask again `after` the last one."""

    items: tuple[EventState, ...]
    more: bool


@dataclass(frozen=True, kw_only=True)
class SiteState:
    """A site that this ESP may address; `registered`: its controller is registered at the VTN."""

    site: str
    registered: bool


@dataclass(frozen=True, kw_only=True)
class Sites:
    """Every site that this ESP may address."""

    items: tuple[SiteState, ...]


@dataclass(frozen=True, kw_only=True)
class OptState:
    """An opt that a site declared by itself; without an event it says when the site is available."""

    opt_id: str
    opt: Opt
    event_id: str | None
    received: Moment
    cancelled: bool


@dataclass(frozen=True, kw_only=True)
class Opts:
    """Opts of a site, as they came; `more`: ask again `after` the last one."""

    items: tuple[OptState, ...]
    more: bool


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A value of a report; what is no number, such as the state of a resource, is left out."""

    r_id: str
    start: Moment | None
    duration: Length | None
    value: float


@dataclass(frozen=True, kw_only=True)
class ReportState:
    """A report of a site; `report_id` is permanent."""

    report_id: str
    created: Moment
    received: Moment
    values: tuple[Measured, ...]


@dataclass(frozen=True, kw_only=True)
class Reports:
    """Reports of a site, as they came; `more`: ask again `after` the last one."""

    items: tuple[ReportState, ...]
    more: bool
