"""Permissions on the Vault server: one AppRole for each purpose, one policy for each device.

Policies are text of the server's own language. `tests/unit/pki/test_policies.py` tries what they refuse.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum

from heiiki.plan import keys
from heiiki.plan.model import Identity, Pki

TOKEN_ROLE = "device"  # noqa: S105  # the name of a role, not a token
DEVICE_TOKEN_S = 300
"""Life of a device's token, seconds; it is good for one call."""
WRAP_LONGEST_S = 120
WRAP_SHORTEST_S = 10
XMPP_NAME = "1.3.6.1.5.5.7.8.5"
"""id-on-xmppAddr (RFC 6120 13.7.1.4)."""

_Parameters = Mapping[str, Sequence[str]]


class AppRole(StrEnum):
    """The AppRoles (HashiCorp's term for the log-in of a program), one for each purpose.

    The values name roles on the servers and credentials that are kept: they do not follow the members' names.
    """

    CONFIGURATOR = "configurator"
    ENROLLER = "enroller"
    REVOKER = "revoker"
    SIM_KEY_READER = "subscriber"
    SECRET_WRITER = "custodian"  # noqa: S105  # the name of a role
    AUDITOR = "auditor"
    SNAPSHOT = "snapshot"


def device_policy_name(device: str) -> str:
    """Return the name of the policy of a device's token."""
    return f"{TOKEN_ROLE}-{device}"


_DEVICE_POLICIES = f"sys/policies/acl/{device_policy_name('*')}"


def signing_parameters(identity: Identity) -> dict[str, str]:
    """Return the names that a certificate of `identity` is asked for with, as ``sign`` takes them.

    Several names of a kind stand in one text with commas: the server compares the whole text to what the
    device's policy allows, so it must be sent exactly so, not as a list.
    """
    names = {
        "common_name": (identity.common_name,),
        "alt_names": identity.dns,
        "uri_sans": identity.uris,
        "ip_sans": tuple(str(address) for address in identity.addresses),
        "other_sans": tuple(f"{XMPP_NAME};UTF8:{jid}" for jid in identity.jids),
    }
    return {key: ",".join(values) for key, values in names.items() if values}


def device_policy(trust: Pki, identity: Identity) -> str:
    """Return the policy of a device's token: to have one CSR signed, under the plan's names alone."""
    names = signing_parameters(identity)
    allowed: dict[str, Sequence[str]] = {key: [value] for key, value in names.items()}
    # Another form of the answer, another key usage and another holder's names cannot be requested.
    allowed |= {"csr": [], "ttl": [], "format": ["pem"]}
    return _policy(
        [_rule(f"{trust.issuing_mount}/sign/{identity.kind}", "update", allow=allowed, need=["csr", *names])]
    )


def revoked_policy() -> str:
    """Return what stands in place of a revoked device's policy: it denies everything.

    It is the mark of the revocation as well: a token of the device has no right from that moment on, and
    everything that makes policies or tokens finds it there. The revoker may write this text and no other.
    """
    return _policy([_rule("*", "deny")])


def approle_policies(trust: Pki) -> dict[AppRole, str]:
    """Return the policy of each AppRole."""
    rules = {
        AppRole.CONFIGURATOR: _configurator(trust),
        AppRole.ENROLLER: _enroller(trust),
        AppRole.REVOKER: _revoker(trust),
        AppRole.SIM_KEY_READER: (
            _rule(f"{trust.secrets_mount}/data/sim/*", "read"),
            _rule(f"{trust.secrets_mount}/data/{keys.FOLDER}/*", "read"),
        ),
        AppRole.SECRET_WRITER: (
            _rule(f"{trust.secrets_mount}/data/*", "create", "update"),
            _rule(f"{trust.secrets_mount}/metadata/*", "read", "list"),
        ),
        AppRole.AUDITOR: _auditor(trust),
        # To read is to take one; to put one back would be to write.
        AppRole.SNAPSHOT: (_rule("sys/storage/raft/snapshot", "read"),),
    }
    return {approle: _policy((*_own_token(), *rules[approle])) for approle in AppRole}


def _own_token() -> Iterator[str]:
    yield _rule("auth/token/lookup-self", "read")
    yield _rule("auth/token/revoke-self", "update")


