"""The use case sign: a certificate for what no role enrols: the system of an ESP, a vendor's router.

Its key is born there and stays there. What comes here is a request (PKCS #10), which is held to the plan as
that of a device is; what goes back is public. The CA keeps what it has signed, and `revoke` bars it.
"""

from dataclasses import dataclass

from heiiki.errors import CertificateError
from heiiki.pki import enrol
from heiiki.pki.server.login import logged_in
from heiiki.pki.server.policies import AppRole
from heiiki.plan.model import Role
from heiiki.service.model import Service


@dataclass(frozen=True, slots=True)
class Signed:
    """What the holder of the key needs, PEM.

    Attributes:
        certificate: its certificate, and the CAs below the root.
        roots: what vouches for its peers.
    """

    certificate: str
    roots: str


def sign(service: Service, system: str, csr: str) -> Signed:
    """Have the request of an ESP's system or a vendor's router signed, under the plan's names and no other.

    Raises:
        CertificateError: there is no such system, it is revoked, or the request is not what the plan allows;
            nothing was signed.
        VaultError: the server is away or sealed, or signs nothing.
    """
    _known(service, system)
    access = service.vault(f"signing the request of {system}")
    with logged_in(access, AppRole.ENROLLER) as vault:
        shared = {**enrol.planned(service.plan), **enrol.facts(vault, service.plan)}
        token, order = enrol.order(vault, shared, system, csr)
        opened = vault.with_token(token).write("sys/wrapping/unwrap", {})
        once = vault.with_token(opened["auth"]["client_token"])
        made = once.write(order["path"], {**order["parameters"], "csr": csr})["data"]
    below = [pem for pem in made.get("ca_chain", ()) if enrol.fingerprint(pem) not in _prints(order)]
    return Signed(_joined([made["certificate"], *below]), _joined(order["anchors"]))


def _known(service: Service, system: str) -> None:
    known = {one.name: one for one in service.plan.devices if one.role is Role.ESP or one.by_hand}
    if system not in known:
        raise CertificateError(
            f"{system}: no ESP's system and no vendor's router is called so; "
            f"known: {', '.join(sorted(known)) or 'none'}. "
            "Devices of the service are enrolled by site.yml"
        )
    if known[system].revoked:
        raise CertificateError(
            f"{system} is revoked ({known[system].revoked}); nothing was signed. Run enrol.yml for it first"
        )


def _prints(order: enrol.Document) -> set[str]:
    return {enrol.fingerprint(pem) for pem in order["anchors"]}


def _joined(pems: list[str]) -> str:
    return "".join(f"{pem.strip()}\n" for pem in pems)
