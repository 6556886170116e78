"""The use cases of demand-response events, at the VTN of the service, and which of its hosts writes."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from heiiki import vtn_hosts
from heiiki.dispatch import Desk, Event, Order
from heiiki.service.model import Service
from heiiki.transport import Transport
from heiiki.vtn_hosts import Takeover

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


def take_over(service: Service, device: str, *, unasked: bool = False) -> Takeover:
    """Have a host of the VTN write, alone until the other one has the whole book.

    Args:
        service: whose VTN it is.
        device: the host.
        unasked: the other host may be out of reach.

    Raises:
        HeiikiError: the VTN has no second host, one of them cannot be asked, or the host must not take over.
    """
    with _way(service) as transport:
        return vtn_hosts.take_over(service.plan, transport, device, unasked=unasked)


def begin_writing(service: Service, *, change: bool = True) -> Takeover | None:
    """Have the first host write where neither of two was ever made the writer; None: nothing is due.

    Args:
        service: whose VTN it is.
        change: not so: only say what is due.

    Raises:
        HeiikiError: it is not known whether something is due, or the VTN refuses.
    """
    with _way(service) as transport:
        return vtn_hosts.begin(service.plan, transport, change=change)


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
    with _way(service) as transport:
        yield Desk(service.plan, transport)


@contextmanager
def _way(service: Service) -> Iterator[Transport]:
    vtn_hosts.in_service(service.plan)  # before a way to a device is opened that is not needed
    with service.management.transport(service.plan, service.hosts) as transport:
        yield transport
