"""Numbers as people write them: with commas, exponents, units or full-width digits."""

import re
from decimal import Decimal

from heiiki.intent.characters import folded

EXPONENT = re.compile(r"[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]{1,2}")
_GROUPED = re.compile(r"[0-9]{1,3}(?:([,_'’  ])[0-9]{3})(?:\1[0-9]{3})*(?:\.[0-9]+)?")
_UNIT = re.compile(r"\s*(?:h|hours?|ms|s|MB|mb|yen|JPY|円|時間)$|^[¥￥]\s*")
_PLAIN = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]{1,2})?")


def plainly(text: str) -> str | None:
    """Return a number as plain digits, such as ``260000`` for ``260,000 h``; None where it is none."""
    bare = _UNIT.sub("", folded(text.strip()).strip("\"' "))
    if _GROUPED.fullmatch(bare):
        bare = re.sub("[^0-9.]", "", bare)
    if not _PLAIN.fullmatch(bare):
        return None
    digits = f"{Decimal(bare):f}"
    return digits.rstrip("0").rstrip(".") if "." in digits else digits
