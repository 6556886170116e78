"""The stall detector: on each processor a process that sleeps 20 ms at a time and notes when it woke late.

When the machine under the guest is busy, the guest may stand still for some tenths of a second, and routing
timers run out. A measurement taken across such a stall says nothing about the network, so it must be known.
Each of the guest's processors is a thread of the machine and stands still by itself: a detector that is free
to move wakes up on the other one and sees nothing, while a daemon that was running there has missed its time.
It is as nice as Debian's unit has FRRouting be: what makes BFD late is a stall, what waits behind it is none.
"""

import mmap
import os
import struct
import time
from collections.abc import Iterable

PERIOD = 0.02
LATE = 0.1
NICE = -5
_SLOTS = 8192
_COUNT = struct.Struct("Q")
_SLOT = struct.Struct("ddd")


class StallRing:
    """The latest stalls of a processor, in memory shared by its detector, which writes, and the agent."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, _COUNT.size + _SLOTS * _SLOT.size)

    def add(self, monotonic: float, realtime: float, gap: float) -> None:
        """Note a stall of `gap` seconds that ended at the two given times."""
        (count,) = _COUNT.unpack_from(self._memory)
        _SLOT.pack_into(self._memory, self._offset(count), monotonic, realtime, gap)
        _COUNT.pack_into(self._memory, 0, count + 1)

    def since(self, monotonic: float) -> list[tuple[float, float, float]]:
        """Stalls that ended after `monotonic`, oldest first."""
        (count,) = _COUNT.unpack_from(self._memory)
        kept = range(max(0, count - _SLOTS), count)
        stalls = [_SLOT.unpack_from(self._memory, self._offset(number)) for number in kept]
        return [(at, real, gap) for at, real, gap in stalls if at > monotonic]

    @staticmethod
    def _offset(number: int) -> int:
        return _COUNT.size + number % _SLOTS * _SLOT.size


class Stalls:
    """The latest stalls of every processor."""

    def __init__(self, processors: Iterable[int]) -> None:
        """Make room for the stalls of `processors`."""
        self.rings = {processor: StallRing() for processor in processors}

    def since(self, monotonic: float) -> list[tuple[float, float, float]]:
        """Stalls of any processor that ended after `monotonic`, oldest first."""
        return sorted(stall for ring in self.rings.values() for stall in ring.since(monotonic))


def detect_stalls(ring: StallRing) -> None:
    """Watch the processor that this process has; never returns."""
    os.setpriority(os.PRIO_PROCESS, 0, NICE)
    before = time.monotonic()
    while True:
        time.sleep(PERIOD)
        now = time.monotonic()
        if now - before > LATE:
            ring.add(now, time.time(), now - before)
        before = now
