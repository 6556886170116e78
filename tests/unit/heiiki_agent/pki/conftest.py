from collections.abc import Iterator
from pathlib import Path

import pytest
from agent_device import NAMES, Device
from fake_vault import fake_vault


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Device]:
    with fake_vault(tmp_path, NAMES) as fake:
        yield Device(tmp_path, fake)
