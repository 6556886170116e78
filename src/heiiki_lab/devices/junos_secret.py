"""How a simulated Junos keeps a secret that it was given in clear: as ``$9$…``, otherwise each time."""

import re
from itertools import cycle
from secrets import choice

from heiiki.platforms.junos_secret import ALPHABET, PREFIX, WEIGHTS, padding

_GIVEN = re.compile(r'((?:authentication-key|ascii-text|chap-secret|pap-password) )"?([^"\s]+)"?$')


def stored(line: str) -> str:
    """Return a set line with its secret as Junos shows it from then on."""
    match = _GIVEN.search(line)
    if match is None or match[2].startswith(PREFIX):
        return line
    return f'{line[: match.start()]}{match[1]}"{disguised(match[2])}"'


def disguised(secret: str) -> str:
    """Return a secret in that form, with a salt of its own."""
    salt = choice(ALPHABET)
    text = salt + "".join(choice(ALPHABET) for _ in range(padding(salt)))
    last = salt
    for char, weights in zip(secret, cycle(WEIGHTS), strict=False):
        left = ord(char)
        steps = []
        for weight in reversed(weights):
            steps.append(left // weight)
            left %= weight
        for step in reversed(steps):
            last = ALPHABET[(ALPHABET.index(last) + step + 1) % len(ALPHABET)]
            text += last
    return f"{PREFIX}{text}"
