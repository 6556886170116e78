"""Probes as they are sent: their priority, and the device's own programs, which are run in a fork."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import heiiki_agent
from heiiki.verify import probes
from heiiki.verify.probes import read, running
from heiiki_agent import forked  # noqa: F401 - so that a test can take it away

LOWEST = 19
SAYS = "import sys; print(sys.argv[1]); print('no', file=sys.stderr); sys.exit(4)"


@pytest.mark.parametrize(
    ("name", "steps"), [("running", 10), ("reads", 10), ("host", 10), ("packets", 0), ("read", 0)]
)
def test_what_looks_at_a_whole_host_gives_way(monkeypatch: pytest.MonkeyPatch, name: str, steps: int) -> None:
    body = "def main(parameters):\n    import os\n    return os.nice(0)\n"
    monkeypatch.setattr(probes, "_text", lambda _name: body)
    done = subprocess.run(
        [sys.executable, "-"], input=probes.program(name, {}), capture_output=True, check=True
    )
    assert int(json.loads(done.stdout)) == min(os.nice(0) + steps, LOWEST)


@pytest.fixture
def program(tmp_path: Path) -> Path:
    file = tmp_path / "heiiki-agent.pyz"
    file.write_text(SAYS, encoding="utf-8")
    return file


def health(argv: list[str]) -> dict[str, Any]:
    asked = {"files": [], "shown": [], "nftables": [], "health": [["x", argv]], "units": []}
    said: dict[str, Any] = running.main(asked)["health"]["x"]
    return said


def one(argv: list[str]) -> dict[str, Any]:
    said: dict[str, Any] = read.main({"commands": {"x": argv}})["commands"]["x"]
    return said


@pytest.mark.parametrize("ask", [health, one])
def test_a_program_of_the_device_says_the_same_without_an_interpreter_of_its_own(
    ask: Any, program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subprocess, "run", None)
    assert ask(["python3", str(program), "status"]) == {"rc": 4, "out": "status\n", "err": "no\n"}


@pytest.mark.parametrize("ask", [health, one])
def test_a_program_that_is_not_there_has_no_status(ask: Any, tmp_path: Path) -> None:
    said = ask(["python3", str(tmp_path / "missing.pyz"), "status"])
    assert said["rc"] is None
    assert "No such file" in said["err"]


@pytest.mark.parametrize("ask", [health, one])
def test_a_device_whose_agent_is_older_has_no_status(
    ask: Any, program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "heiiki_agent.forked", None)
    monkeypatch.delattr(heiiki_agent, "forked")
    said = ask(["python3", str(program), "status"])
    assert said["rc"] is None
    assert "forked" in said["err"]
