"""The mark of a revoked device, kept by the Vault server: whatever checkout runs, it gets nothing there.

The mark is the policy of the device's tokens, which denies everything. A device counts as revoked likewise
when its newest certificate was revoked in another way, such as ``bao write pki-issuing/revoke``.
"""

from collections.abc import Iterable, Mapping

from heiiki.errors import CertificateError, VaultError, VaultFault
from heiiki.pki.issue import mint, signing_call, throwaway_request
from heiiki.pki.revoke import issued, newest
from heiiki.pki.server.connection import Vault
from heiiki.pki.server.policies import TOKEN_ROLE, device_policy, device_policy_name, revoked_policy
from heiiki.plan.model import Identity, Pki


def mark(vault: Vault, device: str) -> bool:
    """Bar a device: from now on no token of it may do anything; returns whether it was not marked.

    Tokens that were made before end as well, so that none has rights again when the mark is lifted. That ends
    those of other devices too which are being enrolled at this moment: they are enrolled by the next run.

    The session is that of AppRole revoker.
    """
    marked = is_marked(vault, device)
    if not marked:
        vault.write(_path(device), {"policy": revoked_policy()})
    vault.write(f"sys/leases/revoke-prefix/auth/token/create/{TOKEN_ROLE}", {})
    return not marked


def is_marked(vault: Vault, device: str) -> bool:
    """Tell whether a device is marked; a session of AppRole revoker, enroller, configurator or auditor."""
    return (vault.read(_path(device)) or {}).get("policy") == revoked_policy()


def lift(vault: Vault, trust: Pki, identity: Identity) -> None:
    """Take the mark of a device away; the session is that of AppRole configurator."""
    vault.write(_path(identity.device), {"policy": device_policy(trust, identity)})


def refuse_marked(vault: Vault, device: str) -> None:
    """Refuse to do anything for a device that is marked.

    Raises:
        CertificateError: it is.
    """
    if is_marked(vault, device):
        raise CertificateError(f"{device} is revoked at the Vault server; {lifts(device)}")


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
        # A token whose policy denies everything may not even look itself up.
        if error.fault in {VaultFault.TOKEN, VaultFault.FORBIDDEN}:
            return False
        raise
    return True


def _path(device: str) -> str:
    return f"sys/policies/acl/{device_policy_name(device)}"
