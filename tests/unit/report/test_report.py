import html
import html.parser
import json
import pathlib
import re
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from heiiki.errors import FolderError
from heiiki.plan.model import FailureMode, Plan
from heiiki.report import (
    EvidenceStore,
    FaultRow,
    Gap,
    Header,
    Paths,
    network_svg,
    read_verdicts,
    scope,
    write_report,
)
from heiiki.report.completion import NOT_RUN
from heiiki.report.drawing import BOX_HEIGHT, BOX_WIDTH
from heiiki.report.picture import draw
from heiiki.report.timeline import timeline
from heiiki.requirements import REQUIREMENTS, Result, Stage, Verdict
from heiiki.requirements.verdict import Evidence

ATTACK = "<script>alert('x')</script>\"'><img src=x onerror=alert(1)>"


class Reader(html.parser.HTMLParser):
    """What a browser would find: elements, where they point, handlers."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str | None] = []
        self.handlers: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name in {"href", "src"}]
        self.handlers += [name for name, _ in attrs if name.startswith("on")]


def read(page: pathlib.Path) -> Reader:
    reader = Reader()
    reader.feed(page.read_text())
    return reader


@pytest.fixture
def written(
    tmp_path: pathlib.Path,
    plan: Plan,
    header: Header,
    verdicts: tuple[Verdict, ...],
    faults: tuple[FaultRow, ...],
) -> Paths:
    return write_report(tmp_path, plan, header, verdicts, faults)


def test_all_four_say_the_same(written: Paths) -> None:
    document = json.loads(written.verdicts.read_text())
    suite = ET.parse(written.junit).getroot()  # noqa: S314 - written by this test
    page = written.page.read_text()
    totals = document["totals"]
    assert len(written.settled) == len(document["verdicts"]) == len(suite.findall(".//testcase"))
    assert (totals["fail"], totals["unknown"]) == (int(suite.attrib["failures"]), int(suite.attrib["errors"]))
    assert len(suite.findall(".//failure")) == totals["fail"]
    assert len(suite.findall(".//error")) == totals["unknown"]
    assert len(suite.findall(".//skipped")) == totals["not_applicable"]
    assert page.count("<tr data-result=") == len(document["verdicts"])
    assert page.count('<tr data-result="fail"') == totals["fail"]
    assert written.exit_code == 1


def test_files_of_a_person_with_the_reports_names_are_kept(
    tmp_path: pathlib.Path, plan: Plan, header: Header, verdicts: tuple[Verdict, ...]
) -> None:
    names = ("report.html", "junit.xml", "verdicts.json", "faults.json")
    for name in names:
        (tmp_path / name).write_text(f"my {name}")
    for _ in range(2):
        write_report(tmp_path, plan, header, verdicts)
    kept = [path.read_text() for path in sorted(tmp_path.glob("*.changed-*"))]
    assert sorted(kept) == sorted(f"my {name}" for name in names)


def test_no_evidence_is_kept_among_the_files_of_a_service(tmp_path: pathlib.Path) -> None:
    (tmp_path / "service.yml").write_text("service: x\n")
    with pytest.raises(FolderError, match="is in the folder of the service"):
        EvidenceStore(tmp_path / "artifacts")


def test_nothing_found_is_never_proven(tmp_path: pathlib.Path, plan: Plan, header: Header) -> None:
    written = write_report(tmp_path, plan, header, ())
    assert written.exit_code == 1
    assert "Nothing failed, nothing unknown" not in written.page.read_text()
    assert {verdict.result for verdict in written.settled} == {Result.UNKNOWN}


def test_proven_only_without_fail_and_unknown(
    tmp_path: pathlib.Path,
    plan: Plan,
    header: Header,
    verdicts: tuple[Verdict, ...],
    faults: tuple[FaultRow, ...],
) -> None:
    once = write_report(tmp_path, plan, header, verdicts, faults)
    good = [replace(v, result=Result.PASS, evidence=(), reason="examined") for v in once.settled]
    written = write_report(tmp_path, plan, header, good, faults)
    assert written.exit_code == 0
    assert "Nothing failed, nothing unknown" in written.page.read_text()


def test_the_page_loads_nothing_from_outside(written: Paths) -> None:
    reader = read(written.page)
    assert [
        link for link in reader.links if not re.match(r"#|evidence/|data:,$|\w+\.(json|xml)$", str(link))
    ] == []
    assert reader.tags.count("script") == 1
    assert "url(" not in written.page.read_text()


def test_everything_from_outside_is_escaped(
    tmp_path: pathlib.Path, plan: Plan, header: Header, faults: tuple[FaultRow, ...]
) -> None:
    evil = Verdict(
        ATTACK, ATTACK, Stage.LIVE, Result.FAIL, ATTACK, 1.0, 2.0, ATTACK,
        (Evidence(ATTACK, "javascript:alert(1)", ATTACK, ATTACK), Evidence("", ATTACK, "", "")),
    )  # fmt: skip
    negative = replace(evil, requirement="R-ISO-SITE")
    delay = replace(evil, requirement="R-DELAY")
    budget = replace(evil, requirement="R-GAP", stage=Stage.DESIGN)
    site = replace(plan.sites[0], name=ATTACK)
    devices = (replace(plan.devices[0], name=ATTACK, platform=ATTACK), *plan.devices[1:])
    devices = tuple(replace(d, site=ATTACK) if d.site == plan.sites[0].name else d for d in devices)
    links = (replace(plan.links[0], kind=ATTACK), *plan.links[1:])
    service = replace(plan, title=ATTACK, sites=(site, *plan.sites[1:]), devices=devices, links=links)
    rows = (FaultRow(ATTACK, ATTACK, FailureMode.KILL, ATTACK, ATTACK, Result.FAIL, ATTACK,
                     (Gap(ATTACK, "down", "failure", 3.0),)), *faults)  # fmt: skip
    top = replace(header, service=ATTACK, machine=ATTACK, intent_sha256=ATTACK)
    written = write_report(tmp_path, service, top, (evil, negative, delay, budget), rows)
    reader = read(written.page)
    assert (reader.tags.count("script"), reader.tags.count("img"), reader.handlers) == (1, 0, [])
    assert [link for link in reader.links if link and "alert" in link and not link.startswith("#")] == []
    ET.parse(written.junit)  # noqa: S314 - written by this test


def test_the_policy_names_the_only_script(written: Paths) -> None:
    page = written.page.read_text()
    assert re.search(r"script-src &#39;sha256-|script-src 'sha256-[A-Za-z0-9+/]{43}='", page)


def test_evidence_is_linked_with_its_digest(tmp_path: pathlib.Path, plan: Plan, header: Header) -> None:
    kept = EvidenceStore(tmp_path).keep("p1.txt", b"lost 3")
    verdict = Verdict("R-COST", "network a", Stage.DESIGN, Result.PASS, evidence=(kept,))
    page = write_report(tmp_path, plan, header, (verdict,)).page
    assert "evidence/p1.txt" in read(page).links
    assert kept.sha256 in page.read_text()


def test_altered_evidence_is_told_on_the_page(tmp_path: pathlib.Path, plan: Plan, header: Header) -> None:
    kept = EvidenceStore(tmp_path).keep("p1.txt", b"lost 3")
    (tmp_path / kept.file).write_bytes(b"lost 0")
    verdict = Verdict("R-COST", "network a", Stage.DESIGN, Result.PASS, evidence=(kept,))
    written = write_report(tmp_path, plan, header, (verdict,))
    assert "was altered: its SHA-256 differs" in written.page.read_text()
    assert [v.result for v in written.settled if v.requirement == "R-COST"] == [Result.UNKNOWN]


def test_every_matrix_link_has_its_rows(written: Paths) -> None:
    page = written.page.read_text()
    anchors = set(re.findall(r'href="#([^"]+)"', page))
    assert anchors <= set(re.findall(r'id="([^"]+)"', page))


def test_each_fault_of_the_plan_has_a_row(
    plan: Plan, faults: tuple[FaultRow, ...], verdicts: tuple[Verdict, ...]
) -> None:
    table = timeline(plan, faults, verdicts)
    rows = [row for group in table.groups for row in group.rows]
    assert sorted(row.fault.name for row in rows) == sorted(fault.name for fault in plan.faults)
    (missing,) = [row for row in rows if row.fault.name == "b-mme/kill"]
    assert (missing.result, missing.reason) == (Result.UNKNOWN, NOT_RUN)
    assert [row.was_run for row in rows].count(False) == 1
    assert sum(group.run for group in table.groups) == len(rows) - 1


def test_a_fault_that_was_not_run_is_shown_as_such_and_marks_no_element(
    tmp_path: pathlib.Path, plan: Plan, header: Header, faults: tuple[FaultRow, ...]
) -> None:
    run = [row for row in faults if row.name in {"a-p1/poweroff", "a-pe1/poweroff"}]
    once = write_report(tmp_path, plan, header, [row.verdict() for row in run], run)
    missing = len(plan.faults) - len(run)
    page = once.page.read_text()
    assert page.count('<span class="chip not_run">') == missing
    picture = draw(
        plan, [one for one in once.settled if one.requirement == "R-GAP" and one.stage is Stage.LIVE]
    )
    assert {box.name: box.result for box in picture.boxes if box.result} == {
        "a-p1": Result.PASS,
        "a-pe1": Result.PASS,
    }
    # The one thing that is left open is said at the top, whatever else there is passed.
    others = [
        one if one.reason == NOT_RUN else replace(one, result=Result.PASS, evidence=(), reason="examined")
        for one in once.settled
    ]
    again = write_report(tmp_path, plan, header, others, run)
    assert again.exit_code == 1
    assert f"Nothing failed; {missing} faults were not run" in again.page.read_text()


def test_a_row_beyond_the_plan_is_shown_too(plan: Plan) -> None:
    extra = FaultRow(
        "moon", "node", FailureMode.KILL, "z", "", Result.PASS, "", (Gap("umeda", "up", "failure", 0.1),)
    )
    groups = timeline(plan, (extra,), ()).groups
    assert [row.fault for row in groups[-1].rows] == [extra]


def test_the_part_beyond_the_bound_is_marked(plan: Plan) -> None:
    gaps = tuple(Gap("umeda", "down", "failure", seconds) for seconds in (1.0, 2.25, 9.0))
    row = FaultRow("a-p1", "node", FailureMode.KILL, "a", "", Result.FAIL, "too long", gaps)
    (found,) = [r for g in timeline(plan, (row,), ()).groups for r in g.rows if r.fault is row]
    assert [(bar.width, bar.over, bar.cut) for bar in found.lanes[0].bars] == [
        (40.0, 0.0, False),
        (90.0, 10.0, False),
        (100.0, 20.0, True),
    ]
    assert found.lanes[1].bars == ()


def test_many_bars_are_counted_where_not_drawn(plan: Plan) -> None:
    gaps = tuple(Gap(f"s{rank}", "down", "failure", rank / 10) for rank in range(20))
    row = FaultRow("a-p1", "node", FailureMode.KILL, "a", "", Result.PASS, "", gaps)
    (found,) = [r for g in timeline(plan, (row,), ()).groups for r in g.rows if r.fault is row]
    assert (len(found.lanes[0].bars), found.lanes[0].note) == (8, "1.9 s (+12 shorter)")


@pytest.mark.parametrize("seconds", [-1.0, float("inf"), float("nan")])
def test_a_gap_that_no_clock_gives_is_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match="no length in seconds"):
        Gap("umeda", "down", "failure", seconds)


def test_every_device_and_link_is_drawn_and_no_two_boxes_overlap(plan: Plan) -> None:
    picture = draw(plan, ())
    assert {box.name for box in picture.boxes} == {device.name for device in plan.devices}
    assert {line.name for line in picture.lines} == {link.name for link in plan.links}
    boxes = sorted(picture.boxes, key=lambda box: box.name)
    overlaps = [
        (one.name, two.name)
        for rank, one in enumerate(boxes)
        for two in boxes[rank + 1 :]
        if abs(one.x - two.x) < BOX_WIDTH and abs(one.y - two.y) < BOX_HEIGHT
    ]
    assert overlaps == []
    assert all(box.left > 0 and box.left + BOX_WIDTH < picture.width for box in boxes)


def test_what_failed_is_marked_and_nothing_else(plan: Plan, verdicts: tuple[Verdict, ...]) -> None:
    picture = draw(plan, verdicts)
    marks = {box.name: box.result for box in picture.boxes}
    assert marks["b-sgw"] is Result.FAIL
    assert marks["umeda-gw-b"] is Result.UNKNOWN
    assert marks["b-pgw"] is Result.PASS
    assert {line.result for line in picture.lines if line.name.startswith("S1-U")} == {Result.PASS}


def test_a_line_has_a_jacket_for_each_esp_that_it_carries(plan: Plan) -> None:
    jackets = {line.name: line.jackets for line in draw(plan, ()).lines}
    assert {name for name, count in jackets.items() if count == 2} == {
        "a-pe1--hub-ce-a",
        "b-edge--hub-ce-b",
    }
    paths = {name for path in plan.paths for name in path.elements if name in jackets}
    lans = {link.name for link in plan.links if link.kind == "lan"}
    assert {name for name, count in jackets.items() if count} == paths - lans
    bare = tuple(replace(device, ipsec=()) for device in plan.devices)
    assert not any(line.jackets for line in draw(replace(plan, devices=bare), ()).lines)


def test_what_is_said_of_reading_is_of_what_is_examined(written: Paths) -> None:
    stages = {(item.id, str(stage)) for item in REQUIREMENTS for stage in item.stages}
    assert scope.READING.keys() <= stages
    assert scope.READING["R-SEC-ESP", "live"] in html.unescape(written.page.read_text())


def test_a_service_too_large_to_draw_shows_trouble_first(plan: Plan) -> None:
    names = [f"site{rank}" for rank in range(30)]
    sites = tuple(replace(plan.sites[0], number=rank, name=name) for rank, name in enumerate(names))
    trouble = Verdict("R-FIT", "site29", Stage.DESIGN, Result.FAIL, "does not fit")
    picture = draw(replace(plan, sites=sites), (trouble,))
    labels = [frame.label for frame in picture.frames if frame.kind == "site"]
    assert (len(labels), labels[0], picture.left_out) == (12, "0029 site29", 18)


def test_a_byte_that_was_no_text_harms_no_file(tmp_path: pathlib.Path, plan: Plan, header: Header) -> None:
    odd = Verdict(
        "R-FIT", "umeda", Stage.DESIGN, Result.FAIL, b"not \xff text".decode(errors="surrogateescape")
    )
    written = write_report(tmp_path, plan, header, (odd,))
    assert odd in read_verdicts(written.verdicts)[1]
    assert r"not \xff text" in written.page.read_text()
    ET.parse(written.junit)  # noqa: S314 - written by this test


def test_the_network_alone_is_one_svg_file(plan: Plan) -> None:
    picture = ET.fromstring(network_svg(plan))  # noqa: S314 - written by this test
    names = {text.text for text in picture.iter("{http://www.w3.org/2000/svg}text")}
    assert picture.tag == "{http://www.w3.org/2000/svg}svg"
    assert {device.name for device in plan.devices} <= names
