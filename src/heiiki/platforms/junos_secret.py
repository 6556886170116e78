"""The form in which Junos shows a secret that can be read back: ``$9$`` and the secret, disguised.

It is no encryption: the text gives the secret away. Each character of the secret is told by the distances
between neighbours in an alphabet, beginning at a salt, so one secret has another text each time that it is
set. Juniper has published no description; the alphabet is that of the tools that read it (Crypt::Juniper).
"""

from itertools import cycle

PREFIX = "$9$"
FAMILIES = ("QzF3n6/9CAtpu0O", "B1IREhcSyrleKvMW8LXx", "7N-dVbwsY2g4oaJZGUDj", "iHkq.mPf5T")
"""The alphabet in four parts: behind a salt of the first come three random characters, of the last none."""
ALPHABET = "".join(FAMILIES)
WEIGHTS = (
    (1, 4, 32),
    (1, 16, 32),
    (1, 8, 32),
    (1, 64),
    (1, 32),
    (1, 4, 16, 128),
    (1, 32, 64),
)
"""For the first, the second, … character of a secret: how much a step of each distance counts."""
_BYTE = 256


def padding(salt: str) -> int:
    """Return how many random characters follow a salt; ValueError where it is none."""
    return len(FAMILIES) - 1 - next(n for n, family in enumerate(FAMILIES) if salt in family)


def clear(shown: str) -> str:
    """Return the secret behind what Junos shows; anything else is returned as it is.

    Example:
        >>> clear("$9$LbHX-wg4Z")
        'lc'
    """
    text = shown.removeprefix(PREFIX)
    if text == shown or not text or not set(text) <= set(ALPHABET):
        return shown
    last, rest = text[0], text[1 + padding(text[0]) :]
    found: list[str] = []
    for weights in cycle(WEIGHTS):
        if not rest:
            return "".join(found) or shown
        if len(rest) < len(weights):
            return shown
        total = 0
        for weight, char in zip(weights, rest, strict=False):
            total += weight * ((ALPHABET.index(char) - ALPHABET.index(last)) % len(ALPHABET) - 1)
            last = char
        found.append(chr(total % _BYTE))
        rest = rest[len(weights) :]
    return shown
