"""Modules of the node's Python among what a role needs."""

import subprocess
from typing import Any

import pytest
from ansible_collections.heiiki.network.plugins.module_utils import preflight


def having(monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    """The node's Python has the distribution in this version, or not at all."""

    def run(argv: list[str], **_: Any) -> "subprocess.CompletedProcess[str]":
        assert "'cryptography'" in argv[2]
        return subprocess.CompletedProcess(argv, 0 if version else 1, f"{version}\n" if version else "", "")

    monkeypatch.setattr("subprocess.run", run)


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
