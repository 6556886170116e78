"""The use cases snapshot and restore: what the Vault server has, kept in a file, and put back."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from heiiki import files
from heiiki.deploy import program
from heiiki.errors import SnapshotError, VaultError
from heiiki.intent.place import refuse_inside_service
from heiiki.pki import restore as restoring
from heiiki.pki.device_program import command
from heiiki.pki.register import remember
from heiiki.pki.restore import Known
from heiiki.pki.revoke import issued
from heiiki.pki.server.connection import Vault
from heiiki.pki.server.login import Access, logged_in
from heiiki.pki.server.policies import AppRole
from heiiki.pki.server.snapshot import examine, install, settle, take
from heiiki.plan.model import Identity
from heiiki.revocation import RevocationStep, now, timed
from heiiki.service.certificates import renew
from heiiki.service.devices import FleetDevices
from heiiki.service.model import Service
from heiiki.verify.fleet import Fleet

_PRIVATE_FOLDER, _PRIVATE = 0o700, 0o600
_CERTIFICATE = "/etc/heiiki/pki/current/certificate.pem"
_HELD = {"files": (_CERTIFICATE,)}
"""The file alone: a program that reads it takes seconds on a small gateway, and all are asked at once."""
_PULL_S = 60.0


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore came to.

    Attributes:
        steps: in the order in which they were taken.
        warnings: what could not be asked before, and devices that the snapshot says are revoked.
    """

    steps: tuple[RevocationStep, ...]
    warnings: tuple[str, ...]

    @property
    def changed(self) -> bool:
        """Whether anything was left to do."""
        return any(step.changed for step in self.steps)

    @property
    def incomplete(self) -> tuple[RevocationStep, ...]:
        """Steps without which something that was revoked may be good again."""
        return tuple(step for step in self.steps if step.problem)


def snapshot(service: Service, artifacts: Path, folder: Path | None = None) -> Path:
    """Keep all that the Vault server has in a new file, mode 0600, whole or not at all; returns its path.

    It is ciphertext, and the unseal keys are not in it. What else a restore needs, the certificates that are
    revoked by now, is kept in the service's state.

    Args:
        service: the service.
        artifacts: folder for reports, which others may read: no snapshot is written there.
        folder: for snapshots; None for the one in the service's state.

    Raises:
        SnapshotError: the folder is no place for one, or cannot be written.
        VaultError: the server cannot be reached, or does not allow it.
    """
    place = folder or service.state.folder / "snapshots"
    _refuse_shared(place, artifacts)
    access = service.vault("taking a snapshot")
    with logged_in(access, AppRole.AUDITOR) as auditor:
        remember(auditor, service.plan.pki, service.register)
    with logged_in(access, AppRole.SNAPSHOT) as session:
        data = take(session)
    path = place / f"{service.plan.service}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.snap"
    try:
        place.mkdir(parents=True, exist_ok=True, mode=_PRIVATE_FOLDER)
        files.replace(path, data, _PRIVATE)
    except OSError as error:
        raise SnapshotError(f"{path}: cannot be written: {error.strerror}; name another folder") from error
    return path


def _refuse_shared(place: Path, artifacts: Path) -> None:
    """Refuse folders whose files are published: of a service, of reports, or of a checkout."""
    refuse_inside_service(place)
    where = place.resolve()
    around = (where, *where.parents)
    if artifacts.resolve() in around:
        raise SnapshotError(f"{place}: is in the folder of reports, which are passed on; name another folder")
    if checkout := next((one for one in around if (one / ".git").exists()), None):
        raise SnapshotError(f"{place}: is in the checkout {checkout}; name a folder outside it")


def what_would_be_restored(service: Service, file: Path) -> str:
    """Examine a snapshot, and return what would be put back, as text; nothing is changed.

    Raises:
        SnapshotError: the file cannot be read, or is no whole snapshot.
    """
    data = _read(file)
    barred = [device.name for device in service.plan.devices if device.revoked]
    kept = len(service.register.all())
    return (
        f"{file}: {len(data)} octets, whole; it would take the place of all that "
        f"{service.vault('restoring').vault.server} has; revoked again: {', '.join(barred) or 'no device'} "
        f"of revoked.yml, what the server and the verifiers know, and {kept} certificates that are kept here"
    )


def restore(
    service: Service, file: Path, report: Callable[[RevocationStep], None] = lambda _step: None
) -> Restored:
    """Put a snapshot back, and prove that what was revoked since is still refused.

    What is revoked is gathered before, from the server, the verifiers and the controller, and kept until
    every step is complete: the same call again goes on, and does not put the same snapshot back twice.

    Args:
        service: the service.
        file: of `snapshot`.
        report: progress callback, called when a step has ended.

    Raises:
        SnapshotError: the file cannot be read, is no whole snapshot, or is another server's.
        VaultError: the server cannot be reached, or does not do it.
    """
    data = _read(file)
    pending = _Pending(service.state.folder / "restore.json", hashlib.sha256(data).hexdigest())
    with service.fleet() as fleet:
        run = _Run(service, fleet, pending)
        warnings = run.gather()
        steps = []
        for step in run.steps(data):
            steps.append(step)
            report(step)
    done = Restored(tuple(steps), (*warnings, *run.reinstated))
    if not done.incomplete:
        pending.forget()
    return done


