"""Revocation: every certificate of a device at once, and the lists that verifiers fetch (RFC 5280 5).

With automatic rebuilding the server makes a complete CRL at half of its life and a delta CRL at its interval;
a revocation does not wait for either: every one here has both generated at once.
"""

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from heiiki.errors import CertificateError
from heiiki.pki.server.connection import Vault
from heiiki.plan.model import Identity, Pki


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate that the issuing CA keeps.

    Attributes:
        serial: as the API writes it: octets in hexadecimal, colons between.
        names: its host names.
    """

    serial: str
    names: frozenset[str]
    not_before: datetime
    not_after: datetime


@dataclass(frozen=True, slots=True)
class Revocation:
    """The certificates of a device that is revoked.

    Attributes:
        serials: every one that has not expired.
        new: those among them that were revoked now.
    """

    serials: tuple[str, ...]
    new: tuple[str, ...]


def issued(vault: Vault, trust: Pki) -> tuple[Issued, ...]:
    """Return every certificate that the issuing CA has made and not yet tidied away, CAs' left out.

    One call, however many there are; a server without it (HashiCorp Vault) is asked for each.
    The session is that of AppRole revoker, enroller or auditor.
    """
    mount = trust.issuing_mount
    if known := vault.details(f"{mount}/certs/detailed"):
        return tuple(_described(serial, told) for serial, told in known.items() if told.get("dns_names"))
    serials = vault.names(f"{mount}/certs")
    said = vault.each(lambda one: vault.read(f"{mount}/cert/{one}"), serials)
    read = (_read(serial, one["certificate"]) for serial, one in zip(serials, said, strict=True) if one)
    return tuple(one for one in read if one.names)


def _described(serial: str, told: Mapping[str, Any]) -> Issued:
    begins, ends = (datetime.fromisoformat(told[key]) for key in ("not_before", "not_after"))
    return Issued(_written(serial), frozenset(told["dns_names"]), begins, ends)


def _read(serial: str, pem: str) -> Issued:
    content = x509.load_pem_x509_certificate(pem.encode())
    try:
        found = content.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names = frozenset(found.get_values_for_type(x509.DNSName))
    except x509.ExtensionNotFound:
        names = frozenset()  # a CA
    return Issued(_written(serial), names, content.not_valid_before_utc, content.not_valid_after_utc)


def _written(serial: str) -> str:
    return serial.replace("-", ":")


def of_device(found: Iterable[Issued], identity: Identity) -> tuple[Issued, ...]:
    """Return the certificates among `found` that bear a name of `identity`, and have not expired."""
    now = datetime.now(UTC)
    return tuple(one for one in found if one.not_after > now and one.names & set(identity.dns))


def newest(found: Iterable[Issued], identities: Iterable[Identity]) -> dict[str, tuple[str, ...]]:
    """Return the serials of each device's newest certificates; several when they begin in the same second."""
    device = {name: one.device for one in identities for name in one.dns}
    latest: dict[str, list[Issued]] = {}
    for one in found:
        for owner in {device[name] for name in one.names if name in device}:
            others = latest.setdefault(owner, [])
            if not others or one.not_before > others[0].not_before:
                latest[owner] = [one]
            elif one.not_before == others[0].not_before:
                others.append(one)
    return {owner: tuple(one.serial for one in several) for owner, several in latest.items()}


def revoked_since(vault: Vault, trust: Pki) -> dict[str, str]:
    """Return the serials of revoked certificates that are still kept, and since when each is (UTC, ISO 8601).

    From the CA's own register, for a list may be some minutes old. Sessions as for `issued`.
    """
    mount = trust.issuing_mount
    serials = vault.names(f"{mount}/certs/revoked")
    said = vault.each(lambda one: vault.read(f"{mount}/cert/{one}"), serials)
    return {
        _written(serial): datetime.fromtimestamp(one["revocation_time"], UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        for serial, one in zip(serials, said, strict=True)
        if one
    }


def revoke_device(vault: Vault, trust: Pki, identity: Identity, keep: Container[str] = ()) -> Revocation:
    """Revoke every certificate of a device that is still good, and publish the lists that say so.

    Earlier certificates count too, for a stolen device may still hold the keys of one. What appears meanwhile
    is revoked as well: one that was being signed. The lists are published even when there was nothing to
    revoke, which completes an interrupted run.

    Args:
        vault: a session of AppRole revoker.
        trust: the service's.
        identity: whose certificates.
        keep: serials that stay good.
    """
    new: list[str] = []
    while True:
        mine = tuple(
            one.serial for one in of_device(issued(vault, trust), identity) if one.serial not in keep
        )
        known = {*new, *map(_written, vault.names(f"{trust.issuing_mount}/certs/revoked"))}
        good = [serial for serial in mine if serial not in known]
        if not good:
            break
        for serial in good:
            vault.write(f"{trust.issuing_mount}/revoke", {"serial_number": serial})
        new += good
    publish(vault, trust)
    return Revocation(mine, tuple(new))


def revoke_replaced(vault: Vault, trust: Pki, identity: Identity, serial: str) -> tuple[str, ...]:
    """Revoke every certificate of a device but the one that replaces them; returns the serials revoked now.

    The session is that of AppRole revoker.

    Raises:
        CertificateError: the CA has made the device no certificate with that serial; nothing was revoked.
    """
    if serial not in {one.serial for one in of_device(issued(vault, trust), identity)}:
        raise CertificateError(
            f"{identity.device} says that it has the certificate {serial}, which its CA has not made for it: "
            "nothing was revoked; if the device is no longer ours, run revoke.yml"
        )
    return revoke_device(vault, trust, identity, keep={serial}).new


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
