"""The use cases renew and rotate: certificates of devices, and the CAs that sign them."""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from heiiki.deploy import program
from heiiki.errors import HeiikiError, RotationError, VaultError
from heiiki.pki import enrol
from heiiki.pki.authorities import expiring
from heiiki.pki.revoke import revoke_replaced
from heiiki.pki.rotation import Done, Kind, Rotation, Step, keep
from heiiki.pki.server import secret_ids
from heiiki.pki.server.connection import Vault
from heiiki.pki.server.login import logged_in
from heiiki.pki.server.policies import AppRole
from heiiki.service.devices import FleetDevices
from heiiki.service.enrolment import renew_log_in
from heiiki.service.model import Service
from heiiki.verify.fleet import Answer, Fleet

_MORE_S = 60.0
"""How much longer than the device's own waiting a step may take."""

_PHASES: Mapping[Kind, tuple[Step, ...]] = {
    Kind.ISSUING: (Step.BEGIN, Step.RETIRE, Step.FINISH),
    Kind.ROOT: (Step.BEGIN, Step.SIGN, Step.RETIRE, Step.FINISH),
}

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Renewed:
    """The result of one device.

    Attributes:
        device: its name.
        reasons: why its certificate was, or would be, renewed; empty when it is good.
        changed: something was, or would be, changed.
        problem: why it has no good certificate now; empty when it has.
        warnings: what is to be done soon.
        serial: of the certificate that was installed; empty when none was.
    """

    device: str
    reasons: tuple[str, ...] = ()
    changed: bool = False
    problem: str = ""
    warnings: tuple[str, ...] = ()
    serial: str = ""


def renew(  # noqa: PLR0913 - options, each by its name
    service: Service,
    devices: Collection[str] | None = None,
    *,
    force: bool = False,
    compromised: bool = False,
    check: bool = False,
    wait_s: int = 20,
    server_needed: bool = False,
    report: Callable[[Renewed], None] = lambda _one: None,
) -> tuple[Renewed, ...]:
    """Give devices a new certificate where one is due, and the trust anchors that hold now.

    While the server is away or sealed, a device whose renewal can wait is left alone with a warning.

    Args:
        service: the service.
        devices: names; None for every device with a certificate.
        force: renew what is not due, too.
        compromised: renew what is not due, too, and revoke what is replaced: its key may be in other hands.
        check: change nothing.
        wait_s: how long a device may look for a way to the server.
        server_needed: no renewal can wait.
        report: is told of each device when it is done.

    Raises:
        HeiikiError: a device is unknown or has no certificate, or the server is needed and cannot be asked.
    """
    names = _named(service, devices)
    with service.fleet() as fleet, ExitStack() as sessions:
        issuer = _issuer(service, sessions, server_needed=server_needed, check=check)
        run = _Run(
            fleet, issuer, force=force or compromised, compromised=compromised, check=check, wait_s=wait_s
        )
        found = []
        for one in run.all(names):
            ended = _replaced_revoked(service, one) if compromised and not check else one
            admitted = ended if check else _registrar_admitted(service, ended)
            found.append(admitted)
            report(admitted)
    return tuple(found)


def _registrar_admitted(service: Service, one: Renewed) -> Renewed:
    """Renew what the registration authority logs in by with the certificate of its host."""
    admitted = renew_log_in(service, one.device)
    reasons = ("a new log-in of the registration authority",) if admitted.changed else ()
    return replace(
        one,
        changed=one.changed or admitted.changed,
        reasons=(*one.reasons, *reasons),
        warnings=(*one.warnings, *filter(None, (admitted.warning,))),
    )


def _replaced_revoked(service: Service, one: Renewed) -> Renewed:
    """Revoke what a new certificate replaces."""
    identity = service.plan.device(one.device).identity
    if one.problem or identity is None:
        return one
    access = service.vault(f"revoking what the new certificate of {one.device} replaces")
    try:
        with logged_in(access, AppRole.REVOKER) as vault:
            gone = revoke_replaced(vault, service.plan.pki, identity, one.serial)
    except HeiikiError as error:
        return replace(one, problem=f"has a new certificate, but those before are still good: {error}")
    return replace(one, reasons=(*one.reasons, f"{len(gone)} revoked that it replaces"))


