"""Bodies of EST: base64 of DER (RFC 8951 3.1); requests are PKCS #10, certificates PKCS #7 without signer."""

import base64
import binascii
from collections.abc import Iterable
from http import HTTPStatus

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from heiiki_agent.est.refusals import Refused
from heiiki_agent.pki.request import LIMIT
from heiiki_agent.pki.x509 import Certificate

REQUEST_TYPE = "application/pkcs10"
CERTIFICATES_TYPE = "application/pkcs7-mime; smime-type=certs-only"
ATTRIBUTES_TYPE = "application/csrattrs"
_EC_PUBLIC_KEY = bytes.fromhex("06072a8648ce3d0201")
_SECP256R1 = bytes.fromhex("06082a8648ce3d030107")
_ECDSA_SHA256 = bytes.fromhex("06082a8648ce3d040302")
_SEQUENCE, _SET = 0x30, 0x31
_CHALLENGE = x509.ObjectIdentifier("1.2.840.113549.1.9.7")


def read_request(body: bytes) -> x509.CertificateSigningRequest:
    """Return the request of a body.

    Raises:
        Refused: it is too long, no base64, or no request.
    """
    if len(body) > LIMIT:
        raise Refused(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a request has at most {LIMIT} octets; this one has more"
        )
    try:
        der = base64.b64decode(b"".join(body.split()), validate=True)
    except binascii.Error as error:
        raise _malformed("is not base64 of DER, without the lines of PEM (RFC 8951 3.1)") from error
    try:
        found = x509.load_der_x509_csr(der)
    except ValueError as error:
        raise _malformed("is no certificate request (PKCS #10, RFC 2986)") from error
    return found


def _malformed(text: str) -> Refused:
    return Refused(HTTPStatus.BAD_REQUEST, f"the body {text}; make the request again")


def check_binding(request: x509.CertificateSigningRequest, binding: bytes | None) -> None:
    """Hold the challenge password, where there is one, to the TLS connection that brought it (RFC 7030 3.5).

    Args:
        request: the device's.
        binding: ``tls-unique`` of the connection (RFC 5929); None: TLS 1.3 has none.

    Raises:
        Refused: it was made for another connection, or cannot be checked.
    """
    try:
        said = request.attributes.get_attribute_for_oid(_CHALLENGE).value
    except x509.AttributeNotFound:
        return
    except ValueError as error:
        raise _malformed("holds attributes that cannot be read") from error
    if binding is None or said != base64.b64encode(binding):
        raise Refused(
            HTTPStatus.BAD_REQUEST,
            "the request holds a challenge password that is not tls-unique of this connection: leave it out "
            "(the HTTP password is not meant), or use TLS 1.2",
        )


def certificates(several: Iterable[Certificate]) -> bytes:
    """Return certificates as the body of an answer."""
    return _encoded(pkcs7.serialize_certificates([one.parsed for one in several], Encoding.DER))


def attributes() -> bytes:
    """Return what a request has to be, as the body of an answer: a key on P-256, signed with SHA-256."""
    curve = _der(_SEQUENCE, _EC_PUBLIC_KEY + _der(_SET, _SECP256R1))
    return _encoded(_der(_SEQUENCE, curve + _ECDSA_SHA256))


def _der(tag: int, content: bytes) -> bytes:
    """Return a value in DER; those here are shorter than 128 octets."""
    return bytes((tag, len(content))) + content


def _encoded(der: bytes) -> bytes:
    return base64.encodebytes(der)


def pem_of(request: x509.CertificateSigningRequest) -> str:
    """Return a request in PEM."""
    return request.public_bytes(serialization.Encoding.PEM).decode()
