"""What a device may have of the Vault server: a role of the issuing CA, and a role for its tokens.

The role of the CA holds the names of one device, and is the mark of its revocation as well: a role without
names signs nothing, whatever token asks. Values are those that the server shows.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Any

from heiiki.plan.model import DeviceClass, Identity, Pki

DEVICE_POLICY = "device"
DEVICE_TOKEN_S = 300
"""Life of a device's token, seconds; it is good for one call."""
XMPP_NAME = "1.3.6.1.5.5.7.8.5"
"""id-on-xmppAddr (RFC 6120 13.7.1.4)."""
IPSEC_IKE = "1.3.6.1.5.5.7.3.17"
"""id-kp-ipsecIKE: an extended key usage for IKE must hold it or anyExtendedKeyUsage (RFC 4945 5.1.3.12)."""

_HOUR = 3600
NOT_BEFORE_S = _HOUR
"""A certificate begins so much earlier than it was made: a verifier whose clock is late takes it."""
_ONE_HOST = 32

Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Usage:
    """What the certificates of a class are good for (RFC 5280 4.2.1.12), beside digital signatures."""

    tls_server: bool = False
    tls_client: bool = False
    ike: bool = False


USAGES = {
    DeviceClass.ROUTER: Usage(tls_client=True, ike=True),
    DeviceClass.GATEWAY: Usage(tls_client=True, ike=True),
    # A gateway that is the access point of its LAN is the server of EAP-TLS there (RFC 5216 5.3).
    DeviceClass.ACCESS_POINT: Usage(tls_server=True, tls_client=True, ike=True),
    # Others connect to a controller too: direct control. A server of XMPP asks both usages of its clients.
    DeviceClass.EMS: Usage(tls_server=True, tls_client=True),
    DeviceClass.SERVER: Usage(tls_server=True, tls_client=True),
    DeviceClass.ESP: Usage(tls_client=True),
    DeviceClass.OPERATOR: Usage(tls_client=True),
}


def role_path(trust: Pki, device: str) -> str:
    """Return the path of a device's role at the issuing CA."""
    return f"{trust.issuing_mount}/roles/{device}"


def token_role_path(device: str) -> str:
    """Return the path of the role by which a device's tokens are made."""
    return f"auth/token/roles/{device}"


def role(trust: Pki, identity: Identity) -> Values:
    """Return the role of a device at the issuing CA: to sign the plan's names of it, and no other."""
    names = {
        "allowed_domains": list(identity.dns),
        "allowed_uri_sans": list(identity.uris),
        "allowed_other_sans": [f"{XMPP_NAME};UTF8:{jid}" for jid in identity.jids],
        # Which addresses, the policy of device tokens says; the role can only tell whether any.
        "allow_ip_sans": bool(identity.addresses),
    }
    return {**names, **_usage(USAGES[identity.kind]), **_common(trust)}


def revoked_role(trust: Pki) -> dict[str, Any]:
    """Return what stands in place of a revoked device's role: it has no name that it could sign.

    The revoker may write these values to a role and no others.
    """
    names: dict[str, Any] = {key: [] for key in _ROLE_NAMES}
    return {**names, "allow_ip_sans": False, **_usage(Usage()), **_common(trust)}


def is_mark(values: Values | None) -> bool:
    """Tell whether the values of a role are the mark of a revocation; a role that is missing is none."""
    return values is not None and not (values.get("allowed_domains") or values.get("allow_any_name"))


def token_role(device: str, sources: Iterable[IPv4Network]) -> Values:
    """Return the role of a device's tokens: for one call, under one policy, from its own addresses.

    The alias ties the token to the device: the policy knows by it which role of the CA may be used.
    """
    return {
        "allowed_policies": [DEVICE_POLICY],
        "allowed_policies_glob": [],
        "allowed_entity_aliases": [device],
        "orphan": True,
        "renewable": False,
        "token_bound_cidrs": cidrs(sources),
        "token_explicit_max_ttl": DEVICE_TOKEN_S,
        "token_no_default_policy": True,
        "token_num_uses": 1,
        "token_type": "service",
    }


def cidrs(sources: Iterable[IPv4Network]) -> list[str]:
    """Return addresses and prefixes as the server shows those that a token is bound to."""
    ordered = sorted(set(sources))
    return [str(one.network_address) if one.prefixlen == _ONE_HOST else str(one) for one in ordered]


def sent(values: Values) -> dict[str, str]:
    """Return values as texts, which the server takes for values of every type.

    It compares parameters with those that a policy allows as they were sent, and refuses JSON of more than
    1,000 texts.
    """
    return {key: _text(value) for key, value in values.items()}


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(value) if isinstance(value, list) else str(value)


def marking(trust: Pki) -> dict[str, list[str]]:
    """Return what a policy allows who marks a device: the values of the mark and no others."""
    return _bounds((revoked_role(trust),), free=())


def writing(trust: Pki) -> dict[str, list[str]]:
    """Return what a policy allows who writes roles at the CA: any names, the rest as some class has it."""
    classes = [revoked_role(trust) | _usage(usage) | {"allow_ip_sans": True} for usage in USAGES.values()]
    return _bounds((revoked_role(trust), *classes), free=_ROLE_NAMES)


def writing_tokens() -> dict[str, list[str]]:
    """Return what a policy allows who writes roles for tokens: any device, the rest as it is."""
    return _bounds((token_role("", ()),), free=_TOKEN_ROLE_NAMES)


def _bounds(every: Iterable[Values], free: Iterable[str]) -> dict[str, list[str]]:
    """Return of each parameter the values that some role has; of those that are `free`, any (none named)."""
    found: dict[str, dict[str, None]] = {}
    for values in every:
        for key, text in sent(values).items():
            found.setdefault(key, {})[text] = None
    return {key: [] if key in set(free) else list(texts) for key, texts in found.items()}


_ROLE_NAMES = ("allowed_domains", "allowed_uri_sans", "allowed_other_sans")
_TOKEN_ROLE_NAMES = ("allowed_entity_aliases", "token_bound_cidrs")


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


def _common(trust: Pki) -> dict[str, Any]:
    life_s = trust.lifetimes.certificate_h * _HOUR
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
        "not_before_duration": NOT_BEFORE_S,
        "ttl": life_s,
        "max_ttl": life_s,
    }
