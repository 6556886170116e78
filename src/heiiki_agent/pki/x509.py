"""Certificates and CRLs (RFC 5280): what is in them."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from hashlib import sha256
from ipaddress import ip_address
from typing import Any, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from heiiki_agent.errors import AgentError
from heiiki_agent.pki.names import Names

XMPP_ADDRESS = ObjectIdentifier("1.3.6.1.5.5.7.8.5")
_UTF8_STRING, _SHORT_LENGTH = 0x0C, 0x80
_PEM, _DER = serialization.Encoding.PEM, serialization.Encoding.DER
_CURVES = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}
_E = TypeVar("_E", bound=x509.ExtensionType)


def now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


def _extension(extensions: x509.Extensions, kind: type[_E]) -> _E | None:
    try:
        return extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _text(name: x509.Name) -> str:
    return ", ".join(f"{item.rfc4514_attribute_name}={item.value!s}" for item in name)


def _issuer_key(extensions: x509.Extensions) -> str:
    found = _extension(extensions, x509.AuthorityKeyIdentifier)
    return (found.key_identifier or b"").hex() if found else ""


def _serial(number: int) -> str:
    """A serial number as Vault writes it: octets in hexadecimal with colons."""
    return number.to_bytes(max(1, (number.bit_length() + 7) // 8)).hex(":")


@dataclass(frozen=True)
class Certificate:
    """A certificate, and what the agent asks of it."""

    parsed: x509.Certificate

    @classmethod
    def read(cls, pem: str) -> "Certificate":
        """Read a certificate in PEM; ValueError when it is none."""
        found = x509.load_pem_x509_certificate(pem.encode())
        found.extensions  # noqa: B018 - parsed here, so that a malformed one fails here
        return cls(found)

    @classmethod
    def read_der(cls, data: bytes) -> "Certificate":
        """Read a certificate in DER; ValueError when it is none."""
        found = x509.load_der_x509_certificate(data)
        found.extensions  # noqa: B018 - as above
        return cls(found)

    @cached_property
    def pem(self) -> str:
        """The certificate in PEM, with a newline at its end."""
        return self.parsed.public_bytes(_PEM).decode()

    @cached_property
    def sha256(self) -> str:
        """Fingerprint: SHA-256 of the certificate, hexadecimal."""
        return self.parsed.fingerprint(hashes.SHA256()).hex()

    @property
    def serial(self) -> str:
        """Serial number, as Vault writes it."""
        return _serial(self.parsed.serial_number)

    @property
    def subject(self) -> str:
        """Subject on one line."""
        return _text(self.parsed.subject)

    @property
    def issuer(self) -> str:
        """Issuer on one line."""
        return _text(self.parsed.issuer)

    @property
    def not_before(self) -> datetime:
        """When it begins to be valid."""
        return self.parsed.not_valid_before_utc

    @property
    def not_after(self) -> datetime:
        """When it expires."""
        return self.parsed.not_valid_after_utc

    @property
    def ca(self) -> bool:
        """Whether it may issue certificates."""
        constraints = _extension(self.parsed.extensions, x509.BasicConstraints)
        return constraints is not None and constraints.ca

    @property
    def self_issued(self) -> bool:
        """Whether subject and issuer are the same: a root."""
        return self.parsed.subject == self.parsed.issuer

    @property
    def spki(self) -> bytes:
        """The public key (SubjectPublicKeyInfo, DER)."""
        return _spki(self.parsed.public_key())

    @property
    def key(self) -> dict[str, str | int]:
        """Algorithm, curve and length in bits of the key."""
        key = self.parsed.public_key()
        if isinstance(key, ec.EllipticCurvePublicKey):
            curve = _CURVES.get(key.curve.name, key.curve.name)
            return {"algorithm": "EC", "curve": curve, "bits": key.curve.key_size}
        bits = key.key_size if isinstance(key, rsa.RSAPublicKey) else 0
        return {"algorithm": type(key).__name__.removesuffix("PublicKey"), "curve": "", "bits": bits}

    @property
    def subject_key(self) -> str:
        """Identifier of its key, hexadecimal; empty when it bears none."""
        found = _extension(self.parsed.extensions, x509.SubjectKeyIdentifier)
        return found.digest.hex() if found else ""

    @property
    def authority_key(self) -> str:
        """Identifier of its issuer's key, hexadecimal; empty when it bears none."""
        return _issuer_key(self.parsed.extensions)

    @cached_property
    def _alternatives(self) -> tuple[Names, tuple[str, ...]]:
        found: dict[str, list[str]] = {"dns": [], "addresses": [], "uris": [], "jids": []}
        others: list[str] = []
        for name in _extension(self.parsed.extensions, x509.SubjectAlternativeName) or ():
            if isinstance(name, x509.DNSName):
                found["dns"].append(name.value)
            elif isinstance(name, x509.UniformResourceIdentifier):
                found["uris"].append(name.value)
            elif isinstance(name, x509.IPAddress):
                found["addresses"].append(str(name.value))
            elif isinstance(name, x509.OtherName) and name.type_id == XMPP_ADDRESS:
                found["jids"].append(_utf8_string(name.value))
            else:
                others.append(f"{type(name).__name__} {name.value!s}")
        return Names(**{kind: tuple(names) for kind, names in found.items()}), tuple(others)

    @property
    def names(self) -> Names:
        """Its alternative names."""
        return self._alternatives[0]

    @property
    def unexpected(self) -> tuple[str, ...]:
        """Alternative names of kinds that no certificate of the service has."""
        return self._alternatives[1]


