"""What each log-in is refused, tried on a real server: policies are worth what they keep out."""

from functools import partial
from typing import Any

import pytest
from vault_calls import (
    CALLS,
    DELETE_ROLE,
    DELETE_TOKEN_ROLE,
    DENIED,
    DESCRIBE_CERTIFICATES,
    END_TOKENS,
    GATEWAY,
    LIST_CERTIFICATES,
    LIST_KEYS,
    LIST_REVOKED,
    LIST_ROLES,
    LIST_SECRETS,
    LIST_TOKEN_ROLES,
    READ_KEY,
    READ_POLICY,
    READ_ROLE,
    READ_SECRET,
    REVOKE,
    ROTATE_CRL,
    TAKE_SNAPSHOT,
    WRITE_CRL_SETTINGS,
    WRITE_KEY,
    WRITE_SECRET,
    Call,
    fault,
)
from vault_server import SetUpVault

from heiiki.errors import VaultFault
from heiiki.pki.server.bootstrap import apply
from heiiki.pki.server.connection import Vault
from heiiki.pki.server.policies import AppRole

SERIALS = (LIST_CERTIFICATES, DESCRIBE_CERTIFICATES, LIST_REVOKED)
ALLOWED: dict[AppRole, tuple[Call, ...]] = {
    AppRole.CONFIGURATOR: (
        *(READ_POLICY, ROTATE_CRL, WRITE_CRL_SETTINGS, DELETE_ROLE, LIST_ROLES),
        *(DELETE_TOKEN_ROLE, LIST_TOKEN_ROLES, WRITE_KEY, LIST_KEYS),
    ),
    # Its call that writes is wrapped or nothing: below.
    AppRole.ENROLLER: (READ_ROLE, *SERIALS),
    AppRole.REVOKER: (REVOKE, ROTATE_CRL, END_TOKENS, *SERIALS),
    AppRole.SIM_KEY_READER: (READ_SECRET, READ_KEY),
    AppRole.SECRET_WRITER: (WRITE_SECRET, LIST_SECRETS, WRITE_KEY, LIST_KEYS),
    AppRole.AUDITOR: (READ_ROLE, LIST_ROLES, LIST_TOKEN_ROLES, READ_POLICY, *SERIALS),
    AppRole.SNAPSHOT: (TAKE_SNAPSHOT,),
}
REFUSED = [(approle, call) for approle in AppRole for call in CALLS if call not in ALLOWED[approle]]
GRANTED = [(approle, call) for approle in AppRole for call in ALLOWED[approle]]


@pytest.mark.parametrize(("approle", "call"), REFUSED, ids=str)
def test_a_role_is_refused_what_is_not_its_purpose(
    sessions: dict[AppRole, Vault], approle: AppRole, call: Call
) -> None:
    assert fault(lambda: call(sessions[approle])) is VaultFault.FORBIDDEN


def test_a_role_is_granted_its_purpose(sessions: dict[AppRole, Vault], lab_vault: SetUpVault) -> None:
    assert {
        str(call): why
        for approle, call in GRANTED
        if (why := fault(partial(call, sessions[approle]))) in DENIED
    } == {}
    apply(lab_vault.access, lab_vault.plan, unsealing=True)


def test_nobody_without_a_token_gets_anything_but_public_documents(lab_vault: SetUpVault) -> None:
    anonymous = lab_vault.running.session()
    assert {fault(partial(call, anonymous)) for call in CALLS} == {VaultFault.TOKEN}
    assert b"BEGIN CERTIFICATE" in anonymous.fetch("pki-root/issuer/default/pem")


@pytest.mark.parametrize(
    ("asked", "wrap_s"),
    [
        ({"policies": ["device"]}, None),
        ({"policies": ["device"]}, 9),
        ({"policies": ["device"]}, 121),
    ],
)
def test_a_devices_token_leaves_the_server_wrapped_for_a_short_while_or_not_at_all(
    sessions: dict[AppRole, Vault], asked: dict[str, Any], wrap_s: int | None
) -> None:
    enroller = sessions[AppRole.ENROLLER]
    call = partial(enroller.write, f"auth/token/create/{GATEWAY}", asked, wrap_s=wrap_s)
    assert fault(call) is VaultFault.FORBIDDEN


@pytest.mark.parametrize("policy", ["configurator", "root", "default", "revoker"])
def test_a_devices_token_has_a_devices_policy(sessions: dict[AppRole, Vault], policy: str) -> None:
    enroller = sessions[AppRole.ENROLLER]
    call = partial(enroller.write, f"auth/token/create/{GATEWAY}", {"policies": [policy]}, wrap_s=60)
    assert fault(call) is VaultFault.REJECTED
