"""The header of a set of verdicts: whose they are, when and with what they were found, and their totals."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Self

import heiiki
from heiiki.plan.model import Plan
from heiiki.requirements import REQUIREMENTS, Result, Stage, Verdict


def utc_now() -> datetime:
    """Return the time now, in UTC."""
    return datetime.now(UTC)


def iso(time: datetime) -> str:
    """Return `time` as ISO 8601 text to the second."""
    return time.isoformat(timespec="seconds")


@dataclass(frozen=True, slots=True)
class Totals:
    """How many verdicts have each result.

    Attributes:
        not_examined: pairs of requirement and stage that this release does not examine; they have no verdict.
    """

    passed: int = 0
    failed: int = 0
    unknown: int = 0
    not_applicable: int = 0
    not_examined: int = 0

    @property
    def verdicts(self) -> int:
        """Number of verdicts, each result included."""
        return self.passed + self.failed + self.unknown + self.not_applicable

    @classmethod
    def of(cls, verdicts: Iterable[Verdict]) -> Self:
        """Count `verdicts`, and the pairs of requirement and stage that this release does not examine."""
        found = tuple(verdicts)
        counts = Counter(verdict.result for verdict in found)
        seen = {(verdict.requirement, verdict.stage) for verdict in found}
        return cls(
            counts[Result.PASS],
            counts[Result.FAIL],
            counts[Result.UNKNOWN],
            counts[Result.NOT_APPLICABLE],
            sum(1 for pair in not_examined() if pair not in seen),
        )


def not_examined() -> tuple[tuple[str, Stage], ...]:
    """Return every pair of requirement and stage that this release does not examine."""
    return tuple((item.id, stage) for item in REQUIREMENTS for stage in Stage if stage not in item.stages)


@dataclass(frozen=True, slots=True)
class Header:
    """What stands above the verdicts.

    Attributes:
        service: name of the service.
        generated: ISO 8601 time at which the verdicts were written.
        tool_version: version of Heiiki.
        intent_sha256: digest of the intent's files; verdicts of another intent are never mixed in.
        machine: note on the machine that measured, such as its cores and memory.
        lab: the live verdicts were found in the lab, not in the field.
        totals: of the verdicts written below the header.
    """

    service: str
    generated: str
    tool_version: str
    intent_sha256: str
    machine: str = ""
    lab: bool = False
    totals: Totals = Totals()

    @classmethod
    def of(
        cls, plan: Plan, *, machine: str = "", lab: bool = False, clock: Callable[[], datetime] = utc_now
    ) -> Self:
        """Return the header for verdicts on `plan` that are written now."""
        return cls(plan.service, iso(clock()), heiiki.__version__, plan.digest, machine, lab)

    def counting(self, verdicts: Iterable[Verdict]) -> Self:
        """Return this header with the totals of `verdicts`."""
        return replace(self, totals=Totals.of(verdicts))
