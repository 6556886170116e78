"""Attempts that IPsec must refuse, as VICI takes them.

Each is a connection as the device is sent it, changed in one thing, under a name and with a key of its own;
the running tunnel stays as it is.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from heiiki.design.associations import ACCESS, Association, associations
from heiiki.design.strongswan import Section
from heiiki.plan.model import Plan
from heiiki.verify.ipsec.test_certificates import Credential

_TIMEOUT_MS = 4000
_FOLDERS = {"certs": "/etc/swanctl/x509", "cacerts": "/etc/swanctl/x509ca"}
_LISTS = frozenset(
    {"local_addrs", "remote_addrs", "proposals", "esp_proposals", "local_ts", "remote_ts", *_FOLDERS}
)


@dataclass(frozen=True, slots=True)
class Trial:
    """One thing that must be refused.

    Attributes:
        name: what it is.
        cause: what the refusing side's log must say; ``{id}`` is the identity that was claimed.
        answer: the error notification that the initiator must receive (RFC 7296 3.10.1).
    """

    name: str
    cause: str
    answer: str


_UNAUTHENTICATED = "AUTH_FAILED|AUTHENTICATION_FAILED"
FOREIGN = Trial("foreign CA", r"no issuer certificate found for", _UNAUTHENTICATED)
EXPIRED = Trial("expired certificate", r"certificate invalid \(valid from", _UNAUTHENTICATED)
REVOKED = Trial("revoked certificate", r"certificate was revoked on", _UNAUTHENTICATED)
# Who holds the true certificate of that name, from a session before, says that the signature is another's.
NAME = Trial(
    "another's name",
    r"no trusted \w+ public key found for '{id}'|no matching peer config found|signature validation failed",
    _UNAUTHENTICATED,
)
SELECTOR = Trial(
    "wrong selector",
    r"traffic selectors .* unacceptable|no matching CHILD_SA config found",
    "TS_UNACCEPT|TS_UNACCEPTABLE",
)
IKE_SUITE = Trial("IKE by another suite", r"configured proposals: (?P<shown>IKE:.*)", "NO_PROP")
ESP_SUITE = Trial("ESP by another suite", r"configured proposals: (?P<shown>ESP:.*)", "NO_PROP")
"""A daemon that refuses a suite logs those that it has loaded: no command lists them."""
_OTHER_IKE, _OTHER_ESP = "aes128-sha256-modp2048", "aes128-sha256-ecp256"
_BY_CERTIFICATE = (NAME, FOREIGN, EXPIRED, REVOKED)
TRIALS = (*_BY_CERTIFICATE, SELECTOR, IKE_SUITE, ESP_SUITE)
"""In this order: a daemon tries again, and logs, what it was shown before under the same name. So the one
whose cause the certificates of the others have too comes first."""


def attempts(
    plan: Plan, association: Association, base: Section, made: Mapping[str, Credential]
) -> Iterator[dict[str, Any]]:
    """Yield what probe ``vici`` needs to try each; those without a credential are left out."""
    for trial in _BY_CERTIFICATE:
        if trial.name in made:
            yield _with_certificate(trial, base, made[trial.name])
    yield _with_child(SELECTOR, base, _foreign_selector(plan, association))
    yield _ike_sa(IKE_SUITE, {**as_message(base), "proposals": [_OTHER_IKE]})
    yield _with_child(ESP_SUITE, base, {"esp_proposals": [_OTHER_ESP]})


def _with_certificate(trial: Trial, base: Section, credential: Credential) -> dict[str, Any]:
    message = as_message(base)
    local = _round(message, "local")
    message[local] = {**message[local], "certs": [credential.certificate]}
    return {**_ike_sa(trial, message), "key": credential.key}


def _ike_sa(trial: Trial, message: Section) -> dict[str, Any]:
    """An IKE SA of its own, beside the running one."""
    name = _name(trial)
    message |= {"unique": "never", "keyingtries": "1", "children": _only_child(message, name)}
    return {
        "name": trial.name,
        "connection": {name: message},
        "terminate": {"ike": name},
        "timeout_ms": _TIMEOUT_MS,
    }


def _with_child(trial: Trial, base: Section, changed: Section) -> dict[str, Any]:
    """One more ESP SA below the running IKE SA, with something `changed`.

    The daemon puts it there because everything else of the connection is the same.
    """
    name = _name(trial)
    message = as_message(base)
    children = _only_child(message, name)
    children[name] |= changed
    return {
        "name": trial.name,
        "connection": {name: {**message, "children": children}},
        "terminate": {"child": name},
        "timeout_ms": _TIMEOUT_MS,
    }


def _foreign_selector(plan: Plan, association: Association) -> Section:
    """Another site's tunnel; or, where all of IPv4 is allowed, IPv6."""
    wanted = association.initiator.connection.selector
    if not wanted.local.prefixlen:
        return {"local_ts": ["::/0"], "remote_ts": ["::/0"]}
    return {
        "local_ts": [
            f"{_elsewhere(plan, association)}/32" + (f"[{wanted.protocol}]" if wanted.protocol else "")
        ]
    }


def _elsewhere(plan: Plan, association: Association) -> str:
    """An address that is not the device's: another site's, or the Vault server's."""
    others = (
        one.initiator.connection.local
        for one in associations(plan)
        if one.protects == ACCESS
        and one.network == association.network
        and one.initiator.device != association.initiator.device
    )
    return str(next(others, plan.pki.address))


def _name(trial: Trial) -> str:
    return f"probe-{trial.name.split()[0].replace(chr(39), '')}"


def _only_child(message: Section, name: str) -> Section:
    """The connection's child under another name, made only when asked for."""
    (child,) = message["children"].values()
    passive = {"start_action": "none", "close_action": "none", "dpd_action": "clear"}
    return {name: {**child, **passive}}


def _round(message: Section, side: str) -> str:
    return next(key for key in message if key == side or key.startswith(f"{side}-"))


def as_message(section: Section) -> Section:
    """Return a connection of the file as a VICI message: lists apart, certificates by content."""
    message: Section = {}
    for key, value in section.items():
        if isinstance(value, dict):
            message[key] = as_message(value)
        elif key in _LISTS:
            items = [item.strip() for item in value.split(",")]
            message[key] = [_content(key, item) for item in items] if key in _FOLDERS else items
        else:
            message[key] = value
    return message


def _content(kind: str, name: str) -> dict[str, str]:
    return {"file": str(PurePosixPath(_FOLDERS[kind]) / name)}
