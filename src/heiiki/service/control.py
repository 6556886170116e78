"""The use cases of direct control: resources are shown and ordered at the DRAS, whose book is read."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from heiiki.control import Desk, Entry, Order, Reported, Shown, client
from heiiki.service.model import Service


def order_control(
    service: Service, order: Order, sites: Sequence[str], valid_s: float, wait_s: float
) -> tuple[Entry, ...]:
    """Give an order to sites, and return what came of it within `wait_s`.

    Raises:
        HeiikiError: a site is not known or has no direct control, or the DRAS does not take the order.
    """
    with _desk(service) as desk:
        return desk.order(order, sites, valid_s, wait_s)


def show_control(service: Service, sites: Sequence[str]) -> tuple[Shown, ...]:
    """Return how the resources of some sites are.

    Raises:
        HeiikiError: a site is not known or has no direct control, or the DRAS does not answer.
    """
    with _desk(service) as desk:
        return desk.show(sites)


def book_of_control(service: Service, sites: Sequence[str], most: int) -> tuple[Entry, ...]:
    """Return the last orders to some sites, or to all where none is named.

    Raises:
        HeiikiError: a site is not known or has no direct control, or the DRAS does not answer.
    """
    with _desk(service) as desk:
        return desk.book(sites, most)


def reports_of_control(service: Service, sites: Sequence[str]) -> tuple[Reported, ...]:
    """Return when the last reports of some sites were made, and when they came.

    Raises:
        HeiikiError: a site is not known or has no direct control, or the DRAS does not answer.
    """
    with _desk(service) as desk:
        return desk.reports(sites)


@contextmanager
def _desk(service: Service) -> Iterator[Desk]:
    client(service.plan)  # before a way to a device is opened that is not needed
    with service.management.transport(service.plan, service.hosts) as transport:
        yield Desk(service.plan, transport)
