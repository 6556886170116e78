"""Sessions of every log-in at a real server."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from vault_server import SetUpVault

from heiiki.pki.server.connection import Vault
from heiiki.pki.server.login import logged_in
from heiiki.pki.server.policies import AppRole


@pytest.fixture(scope="module")
def sessions(lab_vault: SetUpVault) -> Iterator[dict[AppRole, Vault]]:
    with ExitStack() as stack:
        yield {approle: stack.enter_context(logged_in(lab_vault.access, approle)) for approle in AppRole}
