import json
import pathlib
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace

import pytest

from heiiki.errors import EvidenceError
from heiiki.plan.model import Plan
from heiiki.report import (
    FaultRow,
    Header,
    earlier,
    merge,
    read_faults,
    read_verdicts,
    write_faults,
    write_verdicts,
)
from heiiki.report.junit import write_junit
from heiiki.requirements import Result, Stage, Verdict
from heiiki.requirements.verdict import Evidence

GOLDEN = pathlib.Path(__file__).parents[2] / "golden" / "evidence"


@pytest.fixture
def fixed_header() -> Header:
    return Header("kansai", "2026-10-01T12:00:00+00:00", "0.1.0", "5f" * 32, "2 cores, 4 GiB", lab=True)


@pytest.fixture
def few() -> tuple[Verdict, ...]:
    gap, cost = "R-GAP", "R-COST"
    evidence = Evidence("2026-10-01T11:59:00+00:00", "evidence/p1.txt", "ab" * 32, 'probes <lost> & "found"')
    stalled = "the guest stalled\x07"
    return (
        Verdict(
            gap, "p1/kill", Stage.LIVE, Result.FAIL, "2.31 s is more than 2 s", 2.31, 2.0, "s", (evidence,)
        ),
        Verdict(gap, "p1/poweroff", Stage.LIVE, Result.UNKNOWN, stalled, None, 2.0, "s"),
        Verdict(gap, "gw/kill", Stage.LIVE, Result.NOT_APPLICABLE, "figure 5.18 (a)", 8.4, 2.0, "s"),
        Verdict(gap, "pe1", Stage.CONFIG, Result.PASS),
        Verdict(cost, "network a", Stage.DESIGN, Result.PASS, "", 900, 1000, "yen"),
    )


@pytest.mark.parametrize(("name", "write"), [("verdicts.json", write_verdicts), ("junit.xml", write_junit)])
def test_written_as_in_the_golden_file(
    tmp_path: pathlib.Path,
    fixed_header: Header,
    few: tuple[Verdict, ...],
    name: str,
    write: Callable[[pathlib.Path, Header, tuple[Verdict, ...]], None],
) -> None:
    write(tmp_path / name, fixed_header, few)
    assert (tmp_path / name).read_text() == (GOLDEN / name).read_text()


def test_junit_is_as_its_readers_want_it(
    tmp_path: pathlib.Path, fixed_header: Header, few: tuple[Verdict, ...]
) -> None:
    odd = replace(fixed_header, generated="2026-03-01T09:30:00+09:00")
    write_junit(tmp_path / "junit.xml", odd, few)
    root = ET.parse(tmp_path / "junit.xml").getroot()  # noqa: S314 - written by this test
    suite = root[0]
    assert suite.attrib["timestamp"] == "2026-03-01T00:30:00"
    cases = suite.findall("testcase")
    assert {item.attrib["time"] for item in (root, suite, *cases)} == {"0"}
    for tag in ("failure", "error", "skipped"):
        for item in suite.iter(tag):
            assert item.text
            assert item.text.splitlines()[0] == item.attrib["message"]
            assert item.attrib["type"] in item.text


def test_the_order_in_which_verdicts_were_found_does_not_show(
    tmp_path: pathlib.Path, fixed_header: Header, few: tuple[Verdict, ...]
) -> None:
    write_verdicts(tmp_path / "verdicts.json", fixed_header, tuple(reversed(few)))
    assert (tmp_path / "verdicts.json").read_text() == (GOLDEN / "verdicts.json").read_text()


def test_a_verdict_has_exactly_the_keys_of_the_format(
    tmp_path: pathlib.Path, fixed_header: Header, few: tuple[Verdict, ...]
) -> None:
    write_verdicts(tmp_path / "verdicts.json", fixed_header, few)
    keys = [
        "requirement",
        "clause",
        "subject",
        "stage",
        "result",
        "reason",
        "measured",
        "bound",
        "unit",
        "evidence",
    ]
    document = json.loads((tmp_path / "verdicts.json").read_text())
    assert [list(row) for row in document["verdicts"]] == [keys] * len(few)
    assert [set(row["evidence"][0]) for row in document["verdicts"] if row["evidence"]] == [
        {"collected", "file", "sha256", "excerpt"}
    ]


