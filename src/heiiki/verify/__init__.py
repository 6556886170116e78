"""Live verification: what a running service does, against what the plan says, as verdicts with evidence."""

from heiiki.verify.access import SimTrials
from heiiki.verify.faults.injector import Injector
from heiiki.verify.named import CHECKS
from heiiki.verify.run import Observation, verify
from heiiki.verify.verdicts import Keep

__all__ = ["CHECKS", "Injector", "Keep", "Observation", "SimTrials", "verify"]
