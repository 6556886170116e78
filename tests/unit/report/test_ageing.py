"""Planted faults of stored evidence: each one flips the verdict of its row, and of no other."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from heiiki.plan.model import Plan
from heiiki.report import FaultRow, Header, with_earlier_faults, write_faults
from heiiki.report.ageing import Present, drift, is_stale, subject
from heiiki.report.faults import Origin
from heiiki.report.fingerprint import Fingerprint
from heiiki.report.header import iso
from heiiki.report.ledger import Ledger
from heiiki.report.verdicts import EVERY_FAULT, earlier
from heiiki.requirements import Result, Stage, Verdict
from heiiki.state import ServiceState

NETWORK = Fingerprint({"tool": "0.3.0", "FRR of a-p1": "10.3", "service keepalived of umeda-gw-b": "active"})
AS_COMPILED = (Verdict("R-GAP", "umeda-gw-b", Stage.CONFIG, Result.PASS),)
TARGET = "a-pe2/poweroff"


class Bench:
    """A fault table as a run of noon left it, and the run after."""

    def __init__(
        self, folder: Path, plan: Plan, header: Header, rows: tuple[FaultRow, ...], noon: datetime
    ) -> None:
        self.plan, self.header, self.noon = plan, header, noon
        self.artifacts = folder / "artifacts"
        self.ledger = Ledger(ServiceState(folder / "state"))
        self.fingerprint, self.config, self.later = NETWORK, AS_COMPILED, timedelta(days=1)
        self.record(rows, NETWORK)

    def record(self, rows: tuple[FaultRow, ...], made_of: Fingerprint) -> None:
        expires = iso(self.noon + timedelta(days=30))
        dated = tuple(replace(row, origin=Origin(iso(self.noon), expires, made_of.sha256)) for row in rows)
        for row in dated:
            self.ledger.add(subject(row), row.sha256)
        write_faults(self.file, self.header, dated, (made_of,))

    @property
    def file(self) -> Path:
        return self.artifacts / "faults.json"

    def edit(self, change: Callable[[dict[str, Any]], None]) -> None:
        document = json.loads(self.file.read_text())
        (row,) = (one for one in document["faults"] if f"{one['target']}/{one['mode']}" == TARGET)
        change(row)
        self.file.write_text(json.dumps(document))

    def verdicts(self) -> dict[str, Verdict]:
        """What a run that injects no fault says of the faults."""
        before = earlier(self.artifacts, self.plan)
        known = {one.sha256: one for one in before.fingerprints}
        now = self.noon + self.later
        present = Present(now, self.fingerprint, known, drift(self.config), self.ledger)
        asked = Verdict("R-GAP", EVERY_FAULT, Stage.LIVE, Result.UNKNOWN, "not asked for")
        found, _ = with_earlier_faults(before.rows, (asked,), (), present)
        return {one.subject: one for one in found}


@pytest.fixture
def good(faults: tuple[FaultRow, ...]) -> tuple[FaultRow, ...]:
    found = tuple(row for row in faults if row.result is Result.PASS)
    assert TARGET in {row.name for row in found}
    return found


@pytest.fixture
def bench(tmp_path: Path, plan: Plan, header: Header, good: tuple[FaultRow, ...], noon: datetime) -> Bench:
    return Bench(tmp_path, plan, header, good, noon)


def test_on_the_same_network_a_stored_row_counts(bench: Bench) -> None:
    assert {one.result for one in bench.verdicts().values()} == {Result.PASS}


def edit_gap(bench: Bench) -> None:
    bench.edit(lambda row: row["gaps"][0].update(seconds=0.1))


def edit_reason(bench: Bench) -> None:
    bench.edit(lambda row: row.update(reason="longest: 0.10 s"))


def edit_expiry(bench: Bench) -> None:
    bench.edit(lambda row: row["origin"].update(expires="2036-01-01T00:00:00+00:00"))


def edit_evidence(bench: Bench) -> None:
    other = {"collected": "", "file": "evidence/x", "sha256": "", "excerpt": ""}
    bench.edit(lambda row: row.update(evidence=[other]))


def take_the_origin_away(bench: Bench) -> None:
    bench.edit(lambda row: row.update(origin=None))


def put_back(bench: Bench) -> None:
    """The row of before, after a newer one failed."""
    (row,) = (one for one in earlier(bench.artifacts, bench.plan).rows if one.name == TARGET)
    failed = replace(row, result=Result.FAIL, reason="2.40 s")
    bench.ledger.add(subject(failed), failed.sha256)


def take_the_place_of_another(bench: Bench) -> None:
    document = json.loads(bench.file.read_text())
    rows = {f"{one['target']}/{one['mode']}": one for one in document["faults"]}
    rows[TARGET] |= rows["a-pe1/poweroff"] | {"target": "a-pe2"}
    bench.file.write_text(json.dumps(document))


@pytest.mark.mutant("evidence")
@pytest.mark.parametrize(
    ("plant", "said"),
    [
        (edit_gap, "the row was edited since it was recorded"),
        (edit_reason, "the row was edited since it was recorded"),
        (edit_expiry, "the row was edited since it was recorded"),
        (edit_evidence, "the row was edited since it was recorded"),
        (take_the_origin_away, "the row was edited since it was recorded"),
        (take_the_place_of_another, "the row was edited since it was recorded"),
        (put_back, "the row is older than the newest record of its subject"),
    ],
)
def test_a_planted_row_flips_its_own_verdict_and_no_other(
    bench: Bench, plant: Callable[[Bench], None], said: str
) -> None:
    plant(bench)
    found = bench.verdicts()
    assert [name for name, one in found.items() if one.result is not Result.PASS] == [TARGET]
    assert (found[TARGET].result, said in found[TARGET].reason) == (Result.UNKNOWN, True)
    assert not is_stale(found[TARGET]), "it decides whatever faults are named"


def test_a_copied_file_vouches_for_nothing(
    bench: Bench, tmp_path: Path, plan: Plan, header: Header, noon: datetime
) -> None:
    other = Bench(tmp_path / "other", plan, header, (), noon)
    shutil.copy(bench.file, other.file)
    found = other.verdicts()
    assert {one.result for one in found.values()} == {Result.UNKNOWN}
    assert all("it was copied here" in one.reason for one in found.values())


def other_frr(bench: Bench) -> None:
    bench.fingerprint = Fingerprint({**NETWORK.parts, "FRR of a-p1": "10.4"})


def unreadable(bench: Bench) -> None:
    bench.fingerprint = Fingerprint({**NETWORK.parts, "FRR of a-p1": None})


def dead_keepalived(bench: Bench) -> None:
    bench.fingerprint = Fingerprint({**NETWORK.parts, "service keepalived of umeda-gw-b": "inactive"})


def other_tool(bench: Bench) -> None:
    bench.fingerprint = Fingerprint({**NETWORK.parts, "tool": "0.4.0"})


def a_device_more(bench: Bench) -> None:
    bench.fingerprint = Fingerprint({**NETWORK.parts, "FRR of a-p2": "10.3"})


def a_month_later(bench: Bench) -> None:
    bench.later = timedelta(days=30)


def other_configuration(bench: Bench) -> None:
    bench.config = (Verdict("R-GAP", "umeda-gw-b", Stage.CONFIG, Result.FAIL, "keepalived.conf differs"),)


def not_compared(bench: Bench) -> None:
    bench.config = ()


def forged_fingerprint(bench: Bench) -> None:
    """The parts under the digest are made those of now, where FRR is another."""
    other_frr(bench)
    text = bench.file.read_text()
    bench.file.write_text(text.replace('"FRR of a-p1": "10.3"', '"FRR of a-p1": "10.4"'))


@pytest.mark.mutant("evidence")
@pytest.mark.parametrize(
    ("age", "said"),
    [
        (other_frr, "FRR of a-p1: 10.3 then, 10.4 now"),
        (unreadable, "FRR of a-p1 cannot be read now"),
        (dead_keepalived, "service keepalived of umeda-gw-b: active then, inactive now"),
        (other_tool, "tool: 0.3.0 then, 0.4.0 now"),
        (a_device_more, "FRR of a-p2: not known then, 10.3 now"),
        (a_month_later, "expired on 2026-10-31T12:00:00+00:00"),
        (other_configuration, "umeda-gw-b: keepalived.conf differs"),
        (not_compared, "this run did not compare the configuration"),
        (forged_fingerprint, "what it was measured on is not known"),
    ],
)
def test_rows_of_another_network_or_time_count_no_more(
    bench: Bench, age: Callable[[Bench], None], said: str
) -> None:
    age(bench)
    found = bench.verdicts()
    assert {one.result for one in found.values()} == {Result.UNKNOWN}
    assert all(said in one.reason and is_stale(one) for one in found.values())


def test_what_could_not_be_read_either_time_is_not_the_same(bench: Bench, good: tuple[FaultRow, ...]) -> None:
    bench.fingerprint = Fingerprint({"FRR of a-p1": None})
    bench.record(good, bench.fingerprint)
    assert {one.result for one in bench.verdicts().values()} == {Result.UNKNOWN}
