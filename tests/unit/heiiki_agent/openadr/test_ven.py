"""The VEN, and the three books compared: what was ordered, what was answered, what the resource did."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from openadr_exercise import compared, done, exercise, slots
from openadr_world import NOW, World, order

from heiiki_agent.database import Database
from heiiki_agent.openadr import messages as m
from heiiki_agent.openadr.codec import decode, encode
from heiiki_agent.openadr.parts import EiResponse
from heiiki_agent.openadr.ven import events
from heiiki_agent.openadr.ven.model import NotTaken, Unreachable
from heiiki_agent.openadr.ven.outbox import queue
from heiiki_agent.openadr.vtn import engine
from heiiki_agent.openadr.vtn.context import Context
from heiiki_agent.openadr.vtn.schema import SCHEMA

SEEDS = range(12)
SHARE = 0.15


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path, seed=0, share=0.0)
    for ven in made.vens:
        made.step(ven)
    yield made
    made.close()


def book(world: World, event_id: str = "e-1") -> list[tuple[str, str, bool]]:
    return [(one.ven_id, one.opt, one.acknowledged) for one in world.operator.show(event_id).vens]


def test_an_event_is_answered_and_done_once(world: World) -> None:
    world.operator.order(order(vens=("umeda", "tenma")))
    for _ in range(3):
        world.step("umeda")
    assert book(world) == [("tenma", "", False), ("umeda", "optIn", True)]
    assert (done(world), done(world, "tenma")) == (["e-1/0/perform/0"], [])


def test_what_it_opts_out_of_is_not_done(world: World) -> None:
    world.operator.order(order("e-0"))
    world.step("umeda")
    assert book(world, "e-0") == [("umeda", "optOut", True)]
    assert done(world) == []


def test_a_new_version_is_done_and_a_cancellation_withdraws(world: World) -> None:
    world.operator.order(order())
    world.step("umeda")
    world.operator.modify(order(duration="PT2H"))
    world.step("umeda")
    world.operator.cancel("e-1")
    for _ in range(2):
        world.step("umeda")
    assert done(world) == ["e-1/0/perform/0", "e-1/1/perform/0", "e-1/2/withdraw/0"]
    assert book(world) == [("umeda", "optIn", True)]


def test_an_event_that_is_first_seen_cancelled_is_acknowledged_and_not_done(world: World) -> None:
    world.operator.order(order())
    world.operator.cancel("e-1")
    world.step("umeda")
    assert book(world) == [("umeda", "optIn", True)]
    assert done(world) == []


def test_a_test_event_is_answered_and_not_done(world: World) -> None:
    world.operator.order(order(test=True))
    world.step("umeda")
    assert book(world) == [("umeda", "optIn", True)]
    assert done(world) == []


def test_an_event_that_is_left_out_is_withdrawn(world: World) -> None:
    world.operator.order(order())
    world.step("umeda")
    database = world.context.database
    database.execute("DELETE FROM event_target WHERE event_id = 'e-1'")
    world.operator.order(order("e-2"))
    for _ in range(2):
        world.step("umeda")
    assert done(world) == ["e-1/0/perform/0", "e-1/0/withdraw/0", "e-2/0/perform/0"]


def test_an_error_in_place_of_events_cancels_nothing(world: World) -> None:
    world.operator.order(order())
    world.step("umeda")
    ven = world.engine("umeda")

    class Refusing:
        def exchange(self, *_: object) -> bytes:
            refused = m.DistributeEvent(response=EiResponse(code="463"), request_id="x", vtn_id="DRAS")
            return encode(refused)

    object.__setattr__(ven.ven, "transport", Refusing())
    ven.step()
    assert done(world) == ["e-1/0/perform/0"]


def test_another_vtns_events_are_not_taken(world: World) -> None:
    world.operator.order(order())
    ven = world.engine("umeda")
    ven.ven.database.execute("UPDATE registration SET vtn_id = 'OTHER'")
    ven.step()
    assert (book(world), done(world)) == ([("umeda", "", False)], [])


def test_a_vtn_that_forgot_an_answer_gets_the_same_again(world: World) -> None:
    world.operator.order(order())
    world.step("umeda")
    world.context.database.execute("DELETE FROM event_answer")
    world.step("umeda")
    assert book(world) == [("umeda", "optIn", True)]
    assert done(world) == ["e-1/0/perform/0"]


def test_a_ven_changes_its_mind_and_back(world: World) -> None:
    world.operator.order(order())
    world.step("umeda")
    ven = world.engine("umeda")
    assert ven.change("e-1", "optOut")
    assert not ven.change("e-1", "optOut")
    assert not ven.change("e-9", "optOut")
    world.step("umeda")
    assert book(world) == [("umeda", "optOut", True)]
    assert done(world) == ["e-1/0/perform/0", "e-1/0/withdraw/0"]
    assert ven.change("e-1", "optIn")
    world.step("umeda")
    assert book(world) == [("umeda", "optIn", True)]


def test_a_vtn_that_is_away_is_polled_again_and_the_resource_works_on(world: World) -> None:
    ven = world.engine("umeda")
    world.operator.order(order())
    line = ven.ven.transport

    class Away:
        def exchange(self, service: str, body: bytes) -> bytes:
            if service == "OadrPoll":
                return line.exchange(service, body)
            raise Unreachable(service)

    object.__setattr__(ven.ven, "transport", Away())
    with pytest.raises(Unreachable):
        ven.step()
    assert done(world) == ["e-1/0/perform/0"]
    assert book(world) == [("umeda", "", False)]
    object.__setattr__(ven.ven, "transport", line)
    ven.step()
    assert book(world) == [("umeda", "optIn", True)]


def test_a_refused_message_is_kept_with_its_code_and_blocks_no_other(world: World) -> None:
    ven = world.engine("umeda")
    world.operator.order(order())
    with ven.ven.database.transaction():
        queue(ven.ven, "x", m.CancelOpt(request_id="q", opt_id="none", ven_id="umeda"))
    ven.step()
    row = ven.ven.database.row("SELECT state, code FROM outbox WHERE about = 'x'")
    assert row
    assert tuple(row) == ("refused", "452")
    assert book(world) == [("umeda", "optIn", True)]


def test_a_message_that_fails_at_the_vtn_keeps_no_other_back(world: World) -> None:
    ven = world.engine("umeda")
    queue(ven.ven, "x", m.CancelOpt(request_id="q", opt_id="none", ven_id="umeda"))
    world.operator.order(order())
    line = ven.ven.transport

    class Failing:
        def exchange(self, service: str, body: bytes) -> bytes:
            if service == "EiOpt":
                raise NotTaken("HTTP 500")
            return line.exchange(service, body)

    object.__setattr__(ven.ven, "transport", Failing())
    ven.step()
    assert book(world) == [("umeda", "optIn", True)]
    row = ven.ven.database.row("SELECT state FROM outbox WHERE about = 'x'")
    assert row
    assert row["state"] == "pending"


def test_a_vtn_that_lost_its_registration_gets_it_and_what_was_pending(world: World) -> None:
    world.operator.order(order())
    world.context.database.execute("DELETE FROM ven")
    for _ in range(3):
        world.step("umeda")
    assert book(world) == [("umeda", "optIn", True)]


def test_each_slot_of_a_report_is_measured_and_kept_once(world: World) -> None:
    for minute in range(4):
        world.clock.now = NOW + timedelta(minutes=minute)
        for _ in range(2):
            world.step("umeda")
    assert slots(world, "umeda") == ([1.0, 2.0, 3.0, 4.0], 0)


def test_what_is_over_is_forgotten(world: World) -> None:
    world.operator.order(order())
    world.step("umeda")
    world.clock.now = NOW + timedelta(days=9)
    ven = world.engine("umeda")
    ven.forget(timedelta(days=7))
    rows = ven.ven.database.rows
    left = [rows("SELECT 1 FROM event"), rows("SELECT 1 FROM action"), rows("SELECT 1 FROM outbox")]
    assert left == [[], [], []]


def test_nothing_is_lost_or_doubled_whatever_fails(tmp_path: Path) -> None:
    happened: Counter[str] = Counter()
    for seed in SEEDS:
        place = tmp_path / str(seed)
        place.mkdir()
        world = World(place, seed, SHARE)
        exercise(world)
        assert compared(world) == {}, seed
        happened.update(world.faults.happened)
        world.close()
    assert {point: count for point, count in happened.items() if count < 10} == {}
    assert len(happened) == 9


def test_a_mutant_that_takes_what_was_sent_for_received_is_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "heiiki_agent.openadr.ven.outbox._mark", lambda ven, row, _answer: sent(ven.database, row)
    )
    monkeypatch.setattr("heiiki_agent.openadr.ven.outbox.exchange", sending)
    # Lost answers to events are mended by the VTN, which goes on asking; nothing asks for a report again.
    assert found(tmp_path) == {"reports"}


def sent(database: Database, row: "dict[str, object]") -> None:
    database.execute("UPDATE outbox SET state = 'done' WHERE number = ?", row["number"])


def sending(ven: events.Ven, service: str, body: bytes) -> m.Message:
    try:
        return decode(ven.transport.exchange(service, body))
    except Unreachable:
        return m.Response(response=EiResponse(code="200"))


def test_a_mutant_that_does_not_look_at_the_key_of_an_action_is_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Forgetful(set[str]):
        def __contains__(self, key: object) -> bool:
            return False

    monkeypatch.setattr("openadr_world.set", Forgetful, raising=False)
    assert found(tmp_path) == {"done twice", "VEN and resource differ"}


def test_a_mutant_of_the_vtn_that_sends_an_event_once_is_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: set[tuple[object, str, str, int]] = set()

    def poll_once(context: Context, ven_id: str, message: m.Poll) -> m.Message:
        answer = poll(context, ven_id, message)
        assert isinstance(answer, m.DistributeEvent | m.Response)
        versions = (
            (context.identity, ven_id, one.descriptor.event_id, one.descriptor.modification)
            for one in getattr(answer, "events", ())
        )
        new = set(versions) - told
        told.update(new)
        return answer if new else m.Response(response=EiResponse(), ven_id=ven_id)

    poll = engine.HANDLERS[m.Poll]
    monkeypatch.setattr(engine, "HANDLERS", {**engine.HANDLERS, m.Poll: poll_once})
    assert "VTN and VEN differ" in found(tmp_path)


def test_a_mutant_of_the_vtn_without_keys_is_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = ",\n    UNIQUE (ven_id, report_request_id, created, digest)"
    assert key in SCHEMA
    monkeypatch.setattr("openadr_world.SCHEMA", SCHEMA.replace(key, ""))
    monkeypatch.setattr(engine, "REPEATABLE_REPORTS", ())
    assert found(tmp_path) == {"reports"}


def found(folder: Path) -> set[str]:
    """Return the kinds of difference that a mutant makes."""
    kinds: set[str] = set()
    for seed in SEEDS[:3]:
        place = folder / str(seed)
        place.mkdir()
        world = World(place, seed, share=SHARE)
        exercise(world)
        kinds |= {text.partition(": ")[2] for text in compared(world)}
        world.close()
    return kinds
