"""Certificates that must be refused: keys made here and thrown away, signed by the CA or a made-up one."""

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from heiiki.errors import HeiikiError
from heiiki.pki.issue import general_names, mint, signing_call
from heiiki.pki.revoke import revoke
from heiiki.pki.server.desired import serial_text
from heiiki.pki.server.login import Access, logged_in
from heiiki.pki.server.policies import AppRole
from heiiki.plan.model import Device, Identity, Plan

NO_AUTHORITY = "no CA was asked to make it: the Vault server of the lab is not known here"

_BRIEF_S, _LONG = 2, "10m"


class Authority(Protocol):
    """The service's own CA, as far as the attempts need it."""

    def sign(self, identity: Identity, csr: str, life: str) -> str:
        """Return a certificate with the names of `identity`, good for `life` (``2s``, ``10m``), in PEM."""

    def revoke(self, certificate: str) -> None:
        """Revoke a certificate and publish the lists."""


class VaultAuthority:
    """The CA in Vault; each call logs in for the purpose that it serves."""

    def __init__(self, plan: Plan, access: Access) -> None:
        """Ask the server that `access` leads to."""
        self._trust = plan.pki
        self._access = access

    def sign(self, identity: Identity, csr: str, life: str) -> str:
        """Have it signed under a token of the device's own, as an enrolment does."""
        with logged_in(self._access, AppRole.ENROLLER) as vault:
            wrapped = mint(vault, identity)
            opened = vault.with_token(wrapped.token).write("sys/wrapping/unwrap", {})
            path, names = signing_call(self._trust, identity)
            device = vault.with_token(opened["auth"]["client_token"])
            return str(device.write(path, {**names, "csr": csr, "ttl": life})["data"]["certificate"])

    def revoke(self, certificate: str) -> None:
        """Revoke it, and publish the lists."""
        number = x509.load_pem_x509_certificate(certificate.encode()).serial_number
        with logged_in(self._access, AppRole.REVOKER) as vault:
            revoke(vault, self._trust, (serial_text(number),))


@dataclass(frozen=True, slots=True)
class Credential:
    """A key and its certificate, both PEM."""

    certificate: str
    key: str = field(repr=False)


def credentials(
    plan: Plan, device: str, authority: Authority | None, other: Identity | None = None
) -> tuple[dict[str, Credential], str]:
    """Return what the attempts of `device` present, by the name of the attempt, and why some is missing.

    Another's name is that of `other`, or of a device of the same class. Without an authority, or when it
    refuses, only what a made-up CA can sign is there.
    """
    own = plan.device(device)
    if own.identity is None:
        return {}, f"the plan gives {device} no identity"
    made = {"foreign CA": foreign(own.identity)}
    if authority is None:
        return made, NO_AUTHORITY
    try:
        revoked = signed(authority, own.identity, _LONG)
        made["another's name"] = signed(authority, other or _other(plan, own), _LONG)
        made["expired certificate"] = _expired(authority, own.identity)
        # A device is revoked when its newest certificate is: this one never is, wherever a run is cut off.
        authority.revoke(revoked.certificate)
        made["revoked certificate"] = revoked
    except HeiikiError as error:
        return made, f"no certificate for the attempt: {error}"
    return made, ""


def _other(plan: Plan, own: Device) -> Identity:
    """Another device of the same class."""
    others = (
        item
        for item in plan.identities()
        if own.identity is not None and item.kind is own.identity.kind and item.device != own.name
    )
    return next(others, plan.pki.operator)


def _key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _pem(key: ec.EllipticCurvePrivateKey) -> str:
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


def _subject(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def signed(authority: Authority, identity: Identity, life: str) -> Credential:
    """Return a certificate with the names of `identity`, good for `life`, by a key that is made here."""
    key = _key()
    request = x509.CertificateSigningRequestBuilder().subject_name(_subject(identity.common_name))
    csr = request.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()
    return Credential(authority.sign(identity, csr, life), _pem(key))


def _expired(authority: Authority, identity: Identity) -> Credential:
    """One that was good, and is no more."""
    made = signed(authority, identity, f"{_BRIEF_S}s")
    ends = x509.load_pem_x509_certificate(made.certificate.encode()).not_valid_after_utc
    time.sleep(max(0.0, (ends - datetime.now(UTC)).total_seconds()) + 1.0)
    return made


def foreign(identity: Identity) -> Credential:
    """Return a certificate with the right names, by a CA that no device here trusts."""
    authority, key = _key(), _key()
    issuer, now = _subject("CA of somebody else"), datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(_subject(identity.common_name))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName(general_names(identity)), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key()), critical=False
        )
    )
    made = builder.sign(authority, hashes.SHA256())
    return Credential(made.public_bytes(serialization.Encoding.PEM).decode(), _pem(key))
