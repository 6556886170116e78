"""The evidence of a revocation (R-THEFT): written from its first moment, judged by the newest one."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from heiiki.files import write_evidence
from heiiki.plan.model import Device, Plan
from heiiki.report.ledger import Ledger
from heiiki.requirements import Result, Verdict
from heiiki.requirements.verdict import Evidence
from heiiki.revocation.accesses import Outcome, Row, table
from heiiki.revocation.step import RevocationStep, now
from heiiki.verify.verdicts import Keep, live, unknown

BOUND_S = 10.0
"""Seconds from the start to the end of the last step that was needed."""

FOLDER = "revocation"
"""Folder of the evidence, below a service's artifacts."""

_FORMER = "theft"
"""Folder of the release before, whose evidence counts on."""

_REQUIREMENT = "R-THEFT"
_SUBJECT = "newest revocation"
_ACCESSES = "newest revocation, tried at every access"
_MOST_NAMED = 16
"""Accesses that a reason names; a router of the hub is let in by each site."""


def evidence(
    plan: Plan, device: str, steps: Sequence[RevocationStep], since: str | None = None, *, over: bool = True
) -> dict[str, Any]:
    """Return the evidence as a document; `seconds` is from the first start to the last step that was needed.

    Args:
        plan: the service.
        device: what was revoked.
        steps: those taken by now.
        since: start of an earlier run that did not complete; its seconds count.
        over: every step was taken.
    """
    needed = [step for step in steps if step.needed] or steps
    started = since or min((step.started for step in steps), default=now())
    finished = max((step.finished for step in needed), default=started)
    took = datetime.fromisoformat(finished) - datetime.fromisoformat(started)
    document = {
        "service": plan.service,
        "device": device,
        "started": started,
        "finished": finished,
        "seconds": round(took.total_seconds(), 3),
        "bound_s": BOUND_S,
        "complete": over and not any(step.problem for step in steps if step.needed),
        "steps": [asdict(step) for step in steps],
    }
    return document | {"accesses": [asdict(row) for row in table(document)]}


class Record:
    """The evidence of one revocation, on the disk from its first moment: a run that is killed is counted too.

    A run after one that did not complete goes on in its file, from its start. One that finds nothing left to
    do for an earlier revocation leaves no trace.

    Attributes:
        path: the file.
        document: what stands in it, or would.
    """

    def __init__(self, artifacts: Path, plan: Plan, device: Device, ledger: Ledger) -> None:
        """Begin, or go on; `ledger` vouches for what is written.

        Raises:
            EvidenceError: it cannot be written.
        """
        before = _newest(artifacts, plan.service, device.name)
        going_on = before is not None and not before[1]["complete"]
        self._plan, self._device, self._ledger = plan, device.name, ledger
        self._since = str(before[1]["started"]) if before and going_on else now()
        self._steps: list[RevocationStep] = []
        self._wanted = going_on or not device.revoked
        stamp = datetime.fromisoformat(self._since).strftime("%Y%m%dT%H%M%SZ")
        self.path = before[0] if before and going_on else artifacts / FOLDER / f"{device.name}-{stamp}.json"
        self._write(over=False)

    def add(self, step: RevocationStep) -> RevocationStep:
        """Write a step down; returns it."""
        self._steps.append(step)
        self._wanted = self._wanted or bool(step.changed) or bool(step.needed and step.problem)
        self._write(over=False)
        return step

    def finish(self) -> Path | None:
        """Every step was taken: return the file, if there is anything to be told."""
        self._write(over=True)
        return self.path if self._wanted else None

    def _write(self, *, over: bool) -> None:
        self.document = evidence(self._plan, self._device, self._steps, self._since, over=over)
        if self._wanted:
            data = (json.dumps(self.document, indent=2) + "\n").encode()
            write_evidence(self.path, data)
            self._ledger.add(_entry(self.path), hashlib.sha256(data).hexdigest())


def unfinished(artifacts: Path, service: str, device: str) -> str | None:
    """Return when the device's newest revocation began, if it did not complete."""
    newest = _newest(artifacts, service, device)
    return str(newest[1]["started"]) if newest and not newest[1]["complete"] else None


def verdicts(plan: Plan, artifacts: Path, kept: Keep, ledger: Ledger) -> Iterator[Verdict]:
    """Yield R-THEFT as the newest revocation of the service measured it, of its steps and of its accesses.

    Nothing where there was none.

    Args:
        plan: the service.
        artifacts: where the evidence is.
        kept: keeps it beside the verdict.
        ledger: says whether a file is as this controller wrote it; one that is not is unknown.
    """
    for path, document in _kept(artifacts):
        if document is None:
            why = "the evidence cannot be read: run revoke.yml again"
            yield unknown(_REQUIREMENT, f"revocation: {path.name}", why)
    for one in _of_service(plan, artifacts):
        if flaw := _flaw(one, ledger):
            why = f"the evidence {flaw}; only another revocation makes new evidence"
            yield unknown(_REQUIREMENT, f"revocation: {one.path.name}", why)
    if found := trusted(plan, artifacts, ledger):
        newest = max(found, key=lambda one: one.started)
        proof = kept(f"{FOLDER}/{newest.path.name}", newest.path.read_bytes())
        yield _judged(newest.document, proof)
        yield _at_accesses(newest.document, proof)


