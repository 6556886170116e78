"""A bound on the time that a piece of work takes."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from heiiki_agent.errors import ServerError


@contextmanager
def limited(seconds: int, what: str) -> Iterator[None]:
    """Raise ServerError in the block when it is not done in time, however slowly the other side drips."""

    def give_up(*_: object) -> NoReturn:
        raise ServerError(f"{what} was not done within {seconds} s: Vault answers too slowly; run again")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