def test_read_gives_what_was_written(
    tmp_path: pathlib.Path, header: Header, verdicts: tuple[Verdict, ...]
) -> None:
    write_verdicts(tmp_path / "verdicts.json", header, verdicts)
    found, rows = read_verdicts(tmp_path / "verdicts.json")
    assert found == header.counting(verdicts)
    assert sorted(map(repr, rows)) == sorted(map(repr, verdicts))


def test_faults_read_back_as_written(
    tmp_path: pathlib.Path, header: Header, faults: tuple[FaultRow, ...]
) -> None:
    write_faults(tmp_path / "faults.json", header, faults)
    assert read_faults(tmp_path / "faults.json").rows == faults


def test_a_result_changed_by_hand_is_noticed(
    tmp_path: pathlib.Path, fixed_header: Header, few: tuple[Verdict, ...]
) -> None:
    path = tmp_path / "verdicts.json"
    write_verdicts(path, fixed_header, few)
    path.write_text(path.read_text().replace('"result": "fail"', '"result": "pass"'))
    with pytest.raises(EvidenceError, match="the totals are not those of the rows"):
        read_verdicts(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "not JSON"),
        ("[]", "not a JSON object"),
        ("{}", "not a document of verdicts"),
        ('{"totals": {}, "verdicts": []}', "not a document of verdicts"),
    ],
)
def test_what_is_no_document_of_verdicts_is_refused(
    tmp_path: pathlib.Path, content: str, message: str
) -> None:
    (tmp_path / "verdicts.json").write_text(content)
    with pytest.raises(EvidenceError, match=message):
        read_verdicts(tmp_path / "verdicts.json")


def test_a_missing_file_is_named(tmp_path: pathlib.Path) -> None:
    with pytest.raises(EvidenceError, match=r"verdicts\.json: cannot be read"):
        read_verdicts(tmp_path / "verdicts.json")


def test_an_infinite_figure_is_refused(
    tmp_path: pathlib.Path, fixed_header: Header, few: tuple[Verdict, ...]
) -> None:
    with pytest.raises(EvidenceError, match="infinite"):
        write_verdicts(tmp_path / "v.json", fixed_header, (replace(few[0], measured=float("inf")),))


def test_merge_replaces_by_requirement_stage_and_subject(few: tuple[Verdict, ...]) -> None:
    again = replace(few[0], result=Result.PASS, reason="", measured=1.0)
    assert [v for v in merge(few, (again,)) if v.subject == "p1/kill"] == [again]
    assert len(merge(few, (again,))) == len(few)


def test_merge_keeps_one_subject_of_two_stages(few: tuple[Verdict, ...]) -> None:
    design = replace(few[0], stage=Stage.DESIGN)
    assert len(merge(few, (design,))) == len(few) + 1


def test_checks_with_one_name_stay_distinct(few: tuple[Verdict, ...]) -> None:
    twice = (few[0], replace(few[0], measured=3.0))
    assert len(merge((), twice)) == 2
    assert len(merge(twice, twice)) == 2


def test_earlier_rows_of_this_service_are_taken_up(
    tmp_path: pathlib.Path, header: Header, plan: Plan, faults: tuple[FaultRow, ...]
) -> None:
    write_faults(tmp_path / "faults.json", header, faults)
    assert earlier(tmp_path, plan).rows == faults


def test_earlier_rows_of_another_service_are_left_out(
    tmp_path: pathlib.Path, header: Header, plan: Plan, faults: tuple[FaultRow, ...]
) -> None:
    write_faults(tmp_path / "faults.json", header, faults)
    assert earlier(tmp_path, replace(plan, service="other")).rows == ()


def test_earlier_rows_of_what_is_no_fault_any_more_are_left_out(
    tmp_path: pathlib.Path, header: Header, plan: Plan, faults: tuple[FaultRow, ...]
) -> None:
    write_faults(tmp_path / "faults.json", header, faults)
    assert earlier(tmp_path, replace(plan, faults=plan.faults[:2])).rows == faults[:2]


def test_earlier_finds_nothing_on_a_first_run(tmp_path: pathlib.Path, plan: Plan) -> None:
    assert earlier(tmp_path, plan).rows == ()


def test_a_row_and_its_verdict_say_the_same(faults: tuple[FaultRow, ...]) -> None:
    for row in faults:
        told = row.verdict()
        assert (told.subject, told.result, told.measured) == (row.name, row.result, row.longest)
