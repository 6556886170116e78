"""Services EiEvent and OadrPoll (OpenADR 2.0b, events): each version of an event until it is acknowledged."""

from dataclasses import replace

from heiiki_agent.database import Row
from heiiki_agent.openadr.errors import Code, Refused
from heiiki_agent.openadr.kept import new_id, unpacked
from heiiki_agent.openadr.messages import CreatedEvent, DistributeEvent, Message, RequestEvent, Response
from heiiki_agent.openadr.parts import EiResponse, EventResponse, Target
from heiiki_agent.openadr.vtn.context import Context, well
from heiiki_agent.openadr.vtn.orders import in_order, status

_LIVE = """
SELECT version.body, event.event_id, event.modification, answer.opt IS NOT NULL AS answered
FROM event_target AS target
JOIN event ON event.event_id = target.event_id
JOIN event_version AS version
    ON version.event_id = event.event_id AND version.modification = event.modification
LEFT JOIN event_answer AS answer
    ON answer.ven_id = target.ven_id AND answer.event_id = event.event_id
    AND answer.modification = event.modification
WHERE target.ven_id = ? AND (event.ends IS NULL OR event.ends > ?)
    AND NOT (event.cancelled AND answer.opt IS NOT NULL)
"""

_WAITING = """
SELECT target.ven_id, event.event_id, event.modification FROM event_target AS target
JOIN ven ON ven.ven_id = target.ven_id
JOIN event ON event.event_id = target.event_id
LEFT JOIN event_answer AS answer
    ON answer.ven_id = target.ven_id AND answer.event_id = event.event_id
    AND answer.modification = event.modification
WHERE answer.opt IS NULL AND (event.ends IS NULL OR event.ends > ?)
"""
Version = tuple[str, int]
"""eventID and modificationNumber."""


def waiting(context: Context) -> dict[str, frozenset[Version]]:
    """Return the versions of live events that VENs have not acknowledged, for each that is registered."""
    found: dict[str, set[Version]] = {}
    for row in context.database.rows(_WAITING, context.stamp()):
        found.setdefault(row["ven_id"], set()).add((row["event_id"], row["modification"]))
    return {ven_id: frozenset(versions) for ven_id, versions in found.items()}


def poll(context: Context, ven_id: str, _message: Message) -> Message:
    """Answer oadrPoll: while one live event is not acknowledged, all of them; else that there is nothing.

    An event that is left out counts as cancelled (conformance: implied cancel), so it is all or none. That an
    answer was sent means nothing: only an oadrCreatedEvent does.
    """
    rows = context.database.rows(_LIVE, ven_id, context.stamp())
    if all(row["answered"] for row in rows):
        return Response(response=well(""), ven_id=ven_id)
    return _distributed(context, ven_id, rows, None)


def request(context: Context, ven_id: str, message: RequestEvent) -> Message:
    """Answer oadrRequestEvent: all live events, acknowledged or not.

    A replyLimit is not kept to: what it cut off would count as cancelled.
    """
    rows = context.database.rows(_LIVE, ven_id, context.stamp())
    return _distributed(context, ven_id, rows, well(message.request_id))


def created(context: Context, ven_id: str, message: CreatedEvent) -> Message:
    """Take oadrCreatedEvent: each answer to a version counts once, the first one; wrong ones are named."""
    problems = [problem for one in message.events if (problem := _taken(context, ven_id, one)) is not None]
    if problems:
        raise Refused(problems[0].code, "; ".join(problem.description for problem in problems))
    return Response(response=well(message.response.request_id), ven_id=ven_id)


def _taken(context: Context, ven_id: str, answer: EventResponse) -> Refused | None:
    event_id, modification = answer.event.event_id, answer.event.modification
    name = f"event {event_id} version {modification}"
    if not context.database.row(
        "SELECT 1 FROM event_version JOIN event_target USING (event_id)"
        " WHERE ven_id = ? AND event_id = ? AND modification = ?",
        ven_id,
        event_id,
        modification,
    ):
        return Refused(Code.INVALID_ID, f"{name} is not known")
    new = context.database.execute(
        "INSERT INTO event_answer VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        ven_id,
        event_id,
        modification,
        answer.opt,
        answer.code,
        context.stamp(),
    )
    row = context.database.row(
        "SELECT opt FROM event_answer WHERE ven_id = ? AND event_id = ? AND modification = ?",
        ven_id,
        event_id,
        modification,
    )
    if not new and row and row["opt"] != answer.opt:
        return Refused(Code.NOT_ALLOWED, f"{name} has another answer; send an oadrCreateOpt to change it")
    return None


def _distributed(
    context: Context, ven_id: str, rows: list[Row], response: EiResponse | None
) -> DistributeEvent:
    now = context.now()
    # Each VEN reads its own name alone: who else takes part is not its business.
    target = Target(vens=(ven_id,))
    events = [
        replace(one, descriptor=replace(one.descriptor, status=status(one, now)), target=target)
        for one in (unpacked(row["body"]) for row in rows)
    ]
    return DistributeEvent(
        response=response,
        request_id=new_id(),
        vtn_id=context.identity.vtn_id,
        events=tuple(in_order(events)),
    )
