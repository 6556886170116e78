"""From a server that was just started to one that serves, and back up after it was killed."""

import stat
from pathlib import Path

import pytest
from vault_server import RunningVault, SetUpVault, running_vault

from heiiki.errors import VaultError, VaultFault
from heiiki.pki.server.bootstrap import INIT, Shares, apply, initialise, root, unseal
from heiiki.pki.server.connection import Vault
from heiiki.pki.server.login import CA, Access, access, logged_in
from heiiki.pki.server.policies import AppRole
from heiiki.plan.model import Plan
from heiiki.state import FileSecrets

SHARES = Shares(3, 2)


def way(running: RunningVault, plan: Plan, state: Path) -> Access:
    store = FileSecrets(state)
    store.write(CA, {"pem": running.server.ca_pem})
    return access(plan.pki, store, {"VAULT_ADDR": running.server.url})


def paths(found: Access, plan: Plan, *, shares: Shares | None, check: bool = False) -> list[str]:
    return [change.path for change in apply(found, plan, shares=shares, unsealing=True, check=check)]


def test_a_new_server_serves_and_a_killed_one_again(lab_plan: Plan, tmp_path: Path) -> None:
    with running_vault(tmp_path) as running:
        found = way(running, lab_plan, tmp_path)
        assert paths(found, lab_plan, shares=SHARES, check=True) == ["sys/init"]
        assert not running.session().health().initialised
        changes = paths(found, lab_plan, shares=SHARES)
        assert changes[:3] == ["sys/init", "sys/seal-status", "sys/mounts/pki-root"]
        assert paths(found, lab_plan, shares=SHARES) == []
        assert sorted(found.store.fields(INIT)) == ["key-1", "key-2", "key-3", "threshold"]
        file = tmp_path / "secrets/vault/init.json"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with running_vault(tmp_path) as running:
        found = way(running, lab_plan, tmp_path)
        with pytest.raises(VaultError) as caught:
            apply(found, lab_plan)
        assert caught.value.fault is VaultFault.SEALED
        assert paths(found, lab_plan, shares=SHARES, check=True) == ["sys/seal-status"]
        assert running.session().health().sealed
        assert paths(found, lab_plan, shares=SHARES) == ["sys/seal-status"]
        assert apply(found, lab_plan) == ()


def test_a_new_server_is_not_initialised_unasked(lab_plan: Plan, tmp_path: Path) -> None:
    with running_vault(tmp_path) as running:
        with pytest.raises(VaultError) as caught:
            apply(way(running, lab_plan, tmp_path), lab_plan, unsealing=True)
        assert caught.value.fault is VaultFault.UNINITIALISED
        assert not running.session().health().initialised


def gone(running: RunningVault, session: Vault) -> bool:
    """Tell whether the token of a session that was closed is worth nothing any more."""
    with pytest.raises(VaultError) as caught:
        running.session(session._client.token).read("auth/token/lookup-self")
    return caught.value.fault is VaultFault.TOKEN


def test_the_first_root_token_is_worth_nothing_afterwards(lab_plan: Plan, tmp_path: Path) -> None:
    with running_vault(tmp_path) as running:
        found = way(running, lab_plan, tmp_path)
        initialise(found, Shares(1, 1))
        unseal(found)
        with root(found) as session:
            assert session._client.token == found.store.read(INIT, "root_token")
        assert gone(running, session)
        assert "root_token" not in found.store.fields(INIT)


def test_a_set_up_that_broke_off_is_completed(lab_plan: Plan, tmp_path: Path) -> None:
    with running_vault(tmp_path) as running:
        found = way(running, lab_plan, tmp_path)
        initialise(found, Shares(1, 1))
        changes = paths(found, lab_plan, shares=Shares(1, 1))
        assert changes[:2] == ["sys/seal-status", "sys/mounts/pki-root"]
        assert paths(found, lab_plan, shares=Shares(1, 1)) == []


def test_a_root_token_comes_from_the_keys_and_goes_with_the_step(lab_vault: SetUpVault) -> None:
    with root(lab_vault.access) as session:
        told = session.read("auth/token/lookup-self") or {}
        # It ends by itself, too: a run may be killed before it revokes it.
        assert (told["policies"], 0 < told["ttl"] <= 900, told["renewable"]) == (["root"], True, False)
    assert gone(lab_vault.running, session)


