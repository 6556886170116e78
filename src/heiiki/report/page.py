"""``report.html`` and everything written beside it."""

import base64
import hashlib
import logging
import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from heiiki.plan.model import Plan
from heiiki.report import distribution, scope
from heiiki.report.completion import (
    Expected,
    completeness,
    exit_code,
    expected_faults,
    expected_trust,
    is_not_run,
    together,
)
from heiiki.report.drawing import BOX_HEIGHT, BOX_WIDTH
from heiiki.report.faults import REQUIREMENT, FaultRow
from heiiki.report.fingerprint import Fingerprint
from heiiki.report.header import Header
from heiiki.report.junit import write_junit
from heiiki.report.picture import KEY, draw
from heiiki.report.sequence import sequences
from heiiki.report.store import flaw, is_inside, substantiated, write_owned
from heiiki.report.table import NOT_EXAMINED, SEVERITY, Matrix, matrix
from heiiki.report.timeline import timeline
from heiiki.report.verdicts import FAULTS_FILE, VERDICTS_FILE, ordered, write_faults, write_verdicts
from heiiki.requirements import REQUIREMENTS, Result, Stage, Verdict
from heiiki.requirements.figures import against, compared, number, quantity
from heiiki.requirements.verdict import Evidence

JUNIT_FILE = "junit.xml"
PAGE_FILE = "report.html"

_LOG = logging.getLogger(__name__)
_HERE = Path(__file__).parent
_MARKS = {Result.PASS: "✓", Result.FAIL: "✗", Result.UNKNOWN: "?", Result.NOT_APPLICABLE: "–"}
_WORDS = {
    Result.PASS: "pass",
    Result.FAIL: "fail",
    Result.UNKNOWN: "unknown",
    Result.NOT_APPLICABLE: "not applicable",
}
_NEGATIVE = frozenset(
    {"R-ISO-GROUP", "R-ISO-CARRIER", "R-ISO-SITE", "R-ISO-MALICE", "R-SEC-ACCESS", "R-SEC-ESP"}
)
_DELAY_FROM_S, _DELAY_DECADES = 1e-4, 5
_KEY_FIGURES = (
    ("Longest interruption", REQUIREMENT, Stage.LIVE),
    ("Switch-over budget", REQUIREMENT, Stage.DESIGN),
    ("Delay", "R-DELAY", Stage.LIVE),
    ("Unavailability", "R-AVAIL", Stage.DESIGN),
    ("Cost of a line", "R-COST", Stage.DESIGN),
)


@dataclass(frozen=True, slots=True)
class Paths:
    """What `write_report` wrote.

    Attributes:
        settled: the verdicts as written, where what was not examined and what lost its evidence is unknown.
    """

    verdicts: Path
    faults: Path
    junit: Path
    page: Path
    settled: tuple[Verdict, ...]

    @property
    def exit_code(self) -> int:
        """0 when no verdict is a fail or unknown, else 1."""
        return exit_code(self.settled)


@dataclass(frozen=True, slots=True)
class Section:
    """The verdicts of one requirement at one stage."""

    anchor: str
    requirement: str
    title: str
    stage: Stage
    verdicts: tuple[Verdict, ...]

    @property
    def has_evidence(self) -> bool:
        """Whether any of them rests on something; what is examined on paper rests on nothing but the plan."""
        return any(item.evidence for item in self.verdicts)

    @property
    def bad(self) -> tuple[Verdict, ...]:
        """Those that failed or are unknown, fails first."""
        found = [item for item in self.verdicts if item.result in {Result.FAIL, Result.UNKNOWN}]
        return tuple(sorted(found, key=lambda item: SEVERITY.index(item.result)))


@dataclass(frozen=True, slots=True)
class KeyFigure:
    """One figure for the head of the page."""

    title: str
    text: str
    bound: str
    result: Result
    anchor: str


@dataclass(frozen=True, slots=True)
class Delay:
    """One delay on a logarithmic line; places in percent."""

    verdict: Verdict
    at: float
    bound_at: float


def settle(
    folder: Path, plan: Plan, verdicts: Iterable[Verdict], expected: Expected | None = None
) -> tuple[Verdict, ...]:
    """Return `verdicts` as they may be shown: nothing missing, nothing that lost its evidence, in one order.

    Args:
        folder: the folder whose ``evidence/`` the verdicts point into.
        plan: its faults must each have a live R-GAP verdict, and its tunnels and lines one of trust.
        verdicts: what was found.
        expected: further subjects that must have a verdict, by requirement and stage.
    """
    wanted = together(expected_faults(plan), expected_trust(plan), expected or {})
    return ordered(substantiated(folder, completeness(verdicts, wanted)))


def write_report(
    folder: Path,
    plan: Plan,
    header: Header,
    verdicts: Iterable[Verdict],
    faults: Iterable[FaultRow] = (),
    expected: Expected | None = None,
    fingerprints: Iterable[Fingerprint] = (),
) -> Paths:
    """Write ``verdicts.json``, ``faults.json``, ``junit.xml`` and ``report.html`` into `folder`.

    The verdicts are settled first (see `settle`), so that the four files and the exit code say the same.

    Raises:
        EvidenceError: a file cannot be written, or a figure is infinite or not a number.
    """
    settled = settle(folder, plan, verdicts, expected)
    rows = tuple(faults)
    counted = header.counting(settled)
    paths = Paths(
        folder / VERDICTS_FILE, folder / FAULTS_FILE, folder / JUNIT_FILE, folder / PAGE_FILE, settled
    )
    write_verdicts(paths.verdicts, counted, settled)
    write_faults(paths.faults, counted, rows, fingerprints)
    write_junit(paths.junit, counted, settled)
    write_owned(paths.page, page(folder, plan, counted, settled, rows).encode(errors="replace"))
    _LOG.info("%s: %d verdicts written", folder, counted.totals.verdicts)
    return paths


