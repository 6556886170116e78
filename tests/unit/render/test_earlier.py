"""A build folder of a release that kept no record is taken over, as far as it is as that release left it."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from heiiki.errors import FolderError
from heiiki.render import DeviceBuild, RenderedFile, write

HOSTS = RenderedFile("/etc/hosts", "one\n")
NEW = (DeviceBuild("a-p1", (RenderedFile("/etc/hosts", "two\n"),), ()), DeviceBuild("a-p2", (HOSTS,), ()))
OLD = {"a-p1": {"/etc/hosts": "one\n", "/etc/motd": "hello\n"}, "gone": {"/etc/hosts": "x\n"}}


def files(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text()
        for path in folder.rglob("*")
        if path.is_file() and ".heiiki" not in path.parts
    }


@pytest.fixture
def build(tmp_path: Path) -> Path:
    """A folder as a release before the records wrote it."""
    for device, contents in OLD.items():
        entries = []
        for path, text in contents.items():
            target = tmp_path / f"build/{device}{path}"
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
            entries.append(
                {"path": path, "mode": "0644", "sha256": hashlib.sha256(text.encode()).hexdigest()}
            )
        manifest = {"device": device, "files": entries, "services": []}
        (tmp_path / f"build/{device}/manifest.json").write_text(json.dumps(manifest, indent=1))
    return tmp_path / "build"


def test_it_becomes_a_build_of_this_release(build: Path, tmp_path: Path) -> None:
    assert write(NEW, build).changed == ("a-p1", "a-p2", "gone")
    write(NEW, tmp_path / "fresh")
    assert files(build) == files(tmp_path / "fresh")
    assert write(NEW, build).changed == ()


def edit(build: Path) -> str:
    (build / "a-p1/etc/hosts").write_text("by hand\n")
    return "a-p1/etc/hosts"


def add(build: Path) -> str:
    (build / "gone/notes.txt").write_text("mine\n")
    return "gone/notes.txt"


def add_folder(build: Path) -> str:
    (build / "theirs").mkdir()
    (build / "theirs/manifest.json").write_text('{"device": "theirs", "files": [], "services": []}')
    return "theirs/manifest.json"


def edit_manifest(build: Path) -> str:
    path = build / "gone/manifest.json"
    path.write_text(path.read_text() + "\n")
    return "gone/"


def link(build: Path) -> str:
    (build / "a-p1/etc/hosts").unlink()
    (build / "a-p1/etc/hosts").symlink_to(build / "a-p1/etc/motd")
    return "a-p1/etc/hosts"


def link_folder(build: Path) -> str:
    (build / "other").symlink_to(build / "gone")
    return "other"


@pytest.mark.parametrize("change", [edit, add, add_folder, edit_manifest, link, link_folder])
def test_what_is_not_as_that_release_left_it_is_named_and_nothing_changes(
    build: Path, change: Callable[[Path], str]
) -> None:
    named = change(build)
    before = files(build)
    with pytest.raises(FolderError) as caught:
        write(NEW, build)
    assert str(caught.value).startswith(f"{build}: {named}")
    assert str(caught.value).endswith(
        " is not as an earlier release of heiiki wrote it; move it away, or name a new or an empty folder"
    )
    assert files(build) == before


def test_a_missing_file_is_written_again(build: Path) -> None:
    (build / "a-p1/etc/hosts").unlink()
    write(NEW, build)
    assert (build / "a-p1/etc/hosts").read_text() == "two\n"


def test_a_manifest_that_leads_out_of_the_folder_takes_nothing_along(build: Path) -> None:
    outside = build.parent / "outside"
    outside.write_text("theirs\n")
    entry = {"path": "/../../outside", "sha256": hashlib.sha256(b"theirs\n").hexdigest()}
    manifest = {"device": "gone", "files": [entry], "services": []}
    (build / "gone/etc/hosts").unlink()
    (build / "gone/manifest.json").write_text(json.dumps(manifest, indent=1))
    write(NEW, build)
    assert outside.read_text() == "theirs\n"
    assert not (build / "gone/manifest.json").exists()


def test_a_folder_without_any_such_manifest_is_refused_as_before(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine\n")
    with pytest.raises(FolderError, match=r"holds notes.txt, which heiiki did not write"):
        write(NEW, tmp_path)
