"""What a measurement may do to a network beside looking at it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from heiiki.verify.access import SimTrials
    from heiiki.verify.faults.injector import Injector


@dataclass(frozen=True, slots=True)
class TestEquipment:
    """What a measurement may do to a network beside looking at it; a real one allows nothing of it.

    Attributes:
        injector: fails links and devices.
        restart: starts the services of a device after it was killed or switched off.
        sim_trials: commands of a test UE.
        refused_certificates: connections that must be refused may be tried, and the service's CA may be asked
            for certificates for them.
        logs: folder in which each unit of a device writes what it says, as UNIT.log; empty where that is not
            known.
    """

    injector: "Injector | None" = None
    restart: Callable[[str], None] | None = None
    sim_trials: "SimTrials | None" = None
    refused_certificates: bool = False
    logs: str = ""
