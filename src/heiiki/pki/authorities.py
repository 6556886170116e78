"""The CAs: made, replaced and retired. A CA's key is born in the server and never leaves it.

Rotation without an interruption of service goes in steps, each of which may be repeated:

1. `rotate_root` (only when the root itself is replaced): a new root beside the old one. Every device gets
   both (`trust_anchors`) before anything else happens.
2. `rotate_issuing`: a new issuing CA, signed by the newest root, signs from now on; the old one signs its CRL
   and OCSP answers, nothing else. Devices renew; verifiers fetch the CRLs of both
   (`heiiki.pki.revoke.crls`).
3. `retire`, when no certificate of an old CA is in use: it is removed, and with an old root its trust;
   devices get the anchors again.

A step that was cut off, because the server died in the middle, is made good by `complete`.
`heiiki.pki.rotation` takes these steps in order, and none before the devices are ready for it.
"""

import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding

from heiiki.errors import VaultError, VaultFault
from heiiki.pki.server.connection import Vault
from heiiki.pki.server.desired import issuer_urls, serial_text
from heiiki.pki.server.roles import NOT_BEFORE_S
from heiiki.plan.model import Pki, Plan

_SIGNS = "read-only,issuing-certificates,crl-signing,ocsp-signing"
_SIGNED_ONCE = "read-only,crl-signing,ocsp-signing"
_MARGIN = 1.1
_OURS = re.compile(r"(root|issuing)-\d+")


@dataclass(frozen=True, slots=True)
class Authority:
    """A CA certificate in an engine.

    Attributes:
        mount: path of the engine.
        id: identifier that the engine gave it; never used again.
        name: ``root-1``, ``issuing-1``...; the number grows with each rotation.
        pem: the certificate.
        key: the engine's name for its key; empty for the roots that the issuing engine holds to complete
            chains.
        current: new certificates are signed by it.
    """

    mount: str
    id: str
    name: str
    pem: str
    key: str
    current: bool

    @property
    def certificate(self) -> x509.Certificate:
        """The certificate, parsed."""
        return x509.load_pem_x509_certificate(self.pem.encode())

    @property
    def number(self) -> int:
        """Sequence number of the CA; 0 if we did not name it."""
        tail = self.name.rpartition("-")[2]
        return int(tail) if tail.isdecimal() else 0

    @property
    def path(self) -> str:
        """Path of the issuer in the API."""
        return f"{self.mount}/issuer/{self.id}"


def authorities(vault: Vault, mount: str) -> tuple[Authority, ...]:
    """Return the CA certificates of an engine, the oldest first."""
    ids = vault.names(f"{mount}/issuers")
    if not ids:
        return ()
    default = (vault.read(f"{mount}/config/issuers") or {}).get("default")
    found = vault.each(lambda one: (one, vault.read(f"{mount}/issuer/{one}")), ids)
    every = (
        Authority(
            mount,
            one,
            said["issuer_name"],
            said["certificate"],
            key := said["key_id"] or "",
            bool(key) and one == default,
        )
        for one, said in found
        if said
    )
    return tuple(sorted(every, key=lambda one: (one.number, one.name)))


def trust_anchors(vault: Vault, trust: Pki) -> str:
    """Return the certificates of every root that is to be trusted, PEM, the newest first; needs no token.

    Raises:
        VaultError: there is none.
    """
    ids = vault.names(f"{trust.root_mount}/issuers")
    pems = [vault.fetch(f"{trust.root_mount}/issuer/{one}/pem").decode() for one in ids]
    if not pems:
        raise _no_ca(vault, trust.root_mount)
    parsed = sorted((x509.load_pem_x509_certificate(pem.encode()) for pem in pems), key=_begins, reverse=True)
    return "".join(one.public_bytes(Encoding.PEM).decode() for one in parsed)


