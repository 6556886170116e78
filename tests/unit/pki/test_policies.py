"""What each token is refused, tried on a real server: policies are worth what they keep out."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from cryptography import x509
from vault_server import SetUpVault, make_request

from heiiki.errors import VaultError, VaultFault
from heiiki.pki.issue import mint, signing_call
from heiiki.pki.server.bootstrap import apply, root
from heiiki.pki.server.connection import Vault
from heiiki.pki.server.login import logged_in
from heiiki.pki.server.policies import AppRole, revoked_policy

GATEWAY, ROUTER = "umeda-gw-b", "a-pe1"


@dataclass(frozen=True)
class Call:
    """One call of the API: a method of `Vault`, and a path."""

    method: str
    path: str
    data: dict[str, Any] = field(default_factory=dict)

    def __call__(self, vault: Vault) -> object:
        if self.method == "write":
            return vault.write(self.path, self.data)
        return getattr(vault, self.method)(self.path)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


READ_SECRET = Call("read", "kv/data/sim/440100000000017")
READ_OTHER = Call("read", "kv/data/radius/shared")
READ_KEY = Call("read", "kv/data/routing/bgp/a-pe2--umeda-ce-a")
WRITE_KEY = Call("write", "kv/data/routing/bgp/x--y", {"data": {"key": "0"}})
LIST_KEYS = Call("names", "kv/metadata/routing/bgp")
DELETE_KEY = Call("delete", "kv/metadata/routing/bgp/x--y")
LIST_SECRETS = Call("names", "kv/metadata/sim")
WRITE_SECRET = Call("write", "kv/data/sim/440100000000017", {"data": {"k": "0"}})
DELETE_SECRET = Call("delete", "kv/metadata/sim/440100000000017")
WRITE_POLICY = Call("write", "sys/policies/acl/revoker", {"policy": 'path "*" { capabilities = ["read"] }'})
WRITE_DEVICE_POLICY = Call("write", "sys/policies/acl/device-x", {"policy": ""})
MARK = Call("write", "sys/policies/acl/device-x", {"policy": revoked_policy()})
READ_DEVICE_POLICY = Call("read", "sys/policies/acl/device-x")
DENY_LESS = Call("write", "sys/policies/acl/device-x", {"policy": revoked_policy() + 'path "a" {}'})
END_TOKENS = Call("write", "sys/leases/revoke-prefix/auth/token/create/device")
END_LOG_INS = Call("write", "sys/leases/revoke-prefix/auth/approle")
READ_POLICY = Call("read", "sys/policies/acl/revoker")
MINT = Call("write", "auth/token/create/device", {"policies": [f"device-{GATEWAY}"]})
MINT_ANY = Call("write", "auth/token/create", {"policies": ["configurator"]})
MINT_ORPHAN = Call("write", "auth/token/create-orphan", {"policies": ["configurator"]})
SIGN = Call("write", "pki-issuing/sign/gateway", {"common_name": f"{GATEWAY}.lab.internal", "csr": "x"})
ISSUE = Call("write", "pki-issuing/issue/gateway", {"common_name": f"{GATEWAY}.lab.internal"})
SIGN_VERBATIM = Call("write", "pki-issuing/sign-verbatim", {"csr": "x"})
SIGN_CA = Call("write", "pki-root/root/sign-intermediate", {"csr": "x", "common_name": "x"})
ROTATE_ROOT = Call("write", "pki-root/root/rotate/internal", {"common_name": "x"})
EXPORT_ROOT = Call("write", "pki-root/root/generate/exported", {"common_name": "x"})
DELETE_ISSUER = Call("delete", "pki-issuing/issuer/default")
DEFAULT_ISSUER = Call("write", "pki-issuing/config/issuers", {"default": "x"})
REVOKE = Call("write", "pki-issuing/revoke", {"serial_number": "01"})
WRITE_ROLE = Call("write", "pki-issuing/roles/gateway", {"allow_any_name": True})
NEW_SECRET_ID = Call("write", "auth/approle/role/revoker/secret-id")
TOKEN_ROLE = Call("write", "auth/token/roles/device", {"allowed_policies_glob": ["*"]})
UNSEAL_KEYS = Call("read", "sys/raw/core/keyring")
SEAL = Call("write", "sys/seal")
MOUNTS = Call("write", "sys/mounts/other", {"type": "kv"})
AUDIT = Call("delete", "sys/audit/file")
LIST_CERTIFICATES = Call("names", "pki-issuing/certs")
DESCRIBE_CERTIFICATES = Call("details", "pki-issuing/certs/detailed")
LIST_REVOKED = Call("names", "pki-issuing/certs/revoked")
LIST_TOKENS = Call("names", "auth/token/accessors")
ROTATE_CRL = Call("read", "pki-issuing/crl/rotate")
WRITE_CRL_SETTINGS = Call("write", "pki-issuing/config/crl", {"expiry": "1h"})
DEFAULT_KEY = Call("write", "pki-issuing/config/keys", {"default": "x"})
USAGE = Call("write", "pki-issuing/issuer/default", {"usage": "read-only"})
TAKE_SNAPSHOT = Call("fetch", "sys/storage/raft/snapshot")
RESTORE = Call("write", "sys/storage/raft/snapshot")
FORCE_RESTORE = Call("write", "sys/storage/raft/snapshot-force")
REVOKE_CA = Call("write", "pki-root/revoke", {"serial_number": "01"})

CALLS = tuple(value for value in dict(globals()).values() if isinstance(value, Call))
SERIALS = (LIST_CERTIFICATES, DESCRIBE_CERTIFICATES, LIST_REVOKED)
ALLOWED: dict[AppRole, tuple[Call, ...]] = {
    AppRole.CONFIGURATOR: (
        *(WRITE_DEVICE_POLICY, READ_POLICY, WRITE_ROLE, ROTATE_CRL, WRITE_CRL_SETTINGS),
        *(MARK, READ_DEVICE_POLICY, DENY_LESS, WRITE_KEY, LIST_KEYS),
    ),
    # Its call that writes is wrapped or nothing: below.
    AppRole.ENROLLER: (READ_DEVICE_POLICY, *SERIALS),
    AppRole.REVOKER: (REVOKE, ROTATE_CRL, MARK, READ_DEVICE_POLICY, END_TOKENS, *SERIALS),
    AppRole.SIM_KEY_READER: (READ_SECRET, READ_KEY),
    AppRole.SECRET_WRITER: (WRITE_SECRET, LIST_SECRETS, WRITE_KEY, LIST_KEYS),
    AppRole.AUDITOR: (READ_DEVICE_POLICY, READ_POLICY, *SERIALS),
    AppRole.SNAPSHOT: (TAKE_SNAPSHOT,),
}
REFUSED = [(approle, call) for approle in AppRole for call in CALLS if call not in ALLOWED[approle]]
GRANTED = [(approle, call) for approle in AppRole for call in ALLOWED[approle]]
DENIED = {VaultFault.FORBIDDEN, VaultFault.TOKEN}


@pytest.fixture(scope="module")
def sessions(lab_vault: SetUpVault) -> Iterator[dict[AppRole, Vault]]:
    with ExitStack() as stack:
        yield {approle: stack.enter_context(logged_in(lab_vault.access, approle)) for approle in AppRole}


def fault(call: Callable[[], object]) -> VaultFault | None:
    """Return why a call failed, or None."""
    try:
        call()
    except VaultError as error:
        return error.fault
    return None


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
        ({"policies": [f"device-{GATEWAY}"]}, None),
        ({"policies": [f"device-{GATEWAY}"]}, 9),
        ({"policies": [f"device-{GATEWAY}"]}, 121),
    ],
)
def test_a_devices_token_leaves_the_server_wrapped_for_a_short_while_or_not_at_all(
    sessions: dict[AppRole, Vault], asked: dict[str, Any], wrap_s: int | None
) -> None:
    enroller = sessions[AppRole.ENROLLER]
    call = partial(enroller.write, "auth/token/create/device", asked, wrap_s=wrap_s)
    assert fault(call) is VaultFault.FORBIDDEN


@pytest.mark.parametrize("policy", ["configurator", "root", "default", "revoker"])
def test_a_devices_token_has_a_devices_policy(sessions: dict[AppRole, Vault], policy: str) -> None:
    enroller = sessions[AppRole.ENROLLER]
    call = partial(enroller.write, "auth/token/create/device", {"policies": [policy]}, wrap_s=60)
    assert fault(call) is VaultFault.REJECTED


def opened(made: SetUpVault, device: str) -> Vault:
    """Return a session of a device's token."""
    wrapped = mint(made.enroller, made.identity(device))
    answer = made.running.session(wrapped.token).write("sys/wrapping/unwrap", {})
    return made.running.session(answer["auth"]["client_token"])


