"""The lab as the fault campaign's injector (`heiiki.verify.Injector`)."""

from collections.abc import Sequence
from typing import Literal

from heiiki.verify.faults.injector import Injection
from heiiki_lab.wiring import Lab


class LabInjector:
    """The lab as an injector. It starts no services on a healed node: the campaign's `restart` does that."""

    def __init__(self, lab: Lab) -> None:
        """Break and mend `lab`."""
        self._faults = lab.injector()
        self._guest = lab.guest()

    def fail_link(self, link: str, how: Literal["silent", "down"]) -> Injection:
        """Fail a link."""
        span = self._faults.fail_link(link, how)
        return Injection(span.began, span.ended)

    def fail_node(self, node: str, how: Literal["kill", "poweroff"]) -> Injection:
        """Fail a node."""
        span = self._faults.fail_node(node, how)
        return Injection(span.began, span.ended)

    def heal(self, target: str) -> None:
        """Undo every failure of a link or node."""
        self._faults.heal(target)

    def heal_all(self) -> None:
        """Undo every failure."""
        self._faults.heal_all()

    def now(self) -> float:
        """Return the guest's time."""
        return self._guest.clock().monotonic

    def stalls(self, since: float) -> Sequence[tuple[float, float]]:
        """Return the stalls that the guest's stall detectors noticed."""
        return tuple((stall.monotonic, stall.gap) for stall in self._guest.stalls(since))
