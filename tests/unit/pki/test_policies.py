"""What each token is refused, tried on a real server: policies are worth what they keep out."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from ipaddress import IPv4Network
from typing import Any

import pytest
from cryptography import x509
from vault_server import SetUpVault, make_request

from heiiki.errors import VaultError, VaultFault
from heiiki.pki.issue import mint, signing_call
from heiiki.pki.server import roles
from heiiki.pki.server.bootstrap import apply, root
from heiiki.pki.server.connection import Vault
from heiiki.pki.server.desired import token_settings
from heiiki.pki.server.login import log_in, logged_in
from heiiki.pki.server.policies import AppRole
from heiiki.plan.model import Network, Plan

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
WRITE_DEVICE_POLICY = Call("write", "sys/policies/acl/device", {"policy": ""})
WRITE_ANOTHER_POLICY = Call("write", "sys/policies/acl/device-x", {"policy": ""})
END_TOKENS = Call("write", f"sys/leases/revoke-prefix/auth/token/create/{GATEWAY}")
END_ALL_TOKENS = Call("write", "sys/leases/revoke-prefix/auth/token")
END_LOG_INS = Call("write", "sys/leases/revoke-prefix/auth/approle")
READ_POLICY = Call("read", "sys/policies/acl/revoker")
MINT = Call("write", f"auth/token/create/{GATEWAY}", {"policies": ["device"], "entity_alias": GATEWAY})
MINT_ANY = Call("write", "auth/token/create", {"policies": ["configurator"]})
MINT_ORPHAN = Call("write", "auth/token/create-orphan", {"policies": ["configurator"]})
SIGN = Call("write", f"pki-issuing/sign/{GATEWAY}", {"common_name": f"{GATEWAY}.lab.internal", "csr": "x"})
ISSUE = Call("write", f"pki-issuing/issue/{GATEWAY}", {"common_name": f"{GATEWAY}.lab.internal"})
SIGN_VERBATIM = Call("write", "pki-issuing/sign-verbatim", {"csr": "x"})
SIGN_CA = Call("write", "pki-root/root/sign-intermediate", {"csr": "x", "common_name": "x"})
ROTATE_ROOT = Call("write", "pki-root/root/rotate/internal", {"common_name": "x"})
EXPORT_ROOT = Call("write", "pki-root/root/generate/exported", {"common_name": "x"})
DELETE_ISSUER = Call("delete", "pki-issuing/issuer/default")
DEFAULT_ISSUER = Call("write", "pki-issuing/config/issuers", {"default": "x"})
REVOKE = Call("write", "pki-issuing/revoke", {"serial_number": "01"})
READ_ROLE = Call("read", f"pki-issuing/roles/{GATEWAY}")
LOOSEN_ROLE = Call("write", f"pki-issuing/roles/{GATEWAY}", {"allow_any_name": True})
DELETE_ROLE = Call("delete", "pki-issuing/roles/x")
LIST_ROLES = Call("names", "pki-issuing/roles")
OTHERS_SECRET_ID = Call("write", "auth/approle/role/operator/secret-id")
WRITE_APPROLE = Call("write", "auth/approle/role/revoker", {"token_policies": ["configurator"]})
LOOSEN_TOKENS = Call("write", f"auth/token/roles/{GATEWAY}", {"allowed_policies_glob": ["*"]})
DELETE_TOKEN_ROLE = Call("delete", "auth/token/roles/x")
LIST_TOKEN_ROLES = Call("names", "auth/token/roles")
WRITE_ENTITY = Call("write", "identity/entity/name/x", {"policies": ["configurator"]})
WRITE_ALIAS = Call("write", "identity/entity-alias", {"name": GATEWAY, "canonical_id": "x"})
WRITE_GROUP = Call("write", "identity/group", {"name": "x", "policies": ["configurator"]})
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
        "policies": ["device"],
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
    "another's URI in a list": changed(uri_sans=["urn:heiiki:lab:sakai-gw-b"]),
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
    assert fault(lambda: opened(lab_vault, GATEWAY).write(path, asked)) in {*DENIED, VaultFault.REJECTED}


@pytest.mark.parametrize("device", ["sakai-gw-b", "hub-ce-a", "vault", "operator", "umeda-bems"])
def test_a_devices_token_signs_by_its_own_role_only(lab_vault: SetUpVault, device: str) -> None:
    other = lab_vault.identity(device)
    path, names = signing_call(lab_vault.trust, other)
    asked = {**names, "csr": make_request(other)}
    assert fault(lambda: opened(lab_vault, GATEWAY).write(path, asked)) in DENIED


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
    clocks = timedelta(hours=1)
    assert life == timedelta(hours=lab_vault.trust.lifetimes.certificate_h) + clocks
    assert answer["warnings"]


def test_the_issuing_ca_signs_no_name_that_the_role_lacks_even_for_root(lab_vault: SetUpVault) -> None:
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
            assert fault(partial(session.write, f"pki-issuing/sign/{GATEWAY}", asked)) is VaultFault.REJECTED


# --- S13: who writes what devices may have makes no token and no certificate, and the reverse


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


# --- Addresses: a log-in, and a device's token, work from where the plan says and from nowhere else


def elsewhere(made: SetUpVault, path: str) -> dict[str, Any]:
    """What the settings at `path` are when they are bound to another address than that of the tests."""
    known = made.running.root.read(path) or {}
    keys = [key for key in ("token_bound_cidrs", "secret_id_bound_cidrs") if key in known]
    return {
        **{key: value for key, value in known.items() if key != "local_secret_ids"},
        **{key: ["192.0.2.1/32"] for key in keys},
    }


def test_a_log_in_works_from_the_addresses_of_controllers_only(lab_vault: SetUpVault) -> None:
    path = "auth/approle/role/auditor"
    before = lab_vault.running.root.read(path) or {}
    named = sorted(lab_vault.trust.controllers)
    assert before["secret_id_bound_cidrs"] == [str(one) for one in named]
    assert before["token_bound_cidrs"] == [str(one.network_address) for one in named]
    lab_vault.running.root.write(path, elsewhere(lab_vault, path))
    try:
        with pytest.raises(VaultError, match="work from other addresses only") as caught:
            log_in(lab_vault.access, AppRole.AUDITOR)
        assert caught.value.fault is VaultFault.TOKEN
    finally:
        before.pop("local_secret_ids")
        lab_vault.running.root.write(path, before)
    with logged_in(lab_vault.access, AppRole.AUDITOR):
        pass


def test_a_devices_token_works_from_its_own_addresses_only(lab_vault: SetUpVault) -> None:
    path, identity = roles.token_role_path(GATEWAY), lab_vault.identity(GATEWAY)
    before = lab_vault.running.root.read(path) or {}
    call, names = signing_call(lab_vault.trust, identity)
    lab_vault.running.root.write(path, elsewhere(lab_vault, path))
    try:
        asked = {**names, "csr": make_request(identity)}
        assert fault(lambda: opened(lab_vault, GATEWAY).write(call, asked)) in DENIED
    finally:
        lab_vault.running.root.write(path, before)
    assert fault(lambda: opened(lab_vault, GATEWAY).write(call, asked)) is None


def test_each_device_is_bound_to_its_addresses_on_both_networks(lab_plan: Plan) -> None:
    bound = {one.path.rpartition("/")[2]: one.values["token_bound_cidrs"] for one in token_settings(lab_plan)}
    gateway = lab_plan.device("namba-gw")
    assert gateway.sim is not None
    clients = {str(one.address) for one in gateway.vault_clients}
    assert len(clients) == len(Network)
    assert clients | {str(gateway.sim.address)} <= set(bound["namba-gw"])
    controllers = {str(one.network_address) for one in lab_plan.pki.controllers}
    for device in lab_plan.devices:
        if device.identity:
            own = {str(one.network_address) for one in device.sources}
            assert set(bound[device.name]) == own | controllers
    assert not any("/" in one for addresses in bound.values() for one in addresses)


def test_controllers_are_where_the_service_says(lab_plan: Plan) -> None:
    """Without a management network: the server's own host."""
    own = {IPv4Network("127.0.0.1/32"), IPv4Network(lab_plan.pki.address)}
    assert set(lab_plan.pki.controllers) == own | {IPv4Network(lab_plan.pki.service_address)}
