"""How much a client may ask: a bucket of tokens for each."""

import math
import time
from collections.abc import Callable


class Rate:
    """So many requests a second, and a burst of them, for each client by itself."""

    def __init__(self, per_s: int, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin with full buckets; `clock` counts seconds."""
        self._per_s, self._burst, self._clock = per_s, burst, clock
        self._buckets: dict[str, tuple[float, float]] = {}

    def wait_s(self, client: str) -> int:
        """Take a token of a client's and return 0; where it has none, return in how many seconds it has."""
        now = self._clock()
        left, since = self._buckets.get(client, (float(self._burst), now))
        left = min(float(self._burst), left + (now - since) * self._per_s)
        taken = left >= 1
        self._buckets[client] = (left - 1 if taken else left, now)
        return 0 if taken else max(1, math.ceil((1 - left) / self._per_s))
