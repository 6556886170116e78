"""The one kind of answer: a verdict on one requirement, about one subject, at one stage."""

from dataclasses import dataclass
from enum import StrEnum

from heiiki.errors import printable
from heiiki.requirements.catalogue import clause_of
from heiiki.requirements.stage import Stage

NOTHING_EXAMINED = "nothing examined it"
"""Reason of the verdicts that stand in for an examination that did not take place."""


class Result(StrEnum):
    """What an examination found.

    ``unknown`` means that it could not be examined: it is never a pass. ``not_applicable`` is counted apart.
    """

    PASS = "pass"  # noqa: S105 - a result, no password
    FAIL = "fail"
    UNKNOWN = "unknown"
    NOT_APPLICABLE = "not_applicable"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a verdict rests on.

    Attributes:
        collected: ISO 8601 time at which it was collected.
        file: raw output, relative to the folder of ``verdicts.json``.
        sha256: digest of that file.
        excerpt: what a reader needs at once, one line.
    """

    collected: str
    file: str = ""
    sha256: str = ""
    excerpt: str = ""

    def __post_init__(self) -> None:
        """Make what a peer may have said harmless to a terminal."""
        object.__setattr__(self, "excerpt", printable(self.excerpt))


@dataclass(frozen=True, slots=True)
class Verdict:
    """One answer.

    Attributes:
        requirement: ID of the catalogue, such as ``R-GAP``.
        subject: what was examined: a site, a device, a fault, a pair.
        reason: why; mandatory unless the result is ``pass``.
        measured: figure found, in `unit`; None when there is none.
        bound: figure allowed, in `unit`; None when there is none.

    Raises:
        ValueError: an ``unknown``, ``fail`` or ``not_applicable`` without a reason.
    """

    requirement: str
    subject: str
    stage: Stage
    result: Result
    reason: str = ""
    measured: float | None = None
    bound: float | None = None
    unit: str = ""
    evidence: tuple[Evidence, ...] = ()

    @property
    def clause(self) -> str:
        """Where the requirement is written; empty when this release's catalogue does not have it."""
        return clause_of(self.requirement)

    def __post_init__(self) -> None:
        """Refuse a result other than pass that says no reason; make what a peer may have said harmless."""
        if self.result is not Result.PASS and not self.reason:
            message = f"{self.requirement} {self.subject}: a {self.result} verdict needs a reason"
            raise ValueError(message)
        # Names and log lines of peers, an APN, an IMSI: a terminal may show them.
        for name in ("subject", "reason"):
            object.__setattr__(self, name, printable(getattr(self, name)))
