"""``verdicts.json`` and ``faults.json``: written in one order, read back whole, merged stage by stage."""

import json
import logging
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from heiiki.errors import EvidenceError
from heiiki.plan.model import FailureMode, Plan
from heiiki.report.ageing import Present
from heiiki.report.faults import GAP_BOUND_S, FaultRow, Gap, Origin, Step, merge_rows
from heiiki.report.fingerprint import Fingerprint
from heiiki.report.header import Header, Totals
from heiiki.report.store import write_owned
from heiiki.requirements import REQUIREMENTS, Result, Stage, Verdict
from heiiki.requirements.verdict import Evidence

VERDICTS_FILE = "verdicts.json"
FAULTS_FILE = "faults.json"
EVERY_FAULT = "every single failure"
"""Subject of the verdict that stands for all faults where none was asked for."""

_LOG = logging.getLogger(__name__)
_RANK = {item.id: rank for rank, item in enumerate(REQUIREMENTS)}
_STAGES = tuple(Stage)


def ordered(verdicts: Iterable[Verdict]) -> tuple[Verdict, ...]:
    """Return `verdicts` in the order of every output: requirement as in the catalogue, stage, subject."""
    return tuple(sorted(verdicts, key=_order))


def _order(verdict: Verdict) -> tuple[int, str, int, str]:
    rank = _RANK.get(verdict.requirement, len(_RANK))
    return rank, verdict.requirement, _STAGES.index(verdict.stage), verdict.subject


def merge(old: Iterable[Verdict], new: Iterable[Verdict]) -> tuple[Verdict, ...]:
    """Return `old` and `new` together; new verdicts replace old ones of their requirement, stage and subject.

    Verdicts of `new` never replace one another: two checks with one name stay two rows.
    """
    later = tuple(new)
    keys = {_key(verdict) for verdict in later}
    return ordered((*(verdict for verdict in old if _key(verdict) not in keys), *later))


def with_earlier_faults(
    old: Iterable[FaultRow], new: Iterable[Verdict], rows: Iterable[FaultRow], present: Present
) -> tuple[tuple[Verdict, ...], tuple[FaultRow, ...]]:
    """Return `new` and `rows`, and beside them the faults that only an earlier run measured.

    A row of an earlier run stays as it was measured; its verdict is unknown where `present` gives a doubt.
    """
    measured = tuple(rows)
    names = {row.name for row in measured}
    kept = [row for row in old if row.name not in names]
    fresh = [one for one in new if not (kept and one.subject == EVERY_FAULT)]
    return merge((row.verdict(present.doubt(row)) for row in kept), fresh), merge_rows(kept, measured)


def _key(verdict: Verdict) -> tuple[str, Stage, str]:
    return verdict.requirement, verdict.stage, verdict.subject


def write_verdicts(path: Path, header: Header, verdicts: Iterable[Verdict]) -> None:
    """Write `verdicts` to `path` in their one order, below `header` with their totals.

    Raises:
        EvidenceError: the file cannot be written, or a figure is infinite or not a number.
    """
    rows = ordered(verdicts)
    document = header_json(header.counting(rows)) | {"verdicts": [verdict_json(verdict) for verdict in rows]}
    _write(path, document)


def header_json(header: Header) -> dict[str, Any]:
    """Return `header` as it stands in a file."""
    totals = {
        "pass": header.totals.passed,
        "fail": header.totals.failed,
        "unknown": header.totals.unknown,
        "not_applicable": header.totals.not_applicable,
        "not_examined": header.totals.not_examined,
    }
    return asdict(header) | {"totals": totals}


def verdict_json(verdict: Verdict) -> dict[str, Any]:
    """Return `verdict` as it stands in a file; the clause is written for readers without the catalogue."""
    return {
        "requirement": verdict.requirement,
        "clause": verdict.clause,
        "subject": verdict.subject,
        "stage": verdict.stage.value,
        "result": verdict.result.value,
        "reason": verdict.reason,
        "measured": verdict.measured,
        "bound": verdict.bound,
        "unit": verdict.unit,
        "evidence": [asdict(item) for item in verdict.evidence],
    }


def _write(path: Path, document: dict[str, Any]) -> None:
    try:
        text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
    except ValueError as error:
        raise EvidenceError(
            f"{path}: a figure is infinite or not a number; give a finite one or none"
        ) from error
    # A lone surrogate (a byte that was not UTF-8) becomes the JSON escape of itself.
    write_owned(path, f"{text}\n".encode(errors="backslashreplace"))


