"""``verdicts.json`` and ``faults.json``: written in one order, read back whole, merged stage by stage."""

import json
import logging
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from heiiki.errors import EvidenceError
from heiiki.plan.model import FailureMode
from heiiki.report.faults import GAP_BOUND_S, FaultRow, Gap, merge_rows
from heiiki.report.faults import REQUIREMENT as GAP
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
    old: Iterable[Verdict], old_rows: Iterable[FaultRow], new: Iterable[Verdict], rows: Iterable[FaultRow]
) -> tuple[tuple[Verdict, ...], tuple[FaultRow, ...]]:
    """Return `new` and `rows`, and beside them the faults that only an earlier run of the intent saw."""
    earlier = tuple(old_rows)
    names = {row.name for row in earlier}
    measured = [one for one in old if (one.requirement, one.stage) == (GAP, Stage.LIVE)]
    kept = [one for one in measured if one.subject in names]
    fresh = [one for one in new if not (kept and one.subject == EVERY_FAULT)]
    return merge(kept, fresh), merge_rows(earlier, rows)


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


def write_faults(path: Path, header: Header, rows: Iterable[FaultRow]) -> None:
    """Write the rows of the fault table to `path`.

    Raises:
        EvidenceError: the file cannot be written.
    """
    document = {
        "service": header.service,
        "generated": header.generated,
        "intent_sha256": header.intent_sha256,
        "bound_s": GAP_BOUND_S,
        "faults": [asdict(row) for row in rows],
    }
    _write(path, document)


def read_faults(path: Path) -> tuple[FaultRow, ...]:
    """Read what `write_faults` wrote.

    Raises:
        EvidenceError: the file cannot be read or is no such document.
    """
    document = _read(path)
    try:
        return tuple(_row(row) for row in document["faults"])
    except (KeyError, TypeError, ValueError) as error:
        raise EvidenceError(f"{path}: not a document of faults ({error}); write it again") from error


def _row(row: dict[str, Any]) -> FaultRow:
    # Version 0.1 wrote `manner`.
    mode = row.pop("manner") if "manner" in row else row["mode"]
    typed = {
        "mode": FailureMode(mode),
        "result": Result(row["result"]),
        "gaps": tuple(Gap(**gap) for gap in row["gaps"]),
        "voided": tuple(row["voided"]),
    }
    return FaultRow(**(row | typed))


def earlier(folder: Path, header: Header) -> tuple[tuple[Verdict, ...], tuple[FaultRow, ...]]:
    """Return the verdicts and fault rows that `folder` holds, to be merged with what `header` stands for.

    Those of another service or of another intent say nothing about this one and are left out.

    Raises:
        EvidenceError: a file is there and cannot be read.
    """
    path = folder / VERDICTS_FILE
    if not path.exists():
        return (), ()
    before, verdicts = read_verdicts(path)
    if (before.service, before.intent_sha256) != (header.service, header.intent_sha256):
        _LOG.warning("%s: of another intent (%.12s); left out", path, before.intent_sha256)
        return (), ()
    faults = folder / FAULTS_FILE
    return verdicts, read_faults(faults) if faults.exists() else ()
