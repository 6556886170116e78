"""The operator's side of a service's VTN: events are ordered, shown and cancelled on its host.

The VTN listens for its operator on a socket that only root may open: who may dispatch is who may manage that
host. What it refuses it says in a sentence, which is passed on.
"""

import json
import urllib.parse
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from heiiki import vtn_hosts
from heiiki.errors import HeiikiError
from heiiki.plan.model import Plan
from heiiki.render import openadr
from heiiki.transport import Transport, output

_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Order:
    """An event of one signal with one value.

    Attributes:
        event_id: its permanent name; the same order again changes nothing.
        sites: who gets it.
        start: date and time with a zone (ISO 8601).
        duration: ISO 8601; ``PT0S``: until it is cancelled.
        signal, kind, value: such as ``LOAD_DISPATCH``, ``setpoint`` and a power in kW.
        test: nothing is to be done.
    """

    event_id: str
    sites: tuple[str, ...]
    start: str
    duration: str
    value: float
    signal: str = "LOAD_DISPATCH"
    kind: str = "setpoint"
    test: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What one site does about the newest version of an event.

    Attributes:
        opt: ``optIn``, ``optOut``, or nothing while its answer is not here.
        acknowledged: it has answered this version.
    """

    site: str
    opt: str
    acknowledged: bool


@dataclass(frozen=True, slots=True)
class Event:
    """An event at the VTN.

    Attributes:
        standby: why the VTN's second host would not know of it; None: it would, or there is none.
    """

    event_id: str
    modification: int
    status: str
    answers: tuple[Answer, ...]
    standby: str | None = None

    @property
    def missing(self) -> tuple[str, ...]:
        """The sites whose answers are not here."""
        return tuple(one.site for one in self.answers if not one.acknowledged)


class Desk:
    """What an operator does at the VTN of a service."""

    def __init__(self, plan: Plan, transport: Transport) -> None:
        """Ask the VTN of `plan`; of two hosts always the one that writes then.

        Raises:
            HeiikiError: there is none.
        """
        vtn_hosts.in_service(plan)
        self._plan, self._transport = plan, transport

    def send(self, order: Order) -> Event:
        """Order an event, and return it as the VTN has it.

        Raises:
            HeiikiError: a site is not known or has no VEN, the VTN does not answer, or it refuses the order.
        """
        (found,) = self._asked("POST", ("",), _document(self._plan, order))
        return self._event(found)

    def cancel(self, *event_ids: str) -> tuple[Event, ...]:
        """Cancel events; each site must answer that, too.

        Raises:
            HeiikiError: there is no such event, or the VTN does not answer.
        """
        return tuple(map(self._event, self._asked("DELETE", event_ids)))

    def show(self, *event_ids: str) -> tuple[Event, ...]:
        """Return events and each site's answers.

        Raises:
            HeiikiError: there is no such event, or the VTN does not answer.
        """
        return tuple(map(self._event, self._asked("GET", event_ids)))

    def events(self) -> tuple[Event, ...]:
        """Return every event that the VTN knows.

        Raises:
            HeiikiError: the VTN does not answer.
        """
        (found,) = self._asked("GET", ("",))
        return tuple(map(self._event, found))

    def _asked(
        self, method: str, event_ids: Iterable[str], body: Mapping[str, Any] | None = None
    ) -> list[Any]:
        """Return the answer to each request, one an event; an empty name stands for all events."""
        server = vtn_hosts.writer(self._plan, self._transport)
        events = f"/{server.vtn.vtn_id if server.vtn else ''}/events"
        paths = [f"{events}/{urllib.parse.quote(name, safe='')}" if name else events for name in event_ids]
        stdin = json.dumps(body).encode() if body is not None else b""
        argv = openadr.operate(method, *paths)
        text = output(self._transport, server.name, argv, stdin, _TIMEOUT_S)
        return [json.loads(line) for line in text.splitlines()]

    def _event(self, found: Mapping[str, Any]) -> Event:
        sites = {site.controller: site.name for site in self._plan.sites}
        answers = tuple(
            Answer(sites.get(one["ven_id"], one["ven_id"]), one["opt"], one["acknowledged"])
            for one in found["vens"]
        )
        state = found["event_id"], found["modification"], found["status"]
        return Event(*state, answers, standby=found.get("standby"))


def served(plan: Plan) -> dict[str, str]:
    """Return the VEN of each site that has one."""
    return {site.name: site.controller for site in plan.sites if plan.device(site.controller).ven}


def _document(plan: Plan, order: Order) -> Mapping[str, Any]:
    known = served(plan)
    if strange := [site for site in order.sites if site not in known]:
        raise HeiikiError(f"no VEN is at {', '.join(strange)}; use {', '.join(known) or 'another service'}")
    fields = asdict(order)
    steps = [{"duration": order.duration, "value": order.value}]
    return {
        **{name: fields[name] for name in ("event_id", "duration", "test")},
        "start": _in_utc(order.start),
        "vens": [known[site] for site in dict.fromkeys(order.sites)],
        "signals": [{"name": order.signal, "kind": order.kind, "steps": steps}],
    }


def _in_utc(text: str) -> str:
    """Return a date and time as OpenADR has it; one without a zone would mean another hour to each reader."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise HeiikiError(f"start: {text!r} is no date and time with a zone; write 2026-12-01T17:00:00+09:00")
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
