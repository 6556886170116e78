"""What the fault campaign needs of a fault injector; only a lab has one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from heiiki.plan.model import Fault


@dataclass(frozen=True, slots=True)
class Injection:
    """When a failure was put in force: CLOCK_MONOTONIC of the nodes, seconds.

    Attributes:
        before: read before the first step: no packet can have been lost to the failure earlier.
        after: read after the last step.
    """

    before: float
    after: float

    @property
    def spread_s(self) -> float:
        """Time from the first step to the last, seconds."""
        return self.after - self.before


class Injector(Protocol):
    """Fails and heals links, nodes and programs; times are CLOCK_MONOTONIC of the nodes, seconds."""

    def fail(self, fault: Fault) -> Injection:
        """Put a failure in force."""

    def fail_links(self, links: Sequence[str]) -> Injection:
        """Have links lose every packet, all at once."""

    def heal(self, target: str) -> None:
        """Undo every failure of a link, or of a node and its programs."""

    def heal_all(self) -> None:
        """Undo every failure."""

    def now(self) -> float:
        """Return the nodes' time."""

    def stalls(self, since: float) -> Sequence[tuple[float, float]]:
        """Return when the machine stood still after `since`: end and length of each stall."""
