"""An exercise for a VTN and its VENs while faults strike, and what their books say of one another then."""

from collections import Counter
from datetime import timedelta

from openadr_world import World, order

from heiiki_agent.openadr import messages as m
from heiiki_agent.openadr.codec import decode


def done(world: World, ven: str = "umeda") -> list[str]:
    return [key for key, _ in world.batteries[ven].book]


def slots(world: World, ven: str) -> tuple[list[float], int]:
    """Return the values that the VTN has of a VEN, and how many reports are still to be sent."""
    rows = world.context.database.rows("SELECT body FROM report WHERE ven_id = ? ORDER BY number", ven)
    values = []
    for row in rows:
        message = decode(row["body"])
        assert isinstance(message, m.UpdateReport)
        values.append(message.reports[0].intervals[0].payloads[0].value.value)  # type: ignore[union-attr]
    pending = world.engine(ven).ven.database.rows("SELECT 1 FROM outbox WHERE state = 'pending'")
    return values, len(pending)


def compared(world: World) -> dict[str, object]:
    """Return what is lost or doubled, by comparing the three books; nothing when all is well."""
    wrong: dict[str, object] = {}
    for ven in world.vens:
        database = world.engine(ven).ven.database
        decided = {
            (row["event_id"], row["modification"]): row["opt"] for row in database.rows("SELECT * FROM event")
        }
        ordered = {
            (state.event_id, state.modification): one.opt
            for state in world.operator.events()
            for one in state.vens
            if one.ven_id == ven
        }
        if decided != ordered:
            wrong[f"{ven}: VTN and VEN differ"] = (ordered, decided)
        doubled = {key: count for key, count in Counter(done(world, ven)).items() if count > 1}
        if doubled:
            wrong[f"{ven}: done twice"] = doubled
        asked = [
            f"{row['event_id']}/{row['modification']}/{row['kind']}/{row['turn']}"
            for row in database.rows("SELECT * FROM action ORDER BY number")
        ]
        if asked != done(world, ven):
            wrong[f"{ven}: VEN and resource differ"] = (asked, done(world, ven))
        last = {key.split("/")[0]: key.split("/")[2] for key in done(world, ven)}
        performing = {event_id for event_id, kind in last.items() if kind == "perform"}
        wanted = {
            state.event_id
            for state in world.operator.events()
            if state.status != "cancelled" and not state.event_id.endswith("0")
        }
        if performing != wanted:
            wrong[f"{ven}: the resource does something else"] = (wanted, performing)
        kept, pending = slots(world, ven)
        sent = database.rows("SELECT 1 FROM outbox WHERE about LIKE 'report:%'")
        if pending or len(kept) != len(sent) or len(set(kept)) != len(kept):
            wrong[f"{ven}: reports"] = (pending, len(kept), len(sent))
    return wrong


def exercise(world: World) -> None:
    """Order, modify and cancel events while VENs poll and faults strike; then let all of it come to rest."""
    vens = world.vens
    for number in range(8):
        name = f"e-{number}"
        world.operate(lambda operator, name=name: operator.order(order(name, vens)))  # type: ignore[misc]
        for _ in range(2):
            for ven in vens:
                world.step(ven)
        if number % 3 == 1:
            world.operate(lambda operator, name=name: operator.modify(order(name, vens, duration="PT2H")))  # type: ignore[misc]
        if number % 4 == 2:
            world.operate(lambda operator, name=name: operator.cancel(name))  # type: ignore[misc]
        world.clock.now += timedelta(minutes=1)
    world.faults.quiet = True
    for _ in range(3):
        for ven in vens:
            world.step(ven)
