"""A program that is run in a fork says and does what it would if it had been started."""

import os
import subprocess
import sys
import time
import zipapp
from pathlib import Path

import pytest

from heiiki_agent import forked

PROGRAMS = {
    "says": "import sys; print('out', sys.argv[1:]); print('err', file=sys.stderr)",
    "asks": "import sys; print(repr(sys.stdin.read()))",
    "ends with a number": "import sys; sys.exit(3)",
    "ends with a text": "import sys; sys.exit('why')",
    "ends with nothing": "import sys; sys.exit()",
    "is killed": "import os, signal; os.kill(os.getpid(), signal.SIGTERM)",
    "is the main program": "print(__name__); assert __name__ == '__main__'",
    "starts another": "import subprocess; print(subprocess.run(['echo', 'x'], capture_output=True).stdout)",
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_it_is_as_if_it_had_been_started(tmp_path: Path, name: str) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAMS[name], encoding="utf-8")
    argv = ("python3", str(program), "one", "two words")
    done = subprocess.run(
        [sys.executable, *argv[1:]], capture_output=True, check=False, stdin=subprocess.DEVNULL
    )
    assert forked.run(argv, 20) == (done.returncode, done.stdout, done.stderr)


def test_a_program_that_breaks_says_where(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text("print('before')\n{}['missing']\n", encoding="utf-8")
    rc, out, err = forked.run(("python3", str(program)), 20)
    assert (rc, out) == (1, b"before\n")
    assert err.endswith(b"KeyError: 'missing'\n")


def test_an_application_has_its_own_package_whatever_is_loaded_here(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "heiiki_agent").mkdir(parents=True)
    (source / "heiiki_agent/__init__.py").write_text("", encoding="utf-8")
    (source / "heiiki_agent/only_there.py").write_text("NAME = 'its own'\n", encoding="utf-8")
    (source / "__main__.py").write_text(
        "from heiiki_agent.only_there import NAME\n\nprint(NAME)\n", encoding="utf-8"
    )
    zipapp.create_archive(source, tmp_path / "program.pyz")
    assert forked.run(("python3", str(tmp_path / "program.pyz")), 20) == (0, b"its own\n", b"")
    assert "heiiki_agent.forked" in sys.modules


def test_what_takes_too_long_is_killed(tmp_path: Path) -> None:
    program, alive = tmp_path / "program.py", tmp_path / "pid"
    program.write_text(
        f"import os, time\nopen({str(alive)!r}, 'w').write(str(os.getpid()))\ntime.sleep(600)\n",
        encoding="utf-8",
    )
    began = time.monotonic()
    with pytest.raises(TimeoutError, match=r"it did not end within 2 s"):
        forked.run(("python3", str(program)), 2)
    assert time.monotonic() - began < 60
    with pytest.raises(ProcessLookupError):
        os.kill(int(alive.read_text(encoding="utf-8")), 0)


def test_a_program_that_is_not_there_is_an_error_of_the_caller(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        forked.run(("python3", str(tmp_path / "missing.pyz")), 20)