def foreign(vault: Vault, plan: Plan) -> Iterator[Authority]:
    """Yield the CAs of the server that are not the service's: of another name, or signed by no root of it."""
    roots = authorities(vault, plan.pki.root_mount)
    ours = [one for one in roots if one.certificate.subject == one.certificate.issuer and _is_ours(plan, one)]
    for one in (*roots, *authorities(vault, plan.pki.issuing_mount)):
        if not _is_ours(plan, one) or not any(_signed(root, one) for root in ours):
            yield one


def _is_ours(plan: Plan, one: Authority) -> bool:
    kind, name = one.name.rpartition("-")[0], one.certificate.subject.rfc4514_string()
    return bool(_OURS.fullmatch(one.name)) and name == f"CN={common_name(plan, kind, one.number)}"


def _signed(root: Authority, one: Authority) -> bool:
    try:
        one.certificate.verify_directly_issued_by(root.certificate)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def every(vault: Vault, trust: Pki) -> tuple[x509.Certificate, ...]:
    """Return the certificates of every CA of the service, roots and issuing CAs; needs no token.

    Raises:
        VaultError: there is none, or the server cannot be asked.
    """
    paths = [
        f"{mount}/issuer/{one}/pem"
        for mount in (trust.root_mount, trust.issuing_mount)
        for one in vault.names(f"{mount}/issuers")
    ]
    if not paths:
        raise _no_ca(vault, trust.root_mount)
    return tuple(x509.load_pem_x509_certificate(vault.fetch(path)) for path in paths)


def _begins(certificate: x509.Certificate) -> datetime:
    return certificate.not_valid_before_utc


def expiring(vault: Vault, trust: Pki, now: datetime | None = None) -> Iterator[str]:
    """Yield a warning for each CA that is to be rotated by now; needs no token.

    A CA signs nothing that outlives it: the issuing CA must be good for the life of a device's certificate,
    the root for that of an issuing CA; a tenth more is the time to rotate in.
    """
    lives = {
        trust.issuing_mount: trust.lifetimes.certificate_h,
        trust.root_mount: trust.lifetimes.issuing_h,
    }
    for mount, hours in lives.items():
        current = x509.load_pem_x509_certificate(vault.fetch(f"{mount}/issuer/default/pem"))
        left = current.not_valid_after_utc - (now or datetime.now(UTC))
        if left < timedelta(hours=hours) * _MARGIN:
            ends = current.not_valid_after_utc.date()
            yield f"{current.subject.rfc4514_string()} ends on {ends}: rotate it (role pki, pki_rotate)"


def common_name(plan: Plan, kind: str, number: int) -> str:
    """Return the name of a CA: no two of a service are the same, so that no CRL is taken for another's."""
    return f"Heiiki {plan.service} {kind} CA {number}"


def complete(vault: Vault, plan: Plan, *, check: bool = False) -> tuple[Authority, ...]:
    """Finish what a rotation began that was cut off; returns the CAs that it made current.

    The newest CA of each kind becomes the one that signs, whatever the older are called and may do; a key
    that belongs to no CA is removed.
    """
    trust = plan.pki
    found = []
    for mount, kind in ((trust.root_mount, "root"), (trust.issuing_mount, "issuing")):
        able = [one for one in authorities(vault, mount) if one.key]
        newest = max(able, key=_age, default=None)
        if newest is not None and not (newest.current and _is_settled(vault, trust, newest)):
            found.append(newest)
            if not check:
                name = newest.name or f"{kind}-{_next_number(vault, mount)}"
                _settle(vault, trust, mount, newest.id, name, _SIGNS)
                _make_current(vault, mount, newest.id)
        if newest is not None and mount == trust.issuing_mount and not check:
            _end_signing(vault, trust, [one for one in able if one.id != newest.id])
    if not check:
        drop_orphans(vault, trust)
    return tuple(found)


def _age(authority: Authority) -> tuple[datetime, int]:
    """Certificates begin at a whole second; of two in one second, the one that is not named yet is newer."""
    return _begins(authority.certificate), authority.number or sys.maxsize


