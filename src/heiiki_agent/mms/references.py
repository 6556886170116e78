"""Names in the data model, and orders as its values (modelled after IEC 61850-7-420 and 61850-90-10).

The SCL file beside says what there is; here is what of it the two ends use.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from open61850.data import FloatData, IECData, OctetStringData, StructureData, TimestampData
from open61850.mms import ObjectName

from heiiki_agent.mms.orders import MOST_ENTRIES, Schedule, SetPoint

LD = "DER"
SET_POINT, SCHEDULE = f"{LD}/DWGC1.WSpt", f"{LD}/FSCH1.EnaReq"
"""What is operated: active power, and a schedule whose values were written before."""
MEASURED: Mapping[str, tuple[str, float]] = {
    "power": ("MMXU1$MX$TotW", 1000.0),
    "reactive": ("MMXU1$MX$TotVAr", 1000.0),
    "frequency": ("MMXU1$MX$Hz", 1.0),
    "stored": ("DSTO1$MX$WhAvail", 1000.0),
}
"""Values by what the resource calls them: the data object, and what its unit is in the model's."""
MEASUREMENT = ObjectName("LLN0$measurement", LD)
"""Data set of all of them."""
HEALTH = "DECP1$ST$Health"
"""Data object: whether the resource answers its controller."""
OPERATIONS = "DWGC1$ST$OpCnt"
"""Data object: how many orders were done, so that each is an event though it orders what was there."""


def report(block: str, *, buffered: bool, instance: int) -> ObjectName:
    """Return the name of one instance of a report control block."""
    return ObjectName(f"LLN0${'BR' if buffered else 'RP'}${block}{instance:02}", LD)


NOT_NOW, REFUSED, WRONG = 13, 9, 26
"""Additional causes (IEC 61850-7-2): blocked by health, blocked by process, inconsistent parameters."""
_START, _INTERVAL, _ENTRIES = "FSCH1$SP$StrTm$setTm", "FSCH1$SP$SchdIntv$setVal", "FSCH1$SP$NumEntr$setVal"
WRITABLE = "FSCH1$SP$"
"""How the names begin of what may be written without being operated."""


class NotInModelError(ValueError):
    """A value is not what the model has in its place."""


def name(item: str) -> ObjectName:
    """Return the name of a variable of the logical device."""
    return ObjectName(item, LD)


def analogue(power_w: float) -> StructureData:
    """Return a power as an AnalogueValue (IEC 61850-7-3)."""
    return StructureData([FloatData(power_w)])


def number(value: object) -> float:
    """Return what an AnalogueValue or a FLOAT32 holds.

    Raises:
        ValueError: it is neither.
    """
    inner = value.members[0] if isinstance(value, StructureData) and len(value.members) == 1 else value
    if not isinstance(inner, FloatData):
        raise NotInModelError(f"{value!r} is no number")
    return float(inner.value)


def order_id(origin: object) -> str:
    """Return the name of an order: the originator's identification.

    Raises:
        ValueError: there is none.
    """
    if isinstance(origin, StructureData) and len(origin.members) > 1:
        found = origin.members[1]
        if isinstance(found, OctetStringData):
            return found.value.decode("ascii")
    raise ValueError("there is no orIdent")


def schedule_values(order: Schedule) -> dict[str, object]:
    """Return what is to be written for a schedule, by variable; what is not of this one becomes zero."""
    start = datetime.fromisoformat(order.start)
    powers = [*order.powers_w, *([0.0] * (MOST_ENTRIES - len(order.powers_w)))]
    return {
        _START: start,
        _INTERVAL: order.interval_s,
        _ENTRIES: len(order.powers_w),
        **{_power(at): power for at, power in enumerate(powers, start=1)},
    }


SCHEDULE_NAMES: Sequence[str] = (
    _START,
    _INTERVAL,
    _ENTRIES,
    *(f"FSCH1$SP$ValASG{at}$setMag$f" for at in range(1, MOST_ENTRIES + 1)),
)
"""What a schedule consists of."""


def schedule(order: str, values: Sequence[IECData]) -> Schedule:
    """Return the schedule of the values that `SCHEDULE_NAMES` have.

    Raises:
        ValueError: they are none.
    """
    start, interval, entries = values[0], values[1], getattr(values[2], "value", 0)
    if not isinstance(start, TimestampData) or entries not in range(1, MOST_ENTRIES + 1):
        raise ValueError("there is no schedule")
    return Schedule(
        order_id=order,
        start=f"{start.value.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        interval_s=int(getattr(interval, "value", 0)),
        powers_w=tuple(number(one) for one in values[3 : 3 + entries]),
    )


def set_point(order: str, value: IECData) -> SetPoint:
    """Return the set point that is operated.

    Raises:
        ValueError: it is none.
    """
    return SetPoint(order_id=order, power_w=number(value))


def _power(at: int) -> str:
    return f"FSCH1$SP$ValASG{at}$setMag$f"
