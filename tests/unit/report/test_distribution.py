"""The delays of each data type as a distribution: what is drawn, what is said, and from what."""

import json
import math
import re
from dataclasses import replace
from pathlib import Path

import pytest

from heiiki.errors import EvidenceError
from heiiki.plan import Plan
from heiiki.report import EvidenceStore, Header, write_report
from heiiki.report.distribution import BOTTOM, LEFT, RIGHT, TOP, distributions, drawn
from heiiki.report.samples import REQUIREMENT, Samples, read
from heiiki.requirements import Result, Stage, Verdict
from heiiki.requirements.verdict import Evidence

SAMPLES = Samples(
    resource="battery, direct",
    data="control, setting",
    within_s=1.0,
    how="from its commit at DRAS to that at the controller",
    judged={"umeda": (0.01, 0.1), "namba": (1.0, 2.0)},
    earlier={"umeda": (0.5, 3.4)},
    waiting={},
)


def facts(samples: Samples) -> dict[str, str]:
    return dict(drawn(samples, Result.PASS).facts)


def points(curve: str) -> list[tuple[float, float]]:
    """Places at which a curve rises, in hundredths of the drawing across and of what was sent."""
    return [
        (
            round(100 * (float(x) - LEFT) / (RIGHT - LEFT), 1),
            round(100 * (BOTTOM - float(y)) / (BOTTOM - TOP), 1),
        )
        for x, y in re.findall(r"H([\d.]+)V([\d.]+)", curve)
    ]


def test_the_curve_rises_by_a_share_at_each_delay_of_a_logarithmic_axis() -> None:
    one = drawn(SAMPLES, Result.FAIL)
    assert points(one.curve) == [(20, 25), (40, 50), (60, 75), (pytest.approx(66.0, abs=0.1), 100)]
    assert one.bound_at == LEFT + 0.6 * (RIGHT - LEFT)
    assert [share for _, share in points(one.earlier)] == [50, 100]


def test_the_figure_says_what_it_shows() -> None:
    assert facts(SAMPLES) == {
        "allowed": "1 s",
        "judged": "4 at 2 sites",
        "median": "0.1 s",
        "longest": "2 s",
        "earlier": "2, longest 3.4 s, 1 beyond the bound",
    }
    told = drawn(SAMPLES, Result.FAIL).told
    assert told.startswith("battery, direct: control, setting; allowed: 1 s; judged: 4 at 2 sites; median")


@pytest.mark.parametrize(
    ("number", "percentiles"),
    [
        (2, {}),
        (3, {"median": "2 s"}),
        (19, {"median": "10 s"}),
        (20, {"median": "10 s", "95 % within": "19 s"}),
        (99, {"median": "50 s", "95 % within": "95 s"}),
        (100, {"median": "50 s", "95 % within": "95 s", "99 % within": "99 s"}),
    ],
)
def test_a_percentile_is_given_where_there_are_enough_samples(
    number: int, percentiles: dict[str, str]
) -> None:
    judged = {"umeda": tuple(float(one) for one in range(number, 0, -1))}
    found = facts(replace(SAMPLES, judged=judged))
    assert {name: found[name] for name in ("median", "95 % within", "99 % within") if name in found} == (
        percentiles
    )


def test_what_has_not_arrived_is_part_of_what_was_sent() -> None:
    samples = replace(SAMPLES, judged={"umeda": (0.1,)}, waiting={"namba": 7.0, "sakai": 61.0})
    one = drawn(samples, Result.FAIL)
    assert points(one.curve) == [(40, pytest.approx(33.3, abs=0.1))]
    assert dict(one.facts) == {
        "allowed": "1 s",
        "judged": "3 at 3 sites",
        "median": "not arrived",
        "longest": "0.1 s",
        "not arrived": "2, after 61 s",
        "earlier": "2, longest 3.4 s, 1 beyond the bound",
    }


def test_what_nobody_measured_is_not_drawn() -> None:
    one = drawn(replace(SAMPLES, judged={}, earlier={}, waiting={"namba": 7.0}), Result.UNKNOWN)
    assert (one.curve, one.earlier) == ("", "")


