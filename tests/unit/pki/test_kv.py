"""Secrets: read when they are needed, by those who may, and named but never shown when something is wrong."""

import pytest
from vault_server import SetUpVault

from heiiki.errors import SecretError, VaultError
from heiiki.pki.server.login import logged_in
from heiiki.pki.server.policies import AppRole
from heiiki.pki.server.secrets import VaultSecrets, ensure_keys

CANARY = "canary-5f2d"


def written(made: SetUpVault, path: str, fields: dict[str, str]) -> bool:
    with logged_in(made.access, AppRole.SECRET_WRITER) as session:
        return VaultSecrets(session, made.trust.secrets_mount).ensure(path, lambda: fields)


def read(made: SetUpVault, path: str, field: str) -> str:
    with logged_in(made.access, AppRole.SIM_KEY_READER) as session:
        return VaultSecrets(session, made.trust.secrets_mount).read(path, field)


def test_the_secret_writer_writes_what_the_sim_key_reader_reads(lab_vault: SetUpVault) -> None:
    assert written(lab_vault, "sim/1", {"k": CANARY, "opc": "0"})
    assert not written(lab_vault, "sim/1", {"k": "another", "opc": "1"})
    assert read(lab_vault, "sim/1", "k") == CANARY


def test_a_new_version_is_read_at_once(lab_vault: SetUpVault) -> None:
    written(lab_vault, "sim/2", {"k": "first"})
    with logged_in(lab_vault.access, AppRole.SIM_KEY_READER) as session:
        source = VaultSecrets(session, "kv")
        assert source.read("sim/2", "k") == "first"
        with logged_in(lab_vault.access, AppRole.SECRET_WRITER) as writer:
            VaultSecrets(writer, "kv").write("sim/2", {"k": "second"})
        assert source.read("sim/2", "k") == "second"


def test_the_secret_writer_reads_no_value(lab_vault: SetUpVault) -> None:
    written(lab_vault, "sim/1", {"k": CANARY})
    with logged_in(lab_vault.access, AppRole.SECRET_WRITER) as session, pytest.raises(SecretError):
        VaultSecrets(session, "kv").read("sim/1", "k")


def test_what_cannot_be_read_is_named_and_not_shown(lab_vault: SetUpVault) -> None:
    written(lab_vault, "sim/1", {"k": CANARY})
    server = lab_vault.access.vault.server
    lacking = f"at kv of {server}: write it there (`bao kv put -mount=kv"
    stdin = "reads the value from standard input)"
    cases = {
        (
            "sim/none",
            "k",
        ): f"sim/none does not exist {lacking} sim/none k=-` {stdin}",
        (
            "sim/1",
            "opx",
        ): f"sim/1 has no field opx {lacking} sim/1 opx=-` {stdin}",
        ("radius/shared", "key"): (
            f"radius/shared: this step needs {server}, which does not allow this token kv/data/radius/shared"
            "; use the AppRole made for the purpose; what only set-up may do, role pki does with pki_unseal"
        ),
    }
    for (path, field), message in cases.items():
        with pytest.raises(SecretError) as caught:
            read(lab_vault, path, field)
        assert str(caught.value) == f"secret {message}"


def test_a_deleted_secret_is_made_anew(lab_vault: SetUpVault) -> None:
    written(lab_vault, "sim/3", {"k": "first"})
    for kind in ("data", "metadata"):
        lab_vault.running.root.delete(f"kv/{kind}/sim/3")
        assert written(lab_vault, "sim/3", {"k": "second"})
    assert read(lab_vault, "sim/3", "k") == "second"


def test_two_that_make_a_secret_at_once(lab_vault: SetUpVault) -> None:
    def meanwhile() -> dict[str, str]:
        written(lab_vault, "sim/4", {"k": "theirs"})
        return {"k": "ours"}

    with logged_in(lab_vault.access, AppRole.SECRET_WRITER) as session:
        assert not VaultSecrets(session, "kv").ensure("sim/4", meanwhile)
    assert read(lab_vault, "sim/4", "k") == "theirs"


def test_the_server_is_given_the_keys_of_routing_that_it_lacks_once(lab_vault: SetUpVault) -> None:
    """Role pki made them; one that is gone is made again, by who cannot read it."""
    path = "routing/bgp/a-pe2--umeda-ce-a"
    first = read(lab_vault, path, "key")
    lab_vault.running.root.delete(f"kv/metadata/{path}")
    with logged_in(lab_vault.access, AppRole.CONFIGURATOR) as session:
        assert list(ensure_keys(session, lab_vault.plan, check=True)) == [path]
        assert list(ensure_keys(session, lab_vault.plan)) == [path]
        assert list(ensure_keys(session, lab_vault.plan)) == []
        with pytest.raises(SecretError):
            VaultSecrets(session, "kv").read(path, "key")
    assert read(lab_vault, path, "key") != first


def test_no_value_is_in_an_error_or_the_audit_log(lab_vault: SetUpVault) -> None:
    with logged_in(lab_vault.access, AppRole.SIM_KEY_READER) as session, pytest.raises(VaultError) as caught:
        VaultSecrets(session, "kv").write("sim/1", {"k": CANARY})
    assert CANARY not in str(caught.value)
    assert CANARY not in lab_vault.running.audit
