"""`make clean` removes what the checkout and its labs made, and nothing else."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from heiiki.state import of_service
from heiiki_lab.state import mark

ROOT = Path(__file__).parents[1]
KEPT = {"bench", "dot1x", "frr", "kernel", "logs", "netconfd", "nftables", "pip", "root", "uv"}
"""What the project keeps in the cache."""
PROGRAM = Path(sys.executable).with_name("heiiki")


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with its Makefile and a `heiiki`, beside folders of state and cache that hold more."""
    monkeypatch.setenv("HEIIKI_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "sp ace"
    (folder / ".venv/bin").mkdir(parents=True)
    shutil.copy(ROOT / "Makefile", folder)
    (folder / ".venv/bin/heiiki").symlink_to(PROGRAM)
    for path in ("state/mine/thesis.txt", "state/notes.txt", "cache/other/big", "cache/heiiki/mine.txt"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("mine")
    (folder / "artifacts").mkdir()
    return folder


def make(checkout: Path, target: str) -> str:
    command = ["make", "-C", str(checkout), target, "SUDO="]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=os.environ)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def service(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "service.yml").write_text(f"service: {folder.name}\n")
    kept = of_service(folder.name, folder)
    kept.secrets.write("vault/init", {"key-1": "00"})
    return kept.folder


@pytest.mark.parametrize("target", ["clean", "distclean"])
def test_only_the_state_of_labs_of_this_checkout_goes(checkout: Path, tmp_path: Path, target: str) -> None:
    lab, real = service(checkout / "inventories/lab"), service(checkout / "inventories/osaka")
    other = service(tmp_path / "elsewhere/kobe")
    mark(lab)
    mark(other)
    assert f"{lab}: removed" in make(checkout, target)
    assert not lab.exists()
    assert not (checkout / "artifacts").exists()
    for place in (real, other):
        assert (place / "secrets/vault/init.json").exists()
    for path in ("state/mine/thesis.txt", "state/notes.txt", "cache/other/big", "cache/heiiki/mine.txt"):
        assert (tmp_path / path).read_text() == "mine"


@pytest.mark.parametrize("target", ["clean", "distclean"])
def test_what_the_project_keeps_in_the_cache_goes_with_distclean(
    checkout: Path, tmp_path: Path, target: str
) -> None:
    cache = tmp_path / "cache/heiiki"
    for path in (*(cache / name for name in KEPT), cache / "unpacking-1"):
        (path / "usr").mkdir(parents=True)
    (cache / "branches").mkdir()
    before = {path.name for path in cache.iterdir()}
    make(checkout, target)
    left = {"branches", "mine.txt"} if target == "distclean" else before
    assert {path.name for path in cache.iterdir()} == left


def test_distclean_knows_every_folder_of_unpacked_packages() -> None:
    unpacked = {
        name
        for path in (ROOT / "tests").rglob("*.py")
        for name in re.findall(r'\bdebian_packages\.unpacked\("(\w+)"', path.read_text(encoding="utf-8"))
    }
    assert {"frr", "netconfd"} <= unpacked <= KEPT


def test_without_an_environment_the_state_stays_and_that_is_said(checkout: Path) -> None:
    lab = service(checkout / "inventories/lab")
    mark(lab)
    (checkout / ".venv/bin/heiiki").unlink()
    assert "the keys that labs left, stay" in make(checkout, "clean")
    assert (lab / "secrets/vault/init.json").exists()


def test_a_state_folder_that_is_not_there_is_no_error(checkout: Path, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "state")
    make(checkout, "clean")
    assert not (tmp_path / "state").exists()