def _is_settled(vault: Vault, trust: Pki, one: Authority) -> bool:
    stands = vault.read(one.path)
    wanted = issuer_urls(trust, one.mount, one.id)
    told = all((stands or {}).get(key) == value for key, value in wanted.items())
    return told and one.number > 0 and _uses(stands) == set(_SIGNS.split(","))


def _uses(issuer: Mapping[str, Any] | None) -> set[str]:
    return set((issuer or {}).get("usage", "").split(","))


def _end_signing(vault: Vault, trust: Pki, older: Iterable[Authority]) -> None:
    """Let issuing CAs sign revocation lists and nothing else, where they still do more."""
    for one in older:
        if _uses(vault.read(one.path)) != set(_SIGNED_ONCE.split(",")):
            _settle(vault, trust, one.mount, one.id, one.name, _SIGNED_ONCE)
            vault.read(f"{one.mount}/crl/rotate")


def drop_orphans(vault: Vault, trust: Pki) -> None:
    """Remove the keys that `orphans` names."""
    for path in orphans(vault, trust):
        vault.delete(path)


def orphans(vault: Vault, trust: Pki) -> tuple[str, ...]:
    """Return the paths of keys that a rotation made and that no CA uses; those of others are not named."""
    return tuple(
        f"{mount}/key/{key}"
        for mount in (trust.root_mount, trust.issuing_mount)
        for key in set(vault.names(f"{mount}/keys")) - {one.key for one in authorities(vault, mount)}
        if _OURS.fullmatch((vault.read(f"{mount}/key/{key}") or {}).get("key_name", ""))
    )


def rotate_root(vault: Vault, plan: Plan) -> Authority:
    """Make a root CA beside those there are, and the current one; also how the first comes to be.

    It signs nothing before `rotate_issuing`; distribute `trust_anchors` in between.
    """
    trust = plan.pki
    number = _next_number(vault, trust.root_mount)
    made = vault.write(
        f"{trust.root_mount}/issuers/generate/root/internal",
        {
            "common_name": common_name(plan, "root", number),
            "issuer_name": f"root-{number}",
            "key_name": f"root-{number}",
            "key_type": "ec",
            "key_bits": 256,
            "ttl": f"{trust.lifetimes.root_h}h",
            "not_before_duration": f"{NOT_BEFORE_S}s",
            "max_path_length": 1,
            "exclude_cn_from_sans": True,
        },
    )
    _make_current(vault, trust.root_mount, made["data"]["issuer_id"])
    return _settle(vault, trust, trust.root_mount, made["data"]["issuer_id"], f"root-{number}", _SIGNS)


def rotate_issuing(vault: Vault, plan: Plan) -> Authority:
    """Make an issuing CA, signed by the current root, and let it sign; the older sign no more certificates.

    The certificate permits host names below the service's domain and no others (RFC 5280 4.2.1.10), and no CA
    below itself.
    """
    trust = plan.pki
    mount, number = trust.issuing_mount, _next_number(vault, trust.issuing_mount)
    root = _current(vault, trust.root_mount)
    subject = {"common_name": common_name(plan, "issuing", number), "exclude_cn_from_sans": True}
    asked = vault.write(
        f"{mount}/issuers/generate/intermediate/internal",
        {**subject, "key_name": f"issuing-{number}", "key_type": "ec", "key_bits": 256},
    )
    signed = vault.write(
        f"{trust.root_mount}/issuer/{root.id}/sign-intermediate",
        {
            **subject,
            "csr": asked["data"]["csr"],
            "ttl": f"{trust.lifetimes.issuing_h}h",
            "not_before_duration": f"{NOT_BEFORE_S}s",
            "max_path_length": 0,
            "permitted_dns_domains": trust.domain,
            "use_csr_values": False,
        },
    )
    return _install(vault, trust, (signed["data"]["certificate"], root), number)


