"""Single failures that the service must survive, and how often components fail."""

from dataclasses import dataclass
from enum import StrEnum


class FailureMode(StrEnum):
    """How an element is failed: see `docs/decisions` D17."""

    SILENT = "silent"
    DOWN = "down"
    KILL = "kill"
    POWEROFF = "poweroff"


@dataclass(frozen=True, slots=True)
class Fault:
    """One single failure that R-GAP must survive (D17).

    Attributes:
        target: a link's or device's name.
        kind: ``link`` or ``node``.
        sites: the sites whose path the element is on.
        exempt: why R-GAP does not apply (clause), or the empty string.
    """

    target: str
    kind: str
    mode: FailureMode
    network: str
    sites: tuple[str, ...]
    exempt: str = ""

    @property
    def name(self) -> str:
        """``target/mode``, the subject of the verdict."""
        return f"{self.target}/{self.mode}"


@dataclass(frozen=True, slots=True)
class Availability:
    """Unavailability of one component class, from the intent's reliability figures."""

    component: str
    mtbf_h: float
    mttr_h: float

    @property
    def unavailability(self) -> float:
        """MTTR / (MTBF + MTTR), a probability."""
        return self.mttr_h / (self.mtbf_h + self.mttr_h)
