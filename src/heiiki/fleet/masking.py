"""Secrets are taken out of every text that leaves a session."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

MASK = "<secret>"
_SHORTEST = 3
"""A shorter value would mask letters of common words, and guards nothing."""


@dataclass(frozen=True, slots=True)
class Mask:
    """What is taken out.

    Attributes:
        values: secrets that are known.
        patterns: expressions whose group `secret` is one.
    """

    values: tuple[str, ...]
    patterns: tuple[re.Pattern[str], ...]

    def __call__(self, text: str) -> str:
        """Return `text` without secrets."""
        for value in self.values:
            text = text.replace(value, MASK)
        for pattern in self.patterns:
            text = pattern.sub(_masked, text)
        return text


def mask(values: Iterable[str], patterns: tuple[re.Pattern[str], ...] = ()) -> Mask:
    """Return the mask for some values, the longest first, so that none leaves its end."""
    known = {value for value in values if len(value) >= _SHORTEST}
    return Mask(tuple(sorted(known, key=len, reverse=True)), patterns)


def _masked(match: re.Match[str]) -> str:
    start, end = (place - match.start() for place in match.span("secret"))
    return f"{match[0][:start]}{MASK}{match[0][end:]}"
