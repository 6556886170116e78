"""Both engines where events are pushed, without a network."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from types import SimpleNamespace

import pytest
from openadr_world import NOW, Clock, Killed, RunningVtn, World, identity, order

from heiiki_agent.database import Database
from heiiki_agent.openadr import messages as m
from heiiki_agent.openadr.codec import decode, encode
from heiiki_agent.openadr.parts import EiResponse, EventResponse, QualifiedEventId
from heiiki_agent.openadr.ven.inbox import Inbox
from heiiki_agent.openadr.vtn import event_service, push
from heiiki_agent.openadr.vtn.context import Context
from heiiki_agent.openadr.vtn.engine import ANY_SERVICE, Request
from heiiki_agent.openadr.vtn.operator import Operator
from heiiki_agent.openadr.vtn.schema import SCHEMA


@pytest.fixture
def vtn(tmp_path: Path) -> Iterator[RunningVtn]:
    who = replace(identity("umeda", "tenma"), transports=("simpleHttp", "xmpp"))
    made = RunningVtn(tmp_path / "vtn.sqlite", who, Clock())
    yield made
    made.stop()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path, seed=0, share=0.0)
    for ven in made.vens:
        made.step(ven)
    yield made
    made.close()


def pushed(world: World, ven: str = "umeda") -> bytes:
    """Return what would be pushed to a VEN now."""
    return encode(event_service.poll(world.context, ven, m.Poll(ven_id=ven)))


def code(answer: bytes) -> str:
    message = decode(answer)
    assert isinstance(message, m.Response)
    return message.response.code


def done(world: World) -> list[str]:
    return [key for key, _ in world.batteries["umeda"].book]


def test_a_ven_registers_by_a_transport_that_the_vtn_has(vtn: RunningVtn, tmp_path: Path) -> None:
    wanted = m.CreatePartyRegistration(request_id="r-1", transport="xmpp", address="umeda@example")
    answer = vtn.ask("umeda", wanted)
    assert (answer.ven_id, answer.response.code) == ("umeda", "200")
    assert [one.name for one in answer.profiles[0].transports] == ["simpleHttp", "xmpp"]
    other = RunningVtn(tmp_path / "other.sqlite", identity("umeda"), Clock())
    assert other.ask("umeda", wanted).response.code == "451"
    other.stop()


def test_a_transport_of_one_address_has_every_service(vtn: RunningVtn) -> None:
    vtn.register("umeda")
    poll = encode(m.Poll(ven_id="umeda"))
    answers = vtn.engine.answer([Request("umeda.example", name, poll) for name in (ANY_SERVICE, "EiEvent")])
    assert [code(one.body) for one in answers] == ["200", "459"]


def test_what_waits_is_what_a_registered_ven_has_not_acknowledged(vtn: RunningVtn) -> None:
    vtn.register("umeda")
    vtn.operator.order(order(vens=("umeda", "tenma")))
    assert event_service.waiting(vtn.context) == {"umeda": frozenset({("e-1", 0)})}
    answer = EventResponse(
        request_id="q-1", event=QualifiedEventId(event_id="e-1", modification=0), opt="optIn"
    )
    vtn.ask("umeda", m.CreatedEvent(response=EiResponse(), events=(answer,), ven_id="umeda"))
    assert event_service.waiting(vtn.context) == {}
    vtn.operator.cancel("e-1")
    assert event_service.waiting(vtn.context) == {"umeda": frozenset({("e-1", 1)})}
    vtn.clock.now = NOW.replace(hour=12)
    assert event_service.waiting(vtn.context) == {}, "it is over"


def test_each_new_version_is_news(tmp_path: Path) -> None:
    told: list[int] = []
    database = Database(tmp_path / "vtn.sqlite", SCHEMA)
    operator = Operator(Context(database, identity("umeda"), Clock(), lambda: told.append(1)))
    for work in (
        lambda: operator.order(order()),
        lambda: operator.order(order()),
        lambda: operator.modify(order(duration="PT2H")),
        lambda: operator.cancel("e-1"),
        lambda: operator.cancel("e-1"),
    ):
        work()
    assert len(told) == 3
    database.close()


def test_what_is_pushed_is_done_once_and_answered_by_the_outbox(world: World) -> None:
    world.operator.order(order())
    engine, body = world.engine("umeda"), pushed(world)
    assert [code(engine.pushed(body)) for _ in range(2)] == ["200", "200"]
    assert world.operator.show("e-1").vens[0].opt == "", "that it has come is no answer"
    for _ in range(2):
        engine.go_on()
    assert (world.operator.show("e-1").vens[0].opt, done(world)) == ("optIn", ["e-1/0/perform/0"])


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        (encode(m.Poll(ven_id="umeda")), "453"),
        (encode(m.DistributeEvent(request_id="q-1", vtn_id="OTHER")), "452"),
        (b"<!DOCTYPE x [<!ENTITY a 'aaaa'>]><x>&a;</x>", "454"),
        (b"x" * 300_000, "454"),
    ],
)
def test_what_is_no_push_of_its_vtn_is_refused(world: World, body: bytes, wanted: str) -> None:
    assert code(world.engine("umeda").pushed(body)) == wanted


def test_a_ven_that_is_not_registered_takes_nothing(tmp_path: Path) -> None:
    made = World(tmp_path, seed=0, share=0.0)
    assert (
        code(made.engine("umeda").pushed(encode(m.DistributeEvent(request_id="q-1", vtn_id="DRAS")))) == "450"
    )
    made.close()


def test_a_push_that_an_answer_overtook_cancels_nothing(world: World) -> None:
    world.operator.order(order())
    late = pushed(world)
    world.operator.order(order("e-2"))
    world.step("umeda")
    engine = world.engine("umeda")
    assert code(engine.pushed(late)) == "200"
    engine.go_on()
    world.step("umeda")
    assert sorted(done(world)) == ["e-1/0/perform/0", "e-2/0/perform/0"]


def test_what_a_push_leaves_out_is_asked_for_and_then_withdrawn(world: World) -> None:
    world.operator.order(order())
    world.step("umeda")
    world.context.database.execute("DELETE FROM event_target WHERE event_id = 'e-1'")
    world.operator.order(order("e-2"))
    engine = world.engine("umeda")
    engine.pushed(pushed(world))
    for _ in range(2):
        engine.go_on()
    assert sorted(done(world)) == ["e-1/0/perform/0", "e-1/0/withdraw/0", "e-2/0/perform/0"]


def test_an_error_tells_nothing_of_what_a_push_left_out(world: World) -> None:
    world.operator.order(order())
    world.step("umeda")
    world.context.database.execute("DELETE FROM event_target WHERE event_id = 'e-1'")
    world.operator.order(order("e-2"))
    engine = world.engine("umeda")
    engine.pushed(pushed(world))
    own, failed = engine.ven, EiResponse(code="469", description="cannot be told now")
    error = encode(m.Response(response=failed, ven_id="umeda"))
    engine.ven = replace(own, transport=SimpleNamespace(exchange=lambda *_: error))
    engine.go_on()
    assert sorted(done(world)) == ["e-1/0/perform/0", "e-2/0/perform/0"]
    engine.ven = own
    for _ in range(2):
        engine.go_on()
    assert sorted(done(world)) == ["e-1/0/perform/0", "e-1/0/withdraw/0", "e-2/0/perform/0"]


@pytest.mark.parametrize("seed", range(12))
def test_nothing_is_lost_or_doubled_whatever_is_lost_and_killed(tmp_path: Path, seed: int) -> None:
    """Pushes are lost, come twice, come late, and meet polls; both ends are killed around commits."""
    world, late = World(tmp_path, seed, 0.15), list[bytes]()
    chance = Random(seed)  # noqa: S311  # repeatable, not secret
    for number in range(1, 30):
        world.operate(lambda one, number=number: one.order(order(f"e-{number}")))  # type: ignore[misc]
        if world.engine("umeda").ven_id is not None:
            late.append(pushed(world))
        for _ in range(chance.randrange(3)):
            if late and isinstance(decode(chosen := chance.choice(late[-4:])), m.DistributeEvent):
                world.push("umeda", chosen)
            world.step("umeda")
    world.faults.quiet = True
    for _ in range(4):
        world.step("umeda")
    assert event_service.waiting(world.context) == {}
    wanted = [f"e-{number}/0/perform/0" for number in range(1, 30) if number % 10]
    assert sorted(done(world)) == sorted(wanted)
    world.close()


def test_a_failure_is_repeated_sooner_than_what_was_taken_and_what_is_new_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [100.0]
    monkeypatch.setattr(push, "time", SimpleNamespace(monotonic=lambda: now[0]))
    one, both = frozenset({("e-1", 0)}), frozenset({("e-1", 0), ("e-2", 0)})
    turn = push._Turn()
    assert turn.is_due(one)
    pauses = []
    for _ in range(6):
        turn.had(one, 10.0, failed=True)
        began = now[0]
        while not turn.is_due(one):
            now[0] += 0.5
        pauses.append(now[0] - began)
    assert pauses == [1.0, 2.0, 4.0, 8.0, 10.0, 10.0]
    turn.had(one, 10.0, failed=False)
    assert turn.is_due(both), "there is a new one"
    now[0] += 9.5
    assert not turn.is_due(one)
    now[0] += 0.5
    assert turn.is_due(one)


def test_what_was_put_in_is_answered_and_what_failed_says_so() -> None:
    inbox = Inbox()
    answers = [inbox.put(b"a"), inbox.put(b"b")]
    first, second = inbox.next(1), inbox.next(1)
    assert first
    assert second
    first.answer_by(lambda body: body + b"!")
    with pytest.raises(Killed):
        second.answer_by(_killed)
    assert answers[0].result(1) == b"a!"
    assert inbox.next(0) is None


def _killed(_body: bytes) -> bytes:
    raise Killed
