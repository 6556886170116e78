"""Certificates: a device's request is compared with the plan, answered by a token good for it alone.

The controller never sees a private key and never asks for the certificate itself. It checks the request, has
the server make a token for one call of the device's own role, and sends that token wrapped. It can be
unwrapped once, so an intercepted token is noticed.
"""

import re
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from heiiki.errors import CertificateError
from heiiki.pki.server.connection import Vault
from heiiki.pki.server.policies import names, signing_parameters
from heiiki.pki.server.roles import DEVICE_POLICY, DEVICE_TOKEN_S
from heiiki.plan.model import Identity, Pki
from heiiki_agent.pki import request
from heiiki_agent.pki.x509 import alternative_names

WRAP_S = 90
"""Life of a wrapped token, seconds: the device unwraps it at once, over a network that may be converging."""

_ONE_REQUEST = re.compile(
    r"-----BEGIN CERTIFICATE REQUEST-----\n[A-Za-z0-9+/=\n]+-----END CERTIFICATE REQUEST-----\n?"
)


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
    if len(csr_pem) > request.LIMIT or not _ONE_REQUEST.fullmatch(csr_pem):
        raise CertificateError(
            f"{where} is not one PEM block of at most {request.LIMIT} octets and nothing else; nothing was "
            "signed. Find out who made this one"
        )
    try:
        problems = request.problems(x509.load_pem_x509_csr(csr_pem.encode()), names(identity))
    except ValueError as error:
        raise CertificateError(f"{where} cannot be read ({error}); have the device make a new one") from error
    if problems:
        raise CertificateError(
            f"{where} {'; it '.join(problems)}; nothing was signed. If the plan changed, have the device "
            "make a new one; if not, find out who made this one"
        )


def general_names(identity: Identity) -> tuple[x509.GeneralName, ...]:
    """Return the alternative names (RFC 5280 4.2.1.6) of an identity."""
    return tuple(alternative_names(names(identity)))


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
    made = builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    return made.public_bytes(Encoding.PEM).decode()


def signing_call(trust: Pki, identity: Identity) -> tuple[str, dict[str, str]]:
    """Return the path and the parameters, ``csr`` apart, of the one call that a device's token allows."""
    return f"{trust.issuing_mount}/sign/{identity.device}", signing_parameters(identity) | {"format": "pem"}
