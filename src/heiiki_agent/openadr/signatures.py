"""Signatures of messages: security level ``high`` of OpenADR 2.0b (clause 10), XML Signature of the W3C.

A message is refused unless its one signature is by the certificate that the peer proved to have in TLS, which
has examined its chain, its revocation and its name already; covers the oadrSignedObject that stands at its
place, and a ReplayProtect of these seconds that was not there before. What is handed on is made of the bytes
that were verified, and of nothing else that came.
"""

import logging
from base64 import b64decode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from secrets import token_hex

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from lxml import etree
from signxml.algorithms import (
    CanonicalizationMethod,
    DigestAlgorithm,
    SignatureConstructionMethod,
    SignatureMethod,
)
from signxml.exceptions import SignXMLException
from signxml.signer import XMLSigner
from signxml.verifier import SignatureConfiguration, XMLVerifier

from heiiki_agent.errors import AgentError
from heiiki_agent.openadr.binding import Element
from heiiki_agent.openadr.codec import LIMIT, SIGNED_ID, parse, signed_object
from heiiki_agent.openadr.errors import Code, Malformed
from heiiki_agent.openadr.names import DS, DSP, NAMESPACES, tag
from heiiki_agent.openadr.values import format_date_time, parse_date_time
from heiiki_agent.tls import Credentials

log = logging.getLogger(__name__)

WINDOW = timedelta(seconds=5)
"""How far the times of both ends may be apart: a second of their clocks, and what TCP had to send again."""
_ALGORITHMS = frozenset({SignatureMethod.ECDSA_SHA256, SignatureMethod.RSA_SHA256})
_WANTED = SignatureConfiguration(
    require_x509=True,
    location="./",
    expect_references=2,
    signature_methods=_ALGORITHMS,
    digest_algorithms=frozenset({DigestAlgorithm.SHA256}),
)
_REPLAY_PROTECT = f"{{{DSP}}}ReplayProtect"
_NO_SIGNATURE = (
    SignXMLException,
    InvalidSignature,
    etree.LxmlError,
    # An algorithm that is not known, base64 that is none, a part that is not there.
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
)


def _now() -> datetime:
    return datetime.now(UTC)


