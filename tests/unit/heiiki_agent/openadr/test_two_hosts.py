"""A VTN on two hosts: nothing is lost or doubled, whichever host is killed, cut off, or made the writer."""

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from openadr_exercise import compared, exercise
from openadr_two_hosts import Host, TwoHosts
from openadr_world import Clock, identity, order

from heiiki_agent.database import Database
from heiiki_agent.errors import AgentError
from heiiki_agent.openadr.ven.model import Unreachable
from heiiki_agent.openadr.vtn.context import Context
from heiiki_agent.openadr.vtn.doubled import book
from heiiki_agent.openadr.vtn.doubled.exchange import NotServingError
from heiiki_agent.openadr.vtn.doubled.node import Node
from heiiki_agent.openadr.vtn.operator import Operator, OrderError
from heiiki_agent.openadr.vtn.schema import SCHEMA

SEEDS = range(16)
SHARE = 0.07


def run(folder: Path, seed: int) -> TwoHosts:
    place = folder / str(seed)
    place.mkdir()
    world = TwoHosts(place, seed, SHARE)
    exercise(world)
    return world


def differences(world: TwoHosts) -> set[str]:
    """Return what is lost or doubled, or not the same on both hosts, by its kind."""
    found = {text.partition(": ")[2] for text in compared(world)}
    return found | ({"the hosts differ"} if world.rows("a") != world.rows("b") else set())


def test_nothing_is_lost_or_doubled_whatever_fails(tmp_path: Path) -> None:
    happened: Counter[str] = Counter()
    takeovers: Counter[str] = Counter()
    for seed in SEEDS:
        world = run(tmp_path, seed)
        assert differences(world) == set(), seed
        states = [host.node.state() for host in world.hosts.values()]
        assert [(one.counts, one.problem) for one in states] == [(True, None)] * 2, (seed, states)
        happened.update(world.faults.happened)
        takeovers.update(world.takeovers)
        world.close()
    assert {point: count for point, count in happened.items() if count < 5} == {}
    assert len(happened) == 18, sorted(happened)
    assert min(takeovers["a"], takeovers["b"]) >= 10


def test_a_mutant_that_answers_before_the_standby_has_it_is_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Node, "confirm", lambda _: None)

    def is_caught(seed: int) -> bool:
        try:
            world = run(tmp_path, seed)
        except OrderError:
            # An event that was ordered is not known.
            return True
        wrong = differences(world)
        world.close()
        return bool(wrong)

    assert any(is_caught(seed) for seed in SEEDS)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[TwoHosts]:
    """Give two hosts where nothing fails: a writes, b counts, and both know umeda."""
    made = TwoHosts(tmp_path, seed=0, share=0.0)
    for _ in range(3):
        made.step("umeda")
    assert [host.node.state().problem for host in made.hosts.values()] == [None, None]
    yield made
    made.close()


def refused(host: Host, work: Callable[[Host], object]) -> str:
    with pytest.raises(Unreachable) as caught:
        host.asked(work)
    return str(caught.value)


def ordered(name: str) -> Callable[[Host], object]:
    return lambda host: host.operator.order(order(name))


def listed(host: Host) -> list[str]:
    return [one.event_id for one in host.operator.events()]


def test_a_writer_that_is_cut_off_answers_nothing_and_what_it_wrote_is_undone(world: TwoHosts) -> None:
    first, second = world.hosts.values()
    first.asked(ordered("e-1"))
    world.is_cut = True
    # It was not told yet that it is cut off: it commits, and its answer does not leave.
    away = (
        "the standby b is away: it is not reached; nothing is answered until it is back, or somebody has a"
        " take over to write alone"
    )
    assert refused(first, ordered("e-2")) == away
    assert listed(first) == ["e-1", "e-2"]
    assert refused(first, listed) == away
    second.node.take_over()
    second.asked(ordered("e-3"))
    assert refused(first, listed) == away
    world.is_cut = False
    for _ in range(4):
        second.node.tend()
    assert refused(first, listed) == "a is the standby of b, the writer of epoch 2"
    assert second.asked(listed) == ["e-1", "e-3"]
    assert world.rows("a") == world.rows("b")


