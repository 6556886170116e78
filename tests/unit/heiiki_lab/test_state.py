from pathlib import Path

import pytest

from heiiki.errors import LabError
from heiiki.state import of_service
from heiiki_lab import state, wiring
from heiiki_lab.client import NodeClient
from heiiki_lab.spec import LabSpec


def test_the_place_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "xdg"))
    monkeypatch.delenv("HEIIKI_STATE", raising=False)
    assert state.lab_dir() == tmp_path / "xdg/heiiki/lab"
    monkeypatch.setenv("HEIIKI_STATE", str(tmp_path / "own"))
    assert state.lab_dir() == tmp_path / "own/lab"


def test_without_variables_the_place_is_under_the_home(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("HEIIKI_STATE", raising=False)
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert state.lab_dir() == tmp_path / ".local/state/heiiki/lab"


def test_only_the_holder_runs(tmp_path: Path) -> None:
    folder = tmp_path / "lab"
    assert not state.is_running(folder)
    with state.hold(folder):
        assert state.is_running(folder)
        assert state.launcher_pid(folder) is not None
        with (
            pytest.raises(LabError, match="is up already; use it, or run `heiiki lab down` first"),
            state.hold(folder),
        ):
            pytest.fail("two launchers hold one folder")
    assert not state.is_running(folder)


def test_a_lock_that_nobody_holds_is_stale(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text("1\n")
    assert state.launcher_pid(tmp_path) is None


def test_cleaning_leaves_what_others_keep(tmp_path: Path) -> None:
    folder = tmp_path / "lab"
    (folder / "nodes").mkdir(parents=True)
    for name in ("nodes/x.sock", "lock", "console.log", "faults.json", "sim-keys.json"):
        (folder / name).write_text("")
    state.clean(folder)
    assert [path.name for path in folder.iterdir()] == ["sim-keys.json"]
    (folder / "sim-keys.json").unlink()
    state.clean(folder)
    assert not folder.exists()


def lab_service(folder: Path, name: str) -> Path:
    folder.mkdir(parents=True)
    (folder / "service.yml").write_text(f"service: {name}\n")
    kept = of_service(name, folder)
    kept.secrets.write("vault/init", {"key-1": "00"})
    return kept.folder


def test_forgetting_touches_the_labs_of_one_checkout_only(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HEIIKI_STATE", str(tmp_path / "state"))
    checkout = tmp_path / "checkout"
    lab, real = (lab_service(checkout / name, name) for name in ("example", "osaka"))
    elsewhere = lab_service(tmp_path / "checkout2" / "kobe", "kobe")
    mixed = lab_service(checkout / "mixed", "mixed")
    for place in (lab, elsewhere, mixed):
        state.mark(place)
    (mixed / "thesis.txt").write_text("mine")
    (tmp_path / "state/secrets.txt").write_text("mine")
    assert set(state.forget(checkout)) == {lab, mixed}
    assert not lab.exists()
    assert [path.name for path in mixed.iterdir()] == ["thesis.txt"]
    assert all((place / "secrets/vault/init.json").exists() for place in (real, elsewhere))
    assert (tmp_path / "state/secrets.txt").exists()


def test_the_lab_of_another_checkout_is_followed_but_no_real_network(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HEIIKI_STATE", str(tmp_path / "state"))
    state.mark(lab_service(tmp_path / "one/example", "example"))
    lab_service(tmp_path / "one/osaka", "osaka")
    assert state.is_of_a_lab("example")
    assert not state.is_of_a_lab("osaka")
    assert not state.is_of_a_lab("never")


def test_too_long_a_path_is_refused_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"longer than the 107 bytes .* set HEIIKI_STATE to a shorter folder"):
        state.socket_path(tmp_path / ("d" * 100), "h1")


def test_a_lab_that_is_not_up_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="is not up; run `heiiki lab up`"):
        wiring.connect(tmp_path)
    with pytest.raises(LabError, match="is not up; run `heiiki lab up`"):
        NodeClient(state.socket_path(tmp_path, "h1")).ping()
    assert wiring.status(tmp_path) == wiring.LabStatus()
    assert wiring.down(tmp_path / "never") is False


def test_a_senseless_memory_is_refused_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="memory '3 gigs': write a number and M or G, such as 3G"):
        wiring.up(LabSpec("lab", (), ()), tmp_path / "lab", Path("linux"), Path("root"), memory="3 gigs")
    assert not (tmp_path / "lab").exists()


def test_a_guest_that_died_is_told_apart(tmp_path: Path) -> None:
    (tmp_path / "console.log").write_text("Kernel panic")
    with pytest.raises(LabError, match=r"its guest ended unexpectedly: see .*console\.log"):
        wiring.connect(tmp_path)


def test_an_unknown_node_is_answered_with_the_known_ones(tmp_path: Path) -> None:
    (tmp_path / "nodes").mkdir()
    for name in ("b", "a", "_guest"):
        (tmp_path / f"nodes/{name}.sock").write_text("")
    with pytest.raises(LabError, match=r"no node 'c' in the lab; known nodes: a, b$"):
        NodeClient(state.socket_path(tmp_path, "c")).ping()
