"""The use cases of demand-response events: sent, listed, shown, cancelled at the VTN of the service."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from heiiki.dispatch import Desk, Event, Order, server
from heiiki.service.model import Service

_AGAIN_S = 1.0


def send_event(service: Service, order: Order) -> Event:
    """Send an event, and return it as the VTN has it.

    Raises:
        HeiikiError: a site is not known or has no VEN, the VTN does not answer, or it refuses the order.
    """
    with _desk(service) as desk:
        return desk.send(order)


def cancel_event(service: Service, event_id: str) -> Event:
    """Cancel an event; each site must answer that, too.

    Raises:
        HeiikiError: there is no such event, or the VTN does not answer.
    """
    with _desk(service) as desk:
        return desk.cancel(event_id)[0]


def show_event(service: Service, event_id: str) -> Event:
    """Return an event and each site's answer.

    Raises:
        HeiikiError: there is no such event, or the VTN does not answer.
    """
    with _desk(service) as desk:
        return desk.show(event_id)[0]


def list_events(service: Service) -> tuple[Event, ...]:
    """Return every event that the VTN knows.

    Raises:
        HeiikiError: the VTN does not answer.
    """
    with _desk(service) as desk:
        return desk.events()


def awaited(
    service: Service, event: Event, within_s: float, report: Callable[[str], None] = lambda _line: None
) -> Event:
    """Wait until every site has answered an event, so many seconds at most, and return it as it is then."""
    until, known = time.monotonic() + within_s, set(event.missing)
    while event.missing and time.monotonic() < until:
        time.sleep(_AGAIN_S)
        event = show_event(service, event.event_id)
        for one in event.answers:
            if one.acknowledged and one.site in known:
                known.discard(one.site)
                report(f"{one.site}: {one.opt}")
    return event


@contextmanager
def _desk(service: Service) -> Iterator[Desk]:
    server(service.plan)  # before a way to a device is opened that is not needed
    with service.management.transport(service.plan, service.hosts) as transport:
        yield Desk(service.plan, transport)
