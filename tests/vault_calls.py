"""Calls of the Vault API, each of which some token may make and every other one may not."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from vault_server import SetUpVault

from heiiki.errors import VaultError, VaultFault
from heiiki.pki.issue import mint
from heiiki.pki.server.connection import Vault

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
DENIED = {VaultFault.FORBIDDEN, VaultFault.TOKEN}


def fault(call: Callable[[], object]) -> VaultFault | None:
    """Return why a call failed, or None."""
    try:
        call()
    except VaultError as error:
        return error.fault
    return None


def opened(made: SetUpVault, device: str) -> Vault:
    """Return a session of a device's token."""
    wrapped = mint(made.enroller, made.identity(device))
    answer = made.running.session(wrapped.token).write("sys/wrapping/unwrap", {})
    return made.running.session(answer["auth"]["client_token"])
