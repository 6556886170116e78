"""Modules of the node's Python among what a role needs."""

import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.heiiki.network.plugins.module_utils import preflight

ROLES = Path(__file__).parents[3] / "roles"


def having(monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    """The node's Python has the distribution in this version, or not at all."""

    def run(argv: list[str], **_: Any) -> "subprocess.CompletedProcess[str]":
        assert "'cryptography'" in argv[2]
        return subprocess.CompletedProcess(argv, 0 if version else 1, f"{version}\n" if version else "", "")

    monkeypatch.setattr("subprocess.run", run)
    monkeypatch.setattr("shutil.which", lambda *_, **__: "/bin/sh")


@pytest.mark.parametrize(
    ("version", "missing"),
    [
        ("43.0.0", []),
        ("42.0.1", []),
        (
            "38.0.4",
            [
                (
                    "Python module cryptography 42 or later, the node has 38.0.4: "
                    "install package python3-cryptography"
                )
            ],
        ),
        ("", ["Python module cryptography 42 or later: install package python3-cryptography"]),
    ],
)
def test_a_module_must_be_there_and_new_enough(
    monkeypatch: pytest.MonkeyPatch, version: str, missing: list[str]
) -> None:
    having(monkeypatch, version)
    wanted = {"python3:cryptography>=42": "python3-cryptography"}
    assert list(preflight.missing_programs(wanted)) == missing


def test_the_modules_own_python_is_not_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda *_, **__: sys.executable)
    monkeypatch.setattr("subprocess.run", lambda *_, **__: pytest.fail("an interpreter was started"))
    version = metadata.version("cryptography")
    wanted = {"python3:cryptography>=42": "a", "python3:cryptography>=999": "b", "python3:no-such-thing": "c"}
    assert list(preflight.missing_programs(wanted)) == [
        f"Python module cryptography 999 or later, the node has {version}: install package b",
        "Python module no-such-thing: install package c",
    ]


def test_another_python_is_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    other = tmp_path / "python3"
    other.write_text("#!/bin/sh\necho 41.0\n")
    other.chmod(0o755)
    monkeypatch.setattr(preflight, "SEARCH_PATH", str(tmp_path))
    assert list(preflight.missing_programs({"python3:cryptography>=42": "a"})) == [
        "Python module cryptography 42 or later, the node has 41.0: install package a"
    ]


@pytest.mark.parametrize(
    ("has", "needed", "enough"),
    [
        ("1.10.0", "1.10", True),
        ("1.10", "1.10.0", True),
        ("1.9.4", "1.10", False),
        ("2", "1.10", True),
        ("1.10rc1", "1.10", True),
        ("5.2.1+dfsg", "5", True),
        ("unknown", "1", False),
    ],
)
def test_versions_are_compared_number_by_number(
    monkeypatch: pytest.MonkeyPatch, has: str, needed: str, enough: bool
) -> None:
    having(monkeypatch, has)
    assert (list(preflight.missing_programs({f"python3:cryptography>={needed}": "a"})) == []) == enough


@pytest.mark.parametrize("file", sorted(ROLES.glob("*/vars/main.yml")), ids=lambda file: file.parts[-3])
def test_whatever_a_role_needs_can_be_looked_for(monkeypatch: pytest.MonkeyPatch, file: Path) -> None:
    """Where a machine has nothing, each need is one sentence."""
    monkeypatch.setattr(preflight, "SEARCH_PATH", "")
    monkeypatch.setattr(preflight, "_version", lambda _: "0.1")
    for needed in yaml.safe_load(file.read_text("utf-8")).values():
        if isinstance(needed, dict):
            assert len(list(preflight.missing_programs(needed, path=""))) == len(needed)