def test_a_log_in_is_revoked_after_the_step(lab_vault: SetUpVault) -> None:
    with logged_in(lab_vault.access, AppRole.AUDITOR) as session:
        session.names("pki-issuing/certs")
    assert gone(lab_vault.running, session)


def test_credentials_that_the_server_refuses_are_made_anew(lab_vault: SetUpVault) -> None:
    store, path = lab_vault.access.store, "vault/approle/auditor"
    store.write(path, {**store.fields(path), "secret_id": "wrong"})
    with pytest.raises(VaultError) as caught, logged_in(lab_vault.access, AppRole.AUDITOR):
        pass
    server = lab_vault.access.vault.server
    assert str(caught.value) == (
        f"this step needs {server}, which refuses the credentials of auditor that are kept in {path}: they "
        "have ended, were destroyed, or work from other addresses only; work from an address of a "
        "controller; where this is one, run role pki with pki_unseal, which makes new ones"
    )
    changes = apply(lab_vault.access, lab_vault.plan, unsealing=True)
    assert [(change.path, change.after) for change in changes] == [
        (path, "credentials, kept on the controller\n")
    ]
    with logged_in(lab_vault.access, AppRole.AUDITOR) as session:
        session.names("pki-issuing/certs")


def test_without_credentials(lab_vault: SetUpVault, tmp_path: Path) -> None:
    bare = Access(lab_vault.access.vault, FileSecrets(tmp_path), {})
    with pytest.raises(VaultError) as caught, logged_in(bare, AppRole.REVOKER):
        pass
    assert str(caught.value) == (
        f"this step needs {bare.vault.server}, which wants a log-in as revoker, for which no credentials are "
        "kept; run role pki with pki_unseal, or set HEIIKI_VAULT_REVOKER_ROLE_ID and "
        "HEIIKI_VAULT_REVOKER_SECRET_ID"
    )


@pytest.mark.parametrize("prefix", ["HEIIKI_VAULT", "HEIIKI_VAULT_REVOKER"])
def test_credentials_of_the_environment(lab_vault: SetUpVault, tmp_path: Path, prefix: str) -> None:
    kept = lab_vault.access.store.fields("vault/approle/revoker")
    given = {f"{prefix}_{key.upper()}": value for key, value in kept.items()}
    # Those of the purpose come first.
    given = {f"HEIIKI_VAULT_{key.upper()}": "wrong" for key in kept} | given
    with logged_in(Access(lab_vault.access.vault, FileSecrets(tmp_path), given), AppRole.REVOKER) as session:
        session.names("pki-issuing/certs")


def test_nothing_says_which_ca(lab_plan: Plan, tmp_path: Path) -> None:
    with pytest.raises(VaultError) as caught:
        access(lab_plan.pki, FileSecrets(tmp_path), {})
    assert str(caught.value) == (
        "nothing says which CA vouches for the Vault server: set VAULT_CACERT, or run role vault_server, "
        "which keeps it as secret vault/ca"
    )
    with pytest.raises(VaultError, match=f"VAULT_CACERT names {tmp_path}/none, which cannot be read as PEM"):
        access(lab_plan.pki, FileSecrets(tmp_path), {"VAULT_CACERT": f"{tmp_path}/none"})


def test_keys_of_another_server_do_not_unseal(lab_plan: Plan, tmp_path: Path) -> None:
    with running_vault(tmp_path) as running:
        found = way(running, lab_plan, tmp_path)
        running.session().write("sys/init", {"secret_shares": 1, "secret_threshold": 1})
        with pytest.raises(VaultError) as caught:
            apply(found, lab_plan, unsealing=True)
        assert (caught.value.fault, f"({INIT})" in str(caught.value)) == (VaultFault.SEALED, True)
        found.store.write(INIT, {"key-1": "A" * 43 + "=", "threshold": "1"})
        with pytest.raises(VaultError) as caught:
            apply(found, lab_plan, unsealing=True)
        assert caught.value.fault is VaultFault.SEALED
