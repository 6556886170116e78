"""What a site reports by itself: how often, that nothing is lost meanwhile, and who may be listened to."""

import json
import signal
import sqlite3
import subprocess
import sys
from datetime import datetime
from itertools import pairwise
from typing import Any

from mms_loopback import SITE, World
from waiting import awaited

from heiiki.verify.mms.books import Compared, compared
from heiiki_agent import config
from heiiki_agent.mms.books import ClientBook, ServerBook


def seconds(report: dict[str, Any]) -> float:
    return (datetime.fromisoformat(report["came"]) - datetime.fromisoformat(report["made"])).total_seconds()


def heard(world: World, kind: str, number: int) -> list[dict[str, Any]]:
    """Wait until so many reports of a kind have come that nobody asked for, and return them."""

    def come() -> list[dict[str, Any]]:
        found = [one for one in world.client.reports()[kind] if not one["asked_for"]]
        return found if len(found) >= number else []

    return awaited(f"{number} reports {kind}", come)


def test_measurements_come_by_themselves_each_second(world: World) -> None:
    found = heard(world, "measurement", 3)
    made = [datetime.fromisoformat(one["made"]) for one in found]
    assert all((later - first).total_seconds() > 0.9 for first, later in pairwise(made))
    assert all(0 <= seconds(one) < 60 for one in found)


def test_a_running_schedule_is_told_at_the_beginning(world: World) -> None:
    times = awaited("a report of the schedule", lambda: world.client.reports()["schedule"])
    assert [one["asked_for"] for one in times] == [True]


def test_what_an_operator_asks_for_comes_at_once_and_is_told_to_that_one_alone(world: World) -> None:
    """The schedule is due in half an hour: had it ceased, one that was asked for would hide that."""
    heard(world, "measurement", 1)
    (found,) = world.client.ask("interrogate")
    asked = {one["name"]: one["times"] for one in found["reports"]}
    assert (found["problem"], {name: len(times) for name, times in asked.items()}) == (
        None,
        {"measurement": 1, "event": 0, "schedule": 1},
    )
    assert all(one["asked_for"] and 0 <= seconds(one) < 60 for times in asked.values() for one in times)
    assert len(world.client.reports()["schedule"]) == 1
    assert asked["schedule"][0] not in world.client.reports()["schedule"]
    (again,) = world.client.ask("interrogate")
    assert again["problem"] is None


def test_who_is_away_cannot_be_asked_to_report(world: World) -> None:
    heard(world, "measurement", 1)
    world.server.end(signal.SIGKILL)
    awaited("it is away", lambda: world.client.ask("reports")[0]["problem"])
    (found,) = world.client.ask("interrogate")
    assert found["problem"]
    assert not any(one["times"] for one in found["reports"])


def test_an_order_is_an_event_and_so_is_a_resource_that_does_not_answer(world: World) -> None:
    heard(world, "measurement", 1)
    assert world.client.set("o-1", -5000.0)["state"] == "done"
    heard(world, "event", 1)
    # Another order of the same power; the same order again is none.
    assert world.client.set("o-2", -5000.0)["state"] == "done"
    heard(world, "event", 2)
    assert world.client.set("o-2", -5000.0)["state"] == "done"
    world.resource.end(signal.SIGKILL)
    heard(world, "event", 3)
    world.resource.start()
    assert len(heard(world, "event", 4)) == 4


def test_events_are_kept_while_nobody_listens(world: World) -> None:
    assert world.client.set("o-1", -5000.0)["state"] == "done"
    before = heard(world, "event", 1)
    world.client.end(signal.SIGKILL)
    world.resource.end(signal.SIGKILL)
    awaited("the server has a problem", lambda: "resource" in world.server.status.read_text())
    world.resource.start()
    world.client.start()
    # It is told of what it missed, and not again of what it has.
    missed = heard(world, "event", 2)
    assert not {one["made"] for one in before} & {one["made"] for one in missed}
    agreed(world, orders=1, reports=3)


def test_what_a_server_that_is_killed_had_not_told_yet_is_told_later(world: World) -> None:
    assert world.client.set("o-1", -5000.0)["state"] == "done"
    heard(world, "event", 1)
    world.client.end(signal.SIGKILL)
    world.resource.end(signal.SIGKILL)
    awaited("an alarm", lambda: events(world) == 2)
    world.server.end(signal.SIGKILL)
    # As if it had been killed when the order was done and nothing told of it yet.
    with sqlite3.connect(world.server.config.parent / "server.sqlite") as database:
        database.execute("DELETE FROM event WHERE order_id = 'o-1'")
        database.execute("UPDATE event SET operations = 0")
    with sqlite3.connect(world.client.config.parent / "client.sqlite") as database:
        database.execute("DELETE FROM event")
    world.resource.start()
    world.server.start()
    world.client.start()
    # The alarm of before, and the order.
    agreed(world, orders=1, reports=2)


def test_a_schedule_is_an_event_of_its_order(world: World) -> None:
    order = {
        "order_id": "s-1",
        "start": "2026-12-01T08:00:00Z",
        "interval_s": 1,
        "powers_w": [1000.0],
    }
    (entry,) = world.client.ask("order", kind="schedule", order=order)
    assert entry["state"] == "done"
    agreed(world, orders=1, reports=1)


def agreed(world: World, orders: int, reports: int) -> None:
    """Wait until the books of all ends are the same, and have so many of each."""
    expected = Compared((), (), (), orders, reports)
    awaited(f"{orders} orders and {reports} reports in all books", lambda: books(world) == expected)


def events(world: World) -> int:
    """How many events the controller has."""
    return len(_book(world, "server", ServerBook).events)


def books(world: World) -> Compared:
    """Compare the books of all ends."""
    return compared("umeda", _book(world, "client", ClientBook), _book(world, "server", ServerBook))


def _book(world: World, end: str, kind: Any) -> Any:
    file = (world.client if end == "client" else world.server).config
    command = (sys.executable, "-m", "heiiki_agent.mms", f"{end}-book", "--config", str(file), "--orders", "")
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert json.loads(said)
    return config.parse(kind, said, end)


def test_a_server_that_was_killed_is_listened_to_again(world: World) -> None:
    heard(world, "measurement", 1)
    world.server.end(signal.SIGKILL)
    awaited("the client says so", lambda: world.client.ask("reports")[0]["problem"])
    before = len(world.client.reports()["measurement"])
    world.server.start()
    heard(world, "measurement", before + 1)


def test_new_lists_begin_every_association_again(world: World) -> None:
    heard(world, "measurement", 1)
    world.authority.revoke(world.authority.folder / f"{SITE}.pem")
    assert world.client.process
    world.client.process.send_signal(signal.SIGHUP)

    def told() -> bool:
        return "certificate: certificate revoked" in (world.client.ask("reports")[0]["problem"] or "")

    awaited("a revoked site is listened to no more", told)


def test_orders_and_questions_have_sessions_of_their_own(world: World) -> None:
    heard(world, "measurement", 1)
    (shown,) = world.client.ask("show")
    assert shown["problem"] is None
    found = heard(world, "measurement", 3)
    assert len([one for one in world.client.reports()["schedule"] if one["asked_for"]]) == 1, found
