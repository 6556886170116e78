"""What the books of DRAS, of a controller and of its resource say of one another: is an order or report lost?

An order is lost that one of the three does not have as done; doubled is one that the resource did twice, or
did without being ordered. A report is lost, or doubled, that the controller made and DRAS has not, or has not
once; of each order that was done there is one. What is on its way is not lost yet: it is `pending`.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from heiiki.verify.events.books import Finding
from heiiki_agent.mms.books import ClientBook, Event, Given, Heard, ServerBook

Name = tuple[int, str, str]
"""What tells a report from every other: its EntryID, when it was made, and its content."""


@dataclass(frozen=True, slots=True)
class Compared:
    """What was found at one site.

    Attributes:
        lost, doubled: what is so, as human-readable text.
        pending: what one end has yet to say.
        orders, reports: how many of each are the same at all ends.
    """

    lost: tuple[str, ...]
    doubled: tuple[str, ...]
    pending: tuple[str, ...]
    orders: int
    reports: int


def compared(site: str, client: ClientBook, server: ServerBook) -> Compared:
    """Compare the books of DRAS, of one site's controller and of its resource."""
    found = Finding()
    given = [one for one in client.orders if one.site == site]
    for order in given:
        _order(order, server, found)
    _strange(given, server, found)
    heard = [one for one in client.events if one.site == site]
    _reports(heard, server.events, found)
    return Compared(
        tuple(found.lost), tuple(found.doubled), tuple(found.pending), len(given), len(server.events)
    )


def _order(order: Given, server: ServerBook, found: Finding) -> None:
    what = f"{order.kind} {order.order_id}"
    if order.state == "pending":
        found.pending.append(f"{what}: its answer ({order.reason or 'no answer yet'})")
        return
    if order.state != "done":
        found.lost.append(f"{what}: {order.state} ({order.reason or 'no reason'})")
    answered = [
        one for one in server.orders if one.order_id == order.order_id and one.answered and one.cause is None
    ]
    found.count(len(answered), what, "the controller")
    found.count(sum(one.event_id == order.order_id for one in server.done), what, "the resource")
    reported = sum(one.order_id == order.order_id for one in server.events)
    found.count(reported, f"report of {what}", "the controller")


def _strange(given: Sequence[Given], server: ServerBook, found: Finding) -> None:
    """Note what was done, or taken, and is not in the book of DRAS."""
    known = {one.order_id for one in given}
    found.lost += [
        f"{one.kind} {one.order_id}: not at DRAS" for one in server.orders if one.order_id not in known
    ]
    done = {one.event_id: one.kind for one in server.done if one.event_id not in known}
    found.doubled += [f"{kind} {name}: done, and was not ordered" for name, kind in done.items()]


def _reports(heard: Sequence[Heard], made: Sequence[Event], found: Finding) -> None:
    here, there = Counter(map(_name, made)), Counter(map(_name, heard))
    for name in sorted(set(here) | set(there)):
        what = f"report {name[0]} of {name[1]}"
        found.count(here[name], what, "the controller")
        found.count(there[name], what, "DRAS")


def _name(one: Event | Heard) -> Name:
    return one.entry_id, one.made, one.digest