def _install(vault: Vault, trust: Pki, chain: tuple[str, Authority], number: int) -> Authority:
    """Take a signed issuing CA and its root into the issuing engine, and let the older ones only revoke."""
    mount, (pem, root) = trust.issuing_mount, chain
    older = [one for one in authorities(vault, mount) if one.key]
    imported = vault.write(f"{mount}/issuers/import/cert", {"pem_bundle": f"{pem}\n{root.pem}"})
    keys = imported["data"]["mapping"]
    [new] = [one for one, key in keys.items() if key]
    for one, key in keys.items():
        if not key:
            vault.write(f"{mount}/issuer/{one}", {"issuer_name": root.name, "leaf_not_after_behavior": "err"})
    made = _settle(vault, trust, mount, new, f"issuing-{number}", _SIGNS)
    _make_current(vault, mount, new)
    _end_signing(vault, trust, older)
    vault.read(f"{mount}/crl/rotate")
    return made


def retire(vault: Vault, plan: Plan) -> tuple[Authority, ...]:
    """Remove every CA that rotation has replaced, its key and its trust; returns what was removed.

    Only when no device uses a certificate of theirs: those are worth nothing afterwards. An issuing CA whose
    root stays is revoked by that root, for its certificate is good for a while yet.
    """
    trust = plan.pki
    removed = retirable(vault, trust)
    for one in removed:
        if one.mount == trust.issuing_mount and one.key:
            vault.write(
                f"{trust.root_mount}/revoke", {"serial_number": serial_text(one.certificate.serial_number)}
            )
    if removed:
        # Before anything is gone: a step that is cut off here is taken again as a whole.
        vault.read(f"{trust.root_mount}/crl/rotate")
    for one in removed:
        vault.delete(one.path)
        if one.key:
            vault.delete(f"{one.mount}/key/{one.key}")
    return removed


def retirable(vault: Vault, trust: Pki) -> tuple[Authority, ...]:
    """Return the CAs that `retire` would remove: neither current, nor above a current one."""
    issuing, roots = authorities(vault, trust.issuing_mount), authorities(vault, trust.root_mount)
    above = {one.certificate.issuer for one in issuing if one.current}
    return tuple(
        one for one in (*issuing, *roots) if not one.current and one.certificate.subject not in above
    )


def ensure_urls(vault: Vault, trust: Pki, *, check: bool) -> Iterator[tuple[str, str, str]]:
    """Bring the addresses that certificates will bear to the plan's; yields path, before, after."""
    for mount in (trust.root_mount, trust.issuing_mount):
        for one in authorities(vault, mount):
            wanted = issuer_urls(trust, mount, one.id)
            stands = vault.read(one.path) or {}
            if one.key and any(stands.get(key) != value for key, value in wanted.items()):
                if not check:
                    _settle(vault, trust, mount, one.id, one.name, stands["usage"])
                yield one.path, _lines({key: stands.get(key) for key in wanted}), _lines(wanted)


def _lines(values: dict[str, object]) -> str:
    return "".join(f"{key}: {value}\n" for key, value in values.items())


def _current(vault: Vault, mount: str) -> Authority:
    for one in authorities(vault, mount):
        if one.current:
            return one
    raise _no_ca(vault, mount)


def _no_ca(vault: Vault, mount: str) -> VaultError:
    return vault.error(VaultFault.MISSING, f"has no CA at {mount}", "run role pki, which makes it")


def _next_number(vault: Vault, mount: str) -> int:
    return 1 + max((one.number for one in authorities(vault, mount) if one.key), default=0)


def _make_current(vault: Vault, mount: str, issuer: str) -> None:
    vault.write(f"{mount}/config/issuers", {"default": issuer})


def _settle(vault: Vault, trust: Pki, mount: str, issuer: str, name: str, usage: str) -> Authority:
    """Write what an issuer is called, may do, and says of itself; the API replaces all of it at once."""
    values = {"issuer_name": name, "leaf_not_after_behavior": "err", "usage": usage}
    said = vault.write(f"{mount}/issuer/{issuer}", {**values, **issuer_urls(trust, mount, issuer)})["data"]
    return Authority(mount, issuer, name, said["certificate"], said["key_id"], usage == _SIGNS)
