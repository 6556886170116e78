"""What tests of MMS have in common."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from mms_loopback import World

IN_MEMORY = Path("/dev/shm")


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """Give a folder in memory: commits wait for no disk. A loss of power is not tried here."""
    with tempfile.TemporaryDirectory(dir=IN_MEMORY if IN_MEMORY.is_dir() else None) as folder:
        yield Path(folder)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Give both ends and a resource, running."""
    made = World(tmp_path)
    try:
        made.start()
        yield made
    finally:
        made.close()
