from vault_server import RunningVault


def test_health(vault_server: RunningVault) -> None:
    health = vault_server.session().health()
    assert (health.initialised, health.sealed, health.threshold) == (True, False, 1)
