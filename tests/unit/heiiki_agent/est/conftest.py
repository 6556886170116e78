"""A Vault server for all tests of the folder, and the program in front of it for each module."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from est_world import EstWorld, est_vault, est_world
from vault_server import SetUpVault


@pytest.fixture(scope="package")
def set_up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SetUpVault]:
    """Give a Vault server that is set up for the service."""
    with est_vault(tmp_path_factory.mktemp("est-vault")) as made:
        yield made


@pytest.fixture
def world(set_up: SetUpVault, tmp_path: Path) -> Iterator[EstWorld]:
    """Give the program, with a state of its own."""
    with est_world(set_up, tmp_path) as made:
        yield made