def _named(service: Service, devices: Collection[str] | None) -> list[str]:
    known = {device.name for device in service.plan.managed() if device.identity}
    if devices is None:
        return sorted(known)
    if unknown := sorted(set(devices) - known):
        raise HeiikiError(
            f"{', '.join(unknown)}: no managed device with a certificate has that name; known: "
            f"{', '.join(sorted(known))}"
        )
    return sorted(devices)


def _shared(service: Service, vault: Vault, more: tuple[str, ...]) -> Document:
    """Return what all devices need: the plan's names, the trusted CAs, the CA that signs, what is revoked."""
    pki = service.plan.pki
    return {
        **enrol.planned(service.plan),
        **enrol.facts(vault, service.plan),
        **enrol.revoked(vault, service.plan),
        "warnings": (*expiring(vault, pki), *more),
    }


@dataclass(frozen=True, slots=True)
class _Issuer:
    """Who issues: a session with the server, or why there is none; and what all devices need."""

    shared: Document
    vault: Vault | None = None
    problem: str = ""


def _issuer(service: Service, sessions: ExitStack, *, server_needed: bool, check: bool) -> _Issuer:
    try:
        access = service.vault("issuing certificates")
        vault = sessions.enter_context(logged_in(access, AppRole.ENROLLER))
        return _Issuer(_shared(service, vault, secret_ids.warnings(access, check=check)), vault)
    except VaultError as error:
        if server_needed:
            raise
        unasked = f"a certificate may stay, but whether its CA was replaced could not be asked: {error}"
        nothing: Document = {"anchors": [], "server_anchors": [], "issuer_sha256": ""}
        nothing |= {"revoked_devices": {}, "revoked_serials": {}}
        shared = {**enrol.planned(service.plan), **nothing, "warnings": (unasked,)}
        return _Issuer(shared, problem=str(error))


@dataclass(frozen=True, slots=True)
class _Run:
    fleet: Fleet
    issuer: _Issuer
    force: bool
    compromised: bool
    check: bool
    wait_s: int

    def all(self, names: list[str]) -> Iterator[Renewed]:
        """Assess every device at once, then have each that needs it install a certificate."""
        failed = self._refused(dict.fromkeys(names))
        assessed = self._sent({name: self._wanted(name) for name in names if name not in failed})
        failed |= self._refused({name: one.data.get("certificate") for name, one in assessed.items()})
        orders = {}
        for name, answer in assessed.items():
            if answer.data.get("made") and self.issuer.vault and name not in failed:
                try:
                    orders[name] = self._order(self.issuer.vault, name, answer.data["made"])
                except HeiikiError as error:
                    failed[name] = str(error)
        installed = self._sent(orders)
        for name in names:
            first = assessed.get(name, Answer(name, {}, "", b""))
            reasons = tuple(first.data.get("reasons", ()))
            yield self._result(name, reasons, installed.get(name, first), failed.get(name, ""))

    def _refused(self, certificates: Mapping[str, Any]) -> dict[str, str]:
        """Return why devices get no certificate, by name; those that may have one are left out."""
        found = {name: enrol.refusal(self.shared, name, one) for name, one in certificates.items()}
        return {name: why for name, why in found.items() if why}

    def _wanted(self, name: str) -> Document:
        return {
            **enrol.wanted(self.shared, name),
            "step": "assess",
            "check": self.check,
            "request": not self.issuer.problem,
            "device": name,
            "force": self.force,
            "wait_s": self.wait_s,
        }

    def _order(self, vault: Vault, name: str, made: Mapping[str, Any]) -> Document:
        token, order = enrol.order(vault, self.shared, name, made["csr"])
        order |= {"generation": made["generation"], "compromised": self.compromised}
        return {"step": "install", "device": name, "order": order, "token": token}

    def _postponed(
        self, name: str, reasons: tuple[str, ...], answer: Answer, told: tuple[str, ...]
    ) -> Renewed:
        """Leave a device alone whose certificate lasts until the server is back; any other has a problem."""
        why = self.issuer.problem
        if not answer.data["margin"]:
            return Renewed(
                name, reasons, problem=f"needs a certificate: {'; '.join(reasons)}. {why}", warnings=told
            )
        left = answer.data["certificate"]["days_left"]
        wait = f"{name}: {left:.1f} days are left, and its certificate cannot be renewed now"
        return Renewed(name, (f"{'; '.join(reasons)}; that can wait",), warnings=(wait, *told))

    @property
    def shared(self) -> Document:
        """What all devices need."""
        return self.issuer.shared

    def _sent(self, parameters: Mapping[str, Document]) -> dict[str, Answer]:
        programs = {name: program("certificate", own) for name, own in parameters.items()}
        return self.fleet.run(programs, self.wait_s + _MORE_S)

    def _result(self, name: str, reasons: tuple[str, ...], answer: Answer, failed: str) -> Renewed:
        problem = failed or answer.error or str(answer.data.get("error", ""))
        told = (*answer.data.get("warnings", ()), *self.shared["warnings"])
        if self.issuer.problem and reasons and not problem:
            return self._postponed(name, reasons, answer, told)
        installed = answer.data.get("certificate") if "made" not in answer.data else None
        serial = str(installed["serial"]) if installed else ""
        return Renewed(name, reasons, bool(answer.data.get("changed")), problem, told, serial)


