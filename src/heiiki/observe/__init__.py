"""Live verification: what a running service does, against what the plan says, as verdicts with evidence."""

from heiiki.observe.answers import Keep
from heiiki.observe.injector import Injector, LabInjector
from heiiki.observe.verification import CHECKS, Observation, verify

__all__ = ["CHECKS", "Injector", "Keep", "LabInjector", "Observation", "verify"]
