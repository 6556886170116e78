"""The mark of a revoked device, kept by the Vault server: whatever checkout runs, it gets nothing there.

The mark is the role of the device at the issuing CA, which has no name to sign any more. A device counts as
revoked likewise when its newest certificate was revoked in another way, such as
``bao write pki-issuing/revoke``.
"""

from collections.abc import Iterable, Mapping

from heiiki.errors import VaultError, VaultFault
from heiiki.pki.issue import mint, signing_call, throwaway_request
from heiiki.pki.revoke import issued, newest
from heiiki.pki.server import roles
from heiiki.pki.server.connection import Vault
from heiiki.plan.model import Identity, Pki

_NO_NAME = "not allowed by this role"
"""What a server of the Vault API says of a name that a role has not."""


def mark(vault: Vault, trust: Pki, device: str) -> None:
    """Bar a device: from now on nothing is signed for it.

    Its tokens that were made before end as well, so that none has rights again when the mark is lifted.

    The session is that of AppRole revoker.
    """
    vault.write(roles.role_path(trust, device), roles.sent(roles.revoked_role(trust)))
    vault.write(f"sys/leases/revoke-prefix/auth/token/create/{device}", {})


def is_marked(vault: Vault, trust: Pki, device: str) -> bool:
    """Tell whether a device is marked; a session of AppRole enroller or auditor."""
    return roles.is_mark(vault.read(roles.role_path(trust, device)))


def lift(vault: Vault, trust: Pki, identity: Identity) -> None:
    """Take the mark of a device away; the session is that of AppRole configurator."""
    vault.write(roles.role_path(trust, identity.device), roles.sent(roles.role(trust, identity)))


def lifts(device: str) -> str:
    """Return what lifts the revocation of a device, as the end of a sentence."""
    return f"only enrol.yml -e heiiki_device={device} lifts it"


def revoked_devices(
    vault: Vault, trust: Pki, identities: Iterable[Identity], revoked: Mapping[str, str]
) -> dict[str, str]:
    """Return the devices whose newest certificate is revoked, and since when.

    Args:
        vault: a session of AppRole enroller, revoker or auditor.
        trust: the service's.
        identities: of the devices.
        revoked: serials, and since when each is revoked.
    """
    if not revoked:
        return {}
    latest = newest(issued(vault, trust), identities)
    return {
        device: revoked[serials[0]]
        for device, serials in latest.items()
        if all(serial in revoked for serial in serials)
    }


def signs(vault: Vault, trust: Pki, identity: Identity) -> bool:
    """Try to have a certificate of a device signed, as the device would; tells whether that worked.

    The key is thrown away; a certificate that is signed is for the caller to revoke.

    Args:
        vault: a session of AppRole enroller.
        trust: the service's.
        identity: whose names.

    Raises:
        VaultError: it could not be tried.
    """
    wrapped = mint(vault, identity)
    opened = vault.with_token(wrapped.token).write("sys/wrapping/unwrap", {})
    path, names = signing_call(trust, identity)
    session = vault.with_token(opened["auth"]["client_token"])
    try:
        session.write(path, {**names, "csr": throwaway_request(identity)})
    except VaultError as error:
        if error.fault is VaultFault.REJECTED and _NO_NAME in str(error):
            return False
        raise
    return True