def step_of_rotation(
    service: Service, kind: Kind, step: Step, artifacts: Path, *, again: bool = False, check: bool = False
) -> tuple[Done, Path | None]:
    """Take one step of the replacement of a CA, if it is due and the devices are ready for it.

    Returns what it came to, and the file of evidence.

    Raises:
        RotationError: devices are not ready, or another rotation is in progress.
        VaultError: the server is away or sealed, or does not do it.
    """
    access = service.vault(f"replacing the {kind} CA")
    with service.fleet() as fleet:
        run = Rotation(service.plan, access, FleetDevices(fleet), kind, again=again, check=check)
        done = run.take(step)
    return done, None if check else keep(artifacts, service.plan, step, done)


def foreseen_rotation(service: Service, kind: Kind, *, again: bool = False) -> Done:
    """Return where the replacement of a CA is, and what comes next; nothing is changed.

    Raises:
        RotationError: another rotation is in progress.
    """
    done, _ = step_of_rotation(service, kind, Step.BEGIN, Path(), again=again, check=True)
    return done


def rotate(
    service: Service,
    kind: Kind,
    artifacts: Path,
    *,
    again: bool = False,
    report: Callable[[str], None] = lambda _line: None,
) -> Done:
    """Replace a CA while the service goes on; a run that was cut off is run again, and goes on from there.

    Args:
        service: the service.
        kind: which CA; a new root gets a new issuing CA below it.
        artifacts: folder of the evidence.
        again: begin another rotation although one was just brought to its end.
        report: progress callback, called once for each step.

    Raises:
        RotationError: devices are not ready for a step; what was done by then stands.
    """
    done = foreseen_rotation(service, kind, again=again)
    for step in _PHASES[kind]:
        done, _ = step_of_rotation(service, kind, step, artifacts, again=again)
        report(f"{done.phase}. Next: {done.after}")
        for warning in done.warnings:
            report(warning)
        if step is not Step.FINISH:
            _all_renewed(renew(service, server_needed=True), report)
    return done


def _all_renewed(found: tuple[Renewed, ...], report: Callable[[str], None]) -> None:
    """Report what changed; RotationError where a device has no good certificate."""
    changed = sum(one.changed for one in found)
    report(f"{len(found)} devices have the CAs and a certificate, {changed} changed")
    if bad := [f"{one.device}: {one.problem}" for one in found if one.problem]:
        raise RotationError(f"{len(bad)} of {len(found)} devices are not ready: {'; '.join(bad)}")