def _utf8_string(der: bytes) -> str:
    """Return the text of a UTF8String (X.690), whose length is one octet here."""
    if len(der) < 2 or der[0] != _UTF8_STRING or der[1] != len(der) - 2:  # noqa: PLR2004 - tag and length
        raise ValueError(f"{der.hex()} is no UTF8String of less than 128 octets")
    return der[2:].decode()


def _spki(key: Any) -> bytes:
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    return bytes(key.public_bytes(serialization.Encoding.DER, spki))


def certificates(text: str) -> list[Certificate]:
    """Return every certificate of a PEM text; ValueError when one is malformed."""
    return [Certificate.read(block) for block in blocks(text, "CERTIFICATE")]


def blocks(text: str, label: str) -> list[str]:
    """Return every PEM block (RFC 7468) of that label, each with a newline at its end."""
    _, *parts = text.split(f"-----BEGIN {label}-----")
    end = f"-----END {label}-----"
    return [f"-----BEGIN {label}-----{part.partition(end)[0]}{end}\n" for part in parts]


@dataclass(frozen=True)
class RevocationList:
    """A CRL, and what the agent asks of it."""

    parsed: x509.CertificateRevocationList

    @classmethod
    def read(cls, pem: str) -> "RevocationList":
        """Read a CRL in PEM; ValueError when it is none."""
        found = x509.load_pem_x509_crl(pem.encode())
        if found.next_update_utc is None:
            raise ValueError("does not say when the next one comes")
        return cls(found)

    @classmethod
    def read_der(cls, data: bytes) -> "RevocationList":
        """Read a CRL in DER; ValueError when it is none."""
        return cls(x509.load_der_x509_crl(data))

    @cached_property
    def der(self) -> bytes:
        """The CRL in DER."""
        return self.parsed.public_bytes(_DER)

    @cached_property
    def pem(self) -> str:
        """The CRL in PEM, with a newline at its end."""
        return self.parsed.public_bytes(_PEM).decode()

    @property
    def issuer(self) -> str:
        """Its CA on one line."""
        return _text(self.parsed.issuer)

    @cached_property
    def authority_key(self) -> str:
        """Identifier of its CA's key, hexadecimal; empty when it bears none."""
        return _issuer_key(self.parsed.extensions)

    @cached_property
    def number(self) -> int:
        """Its number; -1 when it bears none."""
        found = _extension(self.parsed.extensions, x509.CRLNumber)
        return found.crl_number if found else -1

    @property
    def this_update(self) -> datetime:
        """When it was issued."""
        found: datetime = self.parsed.last_update_utc
        return found

    @property
    def next_update(self) -> datetime:
        """When the next one comes at the latest."""
        found = self.parsed.next_update_utc
        assert found is not None  # noqa: S101 - `read` refuses a list without it
        return found

    @cached_property
    def serials(self) -> tuple[str, ...]:
        """Serial numbers of the revoked certificates."""
        return tuple(_serial(item.serial_number) for item in self.parsed)

    @cached_property
    def authority(self) -> str:
        """Digest of its CA's name and key, since a CA with a new key may keep its name."""
        return sha256(self.parsed.issuer.public_bytes() + self.authority_key.encode()).hexdigest()

    def is_of(self, authority: Certificate) -> bool:
        """Tell whether name and key of `authority` are those that it bears."""
        same_key = not self.authority_key or self.authority_key == authority.subject_key
        return self.parsed.issuer == authority.parsed.subject and same_key

    def covers(self, leaf: Certificate) -> bool:
        """Tell whether it is the list of the CA that issued `leaf`."""
        same_key = self.authority_key in {"", leaf.authority_key}
        return self.parsed.issuer == leaf.parsed.issuer and same_key

    def is_signed_by(self, authority: Certificate) -> bool:
        """Tell whether the key of `authority` signed it."""
        key = authority.parsed.public_key()
        return isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey) and (
            self.parsed.is_signature_valid(key)
        )


