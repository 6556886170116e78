"""What the fault campaign needs of a fault injector; only a lab has one."""

from collections.abc import Sequence
from typing import Literal, Protocol


class Injector(Protocol):
    """Fails and heals links and nodes; times are CLOCK_MONOTONIC of the nodes, seconds."""

    def fail_link(self, link: str, how: Literal["silent", "down"]) -> float:
        """Fail a link and return when the failure was in force."""

    def fail_node(self, node: str, how: Literal["kill", "poweroff"]) -> float:
        """Fail a node and return when the failure was in force."""

    def heal(self, target: str) -> float:
        """Undo every failure of a link or node."""

    def heal_all(self) -> float:
        """Undo every failure."""

    def now(self) -> float:
        """Return the nodes' time."""

    def stalls(self, since: float) -> Sequence[tuple[float, float]]:
        """Return when the machine stood still after `since`: end and length of each stall."""
