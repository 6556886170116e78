"""Revocation: every certificate of a device at once, and the lists that verifiers fetch (RFC 5280 5).

With automatic rebuilding the server makes a complete CRL at half of its life and a delta CRL at its interval;
a revocation does not wait for either: every one here has both generated at once.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from heiiki.errors import CertificateError
from heiiki.pki.server.connection import Vault
from heiiki.plan.model import Identity, Pki


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate that the issuing CA keeps.

    Attributes:
        serial: as the API writes it: octets in hexadecimal, colons between.
        revoked: when, or None.
    """

    serial: str
    content: x509.Certificate
    revoked: datetime | None


def certificates(vault: Vault, trust: Pki) -> Iterator[Certificate]:
    """Yield every certificate that the issuing CA has made and not yet tidied away.

    The session is that of AppRole revoker or auditor.
    """
    mount = trust.issuing_mount
    serials = vault.names(f"{mount}/certs")
    for serial, said in zip(
        serials, vault.each(lambda one: vault.read(f"{mount}/cert/{one}"), serials), strict=True
    ):
        if said is not None:
            since = said.get("revocation_time") or 0
            yield Certificate(
                serial.replace("-", ":"),
                x509.load_pem_x509_certificate(said["certificate"].encode()),
                datetime.fromtimestamp(since, UTC) if since else None,
            )


def of_device(found: Iterable[Certificate], identity: Identity) -> tuple[Certificate, ...]:
    """Return the certificates among `found` that bear a name of `identity`, and have not expired."""
    now = datetime.now(UTC)
    return tuple(
        one for one in found if one.content.not_valid_after_utc > now and _bears(one.content, identity)
    )


def _bears(certificate: x509.Certificate, identity: Identity) -> bool:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return False  # a CA
    uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    return bool({*uris, *names.get_values_for_type(x509.DNSName)} & {*identity.uris, *identity.dns})


def revoke_device(vault: Vault, trust: Pki, identity: Identity) -> tuple[str, ...]:
    """Revoke every certificate of a device that is still good; returns the serials that were revoked now.

    Earlier certificates count too, for a stolen device may still hold the keys of one. The CRLs are
    published even when there was nothing to revoke, which completes an interrupted run.

    The session is that of AppRole revoker.
    """
    good = [one.serial for one in of_device(certificates(vault, trust), identity) if one.revoked is None]
    revoke(vault, trust, good)
    return tuple(good)


def revoke(vault: Vault, trust: Pki, serials: Iterable[str]) -> None:
    """Revoke certificates by serial, and publish the lists that say so.

    Raises:
        VaultError: no certificate has such a serial, or it has expired.
    """
    mount = trust.issuing_mount
    for serial in serials:
        vault.write(f"{mount}/revoke", {"serial_number": serial})
    publish(vault, trust)


def publish(vault: Vault, trust: Pki) -> None:
    """Have the complete and the delta CRL of every issuing CA generated now."""
    vault.read(f"{trust.issuing_mount}/crl/rotate")
    vault.read(f"{trust.issuing_mount}/crl/rotate-delta")


@dataclass(frozen=True, slots=True)
class RevocationList:
    """A CRL and whose it is; its signature was checked.

    Attributes:
        complete: the list itself.
        issuer: certificate of the CA that signed it.
        delta: what was added since, where the CA makes such lists.
    """

    complete: x509.CertificateRevocationList
    issuer: x509.Certificate
    delta: x509.CertificateRevocationList | None

    def revokes(self, certificate: x509.Certificate) -> bool:
        """Tell whether the certificate is on the list, or on its delta."""
        if certificate.issuer != self.issuer.subject:
            return False
        lists = (self.complete, *((self.delta,) if self.delta else ()))
        serial = certificate.serial_number
        return any(one.get_revoked_certificate_by_serial_number(serial) is not None for one in lists)


def crls(vault: Vault, trust: Pki) -> tuple[RevocationList, ...]:
    """Fetch the CRL of every CA, those that were rotated out included; needs no token.

    Raises:
        CertificateError: a list is not signed by its CA.
        VaultError: a CA publishes none.
    """
    return tuple(
        found for mount in (trust.issuing_mount, trust.root_mount) for found in _crls(vault, trust, mount)
    )


def revoked_serials(vault: Vault, trust: Pki) -> tuple[str, ...]:
    """Return the serial of every revoked certificate that has not expired; errors as for `crls`."""
    lists = [part for found in crls(vault, trust) for part in (found.complete, found.delta) if part]
    numbers = {entry.serial_number for part in lists for entry in part}
    return tuple(sorted(number.to_bytes(-(-number.bit_length() // 8), "big").hex(":") for number in numbers))


def _crls(vault: Vault, trust: Pki, mount: str) -> Iterator[RevocationList]:
    for issuer in vault.names(f"{mount}/issuers"):
        path = f"{mount}/issuer/{issuer}"
        ca = x509.load_pem_x509_certificate(vault.fetch(f"{path}/pem"))
        if mount == trust.issuing_mount and ca.issuer == ca.subject:
            continue  # a root, there without its key to complete the chain; its list is the root engine's
        complete, delta = (vault.fetch(f"{path}/crl/{kind}der") for kind in ("", "delta/"))
        yield RevocationList(_checked(complete, ca, path), ca, _checked(delta, ca, path) if delta else None)


def _checked(der: bytes, issuer: x509.Certificate, path: str) -> x509.CertificateRevocationList:
    """Return a CRL whose signature holds."""
    what = f"the CRL at {path}"
    try:
        found = x509.load_der_x509_crl(der)
    except ValueError as error:
        raise CertificateError(f"{what} cannot be read ({error}); keep the former one") from error
    key = issuer.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey) or not found.is_signature_valid(key):
        raise CertificateError(
            f"{what} is not signed by {issuer.subject.rfc4514_string()}; keep the former one"
        )
    return found
