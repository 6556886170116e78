"""The lab for the tests that need it: apart from the user's own, and gone afterwards."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Commands:
    """Programs of the environment that runs the tests, in the checkout."""

    root: Path
    state: Path

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "HEIIKI_STATE": str(self.state),
            "ANSIBLE_CONFIG": str(self.root / "ansible.cfg"),
            "ANSIBLE_NOCOLOR": "1",
            "MOLECULE_EPHEMERAL_DIRECTORY": str(self.state / "molecule"),
            "MOLECULE_GLOB": "tests/molecule/*/molecule.yml",
            "PATH": f"{BIN}:{os.environ['PATH']}",
        }

    def run(self, program: str, *arguments: str | Path) -> str:
        """Run a program of the environment to its end; returns what it printed."""
        done = subprocess.run(
            [BIN / program, *arguments],
            cwd=self.root,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{program} {arguments}: exit code {done.returncode}\n{done.stdout}"
        return done.stdout


@pytest.fixture
def state(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A state folder whose path is short enough for a unix socket."""
    with tempfile.TemporaryDirectory(prefix="heiiki-") as folder:
        yield Path(folder)


@pytest.fixture
def commands(root: Path, state: Path) -> Commands:
    """Programs that share one state folder."""
    return Commands(root, state)


@pytest.fixture(scope="session")
def lab(root: Path, lab_inventory: Path) -> Iterator[Commands]:
    """Programs beside a lab that is up and provisioned."""
    with tempfile.TemporaryDirectory(prefix="heiiki-") as folder, pytest.MonkeyPatch.context() as patched:
        patched.setenv("HEIIKI_STATE", folder)
        found = Commands(root, Path(folder))
        found.run("heiiki", "lab", "up", lab_inventory)
        try:
            build = Path(folder) / "build"
            found.run(
                "ansible-playbook", "-i", lab_inventory, "playbooks/site.yml", "-e", f"heiiki_build={build}"
            )
            yield found
        finally:
            found.run("heiiki", "lab", "down")


@pytest.fixture(scope="session")
def provisioned(lab: Commands, lab_inventory: Path) -> Path:
    """The folder of the service whose lab is up and provisioned."""
    assert lab.state.is_dir()
    return lab_inventory
