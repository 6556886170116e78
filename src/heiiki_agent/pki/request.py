"""What a certificate request (PKCS #10, RFC 2986) may ask for: the names of the plan, and nothing else."""

from collections.abc import Iterator

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from heiiki_agent.pki.names import Names
from heiiki_agent.pki.x509 import XMPP_ADDRESS, alternative_names

LIMIT = 8192
"""Octets of a request at most, as text; one with every name of a device has some 700."""


def signing_parameters(names: Names) -> dict[str, str]:
    """Return the names that a certificate is asked for with, as ``sign`` of the Vault API takes them.

    Several names of a kind stand in one text with commas: the server compares the text of addresses to those
    that the policy allows.
    """
    kinds = {
        "common_name": names.dns[:1],
        "alt_names": names.dns,
        "uri_sans": names.uris,
        "ip_sans": names.addresses,
        "other_sans": tuple(f"{XMPP_ADDRESS.dotted_string};UTF8:{jid}" for jid in names.jids),
    }
    return {key: ",".join(values) for key, values in kinds.items() if values}


def problems(request: x509.CertificateSigningRequest, names: Names) -> list[str]:
    """Return what speaks against signing a request for a device with `names`; nothing: it is as planned.

    Each reads on from "the request".

    Raises:
        ValueError: a part of it cannot be read.
    """
    try:
        key, signed, extensions = request.public_key(), request.is_signature_valid, request.extensions
    except (UnsupportedAlgorithm, InvalidSignature, x509.DuplicateExtension) as error:
        raise ValueError(str(error)) from error
    return [
        *_of_key(key, signed=signed),
        *_of_subject(request.subject, names),
        *_of_extensions(extensions, names),
    ]


def _of_key(key: object, *, signed: bool) -> Iterator[str]:
    if not signed:
        yield "is not signed by the key that it names"
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        yield "has a key that is not EC P-256"


def _of_subject(subject: x509.Name, names: Names) -> Iterator[str]:
    for attribute in subject:
        if attribute.oid != NameOID.COMMON_NAME or attribute.value != names.dns[0]:
            yield f"asks for the subject {attribute.rfc4514_string()}, not CN={names.dns[0]}"


def _of_extensions(extensions: x509.Extensions, names: Names) -> Iterator[str]:
    planned = set(alternative_names(names))
    for extension in extensions:
        if isinstance(extension.value, x509.SubjectAlternativeName):
            asked = set(extension.value)
            if asked and asked != planned:
                strange = sorted(_show(name) for name in asked ^ planned)
                yield f"differs from the plan in the names {', '.join(strange)}"
        elif isinstance(extension.value, x509.BasicConstraints) and extension.value.ca:
            yield "asks for a CA certificate"
        else:
            yield f"asks for the extension {extension.oid.dotted_string}, which only the CA decides on"


def _show(name: x509.GeneralName) -> str:
    if isinstance(name, x509.OtherName):
        return name.value[2:].decode(errors="replace")
    return str(name.value)