def _configurator(trust: Pki) -> Iterator[str]:
    """Re-run role pki: reads all that it compares, writes what a plan changes, and uses no CA's key."""
    yield from _settings(trust)
    yield _rule(_DEVICE_POLICIES, "create", "read", "update", "delete")
    for mount in (trust.root_mount, trust.issuing_mount):
        for part in ("cluster", "crl", "auto-tidy"):
            yield _rule(f"{mount}/config/{part}", "read", "update")
        # Names of keys; no path of the server gives a key itself.
        yield _rule(f"{mount}/keys", "list")
        yield _rule(f"{mount}/key/+", "read")
        yield _rule(f"{mount}/crl/rotate", "read")
    yield _rule(f"{trust.issuing_mount}/roles/*", "create", "read", "update")
    # Makes the keys of routing, and cannot read them.
    yield _rule(f"{trust.secrets_mount}/data/{keys.FOLDER}/*", "create", "update")
    yield _rule(f"{trust.secrets_mount}/metadata/{keys.FOLDER}/*", "read", "list")
    # A root token again, where the server has closed the open way; the unseal keys are wanted too.
    yield _rule("sys/generate-root-token/*", "create", "read", "update", "delete", "sudo")


def _settings(trust: Pki) -> Iterator[str]:
    """See how the server is set up, all that is compared with the plan, and no secret."""
    for path in ("sys/mounts", "sys/auth", "auth/approle/role/+", f"auth/token/roles/{TOKEN_ROLE}"):
        yield _rule(path, "read")
    yield _rule("sys/audit", "read", "sudo")
    yield _rule("sys/quotas/rate-limit/+", "read")
    yield _rule("sys/policies/acl", "list")
    yield _rule("sys/policies/acl/*", "read")
    yield _rule(f"{trust.secrets_mount}/config", "read")
    for mount in (trust.root_mount, trust.issuing_mount):
        yield _rule(f"{mount}/config/issuers", "read")
        yield _rule(f"{mount}/issuers", "list")
        yield _rule(f"{mount}/issuer/+", "read")


def _enroller(trust: Pki) -> Iterator[str]:
    """Make a device's token, which leaves the server wrapped or not at all; see which devices are revoked."""
    yield _rule(_DEVICE_POLICIES, "read")
    yield from _serials(trust)
    yield _rule(
        f"auth/token/create/{TOKEN_ROLE}",
        "update",
        min_wrapping_ttl=f"{WRAP_SHORTEST_S}s",
        max_wrapping_ttl=f"{WRAP_LONGEST_S}s",
    )


def _revoker(trust: Pki) -> Iterator[str]:
    mount = trust.issuing_mount
    yield _rule(_DEVICE_POLICIES, "create", "read", "update", allow={"policy": [revoked_policy()]})
    # Tokens that are under way: those of every device, but of no log-in.
    yield _rule(f"sys/leases/revoke-prefix/auth/token/create/{TOKEN_ROLE}", "update", "sudo")
    yield _rule(f"{mount}/revoke", "update")
    yield from _serials(trust)
    yield _rule(f"{mount}/crl/rotate", "read")
    yield _rule(f"{mount}/crl/rotate-delta", "read")


def _auditor(trust: Pki) -> Iterator[str]:
    """Tell what was revoked, and whether the server is set up as planned and in no other way."""
    yield from _settings(trust)
    for path in ("auth/approle/role", "auth/token/roles", "identity/group/id", "sys/quotas/rate-limit"):
        yield _rule(path, "list")
    for mount in (trust.root_mount, trust.issuing_mount):
        yield _rule(f"{mount}/roles", "list")
        for part in ("cluster", "crl", "auto-tidy"):
            yield _rule(f"{mount}/config/{part}", "read")
    yield _rule(f"{trust.issuing_mount}/roles/*", "read")
    yield from _serials(trust)
    for part in ("certs", "certs/revoked"):
        yield _rule(f"{trust.root_mount}/{part}", "list")


def _serials(trust: Pki) -> Iterator[str]:
    """See which certificates there are, whose, and which are revoked."""
    for part in ("certs", "certs/detailed", "certs/revoked"):
        yield _rule(f"{trust.issuing_mount}/{part}", "list")


def _policy(rules: Iterable[str]) -> str:
    return "\n".join(rules)


def _rule(
    path: str, *capabilities: str, allow: _Parameters | None = None, need: Sequence[str] = (), **more: str
) -> str:
    lines = [f"  capabilities = {json.dumps(capabilities)}"]
    if allow:
        inner = [f"    {json.dumps(key)} = {json.dumps(list(values))}" for key, values in allow.items()]
        lines += ["  allowed_parameters = {", *inner, "  }"]
    if need:
        lines.append(f"  required_parameters = {json.dumps(list(need))}")
    lines += [f"  {key} = {json.dumps(value)}" for key, value in more.items()]
    return "\n".join([f"path {json.dumps(path)} {{", *lines, "}", ""])
