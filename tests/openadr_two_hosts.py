"""A VTN on two hosts in one process, whose hosts are killed and cut off from one another, and a person."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from openadr_world import Faults, Killed, World

from heiiki_agent import config
from heiiki_agent.database import Database
from heiiki_agent.openadr.ven.model import Unreachable
from heiiki_agent.openadr.vtn.context import Context
from heiiki_agent.openadr.vtn.doubled.book import Book
from heiiki_agent.openadr.vtn.doubled.exchange import (
    Introduction,
    NotServingError,
    PeerError,
    Position,
    Rows,
    written,
)
from heiiki_agent.openadr.vtn.doubled.node import Node
from heiiki_agent.openadr.vtn.doubled.thread import confirmed
from heiiki_agent.openadr.vtn.engine import Request, Vtn
from heiiki_agent.openadr.vtn.operator import Operator
from heiiki_agent.openadr.vtn.schema import SCHEMA

T = TypeVar("T")
NAMES = ("a", "b")


class _Killing(Database):
    """A database whose process is killed just before or just after a commit."""

    faults: Faults
    owner: str

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with super().transaction():
            yield
            if self.faults.strikes(f"{self.owner} killed before a commit"):
                raise Killed
        if self.faults.strikes(f"{self.owner} killed after a commit"):
            raise Killed


class _FaultyBook(Book, _Killing):
    def __init__(self, file: Path, faults: Faults, owner: str) -> None:
        self.faults, self.owner = faults, owner
        super().__init__(file, SCHEMA, owner)


class Host:
    """One host: down, or up with what it has on its disk."""

    def __init__(self, world: "TwoHosts", folder: Path, name: str) -> None:
        self._world, self._file, self.name = world, folder / f"{name}.sqlite", name
        self.is_up = False

    @property
    def other(self) -> "Host":
        (found,) = (one for name, one in self._world.hosts.items() if name != self.name)
        return found

    def up(self) -> None:
        while not self.is_up:
            try:
                self.book = _FaultyBook(self._file, self._world.faults, self.name)
            except Killed:
                continue
            (peer,) = set(NAMES) - {self.name}
            self.node = Node(self.book, self.name, peer, _Link(self._world, self))
            context = Context(self.book, self._world.identity, self._world.clock)
            self.context, self.vtn, self.operator = context, Vtn(context), Operator(context)
            self.is_up = True

    def down(self) -> None:
        """Be killed: what is not committed is gone."""
        if self.is_up:
            self.book.close()
            self.is_up = False

    def asked(self, work: Callable[["Host"], T]) -> T:
        """Do something whose result is told."""

        def answered() -> T:
            found = confirmed(self.node, lambda: work(self))
            if self._world.faults.strikes("killed before the answer"):
                raise Killed
            return found

        return self.alive(answered)

    def alive(self, work: Callable[[], T]) -> T:
        """Do something unless it is down; it may be killed meanwhile."""
        if not self.is_up:
            raise Unreachable(f"{self.name} is down")
        try:
            return work()
        except NotServingError as error:
            raise Unreachable(str(error)) from error
        except Killed:
            self.down()
            raise Unreachable(f"{self.name} was killed") from None


class _Link:
    """The line between the hosts; what is said goes through JSON."""

    def __init__(self, world: "TwoHosts", here: Host) -> None:
        self._world, self._here = world, here

    def epoch(self) -> int:
        return self._carried(lambda there: there.node.state().epoch)

    def introduce(self, introduction: Introduction) -> Position:
        told = config.parse(Introduction, written(introduction).decode(), "introduction")
        found = self._carried(lambda there: there.node.introduced(told))
        return config.parse(Position, written(found).decode(), "position")

    def give(self, rows: Rows) -> None:
        told = config.parse(Rows, written(rows).decode(), "rows")
        self._carried(lambda there: there.node.given(told))

    def _carried(self, work: Callable[[Host], T]) -> T:
        faults = self._world.faults
        if self._world.is_cut or faults.strikes("question between the hosts lost"):
            raise PeerError("it is not reached")
        try:
            found = self._here.other.alive(lambda: work(self._here.other))
        except Unreachable as error:
            raise PeerError(str(error)) from error
        if faults.strikes("answer between the hosts lost"):
            raise PeerError("its answer is not reached")
        return found


class TwoHosts(World):
    """VENs that know both hosts, and a person who has one take over while neither answers."""

    def _vtn_up(self) -> None:
        self.identity, self.is_cut, self.epoch = self._identity, False, 0
        self.takeovers: list[str] = []
        self.hosts = {name: Host(self, self._folder, name) for name in NAMES}
        for host in self.hosts.values():
            host.up()
        self._person()

    @property
    def writer(self) -> Host:
        """The host that answers; one of them, where neither does."""
        return next((one for one in self.hosts.values() if self._serves(one)), self.hosts["a"])

    def __getattr__(self, name: str) -> Any:
        if name in {"context", "operator"}:
            return getattr(self.writer, name)
        raise AttributeError(name)

    def at_vtn(self, request: Request) -> bytes:
        (reply,) = self._asked(lambda host: host.vtn.answer([request]))
        return reply.body

    def operate(self, work: Callable[[Operator], object]) -> None:
        while True:
            self._happens()
            try:
                self._asked(lambda host: work(host.operator))
            except Unreachable:
                continue
            return

    def step(self, ven: str) -> None:
        self._happens()
        super().step(ven)

    def close(self) -> None:
        for host in self.hosts.values():
            host.down()
        for ven in self.vens:
            self.engine(ven).ven.database.close()

    def rows(self, name: str) -> dict[str, list[tuple[Any, ...]]]:
        """Return all that the book of a host says."""
        book = self.hosts[name].book
        tables = book.rows(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'doubled_%'"
        )
        found = (str(row["name"]) for row in tables)
        return {
            table: [tuple(row) for row in book.rows(f"SELECT rowid, * FROM {table} ORDER BY rowid")]  # noqa: S608
            for table in found
        }

    def _asked(self, work: Callable[[Host], T]) -> T:
        """Ask one host, and then the other one."""
        order = list(NAMES)
        if self.faults.strikes("a VEN begins with the other host"):
            order.reverse()
        try:
            return self.hosts[order[0]].asked(work)
        except Unreachable:
            return self.hosts[order[1]].asked(work)

    def _happens(self) -> None:
        if self.faults.strikes("a host goes down"):
            self.hosts[NAMES[sum(self.faults.happened.values()) % 2]].down()
        if self.faults.strikes("the hosts are cut off"):
            self.is_cut = True
        if self.faults.quiet or self.faults.strikes("all comes back"):
            self.is_cut = False
            for host in self.hosts.values():
                host.up()
        for _ in range(8 if self.faults.quiet else 2):
            self._tend()
        if not any(map(self._serves, self.hosts.values())):
            self._person()

    def _tend(self) -> None:
        for host in self.hosts.values():
            try:
                host.alive(host.node.tend) if host.is_up else None
            except Unreachable:
                continue

    def _serves(self, host: Host) -> bool:
        try:
            host.alive(host.node.ready)
        except Unreachable:
            return False
        return True

    def _person(self) -> None:
        """Have a host take over that knows the last epoch which this person began, and no other."""
        able = [one for one in self.hosts.values() if one.is_up and one.node.state().epoch == self.epoch]
        for host in able:
            try:
                host.alive(host.node.take_over)
            except Unreachable:
                # Whether it has taken over is not known; so no one else may, before it is.
                host.up()
            if host.node.state().epoch > self.epoch:
                self.takeovers.append(host.name)
                break
        known = [one.node.state().epoch for one in self.hosts.values() if one.is_up]
        self.epoch = max([self.epoch, *known])
