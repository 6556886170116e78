import pathlib
from dataclasses import replace

import pytest

from heiiki.plan.model import Plan
from heiiki.report import Matrix, Totals, findings, matrix, settle, text
from heiiki.report.table import Cell, worst_figure
from heiiki.requirements import REQUIREMENTS, Result, Stage, Verdict
from heiiki.requirements.figures import against, number, quantity

PASS = Verdict("R-GAP", "x", Stage.LIVE, Result.PASS, "", 1.0, 2.0, "s")


def cells(table: Matrix) -> list[Cell]:
    return [cell for row in table.rows for cell in row.cells]


def test_totals_equal_the_rows(verdicts: tuple[Verdict, ...]) -> None:
    table = matrix(verdicts)
    assert table.totals.verdicts == len(verdicts) == sum(cell.totals.verdicts for cell in cells(table))
    for name in ("passed", "failed", "unknown", "not_applicable"):
        assert getattr(table.totals, name) == sum(getattr(cell.totals, name) for cell in cells(table))


def test_stages_that_are_not_examined_are_totalled_apart(verdicts: tuple[Verdict, ...]) -> None:
    examined = sum(len(item.stages) for item in REQUIREMENTS)
    assert Totals.of(verdicts).not_examined == 3 * len(REQUIREMENTS) - examined


def test_a_requirement_that_the_catalogue_lacks_is_not_hidden() -> None:
    table = matrix((replace(PASS, requirement="R-NEW"),))
    assert table.cell("R-NEW", Stage.LIVE).totals.passed == 1
    assert sum(cell.totals.verdicts for cell in cells(table)) == 1


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        ((Result.PASS, Result.FAIL, Result.UNKNOWN), Result.FAIL),
        ((Result.PASS, Result.UNKNOWN), Result.UNKNOWN),
        ((Result.PASS, Result.NOT_APPLICABLE), Result.PASS),
        ((Result.NOT_APPLICABLE,), Result.NOT_APPLICABLE),
    ],
)
def test_the_worst_result_of_a_cell(results: tuple[Result, ...], expected: Result) -> None:
    verdicts = tuple(replace(PASS, result=result, reason="because") for result in results)
    assert matrix(verdicts).cell("R-GAP", Stage.LIVE).worst is expected


def test_a_cell_without_a_verdict_has_no_result() -> None:
    assert matrix(()).cell("R-GAP", Stage.LIVE).worst is None


def test_the_worst_figure_is_of_what_applies() -> None:
    exempt = replace(PASS, result=Result.NOT_APPLICABLE, reason="figure 5.18 (a)", measured=8.4)
    near = replace(PASS, measured=1.9)
    assert worst_figure((exempt, PASS, near)) == near


def test_a_good_figure_never_stands_beside_a_fail() -> None:
    failed = replace(PASS, result=Result.FAIL, reason="answered", measured=None)
    assert worst_figure((PASS, failed)) is None


def test_of_what_must_be_left_the_least_is_the_worst() -> None:
    long, short = (replace(PASS, measured=days, bound=5.0, unit="days left") for days in (30.0, 6.0))
    assert worst_figure((long, short)) == short
    near, revocation = replace(PASS, measured=1.9), replace(PASS, measured=2.0, bound=10.0)
    assert worst_figure((long, near)) == near
    hours = replace(PASS, measured=71.9, bound=0.0, unit="hours left")
    assert worst_figure((hours, revocation)) == revocation
    spent = replace(hours, measured=0.0, result=Result.FAIL, reason="expired")
    assert worst_figure((hours, spent)) == spent


def test_text_fits_a_terminal_and_shows_every_requirement(
    tmp_path: pathlib.Path, plan: Plan, verdicts: tuple[Verdict, ...]
) -> None:
    settled = settle(tmp_path, plan, verdicts)
    lines = text(matrix(settled)).splitlines()
    assert max(map(len, lines)) <= 100
    names = [line.split()[0] for line in lines[2 : 2 + len(REQUIREMENTS)]]
    whole = ""
    for name, item in zip(names, REQUIREMENTS, strict=True):
        whole = whole if name.startswith("/") else name
        assert (whole + name if name.startswith("/") else name) == item.id
    assert "\x1b" not in "\n".join(lines)
    assert lines[-2] == "343 verdicts: 2 fail, 107 unknown, 231 pass, 3 not applicable"


def test_text_of_one_stage_shows_that_stage_only(verdicts: tuple[Verdict, ...]) -> None:
    lines = text(matrix(verdicts), stages=(Stage.DESIGN,)).splitlines()
    assert lines[0].split() == ["requirement", "design"]
    assert lines[2] == "R-AVAIL       pass 2/2  1.9×10⁻⁵ / 2×10⁻⁵"


def test_a_part_that_is_not_examined_says_so_and_decides_nothing(
    tmp_path: pathlib.Path, plan: Plan, verdicts: tuple[Verdict, ...]
) -> None:
    table = matrix(settle(tmp_path, plan, verdicts))
    for item in REQUIREMENTS:
        if "/" in item.id and not item.stages:
            for stage in Stage:
                cell = table.cell(item.id, stage)
                assert (cell.examined, cell.worst, cell.totals.verdicts) == (False, None, 0)
    lines = text(table).splitlines()
    at = next(index for index, line in enumerate(lines) if line.startswith("R-ISO-MALICE"))
    assert lines[at + 1].split()[:5] == ["/flood", "unknown", "1/1", "·", "pass"]
    assert lines[at + 5].split() == ["/port", "·", "·", "·"]


def test_colour_changes_no_word(verdicts: tuple[Verdict, ...]) -> None:
    coloured = text(matrix(verdicts), colour=True)
    assert "\x1b[31mFAIL 1/177\x1b[0m" in coloured


def test_findings_name_every_fail_and_unknown(verdicts: tuple[Verdict, ...]) -> None:
    bad = [verdict for verdict in verdicts if verdict.result in {Result.FAIL, Result.UNKNOWN}]
    lines = findings(verdicts).splitlines()
    assert len([line for line in lines if not line.startswith(" ")]) == len(bad)
    assert (
        lines[0]
        == "FAIL R-GAP live b-sgw/poweroff: sakai heard nothing for 2.31 s, more than 2 s (2.31 / 2 s)"
    )


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, "0"),
        (1, "1"),
        (1.349, "1.35"),
        (0.9996, "1"),
        (0.0138, "0.0138"),
        (1.2e-5, "1.2×10⁻⁵"),
        (9.999e-6, "1×10⁻⁵"),
        (999, "999"),
        (1000, "1,000"),
        (1234.5, "1,234"),
        (2.5e7, "2.5×10⁷"),
        (-0.5, "-0.5"),
    ],
)
def test_numbers_as_people_read_them(value: float, expected: str) -> None:
    assert number(value) == expected


def test_a_short_time_is_told_in_milliseconds() -> None:
    assert quantity(0.0138, "s") == "13.8 ms"
    assert against(0.0138, 2.0, "s") == "13.8 ms / 2 s"
    assert against(0.84, 2.0, "s") == "0.84 / 2 s"
    assert against(None, 2.0, "s") == ""


def test_a_bound_from_below_is_told_as_such() -> None:
    assert against(29.998, 5.0, "days left") == "30 (≥ 5) days left"
    assert against(240.0, 168.0, "h margin") == "240 (≥ 168) h margin"