def test_a_devices_token_is_an_orphan_for_one_call_and_five_minutes(lab_vault: SetUpVault) -> None:
    wrapped = mint(lab_vault.enroller, lab_vault.identity(GATEWAY))
    auth = lab_vault.running.session(wrapped.token).write("sys/wrapping/unwrap", {})["auth"]
    told = {key: auth[key] for key in ("policies", "num_uses", "orphan", "renewable", "lease_duration")}
    assert told == {
        "policies": [f"device-{GATEWAY}"],
        "num_uses": 1,
        "orphan": True,
        "renewable": False,
        "lease_duration": 300,
    }


def test_a_wrapped_token_opens_once(lab_vault: SetUpVault) -> None:
    wrapped = mint(lab_vault.enroller, lab_vault.identity(GATEWAY))
    session = lab_vault.running.session(wrapped.token)
    assert [fault(lambda: session.write("sys/wrapping/unwrap", {})) for _ in range(2)] == [
        None,
        VaultFault.REJECTED,
    ]
    assert wrapped.token not in repr(wrapped)


def changed(**changes: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Return what spoils the parameters of a signing call; None takes one out."""

    def spoil(right: dict[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in {**right, **changes}.items() if value is not None}

    return spoil


OTHER = "sakai-gw-b.lab.internal"
SPOILT = {
    "another's common name": changed(common_name=OTHER),
    "another's host name": changed(alt_names=OTHER),
    "another's host name besides": changed(alt_names=f"{GATEWAY}.lab.internal,{OTHER}"),
    "another's URI": changed(uri_sans="urn:heiiki:lab:sakai-gw-b"),
    "an address": changed(ip_sans="10.0.0.1"),
    "an XMPP name": changed(other_sans="1.3.6.1.5.5.7.8.5;UTF8:sakai-bems@lab.internal"),
    "no common name": changed(common_name=None),
    "no host name": changed(alt_names=None),
    "no URI": changed(uri_sans=None),
    "a list for a text": changed(uri_sans=["urn:heiiki:lab:umeda-gw-b"]),
    "the key back": changed(format="pem_bundle"),
    "a serial number": changed(serial_number="1"),
    "an end": changed(not_after="2099-01-01T00:00:00Z"),
    "no name of the CN": changed(exclude_cn_from_sans=True),
    "another key usage": changed(key_usage="KeyCertSign"),
}


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
def test_a_devices_token_signs_the_plans_names_only(
    lab_vault: SetUpVault, spoil: Callable[[dict[str, Any]], dict[str, Any]]
) -> None:
    identity = lab_vault.identity(GATEWAY)
    path, names = signing_call(lab_vault.trust, identity)
    asked = spoil({**names, "csr": make_request(identity)})
    assert fault(lambda: opened(lab_vault, GATEWAY).write(path, asked)) in DENIED


@pytest.mark.parametrize("kind", ["router", "server", "operator", "ems"])
def test_a_devices_token_signs_in_its_class_only(lab_vault: SetUpVault, kind: str) -> None:
    identity = lab_vault.identity(GATEWAY)
    _, names = signing_call(lab_vault.trust, identity)
    asked = {**names, "csr": make_request(identity)}
    assert fault(lambda: opened(lab_vault, GATEWAY).write(f"pki-issuing/sign/{kind}", asked)) in DENIED


@pytest.mark.parametrize("call", [call for call in CALLS if call is not SIGN], ids=str)
def test_a_devices_token_does_nothing_else(lab_vault: SetUpVault, call: Call) -> None:
    assert fault(lambda: call(opened(lab_vault, GATEWAY))) in DENIED


def test_a_devices_token_is_used_up_by_one_certificate(lab_vault: SetUpVault) -> None:
    identity, session = lab_vault.identity(GATEWAY), opened(lab_vault, GATEWAY)
    path, names = signing_call(lab_vault.trust, identity)
    asked = {**names, "csr": make_request(identity)}
    assert [fault(lambda: session.write(path, asked)) for _ in range(2)] == [None, VaultFault.TOKEN]


def test_a_life_longer_than_the_plans_is_cut_to_it(lab_vault: SetUpVault) -> None:
    """The server clamps with a warning, where one might expect a refusal."""
    identity = lab_vault.identity(GATEWAY)
    path, names = signing_call(lab_vault.trust, identity)
    asked = {**names, "csr": make_request(identity), "ttl": "87600h"}
    answer = opened(lab_vault, GATEWAY).write(path, asked)
    certificate = x509.load_pem_x509_certificate(answer["data"]["certificate"].encode())
    life = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    clocks = timedelta(seconds=30)
    assert life == timedelta(hours=lab_vault.trust.lifetimes.certificate_h) + clocks
    assert answer["warnings"]


def test_the_issuing_ca_signs_no_name_of_no_class_even_for_root(lab_vault: SetUpVault) -> None:
    """The roles hold as well as the policies: a wrong policy alone opens nothing."""
    identity = lab_vault.identity(GATEWAY)
    with root(lab_vault.access) as session:
        for name in (
            "evil.lab.internal",
            "lab.internal",
            "x.umeda-gw-b.lab.internal",
            f"{ROUTER}.lab.internal",
        ):
            asked = {"csr": make_request(identity), "common_name": name}
            assert fault(partial(session.write, "pki-issuing/sign/gateway", asked)) is VaultFault.REJECTED
