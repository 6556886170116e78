"""The operator's side of direct control: resources are shown, ordered and looked up at the DRAS.

Its MMS client listens for its operator on a socket that only root may open: who may control is who may manage
that host. What it refuses it says in a sentence, which is passed on.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from heiiki.errors import HeiikiError
from heiiki.plan.model import Device, Plan
from heiiki.render import mms
from heiiki.transport import Transport, output

_MARGIN_S = 30.0
_KW = 1000
CAUSES = {9: "the resource does not do that", 13: "the resource does not answer", 26: "the values are wrong"}
"""What an additional cause (IEC 61850-7-2 AddCause) means here."""


@dataclass(frozen=True, slots=True)
class SetPoint:
    """A power to be kept until the next order.

    Attributes:
        order_id: its permanent name; the same order again changes nothing.
        power_kw: what the resource is to take from the network; negative: to give.
    """

    order_id: str
    power_kw: float


@dataclass(frozen=True, slots=True)
class Schedule:
    """Powers one after the other.

    Attributes:
        order_id: as of a set point.
        start: when the first begins, with a zone (ISO 8601).
        interval_s: how long each lasts.
        powers_kw: as of a set point.
    """

    order_id: str
    start: str
    interval_s: int
    powers_kw: tuple[float, ...]


Order = SetPoint | Schedule


@dataclass(frozen=True, slots=True)
class Entry:
    """An order to one site, as the book has it.

    Attributes:
        state: ``pending``, ``done``, ``refused``, or ``expired``: not answered in time.
        reason: why it is not done.
        ordered, answered: when, UTC.
    """

    order_id: str
    site: str
    kind: str
    what: str
    ordered: str
    state: str
    reason: str
    answered: str


@dataclass(frozen=True, slots=True)
class Shown:
    """How a site's resource is.

    Attributes:
        problem: why it cannot be told; empty: it can.
        values: what is measured, by the name of its data object: value, unit, whether it is valid.
        set_point_kw: what was ordered last, by which order; the order is empty where there was none.
        schedule: the order that brought the last schedule.
    """

    site: str
    problem: str
    values: Mapping[str, tuple[float, str, bool]]
    set_point_kw: tuple[float, str]
    schedule: str


@dataclass(frozen=True, slots=True)
class Arrival:
    """A report that came.

    Attributes:
        made: when, by the site's clock.
        came: when, by DRAS's.
        asked_for: it was sent because it was asked for, as at the beginning of an association.
    """

    made: datetime
    came: datetime
    asked_for: bool


@dataclass(frozen=True, slots=True)
class Reported:
    """What a site has reported by itself.

    Attributes:
        problem: why nothing is heard of it now; empty: it is heard.
        every_s: how often each kind of report is sent; 0: when something changes.
        arrivals: the last ones of each kind, the oldest first.
    """

    site: str
    problem: str
    every_s: Mapping[str, int]
    arrivals: Mapping[str, tuple[Arrival, ...]]


class Desk:
    """What an operator does at the MMS client of a service."""

    def __init__(self, plan: Plan, transport: Transport) -> None:
        """Ask the client of `plan`.

        Raises:
            HeiikiError: there is none.
        """
        self._plan, self._transport, self._host = plan, transport, client(plan)

    def order(self, order: Order, sites: Sequence[str], valid_s: float, wait_s: float) -> tuple[Entry, ...]:
        """Give an order, and return what came of it at each site within `wait_s`.

        Args:
            order: what is wanted.
            sites: by whom.
            valid_s: for how long it is given again while there is no answer.
            wait_s: how long the answers are waited for.

        Raises:
            HeiikiError: a site is not known or has no direct control, or the client does not take the order.
        """
        kind, document = _document(order)
        more = {"kind": kind, "order": document, "valid_s": float(valid_s), "wait_s": float(wait_s)}
        return tuple(map(_entry, self._asked("order", self._known(sites), wait_s, **more)))

    def show(self, sites: Sequence[str]) -> tuple[Shown, ...]:
        """Return how the resources of some sites are.

        Raises:
            HeiikiError: a site is not known or has no direct control, or the client does not answer.
        """
        return tuple(map(_shown, self._asked("show", self._known(sites), _MARGIN_S)))

    def book(self, sites: Sequence[str], most: int) -> tuple[Entry, ...]:
        """Return the last orders to some sites, or to all where none is named.

        Raises:
            HeiikiError: a site is not known or has no direct control, or the client does not answer.
        """
        known = self._known(sites) if sites else []
        return tuple(map(_entry, self._asked("book", known, 0.0, most=most)))

    def reports(self, sites: Sequence[str]) -> tuple[Reported, ...]:
        """Return when the last reports of some sites were made, and when they came.

        Raises:
            HeiikiError: a site is not known or has no direct control, or the client does not answer.
        """
        return tuple(map(_reported, self._asked("reports", self._known(sites), 0.0)))

    def interrogate(self, sites: Sequence[str]) -> tuple[Reported, ...]:
        """Have some sites send each report but events now, and return the times of those alone.

        Raises:
            HeiikiError: a site is not known or has no direct control, or the client does not answer.
        """
        return tuple(map(_reported, self._asked("interrogate", self._known(sites), _MARGIN_S)))

    def _known(self, sites: Sequence[str]) -> list[str]:
        known = controlled(self._plan)
        if strange := [site for site in sites if site not in known]:
            raise HeiikiError(f"no direct control of {', '.join(strange)}; use {', '.join(known)}")
        return list(dict.fromkeys(sites))

    def _asked(self, do: str, sites: Sequence[str], within_s: float, **more: Any) -> list[Any]:
        question = json.dumps({"do": do, "sites": list(sites), **more}).encode()
        timeout = within_s + _MARGIN_S
        found: list[Any] = json.loads(
            output(self._transport, self._host.name, mms.operate(), question, timeout)
        )
        return found


def client(plan: Plan) -> Device:
    """Return the host of the MMS client.

    Raises:
        HeiikiError: there is none.
    """
    found = next((device for device in plan.managed() if device.mms_client is not None), None)
    if found is None:
        raise HeiikiError(
            f"service {plan.service} has no direct control: no site has a resource with `control: direct`"
        )
    return found


def controlled(plan: Plan) -> dict[str, str]:
    """Return the controller of each site under direct control."""
    found = next((device.mms_client for device in plan.managed() if device.mms_client), None)
    return {site.name: site.device for site in found.sites} if found else {}


def _document(order: Order) -> tuple[str, dict[str, Any]]:
    if isinstance(order, SetPoint):
        return "set", {"order_id": order.order_id, "power_w": order.power_kw * _KW}
    return "schedule", {
        "order_id": order.order_id,
        "start": order.start,
        "interval_s": order.interval_s,
        "powers_w": [power * _KW for power in order.powers_kw],
    }


def _entry(found: Mapping[str, Any]) -> Entry:
    reason = CAUSES.get(found["cause"], f"additional cause {found['cause']}") if found["cause"] else ""
    return Entry(
        order_id=found["order_id"],
        site=found["site"],
        kind=found["kind"],
        what=_told(json.loads(found["body"])),
        ordered=found["ordered"],
        state=found["state"],
        reason=found["reason"] or reason,
        answered=found["answered"] or "",
    )


def _told(order: Mapping[str, Any]) -> str:
    """Return what was ordered, in words."""
    if "power_w" in order:
        return f"{order['power_w'] / _KW:g} kW"
    return f"{len(order['powers_w'])} × {order['interval_s']} s from {order['start']}"


def _shown(found: Mapping[str, Any]) -> Shown:
    if found["problem"]:
        return Shown(found["site"], found["problem"], {}, (0.0, ""), "")
    return Shown(
        site=found["site"],
        problem="",
        values={one["name"]: (one["value"], one["unit"], one["good"]) for one in found["values"]},
        set_point_kw=(found["set_point_w"] / _KW, found["set_point_order"]),
        schedule=found["schedule_order"],
    )


def _reported(found: Mapping[str, Any]) -> Reported:
    return Reported(
        site=found["site"],
        problem=found["problem"] or "",
        every_s={one["name"]: one["every_s"] for one in found["reports"]},
        arrivals={one["name"]: tuple(map(_arrival, one["times"])) for one in found["reports"]},
    )


def _arrival(found: Mapping[str, Any]) -> Arrival:
    made, came = (datetime.fromisoformat(found[name]) for name in ("made", "came"))
    return Arrival(made, came, found["asked_for"])
