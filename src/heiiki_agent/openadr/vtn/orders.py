"""What an operator orders: an event, as plain values."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

from heiiki_agent.openadr.events import (
    ActivePeriod,
    Event,
    EventDescriptor,
    EventStatus,
    Interval,
    Signal,
    SignalType,
)
from heiiki_agent.openadr.values import format_date_time, format_duration, parse_date_time, parse_duration

Moment = Annotated[str, lambda text: format_date_time(parse_date_time(text))]
Length = Annotated[str, lambda text: format_duration(parse_duration(text))]


@dataclass(frozen=True, kw_only=True)
class Step:
    """One interval of a signal."""

    duration: Length
    value: float


@dataclass(frozen=True, kw_only=True)
class SignalOrder:
    """What is asked for, step by step from the start of the event."""

    name: str
    kind: SignalType
    steps: Annotated[tuple[Step, ...], 1]


@dataclass(frozen=True, kw_only=True)
class EventOrder:
    """An event.

    Attributes:
        event_id: its permanent name; the same order again changes nothing.
        vens: who gets it.
        start, duration: when it is active; a duration of zero: until it is cancelled.
        priority: 0 is none, 1 the highest.
        test: it is a test, and nothing is to be done.
    """

    event_id: Annotated[str, r"[A-Za-z0-9._:-]{1,64}"]
    vens: Annotated[tuple[str, ...], 1]
    start: Moment
    duration: Length
    signals: Annotated[tuple[SignalOrder, ...], 1]
    market_context: str = "http://localhost"
    priority: Annotated[int, range(256)] = 0
    ramp_up: Length = "PT0S"
    test: bool = False


def event(order: EventOrder, modification: int, now: datetime) -> Event:
    """Return the version `modification` of the event that was ordered; for whom is not in it.

    Raises:
        ValueError: a value is none that OpenADR has.
    """
    return Event(
        descriptor=EventDescriptor(
            event_id=order.event_id,
            modification=modification,
            priority=order.priority,
            market_context=order.market_context,
            created=now,
            status="far",
            test_event="true" if order.test else None,
        ),
        active=ActivePeriod(
            start=parse_date_time(order.start),
            duration=parse_duration(order.duration),
            ramp_up=parse_duration(order.ramp_up),
        ),
        signals=tuple(_signal(one, number) for number, one in enumerate(order.signals)),
    )


def _signal(order: SignalOrder, number: int) -> Signal:
    return Signal(
        intervals=tuple(
            Interval(duration=parse_duration(step.duration), uid=str(at), value=step.value)
            for at, step in enumerate(order.steps)
        ),
        name=order.name,
        kind=order.kind,
        signal_id=str(number),
        current_value=0.0 if order.name == "SIMPLE" else None,
    )


def status(one: Event, now: datetime) -> EventStatus:
    """Return what an event is at this time (OpenADR 2.0b, eventStatus)."""
    active = one.active
    if one.descriptor.status == "cancelled":
        return "cancelled"
    if active.end and now >= active.end:
        return "completed"
    if now >= active.start:
        return "active"
    return "near" if now >= active.start - (active.ramp_up or timedelta(0)) else "far"


def in_order(events: Sequence[Event]) -> list[Event]:
    """Return events as a VEN wants them: active ones first, then by priority, then by start."""
    return sorted(
        events,
        key=lambda one: (
            one.descriptor.status != "active",
            one.descriptor.priority or 256,
            one.active.start,
            one.descriptor.event_id,
        ),
    )
