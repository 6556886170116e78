"""The use cases of enrolment by EST: secrets for first certificates, and the log-in that certifies."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from heiiki.enrolment import Desk, Enrolled, Secret, server
from heiiki.errors import CertificateError, HeiikiError
from heiiki.pki import enrol, marks
from heiiki.pki.registrar import admit
from heiiki.pki.server.login import logged_in
from heiiki.pki.server.policies import AppRole
from heiiki.plan.model import Device, Plan
from heiiki.service.model import Service


def make_secret(service: Service, device: str, trust: str, days: int, *, replacement: bool = False) -> Secret:
    """Make a secret by which a device gets its first certificate, and have the CA know who certifies.

    Args:
        service: the service.
        device: its name.
        trust: why it is trusted before it has a certificate.
        days: for how long the secret is good.
        replacement: its newest certificate may be a revoked one: this device takes the place of another.

    Raises:
        CertificateError: no such device enrols by EST, or it is revoked.
        HeiikiError: the registration authority does not answer, or refuses.
        VaultError: the Vault server is away or sealed, or does not do it.
    """
    _refuse_unknown(service.plan, device)
    with _desk(service) as desk:
        _refuse_revoked(service, device, replacement=replacement)
        ensure_log_in(service, desk)
        return desk.make(device, trust, days)


def withdraw_secret(service: Service, device: str) -> bool:
    """Have no secret of a device be good any more; tells whether one was.

    Raises:
        HeiikiError: the registration authority does not answer, or does not know the device.
    """
    with _desk(service) as desk:
        return desk.withdraw(device)


def list_enrolled(service: Service) -> tuple[Enrolled, ...]:
    """Return every device that may enrol by EST, with its secrets and certificates.

    Raises:
        HeiikiError: the registration authority does not answer.
    """
    with _desk(service) as desk:
        return desk.devices()


def admit_registrar(service: Service) -> bool:
    """Have the Vault server take the newest log-in of the registration authority; tells of a change.

    Raises:
        HeiikiError: there is none, or it does not answer.
        VaultError: the Vault server is away or sealed, or does not do it.
    """
    with _desk(service) as desk:
        return ensure_log_in(service, desk)


@dataclass(frozen=True, slots=True)
class Admitted:
    """What became of the log-in of the registration authority.

    Attributes:
        changed: the Vault server takes another one now.
        warning: why it could not be asked; empty where it could. The one before is good for weeks yet.
    """

    changed: bool = False
    warning: str = ""


def renew_log_in(service: Service, device: str) -> Admitted:
    """Renew the log-in of the registration authority, if `device` is its host.

    The program there makes a new one by itself, and the Vault server is to take it.
    """
    registrar = service.plan.pki.registrar
    if registrar is None or registrar.device != device:
        return Admitted()
    try:
        return Admitted(admit_registrar(service))
    except HeiikiError as error:
        why = f"the log-in of the registration authority on {device} was not renewed: {error}"
        return Admitted(warning=why)


def ensure_log_in(service: Service, desk: Desk) -> bool:
    """Have the Vault server take the certificate that the registration authority shows now."""
    registrar = service.plan.pki.registrar
    if registrar is None:
        return False
    access, shown = service.vault("the log-in of the registration authority"), desk.log_in()
    with (
        logged_in(access, AppRole.CONFIGURATOR) as vault,
        logged_in(access, AppRole.AUDITOR) as reader,
    ):
        return admit(vault, reader, registrar, shown)


def _refuse_unknown(plan: Plan, device: str) -> None:
    host: Device = server(plan)
    known = sorted(one.identity.device for one in host.est.clients) if host.est else []
    if device in known:
        return
    revoked = next((one.revoked for one in plan.devices if one.name == device), "")
    if revoked:
        raise CertificateError(f"{device} is revoked ({revoked}); {marks.lifts(device)}")
    raise CertificateError(
        f"{device}: no device that is called so enrols by EST; known: {', '.join(known) or 'none'}. Others "
        "are enrolled by site.yml"
    )


def _refuse_revoked(service: Service, device: str, *, replacement: bool) -> None:
    """Stop for a device that is revoked at the CA, whatever this checkout knows of it."""
    trust = service.plan.pki
    with logged_in(service.vault(f"a secret of {device}"), AppRole.ENROLLER) as vault:
        if marks.is_marked(vault, trust, device):
            raise CertificateError(f"{device} is revoked at the Vault server; {marks.lifts(device)}")
        since = enrol.revoked(vault, service.plan)["revoked_devices"].get(device)
    if since and not replacement:
        raise CertificateError(
            f"the newest certificate of {device} was revoked on {since}: say --replacement where another "
            "device takes its place, after enrol.yml"
        )


@contextmanager
def _desk(service: Service) -> Iterator[Desk]:
    server(service.plan)  # before a way to a device is opened that is not needed
    with service.management.transport(service.plan, service.hosts) as transport:
        yield Desk(service.plan, transport)
