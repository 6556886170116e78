"""Waiting for a condition: how long a test takes may depend on the machine, whether it passes must not."""

import time
from collections.abc import Callable
from typing import TypeVar

PATIENCE_S = 60.0
"""How long a condition may take on a machine that is busy with other things; more is a fault."""

T = TypeVar("T")


def awaited(what: str, condition: Callable[[], T], seconds: float = PATIENCE_S) -> T:
    """Return the first true value of `condition`, asked less and less often; fail if none comes."""
    end, pause = time.monotonic() + seconds, 0.01
    while not (found := condition()):
        assert time.monotonic() < end, f"not within {seconds:g} s: {what}"
        time.sleep(pause)
        pause = min(2 * pause, 0.2)
    return found
