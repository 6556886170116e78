"""Where the secrets of a line are, and the line without them."""

import re
from functools import cache

MASK = "<secret>"

_EVERYWHERE = (
    (
        r"(?i:password|passphrase|secret|psk|pre-shared-key|key-string|authentication-key|private-key"
        r"|community) (.+)$"
    ),
)
"""What follows these words is masked in a line of which no table says more."""

_PLACEHOLDER = r"(\{\{secret:.*\}\})"

_PROSE = re.compile(r"(?:no )?(?:neighbor \S+ )?(?:description|remark) ")


@cache
def _compiled(patterns: tuple[str, ...]) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(pattern) for pattern in patterns)


def spans(patterns: tuple[str, ...], line: str) -> list[tuple[int, int]]:
    """Return where the secrets of a line begin and end, by the platform's patterns or else by common ones."""
    return _found((_PLACEHOLDER, *patterns), line) or (
        [] if _PROSE.match(line) else _found(_EVERYWHERE, line)
    )


def masked(patterns: tuple[str, ...], line: str) -> str:
    """Return the line with `MASK` in the place of each secret."""
    body = line.lstrip()
    indentation = line[: len(line) - len(body)]
    for start, end in reversed(spans(patterns, body)):
        body = body[:start] + MASK + body[end:]
    return indentation + body


def before(patterns: tuple[str, ...], line: str) -> str:
    """Return the line up to the first secret that the platform's patterns find, as a negation says it."""
    found = _found((_PLACEHOLDER, *patterns), line)
    return line[: found[0][0]].rstrip() if found else line


def _found(patterns: tuple[str, ...], line: str) -> list[tuple[int, int]]:
    return sorted(
        {
            match.span(group)
            for pattern in _compiled(patterns)
            for match in pattern.finditer(line)
            for group in range(1, pattern.groups + 1)
            if match[group]
        }
    )
