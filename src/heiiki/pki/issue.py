"""Certificates: a device's request is compared with the plan, answered by a token good for it alone.

The controller never sees a private key and never asks for the certificate itself. It checks the request, has
the server make a token for one call of the device's own role, and sends that token wrapped. It can be
unwrapped once, so an intercepted token is noticed.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from heiiki.errors import CertificateError
from heiiki.pki.server.connection import Vault
from heiiki.pki.server.policies import signing_parameters
from heiiki.pki.server.roles import DEVICE_POLICY, DEVICE_TOKEN_S, XMPP_NAME
from heiiki.plan.model import Identity, Pki

WRAP_S = 90
"""Life of a wrapped token, seconds: the device unwraps it at once, over a network that may be converging."""

REQUEST_LIMIT = 8192
"""Octets of a request at most; one with every name of a device has some 700."""

_ONE_REQUEST = re.compile(
    r"-----BEGIN CERTIFICATE REQUEST-----\n[A-Za-z0-9+/=\n]+-----END CERTIFICATE REQUEST-----\n?"
)
_UTF8_STRING = 0x0C
_SHORT_LENGTH = 0x80


@dataclass(frozen=True, slots=True)
class WrappedToken:
    """What travels to a device: it opens the device's token, once.

    Attributes:
        token: secret; never shown.
        life_s: seconds until it is worth nothing.
    """

    token: str = field(repr=False)
    life_s: int


def check_request(csr_pem: str, identity: Identity) -> None:
    """Hold a request (PKCS #10, PEM) against the plan.

    Raises:
        CertificateError: not one request and nothing else, not signed by its own key, not EC P-256, or it
            asks for anything that the plan does not give the device.
    """
    where = f"{identity.device}: the certificate request"
    if len(csr_pem) > REQUEST_LIMIT or not _ONE_REQUEST.fullmatch(csr_pem):
        raise CertificateError(
            f"{where} is not one PEM block of at most {REQUEST_LIMIT} octets and nothing else; nothing was "
            "signed. Find out who made this one"
        )
    try:
        request = x509.load_pem_x509_csr(csr_pem.encode())
        key, signed = request.public_key(), request.is_signature_valid
        extensions = request.extensions
    except (ValueError, UnsupportedAlgorithm, InvalidSignature, x509.DuplicateExtension) as error:
        raise CertificateError(f"{where} cannot be read ({error}); have the device make a new one") from error
    problems = [*_key_problems(key, signed=signed), *_subject_problems(request.subject, identity)]
    problems += _extension_problems(extensions, identity)
    if problems:
        raise CertificateError(
            f"{where} {'; it '.join(problems)}; nothing was signed. If the plan changed, have the device "
            "make a new one; if not, find out who made this one"
        )


def _key_problems(key: object, *, signed: bool) -> Iterator[str]:
    if not signed:
        yield "is not signed by the key that it names"
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        yield "has a key that is not EC P-256"


def _subject_problems(subject: x509.Name, identity: Identity) -> Iterator[str]:
    for attribute in subject:
        if attribute.oid != NameOID.COMMON_NAME or attribute.value != identity.common_name:
            yield f"asks for the subject {attribute.rfc4514_string()}, not CN={identity.common_name}"


def _extension_problems(extensions: x509.Extensions, identity: Identity) -> Iterator[str]:
    for extension in extensions:
        if isinstance(extension.value, x509.SubjectAlternativeName):
            asked = set(extension.value)
            if asked and asked != set(general_names(identity)):
                strange = sorted(_show(name) for name in asked ^ set(general_names(identity)))
                yield f"differs from the plan in the names {', '.join(strange)}"
        elif isinstance(extension.value, x509.BasicConstraints) and extension.value.ca:
            yield "asks for a CA certificate"
        else:
            yield f"asks for the extension {extension.oid.dotted_string}, which only the CA decides on"


def general_names(identity: Identity) -> tuple[x509.GeneralName, ...]:
    """Return the alternative names (RFC 5280 4.2.1.6) of an identity."""
    return (
        *(x509.DNSName(name) for name in identity.dns),
        *(x509.UniformResourceIdentifier(uri) for uri in identity.uris),
        *(x509.IPAddress(address) for address in identity.addresses),
        *(x509.OtherName(x509.ObjectIdentifier(XMPP_NAME), _utf8(jid)) for jid in identity.jids),
    )


def _utf8(text: str) -> bytes:
    """Return a UTF8String in DER (X.690 8.1.3)."""
    data = text.encode()
    if len(data) < _SHORT_LENGTH:
        return bytes((_UTF8_STRING, len(data))) + data
    size = len(data).to_bytes((len(data).bit_length() + 7) // 8, "big")
    return bytes((_UTF8_STRING, _SHORT_LENGTH | len(size))) + size + data


def _show(name: x509.GeneralName) -> str:
    if isinstance(name, x509.OtherName):
        return name.value[2:].decode(errors="replace")
    return str(name.value)


def mint(vault: Vault, identity: Identity, wrap_s: int = WRAP_S) -> WrappedToken:
    """Have the server make the token by which a device gets one certificate under its own names.

    Args:
        vault: a session of AppRole enroller.
        identity: whose names.
        wrap_s: how long the device has to fetch it; the server allows 10 to 120 s.
    """
    device = identity.device
    asked = {"policies": [DEVICE_POLICY], "entity_alias": device, "ttl": f"{DEVICE_TOKEN_S}s"}
    info = vault.write(f"auth/token/create/{device}", asked, wrap_s=wrap_s)["wrap_info"]
    return WrappedToken(info["token"], info["ttl"])


def throwaway_request(identity: Identity) -> str:
    """Return a request in the name of a device by a key that is not kept, to try who is refused."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, identity.common_name)])
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    request = builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    return request.public_bytes(Encoding.PEM).decode()


def signing_call(trust: Pki, identity: Identity) -> tuple[str, dict[str, str]]:
    """Return the path and the parameters, ``csr`` apart, of the one call that a device's token allows."""
    return f"{trust.issuing_mount}/sign/{identity.device}", signing_parameters(identity) | {"format": "pem"}
