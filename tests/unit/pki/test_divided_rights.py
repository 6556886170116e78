"""S13: who writes what devices may have makes no token and no certificate, and the reverse."""

from functools import partial
from typing import Any

import pytest
from vault_calls import DENIED, GATEWAY, MINT, READ_SECRET, fault
from vault_server import SetUpVault

from heiiki.errors import VaultFault
from heiiki.pki.server import roles
from heiiki.pki.server.connection import Vault
from heiiki.pki.server.policies import AppRole


def as_written(lab_vault: SetUpVault, **changes: Any) -> dict[str, str]:
    """The role of the gateway as role pki sends it, with changes."""
    return roles.sent({**roles.role(lab_vault.trust, lab_vault.identity(GATEWAY)), **changes})


def token_role(**changes: Any) -> dict[str, str]:
    """A role for tokens as role pki sends it, with changes."""
    return roles.sent({**roles.token_role("x", ()), **changes})


def test_the_configurator_writes_the_roles_of_devices(
    sessions: dict[AppRole, Vault], lab_vault: SetUpVault
) -> None:
    session = sessions[AppRole.CONFIGURATOR]
    session.write("pki-issuing/roles/x", as_written(lab_vault, allowed_domains=["x.lab.internal"]))
    session.write("auth/token/roles/x", token_role())
    for path in ("pki-issuing/roles/x", "auth/token/roles/x"):
        assert lab_vault.running.root.read(path)
        session.delete(path)


LOOSENED = {
    "allow_any_name": True,
    "allow_localhost": True,
    "allow_subdomains": True,
    "allow_glob_domains": True,
    "enforce_hostnames": False,
    "max_ttl": 10 * 365 * 86400,
    "key_usage": ["CertSign"],
    "no_store": True,
    "not_after": "9999-12-31T23:59:59Z",
    "allowed_domains_template": True,
}


@pytest.mark.parametrize("key", LOOSENED)
def test_the_configurator_loosens_no_role(
    sessions: dict[AppRole, Vault], lab_vault: SetUpVault, key: str
) -> None:
    asked = as_written(lab_vault, **{key: LOOSENED[key]})
    call = partial(sessions[AppRole.CONFIGURATOR].write, "pki-issuing/roles/x", asked)
    assert fault(call) is VaultFault.FORBIDDEN


@pytest.mark.parametrize(
    "changes",
    [
        {"allowed_policies": ["root"]},
        {"allowed_policies": ["device", "configurator"]},
        {"allowed_policies_glob": ["*"]},
        {"token_num_uses": 0},
        {"token_explicit_max_ttl": 0},
        {"token_period": 60},
        {"renewable": True},
        {"token_no_default_policy": False},
    ],
    ids=str,
)
def test_the_configurator_writes_no_token_role_beyond_that_of_a_device(
    sessions: dict[AppRole, Vault], changes: dict[str, Any]
) -> None:
    call = partial(sessions[AppRole.CONFIGURATOR].write, "auth/token/roles/x", token_role(**changes))
    assert fault(call) is VaultFault.FORBIDDEN


@pytest.mark.parametrize("key", roles.token_role("x", ()))
def test_the_configurator_leaves_no_bound_of_a_token_role_out(
    sessions: dict[AppRole, Vault], key: str
) -> None:
    asked = {name: value for name, value in token_role().items() if name != key}
    assert (
        fault(partial(sessions[AppRole.CONFIGURATOR].write, "auth/token/roles/x", asked))
        is VaultFault.FORBIDDEN
    )


@pytest.mark.parametrize("approle", [one for one in AppRole if one is not AppRole.ENROLLER], ids=str)
def test_nobody_but_the_enroller_makes_a_token(sessions: dict[AppRole, Vault], approle: AppRole) -> None:
    assert fault(partial(sessions[approle].write, MINT.path, MINT.data, wrap_s=60)) is VaultFault.FORBIDDEN


@pytest.mark.parametrize("approle", [one for one in AppRole if one is not AppRole.CONFIGURATOR], ids=str)
def test_nobody_but_the_configurator_gives_a_device_names(
    sessions: dict[AppRole, Vault], lab_vault: SetUpVault, approle: AppRole
) -> None:
    for path, asked in (("pki-issuing/roles/x", as_written(lab_vault)), ("auth/token/roles/x", token_role())):
        assert fault(partial(sessions[approle].write, path, asked)) is VaultFault.FORBIDDEN


def test_the_revoker_marks_and_does_nothing_else_to_a_role(
    sessions: dict[AppRole, Vault], lab_vault: SetUpVault
) -> None:
    revoker, mark = sessions[AppRole.REVOKER], roles.sent(roles.revoked_role(lab_vault.trust))
    revoker.write("pki-issuing/roles/x", mark)
    less = {key: value for key, value in mark.items() if key != "allow_localhost"}
    for asked in (as_written(lab_vault), {**mark, "allowed_domains": "x.lab.internal"}, less):
        assert fault(partial(revoker.write, "pki-issuing/roles/x", asked)) is VaultFault.FORBIDDEN
    assert fault(partial(revoker.delete, "pki-issuing/roles/x")) is VaultFault.FORBIDDEN
    lab_vault.running.root.delete("pki-issuing/roles/x")


@pytest.mark.parametrize("alias", ["sakai-gw-b", "operator", "vault"])
def test_a_token_of_one_device_is_made_for_no_other(sessions: dict[AppRole, Vault], alias: str) -> None:
    asked = {"policies": ["device"], "entity_alias": alias}
    enroller = sessions[AppRole.ENROLLER]
    call = partial(enroller.write, f"auth/token/create/{GATEWAY}", asked, wrap_s=60)
    assert fault(call) is VaultFault.REJECTED


def test_the_configurator_and_the_enroller_together_gain_no_right_but_to_names(
    sessions: dict[AppRole, Vault], lab_vault: SetUpVault
) -> None:
    """What S13 found: with both log-ins one wrote a policy for everything, and made a token for it."""
    configurator, enroller = sessions[AppRole.CONFIGURATOR], sessions[AppRole.ENROLLER]
    configurator.write("auth/token/roles/x", token_role())
    try:
        for policy in ("configurator", "root", "device-x"):
            asked = {"policies": [policy], "entity_alias": "x"}
            made = partial(enroller.write, "auth/token/create/x", asked, wrap_s=60)
            assert fault(made) is VaultFault.REJECTED
        asked = {"policies": ["device"], "entity_alias": "x"}
        token = enroller.write("auth/token/create/x", asked, wrap_s=60)["wrap_info"]["token"]
        auth = lab_vault.running.session(token).write("sys/wrapping/unwrap", {})["auth"]
        assert auth["policies"] == ["device"]
        session = lab_vault.running.session(auth["client_token"])
        assert fault(partial(session.read, READ_SECRET.path)) in DENIED
    finally:
        configurator.delete("auth/token/roles/x")