def read_verdicts(path: Path) -> tuple[Header, tuple[Verdict, ...]]:
    """Read what `write_verdicts` wrote.

    Raises:
        EvidenceError: the file cannot be read, is no such document, or its totals are not those of its rows.
    """
    document = _read(path)
    try:
        header = _header(document)
        verdicts = tuple(_verdict(row) for row in document["verdicts"])
    except (KeyError, TypeError, ValueError) as error:
        raise EvidenceError(f"{path}: not a document of verdicts ({error}); write it again") from error
    _check_totals(path, header, verdicts)
    return header, verdicts


def _read(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_bytes())
    except OSError as error:
        raise EvidenceError(f"{path}: cannot be read: {error.strerror}; write it first") from error
    except ValueError as error:
        raise EvidenceError(f"{path}: not JSON ({error}); write it again") from error
    if not isinstance(document, dict):
        raise EvidenceError(f"{path}: not a JSON object; write it again")
    return document


def _header(document: dict[str, Any]) -> Header:
    fields = {key: value for key, value in document.items() if key not in {"totals", "verdicts"}}
    totals = document["totals"]
    keys = ("pass", "fail", "unknown", "not_applicable", "not_examined")
    return Header(**fields, totals=Totals(*(int(totals[key]) for key in keys)))


def _check_totals(path: Path, header: Header, verdicts: tuple[Verdict, ...]) -> None:
    found, told = Totals.of(verdicts), header.totals
    # What a release does not examine is a matter of the release that wrote the file, not of its rows.
    rows = (found.passed, found.failed, found.unknown, found.not_applicable)
    if rows != (told.passed, told.failed, told.unknown, told.not_applicable):
        raise EvidenceError(
            f"{path}: the totals are not those of the rows; the file was altered, write it again"
        )


def _verdict(row: dict[str, Any]) -> Verdict:
    evidence = tuple(Evidence(**item) for item in row["evidence"])
    given = {name: value for name, value in row.items() if name != "clause"}
    typed = {"stage": Stage(row["stage"]), "result": Result(row["result"]), "evidence": evidence}
    return Verdict(**(given | typed))


def write_faults(
    path: Path, header: Header, rows: Iterable[FaultRow], fingerprints: Iterable[Fingerprint] = ()
) -> None:
    """Write the rows of the fault table to `path`, and the fingerprints that they name.

    Raises:
        EvidenceError: the file cannot be written.
    """
    kept = tuple(rows)
    named = {row.origin.fingerprint for row in kept if row.origin}
    document = {
        "service": header.service,
        "generated": header.generated,
        "intent_sha256": header.intent_sha256,
        "bound_s": GAP_BOUND_S,
        "faults": [asdict(row) for row in kept],
        "fingerprints": {one.sha256: dict(one.parts) for one in fingerprints if one.sha256 in named},
    }
    _write(path, document)


@dataclass(frozen=True, slots=True)
class Faults:
    """A fault table as it was written."""

    service: str = ""
    rows: tuple[FaultRow, ...] = ()
    fingerprints: tuple[Fingerprint, ...] = ()


def read_faults(path: Path) -> Faults:
    """Read what `write_faults` wrote.

    Raises:
        EvidenceError: the file cannot be read or is no such document.
    """
    document = _read(path)
    try:
        # Version 0.2 wrote no fingerprints.
        prints = tuple(Fingerprint(dict(parts)) for parts in document.get("fingerprints", {}).values())
        return Faults(str(document["service"]), tuple(_row(row) for row in document["faults"]), prints)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise EvidenceError(f"{path}: not a document of faults ({error}); write it again") from error


def _row(row: dict[str, Any]) -> FaultRow:
    # Version 0.1 wrote `manner`.
    mode = row.pop("manner") if "manner" in row else row["mode"]
    typed = {
        "mode": FailureMode(mode),
        "result": Result(row["result"]),
        "gaps": tuple(Gap(**gap) for gap in row["gaps"]),
        "voided": tuple(row["voided"]),
        "origin": Origin(**row["origin"]) if row.get("origin") else None,
        "evidence": tuple(Evidence(**item) for item in row.get("evidence", ())),
        "steps": tuple(Step(**step) for step in row.get("steps", ())),
    }
    return FaultRow(**(row | typed))


def earlier(folder: Path, plan: Plan) -> Faults:
    """Return the fault table that `folder` holds of the service, without what is no fault of the plan.

    Raises:
        EvidenceError: the file is there and cannot be read.
    """
    path = folder / FAULTS_FILE
    if not path.exists():
        return Faults()
    found = read_faults(path)
    if found.service != plan.service:
        _LOG.warning("%s: of another service, %s; left out", path, found.service)
        return Faults()
    names = {fault.name for fault in plan.faults}
    return replace(found, rows=tuple(row for row in found.rows if row.name in names))
