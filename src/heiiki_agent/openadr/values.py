"""Text of an element, and the value that it stands for (XML Schema types; iCalendar in XML, RFC 6321)."""

import math
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

_INTEGER = re.compile(r"\+?[0-9]{1,10}")
_FLOAT = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
_DECIMAL = re.compile(r"[+-]?[0-9]{1,18}(\.[0-9]{0,18})?")
_DATE_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]*)?Z?")
_DURATION = re.compile(
    r"(?P<sign>[+-]?)P((?P<weeks>[0-9]{1,6})W|((?P<years>[0-9]{1,6})Y)?((?P<months>[0-9]{1,6})M)?"
    r"((?P<days>[0-9]{1,6})D)?T?((?P<hours>[0-9]{1,6})H)?((?P<minutes>[0-9]{1,6})M)?((?P<seconds>[0-9]{1,9})S)?)"
)
_MOST = 2**32 - 1


def parse_integer(text: str) -> int:
    """Read an xs:unsignedInt.

    Raises:
        ValueError: it is none.
    """
    if not _INTEGER.fullmatch(text) or int(text) > _MOST:
        raise ValueError(f"`{text}` is not a whole number from 0 to {_MOST}")
    return int(text)


def parse_float(text: str) -> float:
    """Read a finite xs:float: INF and NaN are no set point of anything.

    Raises:
        ValueError: it is none.
    """
    if not _FLOAT.fullmatch(text) or not math.isfinite(float(text)):
        raise ValueError(f"`{text}` is not a finite number")
    return float(text)


def parse_decimal(text: str) -> Decimal:
    """Read an xs:decimal.

    Raises:
        ValueError: it is none.
    """
    if not _DECIMAL.fullmatch(text):
        raise ValueError(f"`{text}` is not a decimal number")
    return Decimal(text)


def parse_boolean(text: str) -> bool:
    """Read an xs:boolean.

    Raises:
        ValueError: it is none.
    """
    if text not in {"true", "false", "1", "0"}:
        raise ValueError(f"`{text}` is neither true nor false")
    return text in {"true", "1"}


def parse_date_time(text: str) -> datetime:
    """Read a date-time; without `Z` it is UTC all the same (OpenADR 2.0b: all times are UTC).

    Raises:
        ValueError: it is none.
    """
    if not _DATE_TIME.fullmatch(text):
        raise ValueError(f"`{text}` is not a date-time in UTC, such as 2026-01-31T09:00:00Z")
    whole, _, fraction = text.rstrip("Z").partition(".")
    moment = datetime.fromisoformat(whole).replace(tzinfo=UTC)
    return moment.replace(microsecond=int(f"{fraction[:6]:0<6}"))


def format_date_time(moment: datetime) -> str:
    """Write a moment in UTC.

    Raises:
        ValueError: the moment has no time zone.
    """
    if moment.tzinfo is None:
        raise ValueError(f"{moment} has no time zone")
    text = moment.astimezone(UTC).isoformat(timespec="microseconds" if moment.microsecond else "seconds")
    return text.replace("+00:00", "Z")


def parse_duration(text: str) -> timedelta:
    """Read a duration of weeks, days, hours, minutes and seconds.

    Raises:
        ValueError: it is none, or has years or months, which are of no fixed length.
    """
    found = _DURATION.fullmatch(text)
    if not found:
        raise ValueError(f"`{text}` is not a duration, such as PT15M")
    parts = {key: int(value) for key, value in found.groupdict().items() if value and key != "sign"}
    if parts.pop("years", 0) or parts.pop("months", 0):
        raise ValueError(f"`{text}` has years or months; write days")
    length = timedelta(**parts)
    return -length if found["sign"] == "-" else length


def format_duration(length: timedelta) -> str:
    """Write a duration in whole seconds.

    Raises:
        ValueError: it has a fraction of a second, which the schema has no place for.
    """
    seconds = length.total_seconds()
    if not seconds.is_integer():
        raise ValueError(f"{length} is not a whole number of seconds")
    sign, whole = "-" if seconds < 0 else "", abs(int(seconds))
    days, rest = divmod(whole, 86_400)
    hours, rest = divmod(rest, 3600)
    minutes, seconds_left = divmod(rest, 60)
    parts = "".join(f"{n}{unit}" for n, unit in ((hours, "H"), (minutes, "M"), (seconds_left, "S")) if n)
    day = f"{days}D" if days else ""
    return f"{sign}P{day}T{parts}" if parts else f"{sign}P{day}" if day else "PT0S"


def _format_float(value: float) -> str:
    if not math.isfinite(value):
        raise ValueError(f"{value} is not a finite number")
    return repr(float(value))


PARSERS: dict[Any, Any] = {
    str: str,
    int: parse_integer,
    float: parse_float,
    Decimal: parse_decimal,
    bool: parse_boolean,
    datetime: parse_date_time,
    timedelta: parse_duration,
}
FORMATS: dict[Any, Any] = {
    str: str,
    int: str,
    float: _format_float,
    Decimal: lambda value: format(value, "f"),
    bool: lambda value: "true" if value else "false",
    datetime: format_date_time,
    timedelta: format_duration,
}