def _read(file: Path) -> bytes:
    try:
        data = file.read_bytes()
    except OSError as error:
        raise SnapshotError(f"{file}: cannot be read: {error.strerror}") from error
    examine(data, str(file))
    return data


class _Pending:
    """What a restore that is not complete knew: in the service's state, from before its first change.

    Attributes:
        known: what must hold afterwards.
        installed: the server has the snapshot.
        replaced: certificates of devices that the server does not know, PEM by serial number: each is revoked
            when its device has another.
    """

    def __init__(self, path: Path, sha256: str) -> None:
        self._path, self._sha256 = path, sha256
        self.known, self.installed = Known(), False
        self.replaced: dict[str, str] = {}
        try:
            kept: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            known = kept["known"]
            self.known = Known(frozenset(known["devices"]), known["certificates"], known["numbers"])
            self.installed = kept["installed"] and kept["sha256"] == sha256
            self.replaced = dict(kept["replaced"])
        except FileNotFoundError:
            return
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise SnapshotError(
                f"{path}: what an earlier restore was to complete cannot be read ({error}): move the file "
                "away to begin again; devices that were revoked at the server alone may be forgotten then"
            ) from error

    def keep(self) -> None:
        """Write it down, durably."""
        document = {
            "sha256": self._sha256,
            "installed": self.installed,
            "known": {**asdict(self.known), "devices": sorted(self.known.devices)},
            "replaced": self.replaced,
        }
        try:
            files.replace(self._path, json.dumps(document).encode(), _PRIVATE)
        except OSError as error:
            raise SnapshotError(f"{self._path}: cannot be written: {error.strerror}") from error

    def forget(self) -> None:
        """The restore is complete."""
        self._path.unlink(missing_ok=True)


