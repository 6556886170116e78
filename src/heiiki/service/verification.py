"""The use case verify: a service examined on paper and as it runs, and the report of it."""

import os
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from cryptography import x509

from heiiki import revocation
from heiiki.design import design
from heiiki.errors import VaultError
from heiiki.intent.place import refuse_inside_service
from heiiki.output import OwnedFolder
from heiiki.pki.authorities import every
from heiiki.pki.register import remember
from heiiki.pki.server.bootstrap import unseal
from heiiki.pki.server.comparison import problems
from heiiki.pki.server.login import logged_in
from heiiki.pki.server.members import Membership, membership
from heiiki.pki.server.policies import AppRole
from heiiki.pki.server.secret_ids import LogIn, look
from heiiki.render import compile_plan
from heiiki.report import (
    EvidenceStore,
    Header,
    Paths,
    earlier,
    matrix,
    text,
    with_earlier_faults,
    write_report,
)
from heiiki.report.ageing import Present, drift, is_stale, subject
from heiiki.report.completion import is_not_run, together
from heiiki.report.header import utc_now
from heiiki.report.verdicts import Faults
from heiiki.requirements import Result, Verdict
from heiiki.revocation import drill, standing
from heiiki.service.certificates import renew
from heiiki.service.model import Service
from heiiki.verify import load
from heiiki.verify.equipment import TestEquipment
from heiiki.verify.ipsec.test_certificates import VaultAuthority
from heiiki.verify.mms import orders
from heiiki.verify.run import verify as examine
from heiiki.verify.subjects import expected
from heiiki.verify.vault import VaultQueries
from heiiki.verify.verdicts import Keep

BAD = frozenset({Result.FAIL, Result.UNKNOWN})

Chosen = bool | tuple[str, ...]
"""All, none, or those named; ``sample`` names a few that the plan chooses."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a measurement.

    Attributes:
        paths: the files that were written, with the settled verdicts.
        bad: verdicts that speak against the service, or leave it open, among what was asked for.
        matrix: the table of requirements and stages, as text.
    """

    paths: Paths
    bad: tuple[Verdict, ...]
    matrix: str


def verify(
    service: Service,
    artifacts: Path,
    faults: Chosen,
    report: Callable[[str], None],
    checks: Collection[str] | None = None,
) -> Outcome:
    """Examine a service on paper and as it runs, and write the report.

    Args:
        service: what is examined.
        artifacts: folder for the report, its verdicts and their evidence.
        faults: which are injected; only a simulated network allows any.
        report: progress callback, called once for each step.
        checks: names of checks; None for all.

    Raises:
        FolderError: another run measures into the same folder.
        HeiikiError: a fault is unknown, or nothing can be measured at all.
    """
    refuse_inside_service(artifacts)
    # Two at once would measure each other's traffic and faults, and mix their evidence.
    with OwnedFolder(artifacts, wait_s=0).alone():
        return _measured(service, artifacts, faults, report, checks)


def _measured(
    service: Service,
    artifacts: Path,
    faults: Chosen,
    report: Callable[[str], None],
    checks: Collection[str] | None,
) -> Outcome:
    plan, way = service.plan, service.management
    with way.transport(plan, service.hosts) as transport:
        equipment = way.test_equipment(plan, faults=bool(faults))
        builds, store = tuple(compile_plan(plan)), EvidenceStore(artifacts)
        keep = store.keep
        seen = examine(
            plan,
            builds,
            transport,
            keep,
            equipment=replace(equipment, restart=_restarting(service, equipment)),
            queries=_queries(service, equipment),
            adds=partial(way.adds, plan),
            faults=faults,
            report=report,
            checks=checks,
        )
    header = Header.of(plan, machine=_machine(), lab=way.simulated)
    revoked = (
        *revocation.verdicts(plan, artifacts, keep, service.ledger),
        *drill.verdicts(plan, artifacts, keep, service.ledger, utc_now()),
        *_standing(service, keep, checks),
    )
    verdicts = (*design(plan, builds), *seen.verdicts, *revoked)
    store.sync()
    for row in seen.fault_rows:
        service.ledger.add(subject(row), row.sha256)
    # A run that injects no faults, or some, lets those rows stand that were measured on the same network.
    before = Faults() if faults is True else earlier(artifacts, plan)
    known = {one.sha256: one for one in (*before.fingerprints, seen.fingerprint)}
    present = Present(utc_now(), seen.fingerprint, known, drift(seen.verdicts), service.ledger)
    found = with_earlier_faults(before.rows, verdicts, seen.fault_rows, present)
    named = together(expected(plan, builds), standing.expected(plan), drill.expected())
    paths = write_report(artifacts, plan, header, *found, named, fingerprints=known.values())
    return Outcome(paths, bad_ones(paths.settled, faults), text(matrix(paths.settled)))


