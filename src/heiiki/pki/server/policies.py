"""Permissions on the Vault server: one AppRole for each purpose, and one policy for the tokens of devices.

Who writes what devices may have (the configurator) makes no token and no certificate, and who makes tokens
(the enroller) writes nothing. No AppRole writes a policy: with the two log-ins together one could otherwise
write a policy that allows everything, and make a token for it.

Policies are text of the server's own language. `tests/unit/pki` tries what they refuse (`test_policies.py`).
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any

from heiiki.pki.server import roles
from heiiki.plan import keys
from heiiki.plan.model import Identity, Pki, Registrar
from heiiki_agent.est.places import LOG_IN
from heiiki_agent.pki import request
from heiiki_agent.pki.names import Names

FORMER_POLICIES = "device-"
"""How the names of the policies began that each device had of its own, before one served them all."""
FORMER_MARK = 'path "*" {\n  capabilities = ["deny"]\n}\n'
"""The text of such a policy that was the mark of a revoked device."""
REGISTRAR = LOG_IN
"""Policy and log-in of the registration authority, which shows its host's certificate."""
REGISTRAR_LOGIN = f"auth/cert/certs/{REGISTRAR}"
REGISTRAR_S = 120
"""Life of a log-in of the registration authority, which makes one for each device that asks, seconds."""
WRAP_LONGEST_S = 120
WRAP_SHORTEST_S = 10

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


def names(identity: Identity) -> Names:
    """Return the names of an identity as a device knows its own."""
    addresses = tuple(str(address) for address in identity.addresses)
    return Names(identity.dns, addresses, identity.uris, identity.jids)


def signing_parameters(identity: Identity) -> dict[str, str]:
    """Return the names that a certificate of `identity` is asked for with, as ``sign`` takes them."""
    return request.signing_parameters(names(identity))


def device_policy(trust: Pki, accessor: str, holders: Iterable[Identity]) -> str:
    """Return the policy of every device's token: to have one CSR signed by the device's own role.

    Whose token it is says the alias that it was made with; which names there may be, the role.

    Args:
        trust: the service's.
        accessor: of the log-in method ``token``, of which the alias is.
        holders: everybody who may hold a certificate; no address may be asked for but as one of them has it.
    """
    addresses = sorted({signing_parameters(one)["ip_sans"] for one in holders if one.addresses})
    allowed: dict[str, Sequence[str]] = {"csr": [], "ttl": []}
    allowed |= {"common_name": [], "alt_names": [], "uri_sans": [], "other_sans": []}
    allowed |= {"ip_sans": addresses} if addresses else {}
    # Another form of the answer, another key usage and names of another kind cannot be requested.
    allowed["format"] = ["pem"]
    own = f"{trust.issuing_mount}/sign/{{{{identity.entity.aliases.{accessor}.name}}}}"
    need = ["csr", "common_name", "alt_names", "uri_sans"]
    return _policy([_rule(own, "update", allow=allowed, need=need)])


def registrar_login(one: Registrar) -> dict[str, Any]:
    """Return how the registration authority may log in, whatever its certificate is."""
    return {
        "display_name": REGISTRAR,
        "allowed_dns_sans": [one.host],
        "token_policies": [REGISTRAR],
        "token_no_default_policy": True,
        "token_bound_cidrs": roles.cidrs(one.sources),
        "token_ttl": REGISTRAR_S,
        "token_max_ttl": REGISTRAR_S,
        # Not stored by the server: it ends by itself, a moment after the device has its certificate.
        "token_type": "batch",
    }


def registrar_policy(trust: Pki, devices: Iterable[Identity]) -> str:
    """Return the policy of the registration authority: to have `devices` certified under the plan's names.

    It sees whether a device is revoked, by its role and by the CA's own register, and writes nothing.
    """
    mount = trust.issuing_mount
    rules = [_rule(f"{mount}/roles/+", "read"), *_serials(trust)]
    for one in devices:
        names = {key: [value] for key, value in signing_parameters(one).items()}
        allowed = {"csr": [], **names, "format": ["pem"]}
        rules.append(_rule(f"{mount}/sign/{one.device}", "update", allow=allowed, need=list(allowed)))
    return _policy(rules)


def approle_policies(trust: Pki) -> dict[AppRole, str]:
    """Return the policy of each AppRole."""
    rules = {
        AppRole.CONFIGURATOR: _configurator(trust),
        AppRole.ENROLLER: _enroller(trust),
        AppRole.REVOKER: _revoker(trust),
        AppRole.SIM_KEY_READER: (
            _rule(f"{trust.secrets_mount}/data/sim/*", "read"),
            _rule(f"{trust.secrets_mount}/data/{keys.FOLDER}/*", "read"),
            _rule(f"{trust.secrets_mount}/data/{keys.LOGINS}/*", "read"),
        ),
        AppRole.SECRET_WRITER: (
            _rule(f"{trust.secrets_mount}/data/*", "create", "update"),
            _rule(f"{trust.secrets_mount}/metadata/*", "read", "list"),
        ),
        AppRole.AUDITOR: _auditor(trust),
        # To read is to take one; to put one back would be to write.
        AppRole.SNAPSHOT: (_rule("sys/storage/raft/snapshot", "read"),),
    }
    return {approle: _policy((*_own(approle), *rules[approle])) for approle in AppRole}


def _own(approle: AppRole) -> Iterator[str]:
    """End its token, and renew the secret id that it logs in with; the server's bounds of it stay."""
    yield _rule("auth/token/lookup-self", "read")
    yield _rule("auth/token/revoke-self", "update")
    login = f"auth/approle/role/{approle}/secret-id"
    yield _rule(login, "update", deny={"*": []})
    for part in ("lookup", "destroy"):  # of a secret id that is known
        yield _rule(f"{login}/{part}", "update")