def trusted(plan: Plan, artifacts: Path, ledger: Ledger) -> "tuple[Found, ...]":
    """Return the records of a service's revocations that are as this controller wrote them."""
    return tuple(one for one in _of_service(plan, artifacts) if not _flaw(one, ledger))


def _of_service(plan: Plan, artifacts: Path) -> "Iterator[Found]":
    for path, document in _kept(artifacts):
        if document is not None and document["service"] == plan.service:
            yield Found(str(document["started"]), path, document)


def _flaw(one: "Found", ledger: Ledger) -> str:
    return ledger.flaw(_entry(one.path), _digest(one.path))


def _entry(path: Path) -> str:
    """Return the name of a file of evidence in the ledger."""
    return f"revocation {path.stem}"


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@dataclass(frozen=True, slots=True)
class Found:
    """The record of a revocation: when it began, its file, and what stands there."""

    started: str
    path: Path
    document: Mapping[str, Any]


def _judged(document: Mapping[str, Any], proof: Evidence) -> Verdict:
    left = [step["name"] for step in document["steps"] if step["problem"] and step["needed"]]
    good = document["complete"] and document["seconds"] <= BOUND_S
    reason = f"{document['device']} on {document['started']}: "
    if left:
        reason += f"not complete: {', '.join(left)}"
    elif document["complete"]:
        reason += f"{len(document['steps'])} steps complete"
    else:
        reason += "cut off before every step was taken: run revoke.yml again"
    figure = (document["seconds"], BOUND_S, "s")
    result = Result.PASS if good else Result.FAIL
    return live(_REQUIREMENT, _SUBJECT, result, reason, (proof,), figure=figure)


def _at_accesses(document: Mapping[str, Any], proof: Evidence) -> Verdict:
    rows = table(document)
    shut = [row for row in rows if row.outcome is Outcome.SHUT and row.own]
    besides = [row.name for row in rows if row.outcome is Outcome.SHUT and not row.own]
    still = [row for row in rows if row.outcome is Outcome.OPEN]
    unknown_ = [row for row in rows if row.outcome is Outcome.UNTRIED]
    tried = any(step.get("access") for step in document["steps"])
    said = (
        *(str(row) for row in (*still, *unknown_)),
        "" if tried else "no certificate was shown at any access",
        _slowest(shut),
        f"refused as revoked where it never had access: {', '.join(besides)}" if besides else "",
    )
    reason = f"{document['device']} on {document['started']}: {'; '.join(filter(None, said))}"
    last = shut[-1].seconds if shut else None
    late = last is not None and last > BOUND_S
    good = Result.PASS if tried and shut and not unknown_ else Result.UNKNOWN
    result = Result.FAIL if still or late else good
    figure = (last, BOUND_S, "s") if last is not None else None
    return live(_REQUIREMENT, _ACCESSES, result, reason, (proof,), figure=figure)


def _slowest(shut: Sequence[Row]) -> str:
    """Return the accesses that are shut, by the time when that was known, the slowest named."""
    if not shut:
        return ""
    left_out = len(shut) - _MOST_NAMED
    named = ", ".join(f"{row.name} {row.seconds:.1f} s" for row in shut[-_MOST_NAMED:])
    before = f"{left_out} before, " if left_out > 0 else ""
    return f"last shut: {shut[-1].name}; {before}{named}"


def _newest(artifacts: Path, service: str, device: str) -> tuple[Path, dict[str, Any]] | None:
    mine = [
        (path, document)
        for path, document in _kept(artifacts)
        if document and (document["service"], document["device"]) == (service, device)
    ]
    return max(mine, key=lambda found: str(found[1]["started"]), default=None)


def _kept(artifacts: Path) -> Iterator[tuple[Path, dict[str, Any] | None]]:
    """Yield every file of evidence, and what it says; None when it cannot be read."""
    for folder in (_FORMER, FOLDER):
        for path in sorted((artifacts / folder).glob("*.json")):
            yield path, _read(path)


def _read(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_bytes())
        document: dict[str, Any] = {_NAMES.get(key, key): value for key, value in found.items()}
    except (ValueError, AttributeError):
        return None
    wanted = {"service", "device", "started", "seconds", "complete", "steps"}
    return document if document.keys() >= wanted else None


_NAMES = {"doors": "steps", "shut": "complete"}
"""Keys that the release before gave other names."""
