"""Includes are followed as strongSwan follows them; a file is the package's where its content is."""

import hashlib
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from waiting import awaited

from heiiki.verify.probes import reads

UNIT = {
    "Id": "strongswan.service",
    "MainPID": "0",
    "FragmentPath": "",
    "DropInPaths": "",
    "Environment": "",
}


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    (tmp_path / "strongswan.d" / "charon").mkdir(parents=True)
    (tmp_path / "strongswan.conf").write_text(
        "# include never.conf\ncharon {\n\tplugins { include strongswan.d/charon/*.conf }\n}\n"
        "include strongswan.d/*.conf\n"
    )
    (tmp_path / "strongswan.d" / "heiiki.conf").write_text("charon { }\n")
    (tmp_path / "strongswan.d" / "zz.conf").write_text(f'include "{tmp_path}/far.conf"\n')
    (tmp_path / "strongswan.d" / "charon" / "vici.conf").write_text("vici { load = yes }\n")
    (tmp_path / "strongswan.d" / "charon" / "vici.conf.old").write_text("")
    for name in ("far.conf", "never.conf"):
        (tmp_path / name).write_text("include far.conf\n")
    return tmp_path


def test_every_file_that_is_included_is_found_once(etc: Path) -> None:
    files, folders = reads._tree([str(etc / "strongswan.conf"), str(etc / "nowhere.conf")])
    names = {str(Path(one).relative_to(etc)) for one in files}
    assert names == {
        "strongswan.conf",
        "strongswan.d/charon/vici.conf",
        "strongswan.d/heiiki.conf",
        "strongswan.d/zz.conf",
        "far.conf",
    }
    assert len(files) == len(names)
    assert folders == [str(etc / "strongswan.d/charon"), str(etc / "strongswan.d")]


def test_a_file_is_packaged_by_its_content(etc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, unit, strange = etc / "strongswan.conf", etc / "a.service", etc / "far.conf"
    unit.write_text("[Unit]\n")
    digest = {one: hashlib.md5(one.read_bytes(), usedforsecurity=False).hexdigest() for one in (file, unit)}
    dpkg = etc / "dpkg"
    (dpkg / "info").mkdir(parents=True)
    (dpkg / "status").write_text(f"Package: x\nConffiles:\n {file} {digest[file]}\n {strange} {'0' * 32}\n")
    (dpkg / "info" / "x:amd64.md5sums").write_text(f"{digest[unit]}  {str(unit)[1:]}\n")
    monkeypatch.setattr(reads, "_DPKG", dpkg)
    monkeypatch.setattr(reads, "_UCF", etc / "none")
    every = [str(one) for one in (file, unit, strange)]
    assert reads._packaged(every, ["x"]) == {str(file), str(unit)}
    file.write_text("charon { }\n")
    assert reads._packaged(every, []) == {str(unit)}
    strange.write_text("# a comment\n\n")
    assert reads._packaged(every, []) == {str(unit), str(strange)}


def test_another_root_may_be_named_by_the_environment(etc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reads, "_environment", lambda _: {"STRONGSWAN_CONF": str(etc / "far.conf")})
    asked: dict[str, Any] = {"files": [], "trees": [["/etc/strongswan.conf", "STRONGSWAN_CONF"]]}
    since = str(int((time.monotonic() - 100) * 1e6))
    found = reads._program(asked, {**UNIT, "StateChangeTimestampMonotonic": since})
    assert [one["path"] for one in found["files"]] == [str(etc / "far.conf")]
    assert found["environment"] == ["STRONGSWAN_CONF"]
    assert abs(time.time() - 100 - found["loaded"]) < 5


def test_the_environment_is_told_by_its_names(monkeypatch: pytest.MonkeyPatch) -> None:
    with subprocess.Popen(["/bin/sleep", "60"], env={"CANARY": "1f2e"}) as process:
        try:
            # The kernel shows it a moment after the program has begun.
            awaited("it has its environment", lambda: reads._environment(str(process.pid)))
            found = reads._program(
                {"files": [], "trees": []},
                {**UNIT, "MainPID": str(process.pid), "StateChangeTimestampMonotonic": "0"},
            )
        finally:
            process.kill()
    assert found["environment"] == ["CANARY"]
    assert "1f2e" not in str(found)
    assert found["loaded"] == 0.0


def test_what_a_file_of_the_unit_sets_is_no_foreign_variable(etc: Path) -> None:
    (etc / "default").write_text('# a comment\nDAEMON_ARGS="-D"\n')
    unit = {
        **UNIT,
        "Environment": 'ONE=1 "TWO=a b"',
        "EnvironmentFiles": f"{etc}/default (ignore_errors=yes)",
    }
    assert {"ONE", "TWO", "DAEMON_ARGS"} <= reads._declared(unit)
    assert "LD_PRELOAD" not in reads._declared(unit)


def test_files_of_a_unit_are_those_that_systemd_resolved(etc: Path) -> None:
    unit = {
        **UNIT,
        "FragmentPath": str(etc / "strongswan.conf"),
        "DropInPaths": f"{etc}/far.conf {etc}/gone.conf",
        "EnvironmentFiles": f"{etc}/never.conf (ignore_errors=yes)",
    }
    names = ("strongswan.conf", "far.conf", "never.conf")
    assert reads._paths(unit) == [str(etc / name) for name in names]
