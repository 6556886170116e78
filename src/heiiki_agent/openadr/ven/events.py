"""What a VEN does with events (OpenADR 2.0b, EiEvent): each version is decided on and done once."""

import logging

from heiiki_agent.database import Row
from heiiki_agent.openadr.events import Event, is_test
from heiiki_agent.openadr.kept import new_id, packed, stored, unpacked
from heiiki_agent.openadr.messages import CreatedEvent, CreateOpt, DistributeEvent
from heiiki_agent.openadr.parts import EiResponse, EventResponse, OptReason, OptType, QualifiedEventId
from heiiki_agent.openadr.ven.model import Action, Ven
from heiiki_agent.openadr.ven.outbox import queue

log = logging.getLogger(__name__)


def take(ven: Ven, ven_id: str, message: DistributeEvent) -> None:
    """Take all events of an answer: one that is known and absent is cancelled (implied)."""
    for row in _absent(ven, message):
        log.info("event %r is no longer there: cancelled", row["event_id"])
        ven.database.execute("UPDATE event SET cancelled = 1 WHERE event_id = ?", row["event_id"])
        if row["opt"] == "optIn":
            _act(ven, unpacked(row["body"]), "withdraw")
    for one in message.events:
        _take(ven, ven_id, message.request_id, one)


def take_pushed(ven: Ven, ven_id: str, message: DistributeEvent) -> bool:
    """Take the events of a message that was not asked for; return whether one that is known is absent.

    That cancels nothing: the message may have been made before an answer that came before it.
    """
    for one in message.events:
        _take(ven, ven_id, message.request_id, one)
    return bool(_absent(ven, message))


def _absent(ven: Ven, message: DistributeEvent) -> list[Row]:
    there = {one.descriptor.event_id for one in message.events}
    live = ven.database.rows(
        "SELECT * FROM event WHERE NOT cancelled AND (ends IS NULL OR ends > ?)", ven.stamp()
    )
    return [row for row in live if row["event_id"] not in there]


def _take(ven: Ven, ven_id: str, request_id: str, one: Event) -> None:
    descriptor = one.descriptor
    about = f"event:{descriptor.modification}:{descriptor.event_id}"
    known = ven.database.row("SELECT * FROM event WHERE event_id = ?", descriptor.event_id)
    if known and descriptor.modification < known["modification"]:
        log.warning(
            "event %r: version %s is older than the one known", descriptor.event_id, descriptor.modification
        )
        return
    if known and descriptor.modification == known["modification"]:
        opt: OptType = known["opt"]
    else:
        opt = _decide(ven, one, took_part=bool(known and known["opt"] == "optIn" and not known["cancelled"]))
    response = EventResponse(
        request_id=request_id,
        event=QualifiedEventId(event_id=descriptor.event_id, modification=descriptor.modification),
        opt=opt,
    )
    # A version that is known is answered as before, by the very message that was made then.
    queue(ven, about, CreatedEvent(response=EiResponse(), events=(response,), ven_id=ven_id))


def _decide(ven: Ven, one: Event, *, took_part: bool) -> OptType:
    cancelled = one.descriptor.status == "cancelled"
    opt: OptType = "optIn" if cancelled else ven.decide(one)
    takes_part = opt == "optIn" and not cancelled
    ven.database.execute(
        "INSERT INTO event VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (event_id) DO UPDATE SET"
        " modification = excluded.modification, opt = excluded.opt, cancelled = excluded.cancelled,"
        " ends = excluded.ends, body = excluded.body",
        one.descriptor.event_id,
        one.descriptor.modification,
        opt,
        int(cancelled),
        stored(one.active.end) if one.active.end else None,
        packed(one),
    )
    if is_test(one):
        return opt
    if takes_part or took_part:
        _act(ven, one, "perform" if takes_part else "withdraw")
    return opt


def change(ven: Ven, ven_id: str, event_id: str, opt: OptType, reason: OptReason) -> bool:
    """Change the answer to an event by an oadrCreateOpt; return whether the event is known and was not so."""
    row = ven.database.row("SELECT * FROM event WHERE event_id = ? AND NOT cancelled", event_id)
    if row is None or row["opt"] == opt:
        return False
    opt_id = new_id()
    message = CreateOpt(
        opt_id=opt_id,
        opt=opt,
        reason=reason,
        ven_id=ven_id,
        created=ven.now(),
        request_id=new_id(),
        event=QualifiedEventId(event_id=event_id, modification=row["modification"]),
    )
    ven.database.execute("UPDATE event SET opt = ? WHERE event_id = ?", opt, event_id)
    queue(ven, f"opt:{opt_id}", message)
    one = unpacked(row["body"])
    if not is_test(one):
        _act(ven, one, "perform" if opt == "optIn" else "withdraw")
    return True


def _act(ven: Ven, one: Event, kind: str) -> None:
    event_id, modification = one.descriptor.event_id, one.descriptor.modification
    same = ven.database.rows(
        "SELECT 1 FROM action WHERE event_id = ? AND modification = ? AND kind = ?",
        event_id,
        modification,
        kind,
    )
    ven.database.execute(
        "INSERT INTO action (event_id, modification, kind, turn, body) VALUES (?, ?, ?, ?, ?)",
        event_id,
        modification,
        kind,
        len(same),
        packed(one),
    )


def perform(ven: Ven) -> None:
    """Hand the resource what it has to do, oldest first; it is done when the resource has taken it.

    Raises:
        Unreachable: the resource does not take it now.
    """
    for row in ven.database.rows("SELECT * FROM action WHERE NOT done ORDER BY number"):
        ven.resource.perform(Action(key_of(row), row["kind"], unpacked(row["body"])))
        with ven.database.transaction():
            ven.database.execute("UPDATE action SET done = 1 WHERE number = ?", row["number"])


def key_of(action: Row) -> str:
    """Return the name under which an action is handed over."""
    return f"{action['event_id']}/{action['modification']}/{action['kind']}/{action['turn']}"
