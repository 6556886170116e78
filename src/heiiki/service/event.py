"""The use cases of demand-response events: sent, listed, shown, cancelled at the VTN of the service.

The VTN is asked on its own host, on a socket that only root may open: who may operate it is who may manage
that host. What it refuses it says in a sentence, which is passed on.
"""

import json
import time
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from heiiki.errors import HeiikiError
from heiiki.plan.model import Device, Plan
from heiiki.render import openadr
from heiiki.service.model import Service
from heiiki.transport import Transport

_TIMEOUT_S = 30.0
_AGAIN_S = 1.0


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
    """An event at the VTN."""

    event_id: str
    modification: int
    status: str
    answers: tuple[Answer, ...]

    @property
    def missing(self) -> tuple[str, ...]:
        """The sites whose answers are not here."""
        return tuple(one.site for one in self.answers if not one.acknowledged)


def send_event(service: Service, order: Order) -> Event:
    """Send an event, and return it as the VTN has it.

    Raises:
        HeiikiError: a site is not known or has no VEN, the VTN does not answer, or it refuses the order.
    """
    return _event(service.plan, _asked(service, "POST", "", _document(service.plan, order)))


def cancel_event(service: Service, event_id: str) -> Event:
    """Cancel an event; each site must answer that, too.

    Raises:
        HeiikiError: there is no such event, or the VTN does not answer.
    """
    return _event(service.plan, _asked(service, "DELETE", event_id))


def show_event(service: Service, event_id: str) -> Event:
    """Return an event and each site's answer.

    Raises:
        HeiikiError: there is no such event, or the VTN does not answer.
    """
    return _event(service.plan, _asked(service, "GET", event_id))


def list_events(service: Service) -> tuple[Event, ...]:
    """Return every event that the VTN knows.

    Raises:
        HeiikiError: the VTN does not answer.
    """
    return tuple(_event(service.plan, one) for one in _asked(service, "GET", ""))


def awaited(
    service: Service, event: Event, within_s: float, report: Callable[[str], None] = lambda _line: None
) -> Event:
    """Wait until every site has answered an event, so many seconds at most, and return it as it is then."""
    until, known = time.monotonic() + within_s, set(event.missing)
    while event.missing and time.monotonic() < until:
        time.sleep(_AGAIN_S)
        event = show_event(service, event.event_id)
        for one in event.answers:
            if one.acknowledged and one.site in known:
                known.discard(one.site)
                report(f"{one.site}: {one.opt}")
    return event


def _document(plan: Plan, order: Order) -> Mapping[str, Any]:
    known = {site.name: site.controller for site in plan.sites if plan.device(site.controller).ven}
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


def _server(plan: Plan) -> Device:
    found = next((device for device in plan.managed() if device.vtn is not None), None)
    if found is None:
        raise HeiikiError(f"service {plan.service} has no VTN: its DRAS or every controller is revoked")
    return found


def _asked(service: Service, method: str, event_id: str, body: Mapping[str, Any] | None = None) -> Any:
    server = _server(service.plan)
    path = "/".join(("", server.vtn.vtn_id if server.vtn else "", "events", *_quoted(event_id)))
    stdin = json.dumps(body).encode() if body is not None else b""
    with service.management.transport(service.plan, service.hosts) as transport:
        return json.loads(_said(transport, server.name, openadr.operate(method, path), stdin))


def _quoted(event_id: str) -> tuple[str, ...]:
    return (urllib.parse.quote(event_id, safe=""),) if event_id else ()


def _said(transport: Transport, device: str, argv: tuple[str, ...], stdin: bytes) -> str:
    done = transport.run(device, argv, stdin=stdin, timeout=_TIMEOUT_S)
    if done.rc != 0:
        why = done.stderr.decode(errors="replace").strip() or done.text.strip()
        raise HeiikiError(f"{device}: {why or f'exit status {done.rc}'}")
    return done.text


def _event(plan: Plan, found: Mapping[str, Any]) -> Event:
    sites = {site.controller: site.name for site in plan.sites}
    answers = tuple(
        Answer(sites.get(one["ven_id"], one["ven_id"]), one["opt"], one["acknowledged"])
        for one in found["vens"]
    )
    return Event(found["event_id"], found["modification"], found["status"], answers)