class Signatures:
    """Signs what one end sends, and verifies what it gets. For one thread."""

    def __init__(self, now: Callable[[], datetime] = _now) -> None:
        """Take no message that was signed before now: which of them were there before is not known."""
        self._now, self._began = now, now()
        self._key: EllipticCurvePrivateKey | None = None
        self._certificate = ""
        self._seen: dict[tuple[bytes, str], datetime] = {}

    def renew(self, credentials: Credentials) -> None:
        """Sign with these from now on.

        Raises:
            AgentError: they cannot be used.
        """
        files = f"{credentials.certificate}, {credentials.key}"
        try:
            certificate = x509.load_pem_x509_certificate(credentials.certificate.read_bytes())
            key = load_pem_private_key(credentials.key.read_bytes(), None)
        except (OSError, ValueError, TypeError) as error:
            raise AgentError(f"{files}: cannot be used for signatures: {error}") from error
        if not isinstance(key, EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
            raise AgentError(f"{files}: not a key on a curve with its certificate; enrol the device again")
        self._key, self._certificate = key, certificate.public_bytes(Encoding.PEM).decode()

    def sealed(self, message: bytes) -> bytes:
        """Return a message with its signature, of this moment.

        Raises:
            AgentError: there is nothing to sign with.
        """
        if self._key is None:
            raise AgentError("there is no certificate to sign with; see that the device is enrolled")
        payload = parse(message)
        signer = XMLSigner(
            method=SignatureConstructionMethod.detached,
            signature_algorithm=SignatureMethod.ECDSA_SHA256,
            digest_algorithm=DigestAlgorithm.SHA256,
            # Exclusive: it means the same wherever it stands.
            c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
        )
        signature = signer.sign(
            payload,
            key=self._key,
            cert=self._certificate,
            reference_uri=f"#{SIGNED_ID}",
            signature_properties=self._replay_protect(),
        )
        payload.insert(0, signature)
        return etree.tostring(payload, xml_declaration=True, encoding="utf-8")

    def opened(self, data: bytes, certificate: bytes, limit: int = LIMIT) -> bytes:
        """Return the message that the holder of a certificate (DER) signed.

        Raises:
            Malformed: it is none, or not signed so.
        """
        root = parse(data, limit)
        there = signed_object(root)
        if len(root) == 1:
            raise _refused("has no ds:Signature, and messages are signed here")
        _has_certificate(root[0], certificate)
        signed, protection = _verified(root, certificate)
        if _canonical(signed) != _canonical(there):
            raise _refused("what is signed is not the oadrSignedObject of the message")
        self._is_new(certificate, protection)
        payload = etree.Element(tag("oadr:oadrPayload"), nsmap={"oadr": NAMESPACES["oadr"]})
        payload.append(signed)
        return etree.tostring(payload)

    def _replay_protect(self) -> Element:
        names = {"Id": "replay", "Target": f"#{SIGNED_ID}"}
        protection = etree.Element(_REPLAY_PROTECT, names, nsmap={"dsp": DSP})
        etree.SubElement(protection, f"{{{DSP}}}timestamp").text = format_date_time(self._now())
        etree.SubElement(protection, f"{{{DSP}}}nonce").text = token_hex(16)
        return protection

    def _is_new(self, certificate: bytes, protection: Element) -> None:
        nonce = protection.findtext(f"{{{DSP}}}nonce") or ""
        try:
            signed = parse_date_time(protection.findtext(f"{{{DSP}}}timestamp") or "")
        except ValueError as error:
            raise _refused(f"dsp:timestamp: {error}") from error
        now = self._now()
        if not nonce:
            raise _refused("dsp:nonce is missing")
        if abs(now - signed) > WINDOW:
            raise _refused(
                f"was signed {abs(now - signed).total_seconds():.0f} s away from now; see the clocks"
            )
        if signed < self._began:
            raise _refused("was signed before this end began; sign it again")
        self._seen = {one: then for one, then in self._seen.items() if now - then <= WINDOW}
        if (certificate, nonce) in self._seen:
            raise _refused("was here already; sign it again")
        self._seen[certificate, nonce] = signed


def _verified(root: Element, certificate: bytes) -> tuple[Element, Element]:
    """Return the oadrSignedObject and the ReplayProtect that the signature of a message is about."""
    try:
        signer = x509.load_der_x509_certificate(certificate)
        results = XMLVerifier().verify(root, x509_cert=signer, expect_config=_WANTED)
    except _NO_SIGNATURE as error:
        raise _refused(f"is not valid: {error}") from error
    # Of two references, as are expected, it returns a list.
    found = results if isinstance(results, list) else [results]
    signed = [one.signed_xml for one in found if one.signed_xml is not None]
    objects = [one for one in signed if one.tag == tag("oadr:oadrSignedObject")]
    properties = [one for one in signed if one.tag == f"{{{DS}}}Object"]
    protections = [one for node in properties for one in node.iter(_REPLAY_PROTECT)]
    if len(objects) != 1 or len(protections) != 1:
        raise _refused("is not about one oadrSignedObject and one dsp:ReplayProtect")
    return objects[0], protections[0]


def _has_certificate(signature: Element, certificate: bytes) -> None:
    """Refuse a signature that names another certificate than the peer's."""
    shown = [one.text or "" for one in signature.iter(f"{{{DS}}}X509Certificate")]
    try:
        first = b64decode("".join(shown[0].split()), validate=True) if shown else b""
    except ValueError as error:
        raise _refused("ds:X509Certificate is not base64") from error
    if first != certificate:
        raise _refused("is by another certificate than that of the connection")


def _canonical(element: Element) -> bytes:
    return etree.tostring(element, method="c14n", exclusive=True, with_comments=False)


def _refused(problem: str) -> Malformed:
    return Malformed(problem, "ds:Signature", Code.NOT_AUTHORIZED)
