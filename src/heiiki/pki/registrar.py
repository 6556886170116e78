"""The registration authority's log-in at the Vault server: a certificate that its host makes for that alone.

One of the service would be simpler, and is refused: OpenBao's log-in by certificate takes none that bears a
URN and comes from a CA with name constraints. The key is born on the host and stays there; what comes here is
public.
"""

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from heiiki.errors import CertificateError
from heiiki.pki.server import roles
from heiiki.pki.server.connection import Vault
from heiiki.pki.server.policies import REGISTRAR_LOGIN, registrar_login
from heiiki.plan.model import Registrar


def admit(vault: Vault, reader: Vault, registrar: Registrar, pem: str) -> bool:
    """Have the registration authority log in by a certificate of its own, and by no other; tells of a change.

    Args:
        vault: a session of AppRole configurator.
        reader: a session of AppRole auditor.
        registrar: the plan's.
        pem: the certificate, as its host shows it.

    Raises:
        CertificateError: it is no such certificate.
        VaultError: the server cannot be reached, or does not allow it.
    """
    _check(registrar, pem)
    wanted = {**registrar_login(registrar), "certificate": pem}
    stands = reader.read(REGISTRAR_LOGIN) or {}
    if {key: stands.get(key) for key in wanted} == wanted:
        return False
    vault.write(REGISTRAR_LOGIN, roles.sent(wanted))
    return True


def _check(registrar: Registrar, pem: str) -> None:
    """Stop for what is not one certificate of the host for itself: a CA's would let everybody in below it."""
    try:
        (found,) = x509.load_pem_x509_certificates(pem.encode())
        constraints = found.extensions.get_extension_for_class(x509.BasicConstraints).value
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound) as error:
        raise CertificateError(f"{registrar.device} shows no certificate to log in by: {error}") from error
    own = names.get_values_for_type(x509.DNSName) == [registrar.host]
    if constraints.ca or not own or not isinstance(found.public_key(), ec.EllipticCurvePublicKey):
        raise CertificateError(
            f"{registrar.device} shows a certificate to log in by that is not its own, for {registrar.host}: "
            "find out what runs there"
        )
