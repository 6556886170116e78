"""What tests of OpenADR have in common."""

import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from openadr_loopback import Authority, Program, Vtn

IN_MEMORY = Path("/dev/shm")


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """Give a folder in memory: thousands of commits wait for no disk. A loss of power is not tried here."""
    with tempfile.TemporaryDirectory(dir=IN_MEMORY if IN_MEMORY.is_dir() else None) as folder:
        yield Path(folder)


@pytest.fixture
def running() -> Iterator[list[Program]]:
    """Give a list for programs, which end with the test."""
    programs: list[Program] = []
    yield programs
    for program in programs:
        if program.process:
            program.end(signal.SIGKILL)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def vtn(tmp_path: Path, authority: Authority, running: list[Program]) -> Vtn:
    made = Vtn(tmp_path, authority, ("umeda", "tenma"))
    running.append(made)
    made.start()
    return made
