"""What works on a book: one thread, as others see it."""

from collections.abc import Callable
from typing import Protocol, TypeVar

T = TypeVar("T")


class Thread(Protocol):
    """The one thread that works on a book."""

    async def apart(self, work: Callable[[], T]) -> T:
        """Do something of which no answer of the VTN is made."""


class Guard(Protocol):
    """What says whether this host may answer."""

    def ready(self) -> None:
        """Return if it may, as far as it knows; else raise `NotServingError`."""

    def confirm(self) -> None:
        """Return when the other host has what an answer rests on; else raise `NotServingError`."""


def confirmed(guard: Guard, work: Callable[[], T]) -> T:
    """Return what comes of `work`, once `guard` lets it be told; what is refused rests on the book, too.

    Raises:
        NotServingError: this host may not answer; the work may be done.
    """
    guard.ready()
    try:
        return work()
    finally:
        guard.confirm()