def test_what_is_only_read_is_confirmed_too(world: TwoHosts) -> None:
    first, second = world.hosts.values()
    world.is_cut = True
    second.node.take_over()
    world.is_cut = False
    # It has not been told yet that there is another writer, and does not need to be.
    assert first.node.state().epoch == 1
    assert refused(first, listed) == "b is the writer of epoch 2"


def test_a_standby_that_is_away_and_comes_back_is_sent_what_it_missed(
    world: TwoHosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(book, "_SLICE", 1)
    first, second = world.hosts.values()
    second.down()
    assert "nothing is answered until it is back" in refused(first, ordered("e-1"))
    first.node.take_over()
    state = first.node.state()
    assert (state.counts, state.epoch, state.problem) == (
        False,
        2,
        "a writes alone: b does not have the whole book: b is down",
    )
    first.asked(ordered("e-2"))
    first.asked(ordered("e-3"))
    second.up()
    first.node.tend()
    assert refused(second, listed) == "b is the standby of a, the writer of epoch 2"
    assert second.node.state().problem == "b does not have the whole book yet"
    assert first.node.is_sending
    for _ in range(2):
        first.node.tend()
    assert (first.node.state().problem, second.node.state().problem) == (None, None)
    assert world.rows("a") == world.rows("b")


def test_a_standby_without_the_whole_book_does_not_take_over(
    world: TwoHosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(book, "_SLICE", 1)
    first, second = world.hosts.values()
    second.down()
    first.node.take_over()
    for name in ("e-1", "e-2"):
        first.asked(ordered(name))
    second.up()
    first.node.tend()
    first.down()
    with pytest.raises(NotServingError, match="b cannot take over: its book is not whole"):
        second.node.take_over()


def test_two_hosts_that_were_both_made_the_writer_stop_both(world: TwoHosts) -> None:
    first, second = world.hosts.values()
    world.is_cut = True
    assert "it is not reached" in refused(first, ordered("e-1"))
    for host in (first, second):
        host.node.take_over()
    world.is_cut = False
    first.node.tend()
    both = (
        "{} and {} were both made the writer of epoch 2: neither answers; say on one of them that it takes"
        " over, and move the book of the other one away"
    )
    assert refused(first, listed) == both.format("b", "a")
    assert refused(second, listed) == both.format("b", "a")
    # A person decides.
    second.node.take_over()
    assert second.asked(listed) == []
    assert refused(first, listed).startswith("a cannot follow b: its epoch 2 of a is not known here")


def test_an_older_copy_of_a_book_does_not_write(world: TwoHosts, tmp_path: Path) -> None:
    first, second = world.hosts.values()
    copy = tmp_path / "copy.sqlite"
    with closing(sqlite3.connect(tmp_path / "a.sqlite")) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    first.asked(ordered("e-1"))
    first.down()
    for name in ("a.sqlite-wal", "a.sqlite-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    copy.replace(tmp_path / "a.sqlite")
    first.up()
    first.node.tend()
    assert refused(first, listed).endswith("it is an older copy; have b take over")
    second.node.take_over()
    assert second.asked(listed) == ["e-1"]


def test_a_standby_whose_disk_is_full_confirms_nothing(world: TwoHosts) -> None:
    first, second = world.hosts.values()
    (pages,) = second.book.rows("PRAGMA page_count")[0]
    second.book.execute(f"PRAGMA max_page_count = {pages}")

    def many() -> None:
        for number in range(100):
            first.asked(ordered(f"e-{number}"))

    with pytest.raises(sqlite3.OperationalError, match="full"):
        many()
    assert world.rows("b")["event"] == world.rows("a")["event"][:-1]


def test_a_book_that_was_kept_alone_is_sent_whole(tmp_path: Path) -> None:
    context = Context(Database(tmp_path / "a.sqlite", SCHEMA), identity("umeda", "tenma"), Clock())
    for number in range(1200):
        Operator(context).order(order(f"e-{number}"))
    context.database.close()
    world = TwoHosts(tmp_path, seed=0, share=0.0)
    first, _ = world.hosts.values()
    slices = 0
    while first.node.state().problem:
        first.node.tend()
        slices += 1
    assert slices > 3
    assert world.rows("a") == world.rows("b")
    assert len(world.rows("b")["event"]) == 1200
    world.close()


def test_a_standby_with_a_book_of_its_own_is_not_written_over(tmp_path: Path) -> None:
    context = Context(Database(tmp_path / "b.sqlite", SCHEMA), identity("umeda", "tenma"), Clock())
    Operator(context).order(order())
    context.database.close()
    world = TwoHosts(tmp_path, seed=0, share=0.0)
    first, second = world.hosts.values()
    assert "b cannot follow a: it has a book that was kept alone" in str(first.node.state().problem)
    assert first.asked(listed) == []
    assert refused(second, listed).startswith("b cannot follow a")
    world.close()


@pytest.mark.parametrize("said", [True, False])
def test_rows_that_were_deleted_are_forgotten_and_a_book_from_before_begins_again(
    world: TwoHosts, tmp_path: Path, *, said: bool
) -> None:
    first, second = world.hosts.values()
    first.asked(ordered("e-1"))
    copy = tmp_path / "copy.sqlite"
    with closing(sqlite3.connect(tmp_path / "b.sqlite")) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    world.clock.now += timedelta(days=40)
    assert first.asked(lambda host: host.operator.forget(timedelta(days=30)))
    first.node.forget()
    for host in (first, second):
        first.node.tend()
        assert not host.book.rows("SELECT 1 FROM doubled_row WHERE gone")
    second.down()
    if said:
        first.node.take_over()
    for name in ("b.sqlite-wal", "b.sqlite-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    copy.replace(tmp_path / "b.sqlite")
    second.up()
    for _ in range(4):
        first.node.tend()
    # A standby without a whole book cannot take over, so no one needs to say that the writer is alone.
    assert (first.node.state().problem, first.node.state().epoch) == (None, 2)
    assert world.rows("a") == world.rows("b")


def kept_alone(world: TwoHosts, folder: Path, name: str) -> Context:
    """Have a host begin again without a second one."""
    world.hosts[name].down()
    return Context(book.alone(folder / f"{name}.sqlite", SCHEMA), identity("umeda", "tenma"), world.clock)


def test_what_is_written_alone_is_sent_to_a_second_host_that_comes_again(
    world: TwoHosts, tmp_path: Path
) -> None:
    first, second = world.hosts.values()
    first.asked(ordered("e-1"))
    second.down()
    for file in tmp_path.glob("b.sqlite*"):
        file.unlink()
    context = kept_alone(world, tmp_path, "a")
    Operator(context).order(order("e-2"))
    context.database.close()
    for host in (first, second):
        host.up()
    assert first.node.state().epoch == 0, "which host writes is said anew"
    first.node.take_over()
    while first.node.state().problem:
        first.node.tend()
    assert world.rows("a") == world.rows("b")
    assert first.asked(listed) == ["e-1", "e-2"]


def test_a_host_that_is_not_the_writer_is_not_kept_alone(world: TwoHosts, tmp_path: Path) -> None:
    first, second = world.hosts.values()
    first.asked(ordered("e-1"))
    why = "a is the writer of the last epoch, so it may lack .*; have b take over before that host is left"
    with pytest.raises(AgentError, match=why):
        kept_alone(world, tmp_path, "b")
    second.up()
    second.node.take_over()
    context = kept_alone(world, tmp_path, "b")
    assert [one.event_id for one in Operator(context).events()] == ["e-1"]
    context.database.close()


def test_a_book_that_never_had_a_second_host_is_opened_as_it_is(tmp_path: Path) -> None:
    for _ in range(2):
        book.alone(tmp_path / "vtn.sqlite", SCHEMA).close()
