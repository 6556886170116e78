"""What a service may be without, and says so of itself at each stage, where nothing else could."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from heiiki.plan.model import Plan
from heiiki.requirements import Result, Stage, Verdict


@dataclass(frozen=True, slots=True)
class Absence:
    """The lack of something in a service that has sites.

    Attributes:
        requirement: what it is about.
        subject: of its verdicts.
        reason: of its verdicts.
        sought: yields what the service has of it.
    """

    requirement: str
    subject: str
    reason: str
    sought: Callable[[Plan], Iterable[object]]

    def subjects(self, plan: Plan) -> tuple[str, ...]:
        """Return its subject where a service has none of it."""
        return () if not plan.sites or any(True for _ in self.sought(plan)) else (self.subject,)

    def verdict(self, stage: Stage) -> Verdict:
        """Return that it is not applicable."""
        return Verdict(self.requirement, self.subject, stage, Result.NOT_APPLICABLE, self.reason)

    def verdicts(self, plan: Plan, stage: Stage) -> Iterator[Verdict]:
        """Yield the same where a service has none of it."""
        if self.subjects(plan):
            yield self.verdict(stage)
