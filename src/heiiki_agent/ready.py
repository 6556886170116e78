"""Which files can be read now: what `select.select` tells, for descriptors above its 1,023 too."""

import math
import select
from collections.abc import Iterable
from typing import Protocol, TypeVar


class _File(Protocol):
    def fileno(self) -> int:
        """Return the descriptor."""


F = TypeVar("F", bound=_File | int)


def readable(files: Iterable[F], within_s: float) -> list[F]:
    """Return those of `files` that can be read, or whose other end is gone; wait for the first so long.

    Args:
        files: descriptors, or what has one. That of a process (``pidfd_open``) can be read when it has ended.
        within_s: time in seconds; afterwards none is returned.
    """
    by_number = {one if isinstance(one, int) else one.fileno(): one for one in files}
    poll = select.poll()
    for number in by_number:
        poll.register(number, select.POLLIN)
    return [by_number[number] for number, _ in poll.poll(max(0, math.ceil(within_s * 1000)))]
