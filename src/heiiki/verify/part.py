"""A part of a verification, and what every part is given."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from heiiki.plan.model import Plan
from heiiki.render.model import DeviceBuild
from heiiki.requirements import Verdict
from heiiki.transport.base import Transport
from heiiki.verify.equipment import TestEquipment
from heiiki.verify.fleet import Fleet
from heiiki.verify.host.explained import Adds
from heiiki.verify.named import REFUSALS, TRUST
from heiiki.verify.overlap import Needs
from heiiki.verify.vault import VaultQueries
from heiiki.verify.verdicts import Keep


@dataclass(frozen=True, slots=True)
class Scene:
    """What every check is given: the service, the ways to it, and what may be done to it."""

    plan: Plan
    builds: Sequence[DeviceBuild]
    transport: Transport
    fleet: Fleet
    keep: Keep
    equipment: TestEquipment
    queries: VaultQueries
    adds: Adds
    patience: int = 1
    """Factor by which every time is multiplied on a busy machine."""


Examine = Callable[[Scene], Iterator[Verdict]]


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a verification that is examined by itself.

    Attributes:
        name: what other parts call it.
        examine: yields its verdicts.
        needs: how it goes together with other parts.
        line: the line of the progress in which it is counted; empty: one of its own.
        repeated: it is examined again while a result is unknown.
    """

    name: str
    examine: Examine
    needs: Needs
    line: str = ""
    repeated: bool = True

    @property
    def reported_as(self) -> str:
        """The name in the progress."""
        return self.line or self.name

    @property
    def check(self) -> str:
        """Its check, one of `CHECKS`."""
        return TRUST if self.line == REFUSALS else self.reported_as
