"""Programs of the environment that runs the tests."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from reports import failures

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
            "MOLECULE_GLOB": "tests/molecule/*/molecule.yml",
            "PATH": f"{BIN}:{os.environ['PATH']}",
        }

    def molecule(self, action: str, scenario: str, *arguments: str) -> str:
        """Do one action of a scenario; returns what it printed."""
        # Each has a state of its own; the folder stands for Molecule's own cache.
        folder = self.state / "molecule" / scenario
        config = ("-c", "tests/molecule/base/config.yml")
        more = {"MOLECULE_EPHEMERAL_DIRECTORY": str(folder)}
        # Borders would be drawn around some 100,000 lines at -vvv.
        named = ("--no-command-borders", "--scenario-name", scenario)
        return self.run("molecule", *config, action, *named, *arguments, **more)

    def run(self, program: str, *arguments: str | Path, **environment: str) -> str:
        """Run a program of the environment to its end; returns what it printed."""
        done = subprocess.run(
            [BIN / program, *arguments],
            cwd=self.root,
            env=self.environment | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, (
            f"{program} {arguments}: exit code {done.returncode}\n{done.stdout}\n{failures(done.stdout)}"
        )
        return done.stdout