@dataclass(slots=True)
class _Run:
    """One restore."""

    service: Service
    fleet: Fleet
    pending: _Pending
    reinstated: tuple[str, ...] = ()
    """Devices that the snapshot alone says are revoked, as human-readable text."""

    def gather(self) -> list[str]:
        """Learn what is revoked from everybody who may know; returns who could not be asked."""
        trust, found = self.service.plan.pki, self.pending.known
        warnings: list[str] = []
        found = found.and_also(Known(frozenset(self._marked()), self.service.register.all()))
        try:
            with logged_in(self._access("asking what is revoked"), AppRole.AUDITOR) as auditor:
                found = found.and_also(restoring.of_server(auditor, trust))
        except VaultError as error:
            warnings.append(f"what is revoked at the server alone is not known: {error}")
        statuses = FleetDevices(self.fleet).statuses(self._verifiers())
        warnings += [f"{name} {said}" for name, said in statuses.items() if isinstance(said, str)]
        said = [one for one in statuses.values() if not isinstance(one, str)]
        self.pending.known = found.and_also(restoring.of_verifiers(said))
        self.pending.keep()
        return warnings

    def steps(self, data: bytes) -> Iterator[RevocationStep]:
        """Take every step; none that needs what an incomplete one was to bring."""
        # No list is generated before all of this: it would be newer, and not whole.
        first = (("snapshot", lambda: self._installed(data)), ("CAs", self._authorities))
        again = (("marks", self._barred), ("certificates", self._revoked), ("later ones", self._replaced))
        for name, act in (*first, *again, ("lists", self._outnumbered)):
            yield (step := timed(name, act))
            if step.problem:
                return
        yield from self._proven()

    def _access(self, step: str) -> Access:
        """Return the way to the server by log-ins of purposes: the operator's token may be gone."""
        access = self.service.vault(step)
        left = {key: one for key, one in access.environment.items() if key != "VAULT_TOKEN"}
        return replace(access, environment=left)

    def _marked(self) -> Iterator[str]:
        return (one.name for one in self.service.plan.devices if one.revoked and one.identity)

    def _verifiers(self) -> list[str]:
        return [one.name for one in self.service.plan.verifiers()]

    def _identities(self) -> tuple[Identity, ...]:
        everybody = self.service.plan.identities()
        return tuple(one for one in everybody if one.device in self.pending.known.devices)

    def _installed(self, data: bytes) -> Sequence[str]:
        access = self.service.vault("restoring a snapshot")
        done = [] if self.pending.installed else ["all that the server has"]
        if done:
            install(access, data)
            self.pending.installed = True
            self.pending.keep()
        settle(access)
        return done

    def _authorities(self) -> Sequence[str]:
        vault = self._access("comparing CAs").vault
        restoring.refuse_other_authorities(vault, self.service.plan.pki, self.pending.known)
        return ()

    def _barred(self) -> Sequence[str]:
        step, trust = "marking devices again", self.service.plan.pki
        with (
            self._session(step, AppRole.AUDITOR) as auditor,
            self._session(step, AppRole.REVOKER) as revoker,
        ):
            return restoring.bar_again(auditor, revoker, trust, self.pending.known.devices)

    @contextmanager
    def _session(self, step: str, approle: AppRole) -> Iterator[Vault]:
        with logged_in(self._access(step), approle) as session:
            yield session

    def _revoked(self) -> Sequence[str]:
        trust, known = self.service.plan.pki, self.pending.known
        with self._session("revoking again", AppRole.REVOKER) as revoker:
            done = restoring.revoke_again(revoker, trust, known, self._identities())
        with self._session("comparing marks", AppRole.AUDITOR) as auditor:
            more = restoring.of_server(auditor, trust).devices - known.devices
        self.reinstated = tuple(
            f"{name} is revoked in the snapshot and was not when it was restored: enrol.yml "
            f"-e heiiki_device={name} lets it in again"
            for name in sorted(more)
        )
        return done

    def _replaced(self) -> Sequence[str]:
        """Renew the certificates that the server does not know: they could never be revoked there."""
        holders, silent = self._holders()
        renewed = renew(self.service, holders, force=True, server_needed=True) if holders else ()
        problems = [*silent, *(f"{one.device}: {one.problem}" for one in renewed if one.problem)]
        failed = {holders[one.device] for one in renewed if one.problem}
        trust = self.service.plan.pki
        with self._session("revoking what was replaced", AppRole.REVOKER) as revoker:
            for serial, pem in self.pending.replaced.items():
                if serial not in failed:
                    revoker.write(f"{trust.issuing_mount}/revoke", {"certificate": pem})
            remember(revoker, trust, self.service.register)
        if problems:
            raise SnapshotError("; ".join(problems))
        return [f"certificate of {name}" for name in sorted(holders)]

    def _holders(self) -> tuple[dict[str, str], list[str]]:
        """Return the serial numbers of certificates in use that the server does not know, by device.

        And devices that do not say which certificate they use. The certificates are kept.
        """
        named = {one.name: one.identity for one in self.service.plan.managed() if one.identity}
        asked = dict.fromkeys(sorted(named.keys() - self.pending.known.devices), _HELD)
        answers = self.fleet.ask("read", asked, _PULL_S)
        with self._session("asking which certificates there are", AppRole.AUDITOR) as auditor:
            there = {one.serial for one in issued(auditor, self.service.plan.pki)}
        holders: dict[str, str] = {}
        silent: list[str] = []
        for name, answer in answers.items():
            pem = answer.data.get("files", {}).get(_CERTIFICATE)
            if answer.error:
                silent.append(f"{name} does not say which certificate it uses: {answer.error}")
            elif pem and not (serial := restoring.serial_of(pem, named[name])):
                silent.append(f"{name} shows a certificate that is not its own: nothing was revoked for it")
            elif pem and serial not in there:
                holders[name] = serial
                self.pending.replaced[serial] = pem
        self.pending.keep()
        return holders, silent

    def _outnumbered(self) -> Sequence[str]:
        known, trust = self.pending.known, self.service.plan.pki
        step = "publishing lists"
        with (
            self._session(step, AppRole.REVOKER) as revoker,
            self._session(step, AppRole.CONFIGURATOR) as configurator,
        ):
            return restoring.outnumber(revoker, configurator, trust, known)

    def _proven(self) -> Iterator[RevocationStep]:
        """Try that what was revoked is refused, by the server and by every verifier."""
        serials: list[str] = []

        def refused() -> Sequence[str]:
            trust, step = self.service.plan.pki, "trying what is refused"
            with (
                self._session(step, AppRole.REVOKER) as revoker,
                self._session(step, AppRole.ENROLLER) as enroller,
            ):
                barred = self._identities()
                serials.extend(restoring.still_refused(revoker, enroller, trust, self.pending.known, barred))
            return ()

        yield (step := timed("signatures refused", refused))
        if step.problem:
            return
        asked = {"connections": (), "wait_s": 0, "watch_s": 0, "serials": serials}
        sent = program("end_associations", {**asked, "pull": command("pull"), "status": command("status")})
        begun = now()
        for name, answer in self.fleet.run(dict.fromkeys(self._verifiers(), sent), _PULL_S).items():
            problem = answer.error or str(answer.data.get("error", ""))
            yield RevocationStep(f"lists at {name}", begun, now(), problem=problem)
