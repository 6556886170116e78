"""FRR's running configuration against the intended one, by meaning.

FRR prints what it runs in an order of its own and leaves out what is its default. Both texts become sets of
lines, each with the contexts that it stands in. Order means nothing to FRR but where a number says so, and
that is part of the line. A line too much is always a difference; a missing one, unless it is a default.
"""

import re

from heiiki_agent import frr
from heiiki_agent.frr import Line

_CHATTER = re.compile(r"frr (version|defaults) |hostname |log |service |(no )?ipv6 forwarding|ip forwarding")
_EMPTY = re.compile(r"vrf \S+$|address-family \S+ \S+$|interface \S+$|bfd$|profile \S+$")
_DEFAULT = re.compile(r"detect-multiplier 3$|(receive|transmit)-interval 300$")
_BOTH = re.compile(r"(rt vpn) both (.*)")


def lines(text: str) -> frozenset[Line]:
    """Return the lines that mean something, each with its contexts; no key is in them."""
    found: set[Line] = set()
    parents: set[Line] = set()
    for *context, words in frr.lines(frr.masked(text)):
        if _CHATTER.match(words):
            continue
        parents.add(tuple(context))
        found.update((*context, one) for one in _expanded(words))
    return frozenset(line for line in found - parents if not _EMPTY.match(line[-1]))


def _expanded(words: str) -> tuple[str, ...]:
    both = _BOTH.fullmatch(words)
    return tuple(f"{both[1]} {side} {both[2]}" for side in ("import", "export")) if both else (words,)


def differences(intended: str, running: str) -> tuple[list[Line], list[Line]]:
    """Return the lines that are missing from `running`, and those that it has in excess."""
    wanted, there = lines(intended), lines(running)
    missing = sorted(line for line in wanted - there if not _DEFAULT.match(line[-1]))
    return missing, sorted(there - wanted)