def test_delays_beyond_an_end_of_the_axis_stand_at_that_end() -> None:
    one = drawn(replace(SAMPLES, judged={"umeda": (0.0, 1e-6, 1000.0)}), Result.FAIL)
    assert points(one.curve) == [(0, pytest.approx(66.7, abs=0.1)), (100, 100)]
    assert dict(one.facts)["longest"] == "1,000 s"


def test_thousands_of_delays_are_drawn_as_so_many_points_as_there_are_places() -> None:
    many = tuple(1e-3 * 1.0001**rank for rank in range(100_000))
    assert len(points(drawn(replace(SAMPLES, judged={"umeda": many}), Result.PASS).curve)) < 5_000


@pytest.mark.parametrize("seconds", [-0.1, math.nan, math.inf])
def test_a_delay_that_no_clock_gives_is_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match="no length in seconds"):
        replace(SAMPLES, judged={"umeda": (seconds,)})


def test_samples_are_read_as_they_were_written() -> None:
    assert read(SAMPLES.text()) == SAMPLES
    assert SAMPLES.name == "messages/delays-battery-direct-control-setting.json"


@pytest.mark.parametrize(
    "text", [b"", b"[]", b"{}", b'{"judged": 1}', SAMPLES.text().replace(b"0.01", b"-0.01")]
)
def test_another_document_is_refused(text: bytes) -> None:
    with pytest.raises(EvidenceError, match="not a document of delays"):
        read(text)


def verdict(*evidence: Evidence, subject: str = "umeda battery: control, setting") -> Verdict:
    return Verdict(REQUIREMENT, subject, Stage.LIVE, Result.PASS, "", 0.1, 1.0, "s", evidence=tuple(evidence))


def test_each_data_type_is_drawn_once_on_the_page(tmp_path: Path, plan: Plan, header: Header) -> None:
    kept = EvidenceStore(tmp_path).keep(SAMPLES.name, SAMPLES.text())
    late = replace(
        verdict(kept, subject="namba battery: control, setting"), result=Result.FAIL, reason="late"
    )
    written = write_report(tmp_path, plan, header, (verdict(kept), late))
    (one,) = distributions(tmp_path, written.settled).figures
    assert one.result is Result.FAIL, "the worst of the verdicts that rest on it"
    page = written.page.read_text()
    assert page.count('<svg class="distribution"') == 1
    assert f'aria-label="{one.told}"' in page
    assert page.count('class="curve') == 2


def test_without_samples_there_is_no_such_section(tmp_path: Path, plan: Plan, header: Header) -> None:
    assert 'id="data-types"' not in write_report(tmp_path, plan, header, (verdict(),)).page.read_text()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (SAMPLES.text().replace(b"0.1", b"0.2"), "was altered: its SHA-256 differs"),
        (None, "is missing"),
    ],
)
def test_samples_that_are_not_as_they_were_kept_are_named_and_not_drawn(
    tmp_path: Path, plan: Plan, header: Header, text: bytes | None, why: str
) -> None:
    kept = EvidenceStore(tmp_path).keep(SAMPLES.name, SAMPLES.text())
    file = tmp_path / kept.file
    file.unlink() if text is None else file.write_bytes(text)
    page = write_report(tmp_path, plan, header, (verdict(kept),)).page.read_text()
    assert '<svg class="distribution"' not in page
    section = page[page.index('id="data-types"') :]
    assert f'<span class="mono">{kept.file}</span> <span class="flaw">{why}</span>' in section


def test_a_file_of_that_name_that_holds_something_else_is_named(tmp_path: Path) -> None:
    kept = EvidenceStore(tmp_path).keep(SAMPLES.name, json.dumps({"judged": 1}).encode())
    found = distributions(tmp_path, (verdict(kept),))
    assert found.figures == ()
    assert [one.file for one in found.undrawn] == [kept.file]


def test_evidence_outside_of_its_folder_is_not_read(tmp_path: Path) -> None:
    outside = Evidence("", "../messages/delays-x.json", "", "")
    (undrawn,) = distributions(tmp_path, (verdict(outside),)).undrawn
    assert undrawn.why == "is not a file inside evidence/"
