"""How each kind of fault is put in force, held and undone; what it is meant to show follows from its row."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from heiiki.plan.model import ElementKind, FailureMode, Fault, Network, Plan, Program, Role
from heiiki.verify.events.course import Course
from heiiki.verify.faults import away, flooding
from heiiki.verify.faults.injector import Injection, Injector
from heiiki.verify.faults.lived import Lived
from heiiki.verify.fleet import Fleet
from heiiki.verify.mms.kills import Kills

HOLD_S = 2.5
HEALTH_LIMIT_S = 60.0
LOSSY_HOLD_S = 6.0
_BEYOND_S = 1.0


@dataclass(frozen=True, slots=True)
class Equipment:
    """What faults are made with.

    Attributes:
        injector: breaks and heals.
        restart: starts the services of a node that was killed; None where that is not possible.
        renew: has devices renew their certificates; None where that is not possible.
        course: has events under way; None where no end of OpenADR is to be killed.
        kills: kills ends of direct control; None where none is to be.
    """

    plan: Plan
    fleet: Fleet
    injector: Injector
    restart: Callable[[str], None] | None = None
    renew: away.Renew | None = None
    course: Course | None = None
    kills: Kills | None = None


@dataclass(frozen=True, slots=True)
class Trial:
    """A link or a program that fails, is held so and returns.

    Attributes:
        health_limit_s: longest time until both paths of every site are healthy again.
        outlasts_recorders: it is held for longer than the recorders of the streams remember.
    """

    fault: Fault
    equipment: Equipment
    health_limit_s: ClassVar[float] = HEALTH_LIMIT_S
    outlasts_recorders: ClassVar[bool] = False

    def fail(self) -> Injection:
        """Put the fault in force."""
        return self.equipment.injector.fail(self.fault)

    def hold(self) -> Lived:
        """Let it last; return what was measured meanwhile beside the silences."""
        time.sleep(hold_s(self.equipment.plan, self.fault))
        return Lived()

    def heal(self) -> None:
        """Undo it."""
        self.equipment.injector.heal(self.fault.target)

    def restart(self) -> None:
        """Start what does not return by itself."""

    def watched(self) -> tuple[str, list[str]]:
        """Return the device and interfaces whose counters show traffic on the element."""
        device = self.equipment.plan.device(self.fault.target)
        kinds = ("ethernet", "radio")
        return device.name, [item.name for item in device.interfaces if item.kind in kinds]


class LinkTrial(Trial):
    """A link."""

    def watched(self) -> tuple[str, list[str]]:
        """Return an end that has an address, if one has."""
        plan = self.equipment.plan
        ends = plan.link(self.fault.target).ends
        end = next((one for one in ends if plan.device(one.device).role is not Role.LAN_SWITCH), ends[0])
        return end.device, [end.interface]


class NodeTrial(Trial):
    """A node, whose services are started when it returns."""

    def restart(self) -> None:
        """Start the services of the node."""
        if self.equipment.restart is not None:
            self.equipment.restart(self.fault.target)


class NetworkTrial(Trial):
    """A closed network as a whole (R-DUAL/outage); its core connects again before the paths are healthy."""

    health_limit_s = 240.0
    outlasts_recorders = True

    def fail(self) -> Injection:
        """Have every link of the network lose every packet."""
        return self.equipment.injector.fail_links(away.links(self.equipment.plan, self._network))

    def hold(self) -> Lived:
        """See how trust does on the network that is left."""
        return away.lived(self.equipment.plan, self.equipment.fleet, self.fault, self.equipment.renew)

    def heal(self) -> None:
        """Heal every link."""
        self.equipment.injector.heal_all()

    def watched(self) -> tuple[str, list[str]]:
        """Return the hub's line."""
        return away.line(self.equipment.plan, self._network)

    @property
    def _network(self) -> Network:
        if self.fault.network is None:
            raise ValueError(f"{self.fault.name} names no network")
        return self.fault.network


class _Passing(Trial):
    """What takes place while it is held, and has ended then."""

    def fail(self) -> Injection:
        """Return the moment before."""
        moment = self.equipment.injector.now()
        return Injection(moment, moment)

    def heal(self) -> None:
        """Do nothing: it has ended."""


class FloodTrial(_Passing):
    """A flood from one site (R-ISO-MALICE/flood): nothing is failed."""

    def hold(self) -> Lived:
        """Send it; return what the flooded device did with it."""
        return flooding.lived(self.equipment.plan, self.equipment.fleet, self.fault)


class BooksTrial(_Passing):
    """An end of OpenADR that is killed among its exchanges, or a VTN that fails over (R-EVENT/books)."""

    def hold(self) -> Lived:
        """Kill it, and return what the books of all ends say."""
        if self.equipment.course is None:
            return Lived(doubts=("no event was under way",))
        if self.fault.mode is FailureMode.FAILOVER:
            return self.equipment.course.failover(self.fault.target)
        return self.equipment.course.killed(self.fault.target)


class OrdersTrial(_Passing):
    """An end of direct control that is killed among its exchanges (R-EVENT/books)."""

    def hold(self) -> Lived:
        """Kill it, and return what the books of all ends say."""
        if self.equipment.kills is None:
            return Lived(doubts=("no order was under way",))
        return self.equipment.kills.killed(self.fault.target)


_TRIALS: dict[ElementKind, type[Trial]] = {
    ElementKind.LINK: LinkTrial,
    ElementKind.NODE: NodeTrial,
    ElementKind.NETWORK: NetworkTrial,
    ElementKind.FLOOD: FloodTrial,
    ElementKind.EVENTS: BooksTrial,
    ElementKind.ORDERS: OrdersTrial,
}


def trial(fault: Fault, equipment: Equipment) -> Trial:
    """Return how a fault is tried."""
    return _TRIALS.get(fault.kind, Trial)(fault, equipment)


def hold_s(plan: Plan, fault: Fault) -> float:
    """Return how long a failure is in force, seconds: longer than what notices it may take (D17).

    Of an IKE daemon only its peers' liveness checks tell; what a lossy link does depends on chance.
    """
    if fault.program is Program.CHARON:
        return plan.timers.ike.give_up_s + plan.timers.active.detection_ms / 1000 + _BEYOND_S
    return LOSSY_HOLD_S if fault.mode is FailureMode.LOSSY else HOLD_S
