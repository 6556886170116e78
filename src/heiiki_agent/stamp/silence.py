"""Arrivals from one peer, and the longest silence between them."""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

RING = 9000


@dataclass(frozen=True)
class Silence:
    """The longest interval without arrival: start and length, seconds; None where its start is not known."""

    start: float | None
    seconds: float | None


def longest_silence(times: Sequence[float], since: float, until: float, now: float) -> Silence:
    """Return the longest silence that overlaps [`since`, `until`], at its full length.

    A silence lasts from one arrival to the next, whenever that comes; the last is open and lasts to `now`.
    One that began before the window counts: a probe that was late or lost must not hide what followed. One
    that crosses from a window into the next counts in both.

    Args:
        times: arrivals, ascending, CLOCK_MONOTONIC seconds.
        since: start of the window.
        until: end of the window.
        now: the time of asking.

    Returns:
        No silence where nothing arrived before `since`: then it is not known when the first one began.
    """
    first = bisect_right(times, since) - 1
    if first < 0:
        return Silence(None, None)
    ends = [*times[first + 1 :], max(now, times[-1])]
    inside = zip(times[first : max(bisect_right(times, until), first + 1)], ends, strict=False)
    seconds, start = max((end - start, -start) for start, end in inside)
    return Silence(-start, seconds)


class Ring:
    """Arrivals from one peer: the last `RING` of them, in a fixed amount of memory."""

    def __init__(self, size: int = RING) -> None:
        """Keep `size` arrivals."""
        self._size = size
        self._times = array("d")
        self._sequences = array("L")
        self._head = 0

    def add(self, at: float, sequence: int) -> None:
        """Keep one arrival; the oldest one makes room."""
        if len(self._times) < self._size:
            self._times.append(at)
            self._sequences.append(sequence)
            return
        self._times[self._head] = at
        self._sequences[self._head] = sequence
        self._head = (self._head + 1) % self._size

    def times(self) -> list[float]:
        """Return the arrivals in ascending order."""
        return sorted([*self._times[self._head :], *self._times[: self._head]])

    def window(self, since: float, until: float, now: float) -> dict[str, Any]:
        """Return what is known of [`since`, `until`]: longest silence, start, arrivals, the last of all."""
        times = self.times()
        silence = longest_silence(times, since, until, now)
        return {
            "gap": silence.seconds,
            "start": silence.start,
            "count": bisect_left(times, until) - bisect_left(times, since),
            "last": times[-1] if times else None,
            "truncated": len(times) == self._size and times[0] > since,
        }
