"""Figures as people read them, and as verdicts compare them."""

import math

_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_LEAST_PLAIN, _MOST_PLAIN, _MOST_COUNTED = 1e-3, 1e6, 1e12
_DIGITS, _ALL_DIGITS = 3, 17
_THOUSAND = 1000
_SHORT_S = 0.1
_FLOORS = (" left", " margin")


def settled(value: float) -> float:
    """Return a computed figure with nine significant digits: what is compared is what is written.

    The rest is the noise of binary fractions: 800 yen and 1,000 MB at 0.2 yen are 1,000 yen.
    """
    return float(f"{value:.9g}")


def number(value: float) -> str:
    """Return `value` with three significant digits, in powers of ten when it is very small or very large."""
    return _text(value, _DIGITS, _MOST_PLAIN)


def pair(value: float, other: float) -> tuple[str, str]:
    """Return both numbers with as many digits as it takes to read them as different, if they are."""
    digits = _DIGITS
    texts = _text(value, digits), _text(other, digits)
    while texts[0] == texts[1] and value != other and digits < _ALL_DIGITS:
        digits += 1
        texts = _text(value, digits), _text(other, digits)
    return texts


def apart(text: str, value: float, bound: float) -> str:
    """Return `text`, a rounded `value`, with as many digits more as tell it from the bound."""
    return pair(value, bound)[0] if float(text.replace(",", "")) == bound != value else text


def _text(value: float, digits: int, most_plain: float = _MOST_COUNTED) -> str:
    """Return `value` with `digits` significant digits and all before the point: yen are counted."""
    if value == int(value) and abs(value) < most_plain:
        return f"{value:,.0f}"
    if not _LEAST_PLAIN <= abs(value) < most_plain:
        mantissa, _, power = f"{value:.{digits - 1}e}".partition("e")
        return f"{_trimmed(mantissa)}×10{str(int(power)).translate(_SUPERSCRIPT)}"
    before_point = 1 + math.floor(math.log10(abs(value)))
    decimals = digits - (_DIGITS if abs(value) >= _THOUSAND else before_point)
    return _trimmed(f"{value:,.{max(0, decimals)}f}")


def _trimmed(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text


def quantity(value: float | None, unit: str) -> str:
    """Return `value` with its unit, or the empty string for None; short times in milliseconds."""
    if value is None:
        return ""
    scale, word = _scale(value, unit)
    return f"{_text(value * scale, _DIGITS)} {word}".rstrip()


def _scale(value: float, unit: str) -> tuple[float, str]:
    return (1000.0, "ms") if unit == "s" and 0 < value < _SHORT_S else (1.0, unit)


def is_floor(unit: str) -> bool:
    """Tell whether the bound of figures of `unit` is the least that is allowed: time that must be left."""
    return unit.endswith(_FLOORS)


def compared(measured: float, bound: float, unit: str) -> tuple[str, str]:
    """Return the figure found and the figure allowed, each with its unit, such as ``14 ms`` and ``2 s``."""
    scale, word = _scale(measured, unit)
    found, allowed = pair(settled(measured * scale), settled(bound * scale))
    same = _scale(bound, unit)[1] == word
    return f"{found} {word}".rstrip(), f"{allowed} {word}".rstrip() if same else quantity(bound, unit)


def against(measured: float | None, bound: float | None, unit: str) -> str:
    """Return the figure found and the figure allowed, such as ``14 ms / 2 s`` or ``30 (≥ 5) days left``."""
    if measured is None:
        return ""
    if bound is None:
        return quantity(measured, unit)
    if is_floor(unit):
        found, least = pair(measured, bound)
        return f"{found} (≥ {least}) {unit}"
    found, allowed = compared(measured, bound, unit)
    shared = f" {_scale(measured, unit)[1]}"
    return f"{found.removesuffix(shared) if allowed.endswith(shared) else found} / {allowed}"
