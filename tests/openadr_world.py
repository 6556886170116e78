"""A VTN and its VENs in one process, with a clock that a test moves."""

from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any

from heiiki_agent.openadr import messages as m
from heiiki_agent.openadr.codec import decode, encode
from heiiki_agent.openadr.database import Database
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
