"""Heiiki as a user installs it: wheel and collection in an empty environment, far from the checkout."""

import os
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def run(*argv: str | Path, cwd: Path, env: dict[str, str] | None = None, code: int = 0) -> str:
    done = subprocess.run(
        argv,
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == code, f"{' '.join(map(str, argv))}: exit code {done.returncode}\n{done.stdout}"
    return done.stdout


@dataclass(frozen=True)
class Installation:
    """A folder with an environment, the installed collection, and a service of a user's own."""

    folder: Path

    @property
    def python(self) -> Path:
        return self.folder / "venv/bin/python"

    @property
    def environment(self) -> dict[str, str]:
        """Return what a user's shell has: nothing of the checkout, and no settings file of Ansible."""
        kept = {name: os.environ[name] for name in ("LANG", "LC_ALL") if name in os.environ}
        return {
            **kept,
            "PATH": f"{self.folder / 'venv/bin'}:/usr/bin:/bin",
            "HOME": str(self.folder / "home"),
            "ANSIBLE_COLLECTIONS_PATH": str(self.folder / "collections"),
            "ANSIBLE_COLLECTIONS_SCAN_SYS_PATH": "false",
            "ANSIBLE_INVENTORY_ENABLED": "heiiki.network.intent",
            "ANSIBLE_NOCOLOR": "1",
        }

    def ansible(self, program: str, *arguments: str | Path, code: int = 0, **more: str) -> str:
        """Run a program of Ansible, such as ``playbook`` or ``doc``; return what it prints."""
        argv = (self.python, "-m", "ansible", program, *arguments)
        return run(*argv, cwd=self.folder, env=self.environment | more, code=code)

    def python_says(self, source: str) -> str:
        """Run a line of Python in the environment; return what it prints."""
        return run(self.python, "-c", source, cwd=self.folder, env=self.environment)


def install(folder: Path) -> Installation:
    """Build both packages from the checkout and install them below `folder`, without a network.

    What they depend on is taken from the environment that runs the tests, by links: the packages themselves
    and what a .pth file there would bring are left out.
    """
    made = Installation(folder)
    site = Path(sysconfig.get_path("purelib"))
    run(sys.executable, "-m", "venv", "--without-pip", folder / "venv", cwd=folder)
    (folder / "home").mkdir()
    (folder / "dependencies").mkdir()
    for path in site.iterdir():
        if not path.name.startswith(("heiiki", "_heiiki", "ansible_collections")) and path.suffix != ".pth":
            (folder / "dependencies" / path.name).symlink_to(path)
    (own,) = (folder / "venv/lib").glob("python3.*/site-packages")
    (own / "dependencies.pth").write_text(f"{folder / 'dependencies'}\n")
    # Of the links only packages can be imported; programs start others by name.
    program = folder / "venv/bin/ansible-playbook"
    program.write_text(f'#!/bin/sh\nexec {made.python} -m ansible playbook "$@"\n')
    program.chmod(0o755)
    _wheel(made)
    _collection(made)
    return made


def _wheel(made: Installation) -> None:
    build = (sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", made.folder)
    run(*build, cwd=ROOT)
    (wheel,) = made.folder.glob("*.whl")
    options = ("--no-deps", "--no-index", "--quiet", "--disable-pip-version-check")
    run(sys.executable, "-m", "pip", "--python", made.python, "install", *options, wheel, cwd=made.folder)


def _collection(made: Installation) -> None:
    galaxy = (sys.executable, "-m", "ansible", "galaxy", "collection")
    run(*galaxy, "build", "--output-path", made.folder, ROOT, cwd=made.folder, env=made.environment)
    (tarball,) = made.folder.glob("*.tar.gz")
    into = ("--collections-path", made.folder / "collections", "--offline")
    run(*galaxy, "install", *into, tarball, cwd=made.folder, env=made.environment)


@pytest.fixture(scope="session")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """Give the installation that all tests of a run share."""
    return install(tmp_path_factory.mktemp("installed"))
