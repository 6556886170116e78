"""What is ordered of a resource: a set point or a schedule (TR-1072 tables 5.6 and 5.8)."""

import json
import math
import struct
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

from heiiki_agent import config

MOST_ENTRIES = 48
"""Powers of a schedule at most: half-hours of a day."""
_DAY_S = 86_400


def single(value: float) -> float:
    """Return a number as a FLOAT32 has it, so that both ends keep the same one.

    Raises:
        ValueError: it is no number that one has.
    """
    try:
        kept: float = struct.unpack(">f", struct.pack(">f", value))[0]
    except OverflowError:
        kept = math.inf
    if not math.isfinite(kept):
        raise ValueError(f"{value} is no power")
    return kept


def moment(text: str) -> str:
    """Return a date and time in UTC, to the second.

    Raises:
        ValueError: it is none, or has no zone.
    """
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError("has no zone; write 2026-12-01T08:00:00Z")
    return f"{found.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


OrderId = Annotated[str, r"[A-Za-z0-9._:-]{1,64}"]
"""Permanent name of an order: what an orIdent has room for (IEC 61850-7-3, originator)."""


@dataclass(frozen=True, kw_only=True)
class SetPoint:
    """A power to be kept until the next order.

    Attributes:
        order_id: its permanent name; the same order again changes nothing.
        power_w: what the resource is to take from the network, watts; negative: to give.
    """

    order_id: OrderId
    power_w: float

    def __post_init__(self) -> None:
        """Hold the power to what a FLOAT32 has."""
        object.__setattr__(self, "power_w", single(self.power_w))


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """Powers one after the other.

    Attributes:
        order_id: as of a set point.
        start: when the first begins, UTC.
        interval_s: how long each lasts.
        powers_w: as of a set point.
    """

    order_id: OrderId
    start: Annotated[str, moment]
    interval_s: Annotated[int, range(1, _DAY_S + 1)]
    powers_w: Annotated[tuple[float, ...], 1]

    def __post_init__(self) -> None:
        """Hold the powers to what the model has."""
        if len(self.powers_w) > MOST_ENTRIES:
            raise ValueError(f"powers_w: {len(self.powers_w)} are too many; give {MOST_ENTRIES} at most")
        object.__setattr__(self, "powers_w", tuple(single(one) for one in self.powers_w))


Order = SetPoint | Schedule
KINDS: Mapping[str, type[SetPoint] | type[Schedule]] = {"set": SetPoint, "schedule": Schedule}
"""What is ordered, by the word for it in books and on sockets."""


def kind(order: Order) -> str:
    """Return the word for what is ordered."""
    return next(word for word, one in KINDS.items() if isinstance(order, one))


def written(order: Order) -> str:
    """Return an order as it is kept; two texts are equal where the orders are."""
    return json.dumps(asdict(order), sort_keys=True)


def parsed(word: str, text: str, where: str) -> Order:
    """Return the order that a text describes.

    Raises:
        AgentError: with every problem of it.
    """
    return config.parse(KINDS[word], text, where)


def described(order: Order) -> dict[str, Any]:
    """Return what a resource is told: powers in kW."""
    if isinstance(order, SetPoint):
        return {"order_id": order.order_id, "power_kw": order.power_w / 1000}
    return {
        "order_id": order.order_id,
        "start": order.start,
        "interval_s": order.interval_s,
        "powers_kw": [one / 1000 for one in order.powers_w],
    }


Now = Callable[[], datetime]


def stamp(now: datetime) -> str:
    """Return a time as it is kept: UTC with microseconds, texts of one length that compare as times do."""
    return f"{now.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"


def milliseconds(moment: datetime) -> str:
    """Return a time as `stamp` does, cut to what a report's TimeOfEntry has (IEC 61850-8-1 BinaryTime)."""
    return stamp(moment.replace(microsecond=moment.microsecond // 1000 * 1000))
