"""What the plan wants of the Vault server, as settings: a path of its API and the values that stand there."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from heiiki.pki.server.policies import (
    DEVICE_TOKEN_S,
    TOKEN_ROLE,
    XMPP_NAME,
    AppRole,
    approle_policies,
    device_policy,
    device_policy_name,
    revoked_policy,
)
from heiiki.plan.model import DeviceClass, Identity, Pki, Plan

_HOUR = 3600
_LOGIN_S = 1200
_NOT_BEFORE_S = 30
"""A certificate begins so much earlier than it was made: clocks differ."""
_OCSP_LIFE = "1h"
_KEPT_VERSIONS = 5
_TIDY_S = 12 * _HOUR
"""How often certificates that have expired are removed."""

IPSEC_IKE = "1.3.6.1.5.5.7.3.17"
"""id-kp-ipsecIKE: an extended key usage for IKE must hold it or anyExtendedKeyUsage (RFC 4945 5.1.3.12)."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What the certificates of a class are good for (RFC 5280 4.2.1.12), beside digital signatures."""

    tls_server: bool = False
    tls_client: bool = False
    ike: bool = False


USAGES = {
    DeviceClass.ROUTER: Usage(tls_client=True, ike=True),
    DeviceClass.GATEWAY: Usage(tls_client=True, ike=True),
    DeviceClass.EMS: Usage(tls_client=True),
    DeviceClass.SERVER: Usage(tls_server=True, tls_client=True),
    DeviceClass.OPERATOR: Usage(tls_client=True),
}


@dataclass(frozen=True, slots=True)
class Setting:
    """Values at a path of the API; others that stand there are left alone."""

    path: str
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Mount:
    """An engine at a path: secrets below `sys/mounts`, log-in methods below `sys/auth`."""

    table: str
    path: str
    kind: str
    description: str
    options: Mapping[str, str]
    max_lease_s: int


def identities(plan: Plan) -> tuple[Identity, ...]:
    """Return everybody who may hold a certificate: the plan's devices, then the operator."""
    return (*plan.identities(), plan.pki.operator)


def base_url(trust: Pki, mount: str) -> str:
    """Return the address of an engine inside the closed networks."""
    return f"https://{trust.service_address}:{trust.port}/v1/{mount}"


def serial_text(number: int) -> str:
    """Return a serial number as the API writes it."""
    data = number.to_bytes((number.bit_length() + 7) // 8 or 1, "big")
    return ":".join(f"{octet:02x}" for octet in data)


def mounts(trust: Pki) -> tuple[Mount, ...]:
    """Return the engines that the service needs."""
    life = trust.lifetimes
    return (
        Mount("sys/mounts", trust.root_mount, "pki", "Root CA", {}, life.root_h * _HOUR),
        Mount("sys/mounts", trust.issuing_mount, "pki", "Issuing CA", {}, life.issuing_h * _HOUR),
        Mount("sys/mounts", trust.secrets_mount, "kv", "Secrets", {"version": "2"}, 0),
        Mount("sys/auth", "approle", "approle", "One role a purpose", {}, 0),
    )


def engine_settings(trust: Pki) -> Iterator[Setting]:
    """Yield how the engines work, apart from CAs, roles and policies."""
    life = trust.lifetimes
    for mount in (trust.root_mount, trust.issuing_mount):
        url = base_url(trust, mount)
        yield Setting(f"{mount}/config/cluster", {"path": url, "aia_path": url})
        yield Setting(
            f"{mount}/config/crl",
            {
                "disable": False,
                "expiry": f"{life.crl_h}h",
                "auto_rebuild": True,
                # Generated at half of its life: a verifier without a new one still has the other half.
                "auto_rebuild_grace_period": f"{life.crl_h * 30}m",
                "enable_delta": True,
                "delta_rebuild_interval": f"{life.delta_crl_min}m",
                "ocsp_disable": False,
                "ocsp_expiry": _OCSP_LIFE,
            },
        )
        yield Setting(
            f"{mount}/config/auto-tidy",
            {
                "enabled": True,
                "interval_duration": _TIDY_S,
                "tidy_cert_store": True,
                "tidy_revoked_certs": True,
                # As long as a list that still names it may be in use.
                "safety_buffer": life.crl_h * _HOUR,
            },
        )
    yield Setting(f"{trust.secrets_mount}/config", {"max_versions": _KEPT_VERSIONS})


def issuer_urls(trust: Pki, mount: str, issuer: str) -> dict[str, Any]:
    """Return where a certificate of `issuer` (its id) says that CRL, OCSP and the issuer itself are.

    They are kept with each issuer, not with the engine, so that after a rotation every certificate names the
    CRL of the CA that signed it.
    """
    url = base_url(trust, mount)
    return {
        "issuing_certificates": [f"{url}/issuer/{issuer}/der"],
        "crl_distribution_points": [f"{url}/issuer/{issuer}/crl/der"],
        "ocsp_servers": [f"{url}/ocsp"],
    }


def role_settings(plan: Plan) -> Iterator[Setting]:
    """Yield the roles of the issuing CA: one a class, for the names of the plan and no other."""
    of: dict[DeviceClass, list[Identity]] = defaultdict(list)
    for identity in identities(plan):
        of[identity.kind].append(identity)
    life = plan.pki.lifetimes.certificate_h * _HOUR
    for kind in DeviceClass:
        path = f"{plan.pki.issuing_mount}/roles/{kind}"
        yield Setting(path, {**_names(of[kind]), **_usage(USAGES[kind]), **_common(life)})


def _names(holders: Iterable[Identity]) -> dict[str, Any]:
    several = tuple(holders)
    return {
        "allowed_domains": [name for one in several for name in one.dns],
        "allowed_uri_sans": [uri for one in several for uri in one.uris],
        "allowed_other_sans": [f"{XMPP_NAME};UTF8:{jid}" for one in several for jid in one.jids],
        # Which addresses, the policy of each device says; the role can only tell whether any.
        "allow_ip_sans": any(one.addresses for one in several),
    }


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "key_usage": ["DigitalSignature"],
        "ext_key_usage": [],
        "ext_key_usage_oids": [IPSEC_IKE] if usage.ike else [],
        "server_flag": usage.tls_server,
        "client_flag": usage.tls_client,
        "code_signing_flag": False,
        "email_protection_flag": False,
    }


