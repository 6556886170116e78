"""`make setup` wherever a checkout stands, and whatever became of its environment."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# A Python whose environments only note what is done in them.
PYTHON = """#!/bin/bash
case "$*" in
*_base_executable*) echo "$0";;
*"-m venv"*)
    mkdir -p .venv/bin
    rm -f .venv/bin/python
    for name in python pip; do
        printf '#!/bin/bash\\nset -e\\n[[ "$*" != *purelib* ]] || echo "$PWD/.venv/lib"\\n' >.venv/bin/$name
        chmod +x .venv/bin/$name
    done;;
esac
"""


class Checkout:
    def __init__(self, folder: Path, python: Path) -> None:
        self.folder, self._python = folder, python

    @property
    def bin(self) -> Path:
        return self.folder / ".venv/bin"

    def setup(self) -> str:
        """What `make setup` says; nothing of the machine is looked for or installed."""
        done = subprocess.run(
            ["make", "setup", f"PYTHON={self._python}", "MACHINE=", "SUDO=false"],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout.strip()


MADE = "==> Making .venv from requirements.lock, about 1 minute"


@pytest.fixture(params=["plain", "sp ace", "two  blanks (and) brackets, and a comma"])
def checkout(tmp_path: Path, request: pytest.FixtureRequest) -> Checkout:
    folder = tmp_path / request.param
    folder.mkdir()
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    python = tmp_path / "python"
    python.write_text(PYTHON)
    python.chmod(0o755)
    return Checkout(folder, python)


def test_an_environment_is_made_once(checkout: Checkout) -> None:
    assert checkout.setup() == MADE
    link = checkout.folder / ".venv/lib/ansible_collections/heiiki/network"
    assert link.resolve() == checkout.folder
    assert checkout.setup() == ""


@pytest.mark.parametrize("program", ["python", "moved"])
def test_one_that_cannot_be_used_any_more_is_made_again(checkout: Checkout, program: str) -> None:
    checkout.setup()
    if program == "moved":
        checkout.folder = checkout.folder.rename(checkout.folder.with_name("else where"))
    else:
        (checkout.bin / program).unlink()
        (checkout.bin / program).symlink_to("/nowhere/python3.11")
    assert checkout.setup() == MADE
    assert checkout.setup() == ""


def test_one_whose_python_is_another_now_is_made_again(checkout: Checkout) -> None:
    checkout.setup()
    (checkout.bin / "python").write_text("#!/bin/bash\nexit 1\n")  # finds none of what was installed
    assert checkout.setup() == MADE
