"""Single failures that the service must survive, and how often components fail."""

from dataclasses import dataclass
from enum import StrEnum

from heiiki.plan.model.networks import Network


class FailureMode(StrEnum):
    """How an element is failed: see `docs/decisions` D17."""

    SILENT = "silent"
    DOWN = "down"
    KILL = "kill"
    POWEROFF = "poweroff"


class ElementKind(StrEnum):
    """What fails: a link between two devices, or a device."""

    LINK = "link"
    NODE = "node"


@dataclass(frozen=True, slots=True)
class Fault:
    """One single failure that R-GAP must survive (D17).

    Attributes:
        target: a link's or device's name.
        network: the closed network that the element is part of; None for a leg of a LAN.
        sites: the sites whose path the element is on.
        exempt: why R-GAP does not apply (clause), or the empty string.
    """

    target: str
    kind: ElementKind
    mode: FailureMode
    network: Network | None
    sites: tuple[str, ...]
    exempt: str = ""

    @property
    def segment(self) -> str:
        """``a``, ``b`` or ``lan``, for reports."""
        return self.network or "lan"

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