def _common(life_s: int) -> dict[str, Any]:
    return {
        "issuer_ref": "default",
        "key_type": "ec",
        "key_bits": 256,
        "signature_bits": 256,
        "allow_any_name": False,
        "allow_bare_domains": True,
        "allow_subdomains": False,
        "allow_glob_domains": False,
        "allow_wildcard_certificates": False,
        "allow_localhost": False,
        "enforce_hostnames": True,
        "cn_validations": ["hostname"],
        "require_cn": True,
        "use_csr_common_name": False,
        "use_csr_sans": False,
        "basic_constraints_valid_for_non_ca": True,
        "no_store": False,
        "generate_lease": False,
        "not_before_duration": _NOT_BEFORE_S,
        "ttl": life_s,
        "max_ttl": life_s,
    }


def access_settings() -> Iterator[Setting]:
    """Yield who may log in and what device tokens are like."""
    yield Setting(
        f"auth/token/roles/{TOKEN_ROLE}",
        {
            "allowed_policies": [],
            "allowed_policies_glob": [device_policy_name("*")],
            "orphan": True,
            "renewable": False,
            "token_explicit_max_ttl": DEVICE_TOKEN_S,
            "token_no_default_policy": True,
            "token_num_uses": 1,
            "token_type": "service",
        },
    )
    for approle in AppRole:
        yield Setting(
            f"auth/approle/role/{approle}",
            {
                "bind_secret_id": True,
                "token_policies": [str(approle)],
                "token_no_default_policy": True,
                "token_ttl": _LOGIN_S,
                "token_max_ttl": _LOGIN_S,
                "token_type": "service",
            },
        )


def quota_settings() -> Iterator[Setting]:
    """Yield how many requests a second the server answers to one address, and how many log-ins.

    What it refuses for that reason is not in its audit log: who is not logged in costs little.
    """
    for name, path, rate, block_s in (("requests", "", 2000, 0), ("log-ins", "auth/approle/", 50, 1)):
        values = {"path": path, "rate": rate, "interval": 1, "block_interval": block_s}
        yield Setting(f"sys/quotas/rate-limit/heiiki-{name}", values)


def policies(plan: Plan) -> dict[str, str]:
    """Return every policy by its name; that of a device which is revoked in the intent denies everything."""
    revoked = {device.name for device in plan.devices if device.revoked}
    return {
        **{str(approle): text for approle, text in approle_policies(plan.pki).items()},
        **{
            device_policy_name(one.device): (
                revoked_policy() if one.device in revoked else device_policy(plan.pki, one)
            )
            for one in identities(plan)
        },
    }
