"""What a stored row of the fault table is worth later: evidence has an origin, and it ages."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from heiiki.report.faults import FaultRow, is_row
from heiiki.report.fingerprint import Fingerprint
from heiiki.report.ledger import Ledger
from heiiki.requirements import Result, Stage, Verdict

STALE = "measured earlier, and counts no more: "
"""Beginning of the reason where a row says nothing about the network of now."""

_AGAIN = "run this fault again"
_MOST_NAMED = 3


def subject(row: FaultRow) -> str:
    """Return the name of a row in the ledger."""
    return f"fault {row.name}"


@dataclass(frozen=True)
class Present:
    """What a stored row is compared with.

    Attributes:
        now: the time.
        fingerprint: what the network is made of now.
        before: the fingerprints of earlier measurements, by digest.
        drift: in what the devices are not known to be as they were compiled; empty where they are.
        ledger: says whether a row is as this controller recorded it.
    """

    now: datetime
    fingerprint: Fingerprint
    before: Mapping[str, Fingerprint]
    drift: str
    ledger: Ledger

    def doubt(self, row: FaultRow) -> str:
        """Return why `row` does not count; empty when it does."""
        # First what the row says of its own age: after an update of this tool its record differs by its form.
        stale = "" if row.origin is None else self._stale(row.origin.expires, row.origin.fingerprint)
        if not stale and (flaw := self.ledger.flaw(subject(row), row.sha256)):
            return f"the row {flaw}; {_AGAIN}"
        if row.origin is not None:
            stale = stale or self.drift
        return f"{STALE}{stale}; {_AGAIN}" if stale else ""

    def _stale(self, expires: str, digest: str) -> str:
        if self.now >= datetime.fromisoformat(expires):
            return f"expired on {expires}"
        then = self.before.get(digest)
        if then is None or then.sha256 != digest:
            return "what it was measured on is not known"
        return self.fingerprint.differences(then)


def drift(verdicts: Iterable[Verdict]) -> str:
    """Return in what the devices are not known to be as they were compiled, from the verdicts of this run."""
    compared = [verdict for verdict in verdicts if verdict.stage is Stage.CONFIG]
    if not compared:
        return "this run did not compare the configuration"
    found = [f"{one.subject}: {one.reason}" for one in compared if one.result is not Result.PASS]
    more = f" (and {len(found) - _MOST_NAMED} more)" if len(found) > _MOST_NAMED else ""
    return "; ".join(dict.fromkeys(found[:_MOST_NAMED])) + more


def is_stale(verdict: Verdict) -> bool:
    """Tell whether `verdict` stands for a fault that was measured on another network than that of now."""
    is_fault = is_row(verdict.requirement, verdict.stage, verdict.subject)
    return is_fault and verdict.reason.startswith(STALE)
