import hashlib
import pathlib
from datetime import datetime

import pytest

from heiiki.errors import EvidenceError
from heiiki.report import EvidenceStore
from heiiki.report.store import flaw, substantiated
from heiiki.requirements import Result, Stage, Verdict
from heiiki.requirements.verdict import Evidence


@pytest.fixture
def store(tmp_path: pathlib.Path, noon: datetime) -> EvidenceStore:
    return EvidenceStore(tmp_path, clock=lambda: noon)


def test_raw_output_is_kept_and_hashed(tmp_path: pathlib.Path, store: EvidenceStore) -> None:
    kept = store.keep("live/p1.txt", b"lost 3\n", "lost\n3")
    digest = hashlib.sha256(b"lost 3\n").hexdigest()
    assert kept == Evidence("2026-10-01T12:00:00+00:00", "evidence/live/p1.txt", digest, "lost 3")
    assert (tmp_path / kept.file).read_bytes() == b"lost 3\n"
    assert flaw(tmp_path, kept) == ""


def test_a_name_of_the_plan_makes_a_plain_file_name(store: EvidenceStore) -> None:
    assert store.keep("S1-U:b-enb--b-sgw down.json", b"").file == "evidence/S1-U_b-enb--b-sgw_down.json"


def test_what_is_kept_is_never_overwritten(tmp_path: pathlib.Path, store: EvidenceStore) -> None:
    first, second, third = (store.keep("p1.txt", data) for data in (b"one", b"two", b"one"))
    assert first.file == third.file == "evidence/p1.txt"
    assert second.file != first.file
    assert (tmp_path / first.file).read_bytes() == b"one"
    assert (tmp_path / second.file).read_bytes() == b"two"


@pytest.mark.parametrize("name", ["", "../x", "/etc/passwd", "a/../b", ".hidden", "a//b", "a/"])
def test_a_name_that_leaves_the_folder_is_refused(store: EvidenceStore, name: str) -> None:
    with pytest.raises(EvidenceError, match="not a plain relative name"):
        store.keep(name, b"")


def test_a_folder_that_cannot_be_written_is_named(tmp_path: pathlib.Path, noon: datetime) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EvidenceError, match="cannot be written"):
        EvidenceStore(tmp_path / "file", clock=lambda: noon).keep("x", b"")


def test_what_is_kept_reaches_the_disk_before_a_verdict_rests_on_it(
    tmp_path: pathlib.Path, store: EvidenceStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    monkeypatch.setattr("heiiki.report.store.sync", lambda path: synced.append(path.name))
    kept = store.keep("live/p1.txt", b"lost 3")
    assert not synced, "waiting for the disk would disturb what is measured"
    store.sync()
    assert synced == ["p1.txt", "live"]
    monkeypatch.undo()
    (tmp_path / kept.file).unlink()
    store.keep("p1.txt", b"")
    (tmp_path / "evidence/p1.txt").unlink()
    with pytest.raises(EvidenceError, match=r"p1\.txt: is not on the disk: .*; measure again"):
        store.sync()


@pytest.mark.parametrize("harm", ["alter", "remove"])
def test_a_pass_that_lost_its_evidence_is_unknown(
    tmp_path: pathlib.Path, store: EvidenceStore, harm: str
) -> None:
    kept = store.keep("p1.txt", b"lost 3")
    verdict = Verdict("R-GAP", "p1/kill", Stage.LIVE, Result.PASS, evidence=(kept,))
    assert substantiated(tmp_path, (verdict,)) == (verdict,)
    path = tmp_path / kept.file
    path.write_bytes(b"lost 0") if harm == "alter" else path.unlink()
    (found,) = substantiated(tmp_path, (verdict,))
    assert found.result is Result.UNKNOWN
    assert found.reason.startswith("evidence evidence/p1.txt ")


def test_evidence_outside_the_folder_is_a_flaw(tmp_path: pathlib.Path) -> None:
    assert flaw(tmp_path, Evidence("", "../../etc/passwd", "")) == "is not a file inside evidence/"
