"""The use cases revoke and reinstate: a device that loses its access to the network, and one that gets it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from heiiki import revocation
from heiiki.errors import HeiikiError, IntentError, RevocationError
from heiiki.intent import load
from heiiki.intent.revoked import add, marked, refuse_undecoded, remove, unmarked
from heiiki.pki import marks
from heiiki.pki.register import remember
from heiiki.pki.revoke import revoke_device
from heiiki.pki.server.login import Access, logged_in
from heiiki.pki.server.policies import REGISTRAR_LOGIN, AppRole
from heiiki.pki.server.roles import role_path
from heiiki.plan import build
from heiiki.plan.model import Device, Identity, Plan
from heiiki.revocation import Means, Record, RevocationStep, RevokedAtServer
from heiiki.service.model import Service
from heiiki.verify.ipsec.test_certificates import Credential, VaultAuthority, signed

_BRIEF = "10m"
"""Life of the certificate that is tried at every access; it is revoked with the device's own."""
_MARKED = "the device was marked at the Vault server before, which signs nothing for it to try it with"


@dataclass(frozen=True, slots=True)
class Revoked:
    """What a revocation came to.

    Attributes:
        steps: in the order in which they ended.
        document: the evidence, as it is written.
        evidence: its file; None when nothing was left to do.
        cut: what becomes of the device's site.
    """

    steps: tuple[RevocationStep, ...]
    document: dict[str, Any]
    evidence: Path | None
    cut: str

    @property
    def changed(self) -> bool:
        """Whether anything was left to do."""
        return any(step.changed for step in self.steps)

    @property
    def incomplete(self) -> tuple[RevocationStep, ...]:
        """Steps without which the device may still have access."""
        return tuple(step for step in self.steps if step.problem and step.needed)

    @property
    def accesses(self) -> tuple[revocation.Row, ...]:
        """What became of each access; the slowest of those that are shut is the last of them."""
        return revocation.table(self.document)

    @property
    def table(self) -> tuple[str, ...]:
        """The same as lines for people, with the bound at the end."""
        shut = [row for row in self.accesses if row.outcome is revocation.Outcome.SHUT]
        bound = f"{revocation.BOUND_S:.0f} s at most"
        last = (f"last shut: {shut[-1].name}, {shut[-1].seconds:.1f} s ({bound})",) if shut else ()
        return (*map(str, self.accesses), *last)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Devices that were not reached, which leaves no access open; accesses not shown to be shut."""
        return tuple(
            f"{step.name}: {step.problem}" for step in self.steps if step.problem and not step.needed
        )


def what_would_be_revoked(service: Service, name: str) -> tuple[Device, str, tuple[str, ...]]:
    """Return the device, what becomes of its site, and the steps on the way, without taking one.

    Raises:
        RevocationError: there is no such device.
    """
    device = revocation.find(service.plan, name)
    let_in = revocation.letting_in(service.plan, device)
    steps = tuple(f"{access} at {one}" for one, every in let_in.items() for access in every)
    return device, revocation.what_is_cut(service.plan, device), steps


def revoke(
    service: Service,
    name: str,
    reason: str,
    artifacts: Path,
    report: Callable[[RevocationStep], None] = lambda _step: None,
) -> Revoked:
    """Revoke a device: mark it in the intent, and bring Vault, HSS, PGW and every verifier to that.

    Whatever fails stops nothing else; the same call again finishes it.

    Args:
        service: the service, in whose folder the mark is written.
        name: of the device.
        reason: why, on one line; it stands in ``revoked.yml``.
        artifacts: folder of the evidence.
        report: progress callback, called when a step has ended.

    Raises:
        RevocationError: there is no such device.
        EvidenceError: the evidence cannot be written.
    """
    refuse_undecoded(reason)
    device = revocation.find(service.plan, name)
    cut = revocation.what_is_cut(service.plan, device)
    record = Record(artifacts, service.plan, device, service.ledger)
    steps = []
    with service.fleet() as fleet, service.secrets(hurried=True) as read:
        means = Means(
            mark=lambda: _mark(service, device, reason),
            planned=lambda: _planned(service, device, reason),
            former=lambda: build(unmarked(load(service.folder), device.name)),
            revoke=lambda: _certificates(service, device),
            fleet=fleet,
            read_secret=read,
            sign=cache(lambda identity: _good(service, identity)),
            logs=service.management.test_equipment(service.plan, faults=False).logs,
        )
        for step in revocation.revoke(device, means):
            steps.append(record.add(step))
            report(step)
    evidence = record.finish()
    return Revoked(tuple(steps), record.document, evidence, cut)


def reinstate(service: Service, name: str, artifacts: Path, *, same_sim: bool, check: bool = False) -> bool:
    """Take the marks of a device away, so that its replacement may enrol; tells whether there was one.

    That at the Vault server goes first: while it stands, the intent says that the device is revoked.

    Raises:
        RevocationError: there is no such device, its revocation is not complete, or its SIM is the one of
            before and `same_sim` does not say that it may be.
        VaultError: the server is away or sealed, or does not do it.
    """
    device = revocation.find(service.plan, name)
    revocation.may_return(service.plan, device, artifacts, same_sim=same_sim)
    lifted = _lifted(service, device, same_sim=same_sim, check=check)
    if not device.revoked:
        return lifted
    return True if check else remove(service.folder, name)


def _lifted(service: Service, device: Device, *, same_sim: bool, check: bool) -> bool:
    """Take away the mark that the server has; returns whether it had one."""
    if device.identity is None:
        return False
    access = service.vault(f"reinstating {device.name}")
    with logged_in(access, AppRole.AUDITOR) as auditor:
        if not marks.is_marked(auditor, service.plan.pki, device.name):
            return False
    with logged_in(access, AppRole.CONFIGURATOR) as vault:
        if device.sim and not device.revoked and not same_sim:
            raise RevocationError(
                f"{device.name} is revoked at the Vault server, and revoked.yml does not say so, nor which "
                "SIM was in it: get the revoked.yml of the controller that revoked it first, or say "
                f"-e heiiki_same_sim=true when the SIM {device.sim.imsi} may have service"
            )
        if not check:
            marks.lift(vault, service.plan.pki, device.identity)
    return True


def _mark(service: Service, device: Device, reason: str) -> Sequence[str]:
    return ["revoked.yml"] if add(service.folder, device.name, reason, _imsi(device)) else []


def _planned(service: Service, device: Device, reason: str) -> Plan:
    """Return the plan of the intent with the mark, also where that could not be written."""
    try:
        return build(marked(load(service.folder), device.name, reason, _imsi(device)))
    except IntentError as error:
        raise RevocationError(f"the intent was changed meanwhile, and has mistakes now: {error}") from error


def _imsi(device: Device) -> str | None:
    return device.sim.imsi if device.sim else None


def _certificates(service: Service, device: Device) -> RevokedAtServer:
    if device.identity is None:
        return RevokedAtServer((), ())
    trust = service.plan.pki
    access = service.vault(f"revoking the certificates of {device.name}").hurried()
    with logged_in(access, AppRole.REVOKER) as revoker, logged_in(access, AppRole.ENROLLER) as enroller:
        marked = marks.is_marked(enroller, trust, device.name)
        shown, problem = (None, _MARKED) if marked else _shown(service, access, device)
        if trust.registrar and trust.registrar.device == device.name:
            # Before its certificates: until their end it could have others certified.
            revoker.delete(REGISTRAR_LOGIN)
        marks.mark(revoker, trust, device.name)
        done = revoke_device(revoker, trust, device.identity)
        signed = marks.signs(enroller, trust, device.identity)
        # Once more: what the server was signing when the mark came.
        late = revoke_device(revoker, trust, device.identity)
        remember(revoker, trust, service.register)
    if signed:
        raise RevocationError(
            f"the Vault server has signed for {device.name} although it is marked there: see "
            f"{role_path(trust, device.name)}; every certificate that it has made by now is revoked"
        )
    changed = (
        *([] if marked else ["mark at the Vault server"]),
        *(f"certificate {serial}" for serial in (*done.new, *late.new)),
    )
    return RevokedAtServer(changed, late.serials, shown, problem if changed else "")


def _shown(service: Service, access: Access, device: Device) -> tuple[Credential | None, str]:
    """Return what is to be refused at every access, or why there is none; the revocation goes on without.

    Outside a lab nothing is tried that must be refused, and in an emergency that is not said either.
    """
    may_try = service.management.test_equipment(service.plan, faults=False).refused_certificates
    if device.identity is None or not may_try:
        return None, ""
    try:
        return _signed(service, access, device.identity), ""
    except HeiikiError as error:
        return None, f"no certificate was made to try it with: {error}"


def _good(service: Service, identity: Identity) -> Credential:
    """Return a certificate of who must be let in where the revoked device is refused."""
    return _signed(service, service.vault(f"making a certificate of {identity.device}").hurried(), identity)


def _signed(service: Service, access: Access, identity: Identity) -> Credential:
    return signed(VaultAuthority(service.plan, access), identity, _BRIEF)
