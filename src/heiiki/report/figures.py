"""Figures as people read them."""

import math

_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_LEAST_PLAIN, _MOST_PLAIN = 1e-3, 1e6
_DIGITS = 3
_SHORT_S = 0.1
_FLOORS = (" left", " margin")


def number(value: float) -> str:
    """Return `value` with three significant digits, in powers of ten when it is very small or very large."""
    if value == 0:
        return "0"
    if not _LEAST_PLAIN <= abs(value) < _MOST_PLAIN:
        digits, _, power = f"{value:.{_DIGITS - 1}e}".partition("e")
        return f"{_trimmed(digits)}×10{str(int(power)).translate(_SUPERSCRIPT)}"
    if abs(value) >= 10**_DIGITS or value == int(value):
        return f"{value:,.0f}"
    decimals = max(0, _DIGITS - 1 - math.floor(math.log10(abs(value))))
    return _trimmed(f"{value:.{decimals}f}")


def _trimmed(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text


def quantity(value: float | None, unit: str) -> str:
    """Return `value` with its unit, or the empty string for None; short times in milliseconds."""
    if value is None:
        return ""
    if unit == "s" and 0 < value < _SHORT_S:
        return f"{number(value * 1000)} ms"
    return f"{number(value)} {unit}".rstrip()


def is_floor(unit: str) -> bool:
    """Tell whether the bound of figures of `unit` is the least that is allowed: time that must be left."""
    return unit.endswith(_FLOORS)


def against(measured: float | None, bound: float | None, unit: str) -> str:
    """Return the figure found and the figure allowed, such as ``14 ms / 2 s`` or ``30 (≥ 5) days left``."""
    if measured is None:
        return ""
    if bound is None:
        return quantity(measured, unit)
    if is_floor(unit):
        return f"{number(measured)} (≥ {number(bound)}) {unit}"
    found, allowed = quantity(measured, unit), quantity(bound, unit)
    same_unit = found.rpartition(" ")[2] == allowed.rpartition(" ")[2]
    return f"{number(measured) if same_unit else found} / {allowed}"
