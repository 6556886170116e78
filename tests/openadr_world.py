"""A VTN and its VENs in one process, with a clock that a test moves."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from random import Random
from typing import Any

from heiiki_agent.database import Database
from heiiki_agent.openadr import messages as m
from heiiki_agent.openadr.codec import decode, encode
from heiiki_agent.openadr.units import unit
from heiiki_agent.openadr.ven.engine import Engine
from heiiki_agent.openadr.ven.model import Action, Offer, Unreachable, Ven
from heiiki_agent.openadr.ven.schema import SCHEMA as VEN_SCHEMA
from heiiki_agent.openadr.vtn.context import Context, Identity
from heiiki_agent.openadr.vtn.engine import Reply, Request, Vtn
from heiiki_agent.openadr.vtn.operator import Operator
from heiiki_agent.openadr.vtn.orders import EventOrder, SignalOrder, Step
from heiiki_agent.openadr.vtn.schema import SCHEMA

NOW = datetime(2026, 4, 1, 9, tzinfo=UTC)
SERVICE = {kind: service for service, kinds in m.SERVICES.items() for kind in kinds}


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


def identity(*vens: str, vtn_id: str = "DRAS") -> Identity:
    """A VTN that serves `vens`, each with the certificate VEN.example."""
    return Identity(
        vtn_id=vtn_id,
        vens={f"{ven}.example": ven for ven in vens},
        poll_every=timedelta(seconds=10),
        report_every=timedelta(minutes=1),
        granularity=timedelta(minutes=1),
    )


class RunningVtn:
    """A VTN on a file, which can be stopped and started."""

    def __init__(self, file: Path, who: Identity, clock: Clock) -> None:
        self._file, self._who, self.clock = file, who, clock
        self.start()

    def start(self) -> None:
        self.context = Context(Database(self._file, SCHEMA), self._who, self.clock)
        self.engine, self.operator = Vtn(self.context), Operator(self.context)

    def stop(self) -> None:
        """Stop as kill -9 does: what is not committed is gone."""
        self.context.database.close()

    def reply(self, ven: str, message: m.Message, service: str = "") -> Reply:
        """Send a message with the certificate of `ven`."""
        request = Request(f"{ven}.example", service or SERVICE[type(message)], encode(message))
        (reply,) = self.engine.answer([request])
        return reply

    def ask(self, ven: str, message: m.Message, service: str = "") -> Any:
        """Send a message, and return the one that answers."""
        reply = self.reply(ven, message, service)
        assert reply.status == HTTPStatus.OK
        return decode(reply.body)

    def register(self, ven: str) -> str:
        answer = self.ask(ven, m.CreatePartyRegistration(request_id="r-0", pull=True))
        return str(answer.registration_id)


def order(event_id: str = "e-1", vens: tuple[str, ...] = ("umeda",), **changes: Any) -> EventOrder:
    """An event of an hour that begins in an hour."""
    values: dict[str, Any] = {
        "event_id": event_id,
        "vens": vens,
        "start": "2026-04-01T10:00:00Z",
        "duration": "PT1H",
        "signals": (
            SignalOrder(name="LOAD_DISPATCH", kind="setpoint", steps=(Step(duration="PT1H", value=-5.0),)),
        ),
    }
    return EventOrder(**values | changes)


class Killed(BaseException):
    """The process is gone: nothing of it may catch this."""


class Faults:
    """Says at each point what happens there, by a seeded choice; `quiet` ends it."""

    def __init__(self, seed: int, share: float) -> None:
        self._random, self._share, self.quiet = Random(seed), share, False  # noqa: S311  # repeatable, not secret
        self.happened: Counter[str] = Counter()

    def strikes(self, point: str) -> bool:
        """Tell whether the fault at this point happens now."""
        struck = not self.quiet and self._random.random() < self._share
        self.happened[point] += struck
        return struck


class FaultyDatabase(Database):
    """A database whose process is killed just before or just after a commit."""

    def __init__(self, file: Path, schema: str, faults: Faults, owner: str) -> None:
        super().__init__(file, schema)
        self._faults, self._owner = faults, owner

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with super().transaction():
            yield
            if self._faults.strikes(f"{self._owner} killed before a commit"):
                raise Killed
        if self._faults.strikes(f"{self._owner} killed after a commit"):
            raise Killed


class Battery:
    """A resource with a book of its own, which outlives the VEN."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self.book: list[tuple[str, str]] = []
        self._keys: set[str] = set()
        self.measured = 0

    def perform(self, action: Action) -> None:
        if self._faults.strikes("resource away"):
            raise Unreachable("the battery is away")
        if action.key not in self._keys:
            self._keys.add(action.key)
            self.book.append((action.key, action.event.descriptor.event_id))
        if self._faults.strikes("VEN killed after the resource"):
            raise Killed

    def measure(self, r_id: str) -> float:
        assert r_id == "power"
        self.measured += 1
        return float(self.measured)


