"""What the plan wants of the Vault server, as settings: a path of its API and the values that stand there."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from heiiki.pki.server import roles
from heiiki.pki.server.policies import (
    REGISTRAR,
    REGISTRAR_LOGIN,
    AppRole,
    approle_policies,
    device_policy,
    registrar_login,
    registrar_policy,
)
from heiiki.pki.server.roles import DEVICE_POLICY
from heiiki.plan.model import Identity, Pki, Plan, Registrar

_HOUR = 3600
_LOGIN_S = 1200
SECRET_ID_S = 90 * 24 * _HOUR
"""Life of the secret id of a log-in, seconds: `heiiki.pki.server.secret_ids` renews it in time."""
_OCSP_LIFE = "1h"
_KEPT_VERSIONS = 5
_TIDY_S = 12 * _HOUR
"""How often certificates that have expired are removed."""


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


REGISTRAR_MOUNT = Mount("sys/auth", "cert", "cert", "The registration authority, by its certificate", {}, 0)


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
        # A secret id ends with the longest lease of its engine, if not before.
        Mount("sys/auth", "approle", "approle", "One role a purpose", {}, SECRET_ID_S),
        *((REGISTRAR_MOUNT,) if trust.registrar else ()),
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
    urls = [f"https://{one.service_address}:{trust.port}/v1/{mount}" for one in trust.servers]
    return {
        "issuing_certificates": [f"{url}/issuer/{issuer}/der" for url in urls],
        "crl_distribution_points": [f"{url}/issuer/{issuer}/crl/der" for url in urls],
        "ocsp_servers": [f"{url}/ocsp" for url in urls],
    }


def role_settings(plan: Plan) -> Iterator[Setting]:
    """Yield the roles of the issuing CA: one for each holder of a certificate, for its own names.

    That of a device which is revoked in the intent signs nothing.
    """
    revoked = {device.name for device in plan.devices if device.revoked}
    for one in identities(plan):
        values = roles.revoked_role(plan.pki) if one.device in revoked else roles.role(plan.pki, one)
        yield Setting(roles.role_path(plan.pki, one.device), values)


def token_settings(plan: Plan) -> Iterator[Setting]:
    """Yield the roles by which devices' tokens are made, each bound to the addresses of its device.

    Controllers may use them as well: they make them, and try what a device that is revoked can still do.
    """
    sources = {device.name: device.sources for device in plan.devices}
    for one in identities(plan):
        where = (*sources.get(one.device, ()), *plan.pki.controllers)
        yield Setting(roles.token_role_path(one.device), roles.token_role(one.device, where))


def access_settings(plan: Plan) -> Iterator[Setting]:
    """Yield who may log in, from where, and for how long without a new secret id."""
    for approle in AppRole:
        yield Setting(
            f"auth/approle/role/{approle}",
            {
                "bind_secret_id": True,
                "token_policies": [str(approle)],
                "token_no_default_policy": True,
                "secret_id_bound_cidrs": [str(one) for one in sorted(set(plan.pki.controllers))],
                "secret_id_ttl": SECRET_ID_S,
                "token_bound_cidrs": roles.cidrs(plan.pki.controllers),
                "token_ttl": _LOGIN_S,
                "token_max_ttl": _LOGIN_S,
                "token_type": "service",
            },
        )


def registrar_setting(one: Registrar, certificate: str) -> Setting:
    """Return how the registration authority logs in: from its own addresses, for a moment.

    By which certificate is for `heiiki.pki.registrar`: that comes from its host, and stays as it stands.
    """
    return Setting(REGISTRAR_LOGIN, {**registrar_login(one), "certificate": certificate})


def quota_settings() -> Iterator[Setting]:
    """Yield how many requests a second the server answers to one address, and how many log-ins.

    What it refuses for that reason is not in its audit log: who is not logged in costs little.
    """
    for name, path, rate, block_s in (("requests", "", 2000, 0), ("log-ins", "auth/approle/", 50, 1)):
        values = {"path": path, "rate": rate, "interval": 1, "block_interval": block_s}
        yield Setting(f"sys/quotas/rate-limit/heiiki-{name}", values)


def policies(plan: Plan, accessor: str) -> dict[str, str]:
    """Return every policy by its name.

    Args:
        plan: the service.
        accessor: of the server's log-in method ``token``, by which a policy knows whose token it is.
    """
    return {
        **{str(approle): text for approle, text in approle_policies(plan.pki).items()},
        DEVICE_POLICY: device_policy(plan.pki, accessor, identities(plan)),
        **({REGISTRAR: registrar_policy(plan.pki, one.devices)} if (one := plan.pki.registrar) else {}),
    }
