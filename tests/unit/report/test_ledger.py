"""The ledger of evidence: whatever a person changes in it, or beside it, is noticed."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from heiiki.report.ledger import Ledger
from heiiki.state import ServiceState

ONE, TWO = "11" * 32, "22" * 32


@pytest.fixture
def state(tmp_path: Path) -> ServiceState:
    return ServiceState(tmp_path / "state")


@pytest.fixture
def ledger(state: ServiceState) -> Ledger:
    made = Ledger(state)
    made.add("fault a-p1/kill", ONE)
    made.add("fault a-p1/poweroff", TWO)
    return made


def path(state: ServiceState) -> Path:
    return state.folder / "evidence/ledger.jsonl"


def test_the_newest_record_of_a_subject_counts(ledger: Ledger, state: ServiceState) -> None:
    assert ledger.flaw("fault a-p1/kill", ONE) == ""
    assert Ledger(state).flaw("fault a-p1/poweroff", TWO) == ""


def test_an_edited_record_does_not_count(ledger: Ledger) -> None:
    assert ledger.flaw("fault a-p1/kill", TWO) == "was edited since it was recorded"


def test_a_record_of_another_subject_or_controller_does_not_count(ledger: Ledger, tmp_path: Path) -> None:
    assert "copied here" in ledger.flaw("fault a-pe1/kill", ONE)
    assert "copied here" in Ledger(ServiceState(tmp_path / "other")).flaw("fault a-p1/kill", ONE)


def test_a_record_that_was_put_back_does_not_count(ledger: Ledger) -> None:
    ledger.add("fault a-p1/kill", TWO)
    assert "put back" in ledger.flaw("fault a-p1/kill", ONE)


def edited(lines: list[str]) -> list[str]:
    return [json.dumps(json.loads(lines[0]) | {"sha256": TWO}), *lines[1:]]


@pytest.mark.mutant("evidence")
@pytest.mark.parametrize(
    ("change", "where"),
    [
        (edited, "ledger.jsonl:1"),
        (lambda lines: lines[1:], "ledger.jsonl:1"),
        (lambda lines: lines[:1], "cut short"),
        (lambda lines: lines[:0], "cut short"),
        (lambda lines: [*lines, lines[0]], "ledger.jsonl:3"),
        (lambda lines: lines[::-1], "ledger.jsonl:1"),
        (lambda lines: ["{}", *lines], "ledger.jsonl:1"),
        (lambda lines: ["no JSON", *lines], "ledger.jsonl:1"),
    ],
    ids=[
        "edited",
        "first taken out",
        "cut short",
        "emptied",
        "doubled",
        "turned round",
        "foreign",
        "garbage",
    ],
)
def test_no_record_counts_where_the_ledger_was_altered(
    ledger: Ledger, state: ServiceState, change: Callable[[list[str]], list[str]], where: str
) -> None:
    lines = change(path(state).read_text().splitlines())
    path(state).write_text("".join(f"{line}\n" for line in lines))
    assert where in ledger.flaw("fault a-p1/poweroff", TWO)


def test_after_an_altered_ledger_only_new_records_count(ledger: Ledger, state: ServiceState) -> None:
    path(state).write_text(path(state).read_text().replace(ONE, TWO))
    ledger.add("fault a-pe1/kill", ONE)
    assert ledger.flaw("fault a-pe1/kill", ONE) == ""
    assert "copied here" in ledger.flaw("fault a-p1/poweroff", TWO)
    assert len(list(path(state).parent.glob("ledger.altered-*.jsonl"))) == 1


def test_a_run_that_was_killed_before_the_head_was_written_loses_nothing(
    ledger: Ledger, state: ServiceState
) -> None:
    before = state.secrets.fields("evidence/head")
    ledger.add("fault a-pe1/kill", ONE)
    state.secrets.write("evidence/head", before)
    assert ledger.flaw("fault a-pe1/kill", ONE) == ""


def test_the_key_is_readable_for_its_user_alone(ledger: Ledger, state: ServiceState) -> None:
    kept = state.folder / "secrets/evidence/key.json"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert json.loads(kept.read_text())["key"] not in path(state).read_text()
