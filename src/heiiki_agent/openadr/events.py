"""Events (OpenADR 2.0b, service EiEvent; schemas oadr_ei_20b.xsd and oadr_xcal_20b.xsd)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Literal

from heiiki_agent.openadr.binding import element
from heiiki_agent.openadr.parts import Empty, MarketContext, Target
from heiiki_agent.openadr.units import Item

EventStatus = Literal["none", "far", "near", "active", "completed", "cancelled"]
SignalType = Literal[
    "delta",
    "level",
    "multiplier",
    "price",
    "priceMultiplier",
    "priceRelative",
    "setpoint",
    "x-loadControlCapacity",
    "x-loadControlLevelOffset",
    "x-loadControlPercentOffset",
    "x-loadControlSetpoint",
]
SignalName = Annotated[
    str,
    r"SIMPLE|simple|ELECTRICITY_PRICE|ENERGY_PRICE|DEMAND_CHARGE|BID_PRICE|BID_LOAD|BID_ENERGY|CHARGE_STATE"
    r"|LOAD_DISPATCH|LOAD_CONTROL|x-\S.*",
]


@dataclass(frozen=True, kw_only=True)
class EventDescriptor:
    """What an event is (eventDescriptor).

    Attributes:
        modification: number of the version; each change raises it by one.
        priority: 0 is none, 1 the highest.
        test_event: anything but `false` or nothing is a test.
    """

    event_id: str = element("ei:eventID")
    modification: int = element("ei:modificationNumber")
    modified: datetime | None = element("ei:modificationDateTime", default=None)
    modification_reason: str | None = element("ei:modificationReason", default=None)
    priority: int | None = element("ei:priority", default=None)
    market_context: MarketContext = element("ei:eiMarketContext/emix:marketContext")
    created: datetime = element("ei:createdDateTime")
    status: EventStatus = element("ei:eventStatus")
    test_event: str | None = element("ei:testEvent", default=None)
    comment: str | None = element("ei:vtnComment", default=None)


@dataclass(frozen=True, kw_only=True)
class ActivePeriod:
    """When an event is active (eiActivePeriod).

    Attributes:
        duration: zero: it lasts until it is cancelled or modified.
        tolerance: the VEN may start so much later, at random.
        notification, ramp_up, recovery: x-eiNotification, x-eiRampUp, x-eiRecovery.
    """

    start: datetime = element("xcal:properties/xcal:dtstart/xcal:date-time")
    duration: timedelta = element("xcal:properties/xcal:duration/xcal:duration")
    tolerance: timedelta | None = element(
        "xcal:properties/xcal:tolerance/xcal:tolerate/xcal:startafter", default=None
    )
    notification: timedelta | None = element(
        "xcal:properties/ei:x-eiNotification/xcal:duration", default=None
    )
    ramp_up: timedelta | None = element("xcal:properties/ei:x-eiRampUp/xcal:duration", default=None)
    recovery: timedelta | None = element("xcal:properties/ei:x-eiRecovery/xcal:duration", default=None)
    components: Empty = element("xcal:components", default=Empty())

    @property
    def end(self) -> datetime | None:
        """End of the event; None where it has none."""
        return self.start + self.duration if self.duration else None


@dataclass(frozen=True, kw_only=True)
class Interval:
    """One step of a signal, in order; `uid` numbers it from 0."""

    start: datetime | None = element("xcal:dtstart/xcal:date-time", default=None)
    duration: timedelta | None = element("xcal:duration/xcal:duration", default=None)
    uid: str | None = element("xcal:uid/xcal:text", default=None)
    value: float = element("ei:signalPayload/ei:payloadFloat/ei:value")


@dataclass(frozen=True, kw_only=True)
class Signal:
    """What is asked for in the event (eiEventSignal)."""

    intervals: tuple[Interval, ...] = element("strm:intervals/ei:interval", least=1)
    target: Target | None = element("ei:eiTarget", default=None)
    name: SignalName = element("ei:signalName")
    kind: SignalType = element("ei:signalType")
    signal_id: str = element("ei:signalID")
    item: Item | None = element("emix:itemBase", default=None)
    current_value: float | None = element("ei:currentValue/ei:payloadFloat/ei:value", default=None)


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """What the consumption would have been without the event (eiEventBaseline)."""

    start: datetime = element("xcal:dtstart/xcal:date-time")
    duration: timedelta = element("xcal:duration/xcal:duration")
    intervals: tuple[Interval, ...] = element("strm:intervals/ei:interval", least=1)
    baseline_id: str = element("ei:baselineID")
    resources: tuple[str, ...] = element("ei:resourceID", default=())
    name: str = element("ei:baselineName")
    item: Item | None = element("emix:itemBase", default=None)


@dataclass(frozen=True, kw_only=True)
class Event:
    """An event as a VEN gets it (oadrEvent)."""

    descriptor: EventDescriptor = element("ei:eiEvent/ei:eventDescriptor")
    active: ActivePeriod = element("ei:eiEvent/ei:eiActivePeriod")
    signals: tuple[Signal, ...] = element("ei:eiEvent/ei:eiEventSignals/ei:eiEventSignal", least=1)
    baseline: Baseline | None = element("ei:eiEvent/ei:eiEventSignals/ei:eiEventBaseline", default=None)
    target: Target = element("ei:eiEvent/ei:eiTarget", default=Target(), keep=True)
    response_required: Literal["always", "never"] = element("oadr:oadrResponseRequired", default="always")


def is_test(one: Event) -> bool:
    """Tell whether an event is a test, of which nothing is done (OpenADR 2.0b, testEvent)."""
    return (one.descriptor.test_event or "false").lower() != "false"
