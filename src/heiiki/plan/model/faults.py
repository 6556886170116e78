"""Single failures that the service must survive, and how often components fail."""

from dataclasses import dataclass
from enum import StrEnum

from heiiki.plan.model.networks import Network


class FailureMode(StrEnum):
    """How an element is failed: see `docs/decisions` D17."""

    SILENT = "silent"
    SILENT_A = "silent-a"
    SILENT_B = "silent-b"
    LOSSY = "lossy"
    DOWN = "down"
    KILL = "kill"
    POWEROFF = "poweroff"
    HUNG = "hung"
    DEAD = "dead"
    AWAY = "away"
    FLOOD = "flood"
    KILLED = "killed"
    FAILOVER = "failover"


class ElementKind(StrEnum):
    """What fails: a link, a device, a program, a network, an end of OpenADR or MMS; or what is flooded."""

    LINK = "link"
    NODE = "node"
    PROGRAM = "program"
    NETWORK = "network"
    FLOOD = "flood"
    EVENTS = "events"
    ORDERS = "orders"


class Program(StrEnum):
    """A program that keeps a path, or switches from one to the other."""

    ZEBRA = "zebra"
    BGPD = "bgpd"
    BFDD = "bfdd"
    KEEPALIVED = "keepalived"
    LAN_WATCH = "lan-watch"
    CHARON = "charon"
    PPPD = "pppd"


def fault_name(target: str, mode: FailureMode, part: str) -> str:
    """Return the name of a fault: ``target/mode``, of a program or a service ``target/part-mode``."""
    return f"{target}/{part}-{mode}" if part else f"{target}/{mode}"


@dataclass(frozen=True, slots=True)
class Fault:
    """What the service must survive (D17).

    That is a single failure, the loss of a whole network, a flood, or an end of OpenADR or of direct control
    that is killed among its exchanges.

    Attributes:
        target: a link's or device's name, or ``network-`` and the network's; of a flood, the sender's.
        kind: what of it fails.
        network: the closed network that the element is part of; None for a leg of a LAN.
        sites: the sites whose path the element is on; of a flood, the site that sends it.
        exempt: why R-GAP does not apply (clause), or the empty string.
        program: the program of the device that fails; None where it is all of the device, or a link.
        service: what is flooded, by the name of its budget in the packet filter, or which end of OpenADR or
            MMS is killed; empty for a failure.
    """

    target: str
    kind: ElementKind
    mode: FailureMode
    network: Network | None
    sites: tuple[str, ...]
    exempt: str = ""
    program: Program | None = None
    service: str = ""

    @property
    def segment(self) -> str:
        """``a``, ``b`` or ``lan``, for reports."""
        return self.network or "lan"

    @property
    def name(self) -> str:
        """Subject of the verdict: ``target/mode``, of a part ``target/part-mode``."""
        return fault_name(self.target, self.mode, self.part)

    @property
    def part(self) -> str:
        """The program that fails, or the service concerned; empty where it is all of the target."""
        return self.program or self.service


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
