"""Tunnels that the kernel would not begin again, since its clock was set back.

A peer that refuses ends charon's attempts, and the next is up to the kernel's trap policy. It asks again when
the state that waits for the last answer has expired, and reckons that by the wall clock: after a step of four
days back it does not ask for four days. After any other refusal it asks in time, and is left to it.
"""

import time
from collections.abc import Iterable

from heiiki_agent.pki.associations import begun_without

SET_BACK_S = 10.0
"""Less than this delays the kernel by no more than itself."""


class Revival:
    """What is owed to connections since the clock was last set back."""

    def __init__(self) -> None:
        """Begin with a clock that is right."""
        self._offset, self._owed = _offset(), frozenset[str]()

    def look(self, initiated: Iterable[str]) -> tuple[str, ...]:
        """Begin those of `initiated` that have had no IKE SA since the clock was set back; returns which.

        Raises:
            AgentError: strongSwan does not answer; it is tried again with the next look.
        """
        before, self._offset = self._offset, _offset()
        if self._offset < before - SET_BACK_S:
            self._owed = frozenset(initiated)
        if not self._owed:
            return ()
        begun = begun_without(sorted(self._owed))
        self._owed = frozenset(begun)
        return begun


def _offset() -> float:
    """Return how far the wall clock is from the time since the start, which is never set."""
    return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