def _configurator(trust: Pki) -> Iterator[str]:
    """Re-run role pki: write what a plan changes, and use no CA's key."""
    yield from _settings(trust)
    for mount in (trust.root_mount, trust.issuing_mount):
        for part in ("cluster", "crl", "auto-tidy"):
            yield _rule(f"{mount}/config/{part}", "read", "update")
        # Names of keys; no path of the server gives a key itself.
        yield _rule(f"{mount}/keys", "list")
        yield _rule(f"{mount}/key/+", "read")
        yield _rule(f"{mount}/crl/rotate", "read")
    for path, allow in (
        (f"{trust.issuing_mount}/roles/+", roles.writing(trust)),
        ("auth/token/roles/+", roles.writing_tokens()),
    ):
        # The auditor reads them: with parameters that are required the server refuses to show anything.
        yield _rule(path, "create", "update", "delete", allow=allow, need=list(allow))
    if trust.registrar:
        login = {key: [text] for key, text in roles.sent(registrar_login(trust.registrar)).items()}
        allow = {**login, "certificate": []}
        yield _rule(REGISTRAR_LOGIN, "create", "update", allow=allow, need=list(allow))
    # Makes the keys of routing, and cannot read them.
    yield _rule(f"{trust.secrets_mount}/data/{keys.FOLDER}/*", "create", "update")
    yield _rule(f"{trust.secrets_mount}/metadata/{keys.FOLDER}/*", "read", "list")
    # A root token again, where the server has closed the open way; the unseal keys are wanted too.
    yield _rule("sys/generate-root-token/*", "create", "read", "update", "delete", "sudo")


def _settings(trust: Pki) -> Iterator[str]:
    """See how the server is set up, all that is compared with the plan, and no secret."""
    if len(trust.servers) > 1:
        yield _rule("sys/storage/raft/configuration", "read")
    for path in ("sys/mounts", "sys/auth", "auth/approle/role/+"):
        yield _rule(path, "read")
    yield _rule("sys/audit", "read", "sudo")
    yield _rule("sys/quotas/rate-limit/+", "read")
    yield _rule("sys/policies/acl", "list")
    yield _rule("sys/policies/acl/*", "read")
    for path in (f"{trust.issuing_mount}/roles", "auth/token/roles"):
        yield _rule(path, "list")
    yield _rule(f"{trust.secrets_mount}/config", "read")
    for mount in (trust.root_mount, trust.issuing_mount):
        yield _rule(f"{mount}/config/issuers", "read")
        yield _rule(f"{mount}/issuers", "list")
        yield _rule(f"{mount}/issuer/+", "read")


def _enroller(trust: Pki) -> Iterator[str]:
    """Make a device's token, which leaves the server wrapped or not at all; see which devices are revoked."""
    yield _rule(f"{trust.issuing_mount}/roles/+", "read")
    yield from _serials(trust)
    yield _rule(
        "auth/token/create/+",
        "update",
        min_wrapping_ttl=f"{WRAP_SHORTEST_S}s",
        max_wrapping_ttl=f"{WRAP_LONGEST_S}s",
    )


def _revoker(trust: Pki) -> Iterator[str]:
    mount = trust.issuing_mount
    mark = roles.marking(trust)
    yield _rule(f"{mount}/roles/+", "create", "update", allow=mark, need=list(mark))
    # Tokens of a device that are under way; those of log-ins are elsewhere.
    yield _rule("sys/leases/revoke-prefix/auth/token/create/+", "update", "sudo")
    yield _rule(f"{mount}/revoke", "update")
    if trust.registrar:
        # Its host may be the one that is revoked.
        yield _rule(REGISTRAR_LOGIN, "delete")
    yield from _serials(trust)
    yield _rule(f"{mount}/crl/rotate", "read")
    yield _rule(f"{mount}/crl/rotate-delta", "read")


def _auditor(trust: Pki) -> Iterator[str]:
    """Tell what was revoked, and whether the server is set up as planned and in no other way."""
    if len(trust.servers) > 1:
        yield _rule("sys/storage/raft/autopilot/state", "read")
    yield from _settings(trust)
    for path in ("auth/approle/role", "identity/group/id", "identity/entity/id", "sys/quotas/rate-limit"):
        yield _rule(path, "list")
    if trust.registrar:
        yield _rule(REGISTRAR_LOGIN, "read")
        yield _rule("auth/cert/certs", "list")
    yield _rule("identity/entity/id/+", "read")
    yield _rule(f"{trust.root_mount}/roles", "list")
    for path in (f"{trust.issuing_mount}/roles/+", "auth/token/roles/+"):
        yield _rule(path, "read")
    for mount in (trust.root_mount, trust.issuing_mount):
        for part in ("cluster", "crl", "auto-tidy"):
            yield _rule(f"{mount}/config/{part}", "read")
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
    path: str,
    *capabilities: str,
    allow: _Parameters | None = None,
    deny: _Parameters | None = None,
    need: Sequence[str] = (),
    **more: str,
) -> str:
    lines = [f"  capabilities = {json.dumps(capabilities)}"]
    for name, parameters in (("allowed_parameters", allow), ("denied_parameters", deny)):
        if parameters:
            inner = [
                f"    {json.dumps(key)} = {json.dumps(list(values))}" for key, values in parameters.items()
            ]
            lines += [f"  {name} = {{", *inner, "  }"]
    if need:
        lines.append(f"  required_parameters = {json.dumps(list(need))}")
    lines += [f"  {key} = {json.dumps(value)}" for key, value in more.items()]
    return "\n".join([f"path {json.dumps(path)} {{", *lines, "}", ""])
