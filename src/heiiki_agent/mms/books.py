"""What each end has kept of orders and events, as the programs `…-book` write it and others read it.

Times are texts as `orders.stamp` writes them.
"""

import hashlib
from dataclasses import dataclass

from heiiki_agent.resource_socket import Done


@dataclass(frozen=True, kw_only=True)
class Given:
    """An order to one site, at DRAS.

    Attributes:
        state: as in `client.desk.Entry`.
        reason: what went wrong the last time; None: nothing did.
    """

    order_id: str
    site: str
    kind: str
    state: str
    reason: str | None


@dataclass(frozen=True, kw_only=True)
class Heard:
    """An event of one site, at DRAS; what tells it from every other is what `Event` has."""

    site: str
    entry_id: int
    made: str
    digest: str


@dataclass(frozen=True, kw_only=True)
class ClientBook:
    """What DRAS has kept."""

    orders: tuple[Given, ...]
    events: tuple[Heard, ...]


@dataclass(frozen=True, kw_only=True)
class Taken:
    """An order, at the controller.

    Attributes:
        body: the order itself.
        received: when it came first.
        answered: when it was done or refused; None: it was not.
        cause: additional cause of a refusal (IEC 61850-7-2 AddCause); None: there was none.
        reason: of a refusal, in words; None: there was none.
    """

    order_id: str
    kind: str
    body: str
    received: str
    answered: str | None
    cause: int | None
    reason: str | None


@dataclass(frozen=True, kw_only=True)
class Event:
    """An event, at the controller.

    Attributes:
        made: when, to the millisecond.
        digest: of its values.
        order_id: the order that it tells of; None: it tells of none.
    """

    entry_id: int
    made: str
    digest: str
    order_id: str | None


@dataclass(frozen=True, kw_only=True)
class ServerBook:
    """What a controller has kept, and what its resource has.

    Attributes:
        done: nothing while it is not known.
        problem: why it is not known what the resource did; None: it is.
    """

    orders: tuple[Taken, ...]
    events: tuple[Event, ...]
    done: tuple[Done, ...]
    problem: str | None


def digest(values: bytes) -> str:
    """Return what tells the content of an event from another's, of its values as MMS has them."""
    return hashlib.sha256(values).hexdigest()