class Line:
    """The network between a VEN and a VTN: it loses questions and answers, and carries questions twice."""

    def __init__(self, world: "World", ven: str) -> None:
        self._world, self._ven = world, ven

    def exchange(self, service: str, body: bytes) -> bytes:
        faults = self._world.faults
        if faults.strikes("question lost"):
            raise Unreachable(service)
        times = 2 if faults.strikes("question twice") else 1
        answers = [self._world.at_vtn(Request(f"{self._ven}.example", service, body)) for _ in range(times)]
        if faults.strikes("answer lost"):
            raise Unreachable(service)
        return answers[-1]


class World:
    """One VTN, its VENs and their batteries, with faults between all of them."""

    def __init__(
        self, folder: Path, seed: int, share: float, vens: tuple[str, ...] = ("umeda", "tenma")
    ) -> None:
        self.faults, self.clock, self._folder, self.vens = Faults(seed, share), Clock(), folder, vens
        self._identity = identity(*vens)
        self.batteries = {ven: Battery(self.faults) for ven in vens}
        self._vtn_up()
        self._engines = {ven: self._ven_up(ven) for ven in vens}

    def _vtn_up(self) -> None:
        database = FaultyDatabase(self._folder / "vtn.sqlite", SCHEMA, self.faults, "VTN")
        self.context = Context(database, self._identity, self.clock)
        self.vtn, self.operator = Vtn(self.context), Operator(self.context)

    def _ven_up(self, ven: str) -> Engine:
        database = FaultyDatabase(self._folder / f"{ven}.sqlite", VEN_SCHEMA, self.faults, "VEN")
        return Engine(
            Ven(
                database=database,
                transport=Line(self, ven),
                resource=self.batteries[ven],
                decide=lambda event: "optOut" if event.descriptor.event_id.endswith("0") else "optIn",
                now=self.clock,
                name=ven,
                offers=(Offer(r_id="power", kind="usage", item=unit("power:energyReal", "k")),),
            )
        )

    def at_vtn(self, request: Request) -> bytes:
        """Ask the VTN; killed, it starts again, and the question has no answer."""
        try:
            (reply,) = self.vtn.answer([request])
        except Killed:
            self.context.database.close()
            self._vtn_up()
            raise Unreachable("the VTN was killed") from None
        return reply.body

    def operate(self, work: Callable[[Operator], object]) -> None:
        """Do what an operator does, and again until it is confirmed."""
        while True:
            try:
                work(self.operator)
            except Killed:
                self.context.database.close()
                self._vtn_up()
            else:
                return

    def step(self, ven: str) -> None:
        """Let a VEN go on; killed, it starts again."""
        try:
            self._engines[ven].step()
        except Unreachable:
            pass
        except Killed:
            self._engines[ven].ven.database.close()
            self._engines[ven] = self._ven_up(ven)

    def push(self, ven: str, body: bytes) -> None:
        """Have a message pushed to a VEN; killed, it starts again."""
        if self.faults.strikes("push lost"):
            return
        try:
            for _ in range(2 if self.faults.strikes("push twice") else 1):
                self._engines[ven].pushed(body)
            self._engines[ven].go_on()
        except Unreachable:
            pass
        except Killed:
            self._engines[ven].ven.database.close()
            self._engines[ven] = self._ven_up(ven)

    def engine(self, ven: str) -> Engine:
        return self._engines[ven]

    def close(self) -> None:
        self.context.database.close()
        for engine in self._engines.values():
            engine.ven.database.close()
