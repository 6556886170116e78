"""What the controller keeps is written whole or not at all: encoded, on the disk, and then in its place."""

import errno
import os
import shutil
from collections.abc import Callable
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
