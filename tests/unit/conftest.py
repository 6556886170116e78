"""What every unit test has: a state folder of its own, apart from the user's."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def own_state(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep the state of the person who runs the tests out of them."""
    folder = tmp_path_factory.mktemp("own-state")
    monkeypatch.setenv("HEIIKI_STATE", str(folder))
    return folder