def _standing(service: Service, keep: Keep, checks: Collection[str] | None) -> Iterator[Verdict]:
    """Prove again that every device which is revoked is refused."""
    if checks is not None and "trust" not in checks:
        return
    try:
        access = service.vault("proving that revoked devices are refused")
        with logged_in(access, AppRole.AUDITOR) as vault:
            revoked = standing.at_server(vault, service.plan)
            remember(vault, service.plan.pki, service.register)
    except VaultError as error:
        yield from standing.not_asked(service.plan, error)
        return
    with service.fleet() as fleet:
        yield from standing.verdicts(service.plan, revoked, fleet, keep)


_LEFT_OUT = {load.NOT_ASKED, load.NOT_IN_SAMPLE, orders.NOT_ASKED}
"""Reasons of verdicts on what only those get who ask for it."""


def bad_ones(verdicts: Sequence[Verdict], faults: Chosen) -> tuple[Verdict, ...]:
    """Return the verdicts that decide against a run.

    Where some faults are named, the others do not decide: the report still shows them as not run, or as
    measured on another network than that of now, lines as not filled, and resources as not ordered.
    """
    found = tuple(verdict for verdict in verdicts if verdict.result in BAD)
    if not isinstance(faults, tuple):
        return found
    return tuple(
        verdict
        for verdict in found
        if not is_not_run(verdict) and not is_stale(verdict) and verdict.reason not in _LEFT_OUT
    )


def _restarting(service: Service, equipment: TestEquipment) -> Callable[[str], None] | None:
    """Return what starts a device's services again, and unseals the Vault server, which comes back sealed."""
    start = equipment.restart
    if start is None:
        return None

    def restart(device: str) -> None:
        start(device)
        if device in service.plan.pki.vaults:
            unseal(service.vault("unsealing the Vault server that was started again"))

    return restart


def _queries(service: Service, equipment: TestEquipment) -> VaultQueries:
    return VaultQueries(
        authority=_authority(service, equipment),
        authorities=partial(_authorities, service),
        problems=partial(_server_problems, service),
        log_ins=partial(_log_ins, service),
        cluster=partial(_membership, service),
        renew=partial(_renewed, service) if equipment.injector else None,
    )


def _authority(service: Service, equipment: TestEquipment) -> VaultAuthority | None:
    """Return the service's CA, or None where it may not be asked, or no server was set up."""
    if not equipment.refused_certificates:
        return None
    try:
        access = service.vault("making certificates that must be refused")
    except VaultError:
        return None
    return VaultAuthority(service.plan, access)


def _renewed(service: Service, devices: Collection[str]) -> dict[str, str]:
    """Have devices renew certificates that are good yet; return why one could not, by device.

    Raises:
        HeiikiError: the server cannot be asked.
    """
    found = renew(service, devices, force=True, server_needed=True)
    return {one.device: one.problem for one in found}


def _authorities(service: Service) -> tuple[x509.Certificate, ...]:
    """Return every CA of the service, as its server has them.

    Raises:
        VaultError: it cannot be asked.
    """
    access = service.vault("comparing trust anchors")
    return every(access.vault, service.plan.pki)


def _server_problems(service: Service) -> tuple[str, ...]:
    """Return everything about the service's server that is not as planned.

    Raises:
        VaultError: it cannot be asked.
    """
    access = service.vault("comparing the server's settings")
    with logged_in(access, AppRole.AUDITOR) as vault:
        return problems(vault, service.plan)


def _log_ins(service: Service) -> tuple[LogIn, ...]:
    """Return the log-ins of this controller.

    Raises:
        VaultError: the server cannot be asked.
    """
    return look(service.vault("trying the controller's log-ins"))


def _membership(service: Service) -> Membership:
    """Return the members of the service's cluster of Vault servers.

    Raises:
        VaultError: no server can be asked.
    """
    return membership(service.vault("comparing the cluster's members"), service.plan.pki)


def _machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores, {memory:.0f} GiB"