def new_key(names: Names) -> tuple[str, str]:
    """Make a key on curve P-256 and a CSR (RFC 2986) with `names`; return both in PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    builder = x509.CertificateSigningRequestBuilder().subject_name(_common_name(names))
    request = builder.add_extension(alternative_names(names), critical=False).sign(key, hashes.SHA256())
    return private_pem(key), request.public_bytes(_PEM).decode()


def self_signed(
    names: Names, days: int, usage: ObjectIdentifier = ExtendedKeyUsageOID.SERVER_AUTH
) -> tuple[str, str]:
    """Make a key on curve P-256 and a certificate of its own, for a TLS server; return both in PEM."""
    key, begins = ec.generate_private_key(ec.SECP256R1()), now()
    builder = (
        x509.CertificateBuilder(_common_name(names), _common_name(names), key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(begins + timedelta(days=days))
        .add_extension(alternative_names(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(True, *[False] * 8), critical=True)  # noqa: FBT003 - digitalSignature
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    return private_pem(key), builder.sign(key, hashes.SHA256()).public_bytes(_PEM).decode()


def _common_name(names: Names) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names.dns[0])])


def alternative_names(names: Names) -> x509.SubjectAlternativeName:
    """Return the alternative names of a certificate or a request (RFC 5280 4.2.1.6)."""
    return x509.SubjectAlternativeName(
        [
            *map(x509.DNSName, names.dns),
            *(x509.IPAddress(ip_address(name)) for name in names.addresses),
            *map(x509.UniformResourceIdentifier, names.uris),
            *(x509.OtherName(XMPP_ADDRESS, _as_utf8_string(name)) for name in names.jids),
        ]
    )


def private_pem(key: ec.EllipticCurvePrivateKey) -> str:
    """Return a private key in PEM, not encrypted."""
    clear = serialization.NoEncryption()
    return key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, clear).decode()


def _as_utf8_string(text: str) -> bytes:
    """Return a UTF8String in DER (X.690 8.1.3)."""
    data = text.encode()
    if len(data) < _SHORT_LENGTH:
        return bytes((_UTF8_STRING, len(data))) + data
    size = len(data).to_bytes((len(data).bit_length() + 7) // 8, "big")
    return bytes((_UTF8_STRING, _SHORT_LENGTH | len(size))) + size + data


def public_key(pem: str) -> bytes:
    """Return the public key (SubjectPublicKeyInfo) of a private key in PEM.

    Raises:
        AgentError: it is no private key.
    """
    try:
        key = serialization.load_pem_private_key(pem.encode(), None)
    except (ValueError, TypeError) as error:
        raise AgentError(f"holds no key: {error}") from error
    return _spki(key.public_key())
