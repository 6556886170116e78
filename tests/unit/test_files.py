"""What the controller keeps is written whole or not at all: encoded, on the disk, and then in its place."""

import errno
import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from heiiki import files
from heiiki.errors import EvidenceError, HeiikiError, RevocationError
from heiiki.intent import load, revoked
from heiiki.service import opened, revoke
from heiiki.state import FileSecrets, of_service

LATIN = os.fsdecode(b"gestohlen bei M\xfcller")
"""How Python is given what a Latin-1 terminal typed, under a locale of UTF-8."""


@pytest.fixture
def service(tmp_path: Path, lab_inventory: Path) -> Path:
    folder = Path(shutil.copytree(lab_inventory, tmp_path / "service"))
    assert revoked.add(folder, "sakai-bems", "stolen", None)
    return folder


def _owner(service: Path) -> Path:
    return of_service("lab", service).folder / "service.json"


def _secret(service: Path) -> Path:
    state = service.with_name("secrets-of")
    FileSecrets(state).write("vault/ca", {"pem": "old"})
    return state / "secrets/vault/ca.json"


def _evidence(service: Path) -> Path:
    path = service.with_name("evidence") / "one.json"
    files.write_evidence(path, b"old")
    return path


def _elsewhere(service: Path) -> None:
    copied = shutil.copytree(service, service.with_name("elsewhere"), dirs_exist_ok=True)
    of_service("lab", copied, take_over=True)


WRITERS: dict[str, tuple[Callable[[Path], Path], Callable[[Path], object]]] = {
    "service.json": (_owner, _elsewhere),
    "a secret": (
        _secret,
        lambda service: FileSecrets(service.with_name("secrets-of")).write("vault/ca", {"pem": "new"}),
    ),
    "a mark": (
        lambda service: service / revoked.FILE,
        lambda service: revoked.add(service, "namba-gw", "lost", None),
    ),
    "no mark": (
        lambda service: service / revoked.FILE,
        lambda service: revoked.remove(service, "sakai-bems"),
    ),
    "evidence": (
        _evidence,
        lambda service: files.write_evidence(service.with_name("evidence") / "one.json", b"new"),
    ),
}


def _full(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("step", ["fsync", "fchmod", "rename"])
@pytest.mark.parametrize("name", WRITERS)
def test_what_cannot_be_written_stays_as_it_was(
    service: Path, monkeypatch: pytest.MonkeyPatch, name: str, step: str
) -> None:
    path, write = WRITERS[name][0](service), WRITERS[name][1]
    before, beside = path.read_bytes(), sorted(path.parent.iterdir())
    if step == "rename":
        monkeypatch.setattr(Path, "replace", _full)
    else:
        monkeypatch.setattr(os, step, _full)
    with pytest.raises((HeiikiError, OSError), match=os.strerror(errno.ENOSPC)):
        write(service)
    assert (path.read_bytes(), sorted(path.parent.iterdir())) == (before, beside)


@pytest.mark.parametrize("name", WRITERS)
def test_a_file_is_on_the_disk_before_it_takes_its_place(
    service: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    path, write = WRITERS[name][0](service), WRITERS[name][1]
    done: list[str] = []
    really_sync, really_replace = os.fsync, Path.replace

    def sync(descriptor: int) -> None:
        done.append("folder" if Path(f"/proc/self/fd/{descriptor}").readlink() == path.parent else "file")
        really_sync(descriptor)

    def replace(self: Path, target: Path) -> Path:
        done.append("rename")
        return really_replace(self, target)

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(Path, "replace", replace)
    write(service)
    assert done == ["file", "rename", "folder"]


def test_a_reason_in_another_encoding_is_one_line_and_leaves_every_mark(
    service: Path, tmp_path: Path
) -> None:
    before = (service / revoked.FILE).read_bytes()
    for act in (
        lambda: revoked.add(service, "namba-gw", LATIN, None),
        lambda: revoke(opened(service), "namba-gw", LATIN, tmp_path / "artifacts"),
    ):
        with pytest.raises(RevocationError, match="is not in the encoding of this system") as caught:
            act()
        assert str(caught.value).isprintable()
    assert (service / revoked.FILE).read_bytes() == before
    assert [mark.written.device for mark in load(service).revoked] == ["sakai-bems"]


def test_evidence_that_cannot_be_written_says_where(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EvidenceError, match=r"file/one: cannot be written: .*; check the folder"):
        files.write_evidence(tmp_path / "file/one", b"")


KILLED = """
import sys
from pathlib import Path
from heiiki import files
with files.draft(Path(sys.argv[1]), b"secret", 0o600):
    print("written", flush=True)
    sys.stdin.read()
"""


@contextmanager
def writer(path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that has written a draft and has not put it in its place yet."""
    command = [sys.executable, "-c", KILLED, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "written\n"
        yield process
        process.kill()


def drafts(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name.endswith(".draft"))


def test_the_draft_of_a_killed_writer_is_removed_by_the_next_one_and_no_other(tmp_path: Path) -> None:
    mine = tmp_path / ".notes.draft"
    mine.write_text("mine")
    with writer(tmp_path / "a.json") as lives, writer(tmp_path / "b.json") as dies:
        dies.kill()
        dies.wait()
        assert len(drafts(tmp_path)) == 3
        files.replace(tmp_path / "c.json", b"new", 0o600)
        left = drafts(tmp_path)
        assert left[1:] == [".notes.draft"]
        assert left[0].startswith(".a.json.")
        lives.communicate()
    assert drafts(tmp_path) == [".notes.draft"]
    assert (tmp_path / "c.json").read_bytes() == b"new"


def test_a_draft_that_is_taken_for_one_that_was_left_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the moments in which it is made and locked, another process finds it unlocked."""
    taken: list[Path] = []
    really = fcntl.flock

    def late(descriptor: int, how: int) -> None:
        if not taken and how == fcntl.LOCK_EX:
            taken.extend(tmp_path.iterdir())
            files.clear(tmp_path)
            assert list(tmp_path.iterdir()) == []
        really(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", late)
    files.replace(tmp_path / "a.json", b"new")
    assert len(taken) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_without_locks_a_file_is_replaced_and_no_draft_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with writer(tmp_path / "a.json") as process:
        process.kill()
    monkeypatch.setattr(fcntl, "flock", _full)
    files.replace(tmp_path / "b.json", b"new")
    assert len(drafts(tmp_path)) == 1
    assert (tmp_path / "b.json").read_bytes() == b"new"
