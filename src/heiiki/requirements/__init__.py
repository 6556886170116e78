"""Requirements as data: what TR-1072 asks, with its clause, and the stages that this release examines."""

from heiiki.requirements.catalogue import REQUIREMENTS, Requirement, requirement
from heiiki.requirements.stage import Stage
from heiiki.requirements.verdict import NOTHING_EXAMINED, Result, Verdict

__all__ = ["NOTHING_EXAMINED", "REQUIREMENTS", "Requirement", "Result", "Stage", "Verdict", "requirement"]