def page(
    folder: Path, plan: Plan, header: Header, verdicts: tuple[Verdict, ...], faults: tuple[FaultRow, ...]
) -> str:
    """Return the page: one file that refers to nothing outside but the evidence beside it."""
    table = matrix(verdicts)
    sections = _sections(verdicts)
    script = _own("report.js")
    context = {
        "plan": plan,
        "header": header,
        "totals": header.totals,
        "proven": exit_code(verdicts) == 0,
        "not_run": sum(is_not_run(verdict) for verdict in verdicts),
        "matrix": table,
        "figures": _key_figures(table),
        "picture": draw(plan, verdicts),
        "timeline": timeline(plan, faults, verdicts),
        "sequences": sequences(faults),
        "budgets": tuple(v for v in verdicts if (v.requirement, v.stage) == (REQUIREMENT, Stage.DESIGN)),
        "distributions": distribution.distributions(folder, verdicts),
        "delays": tuple(_delay(verdict) for verdict in verdicts if _is_delay(verdict)),
        "negatives": tuple(s for s in sections if s.requirement in _NEGATIVE and s.stage is Stage.LIVE),
        "sections": sections,
        "flaws": _flaws(folder, verdicts),
        "script": Markup(script),  # noqa: S704 - the project's own file, whose digest the page's policy names
        "script_digest": base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        "style": Markup(_own("topology.css") + _own("report.css")),  # noqa: S704 - the project's own files
        "standalone": False,
    }
    return _environment().get_template("report.html.j2").render(context)


def network_svg(plan: Plan, verdicts: Iterable[Verdict] = ()) -> str:
    """Return the picture of the network as one SVG file, with what failed or is unknown marked."""
    style = Markup(_own("topology.css"))  # noqa: S704 - the project's own file
    template = _environment().get_template("topology.svg.j2")
    return template.render(picture=draw(plan, verdicts), style=style, standalone=True)


def _own(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(number=number, anchor=_anchor)
    environment.globals.update(_globals())
    return environment


def _globals() -> dict[str, Any]:
    return {
        "Result": Result,
        "stages": tuple(Stage),
        "severity": SEVERITY,
        "marks": _MARKS,
        "words": _WORDS,
        "not_examined": NOT_EXAMINED,
        "scope": scope,
        "distribution": distribution,
        "box": (BOX_WIDTH, BOX_HEIGHT),
        "key": KEY,
        "against": against,
        "quantity": quantity,
        "link": _link,
    }


def _link(evidence: Evidence) -> str:
    """Return where the page may link to for `evidence`: a file beside it, else nothing."""
    return evidence.file if is_inside(evidence.file) else ""


def _anchor(requirement: str, stage: Stage) -> str:
    safe = "".join(letter if letter.isalnum() else "-" for letter in requirement)
    return f"v-{safe}-{stage}"


def _sections(verdicts: tuple[Verdict, ...]) -> tuple[Section, ...]:
    titles = {item.id: item.title for item in REQUIREMENTS}
    groups = groupby(verdicts, key=lambda verdict: (verdict.requirement, verdict.stage))
    return tuple(
        Section(_anchor(name, stage), name, titles.get(name, ""), stage, tuple(rows))
        for (name, stage), rows in groups
    )


def _key_figures(table: Matrix) -> tuple[KeyFigure, ...]:
    return tuple(
        found for title, name, stage in _KEY_FIGURES if (found := _key_figure(table, title, name, stage))
    )


def _key_figure(table: Matrix, title: str, name: str, stage: Stage) -> KeyFigure | None:
    cell = table.cell(name, stage)
    if cell.figure is None or cell.worst is None:
        return None
    measured, bound, unit = cell.figure.measured, cell.figure.bound, cell.figure.unit
    if measured is None or bound is None:
        return KeyFigure(title, quantity(measured, unit), "", cell.worst, _anchor(name, stage))
    return KeyFigure(title, *compared(measured, bound, unit), cell.worst, _anchor(name, stage))


def _is_delay(verdict: Verdict) -> bool:
    return (verdict.requirement, verdict.stage) == ("R-DELAY", Stage.LIVE)


def _delay(verdict: Verdict) -> Delay:
    scale = 1e-3 if verdict.unit == "ms" else 1.0
    return Delay(verdict, _log_percent(verdict.measured, scale), _log_percent(verdict.bound, scale))


def _log_percent(value: float | None, scale: float) -> float:
    if not value or value < 0:
        return 0.0
    place = math.log10(value * scale / _DELAY_FROM_S) / _DELAY_DECADES
    return round(100 * min(max(place, 0.0), 1.0), 2)


def _flaws(folder: Path, verdicts: tuple[Verdict, ...]) -> dict[Evidence, str]:
    """Return what is wrong with the files of the evidence; those that are as they were written stay out."""
    evidence = {item for verdict in verdicts for item in verdict.evidence}
    found = {item: flaw(folder, item) for item in evidence}
    return {item: text for item, text in found.items() if text}
