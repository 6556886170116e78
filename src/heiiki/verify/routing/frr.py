"""FRR's running configuration against the intended one, by meaning.

FRR prints what it runs in an order of its own and leaves out what is its default. Both texts become sets of
lines, each with the contexts that it stands in. Order means nothing to FRR but where a number says so, and
that is part of the line. A line too much is always a difference; a missing one, unless it is a default.
"""

import re

_CHATTER = re.compile(
    r"!|end$|exit(-\S+)?$|frr (version|defaults) |hostname |log |service |(no )?ipv6 forwarding|ip forwarding"
)
_EMPTY = re.compile(r"vrf \S+$|address-family \S+ \S+$|interface \S+$|bfd$|profile \S+$")
_DEFAULT = re.compile(r"detect-multiplier 3$|(receive|transmit)-interval 300$")
_BOTH = re.compile(r"(rt vpn) both (.*)")

Line = tuple[str, ...]
"""A line, after the contexts that it stands in, outermost first."""


def lines(text: str) -> frozenset[Line]:
    """Return the lines that mean something, each with its contexts; contexts come from the indentation."""
    stack: list[tuple[int, str]] = []
    found: set[Line] = set()
    parents: set[Line] = set()
    for raw in text.splitlines():
        words, indent = " ".join(raw.split()), len(raw) - len(raw.lstrip())
        if not words or _CHATTER.match(words):
            continue
        while stack and stack[-1][0] >= indent:
            stack.pop()
        context = tuple(name for _, name in stack)
        parents.add(context)
        found.update((*context, one) for one in _expanded(words))
        stack.append((indent, words))
    return frozenset(line for line in found - parents if not _EMPTY.match(line[-1]))


def _expanded(words: str) -> tuple[str, ...]:
    both = _BOTH.fullmatch(words)
    return tuple(f"{both[1]} {side} {both[2]}" for side in ("import", "export")) if both else (words,)


def differences(intended: str, running: str) -> tuple[list[Line], list[Line]]:
    """Return the lines that are missing from `running`, and those that it has in excess."""
    wanted, there = lines(intended), lines(running)
    missing = sorted(line for line in wanted - there if not _DEFAULT.match(line[-1]))
    return missing, sorted(there - wanted)
