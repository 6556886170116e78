"""The replacement of a CA while the service goes on: what comes next, and whether the devices are ready.

Which phase a rotation is in follows from the server and from the devices alone, so a run that was cut off is
simply run again. A device that does not answer is not ready: unknown is not yes.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

from heiiki.errors import RotationError
from heiiki.files import write_evidence
from heiiki.pki import authorities as ca
from heiiki.pki import ready
from heiiki.pki.authorities import Authority
from heiiki.pki.device_program import NO_ANSWER, Devices, Status
from heiiki.pki.enrol import fingerprint
from heiiki.pki.server.bootstrap import root
from heiiki.pki.server.connection import Vault
from heiiki.pki.server.login import Access, logged_in
from heiiki.pki.server.policies import AppRole
from heiiki.plan.model import Pki, Plan

FOLDER = "rotation"
"""Folder of the evidence, below a service's artifacts."""

FRESH = timedelta(days=1)
"""Age below which a CA that took another's place is taken for the one that was asked for."""

_SHOWN = 8

Statuses = Mapping[str, Status]


class Kind(StrEnum):
    """Which CA is replaced."""

    ISSUING = "issuing"
    ROOT = "root"


class Step(StrEnum):
    """A step that happens at the server; in between the devices get their anchors and certificates."""

    BEGIN = "begin"
    SIGN = "sign"
    RETIRE = "retire"
    FINISH = "finish"


PHASES: Mapping[Kind, Mapping[Step, tuple[str, str]]] = {
    Kind.ISSUING: {
        Step.BEGIN: ("1 of 3: the new issuing CA signs", "every device gets a certificate of it"),
        Step.RETIRE: ("2 of 3: the old issuing CA is withdrawn", "every verifier fetches the lists"),
        Step.FINISH: ("3 of 3: no device trusts the old CA any more", "nothing, the rotation is over"),
    },
    Kind.ROOT: {
        Step.BEGIN: ("1 of 4: there is a new root beside the old one", "every device trusts both"),
        Step.SIGN: (
            "2 of 4: an issuing CA below the new root signs",
            "every device gets a certificate of it",
        ),
        Step.RETIRE: ("3 of 4: the old CAs are withdrawn", "every device trusts the new root alone"),
        Step.FINISH: ("4 of 4: no device trusts the old CAs any more", "nothing, the rotation is over"),
    },
}
"""What is true after each step, and what the playbook does then."""


@dataclass(frozen=True, slots=True)
class State:
    """The CAs of a service.

    Attributes:
        roots, issuing: those with a key, the oldest first.
        replaced: what `heiiki.pki.authorities.retire` would remove.
    """

    roots: tuple[Authority, ...]
    issuing: tuple[Authority, ...]
    replaced: tuple[Authority, ...]

    @classmethod
    def read(cls, vault: Vault, trust: Pki) -> "State":
        """Ask the server; a session of AppRole configurator is enough."""
        roots, issuing = ca.authorities(vault, trust.root_mount), ca.authorities(vault, trust.issuing_mount)
        return cls(_with_key(roots), _with_key(issuing), ca.retirable(vault, trust))

    def current(self, kind: Kind) -> Authority:
        """Return the CA that signs."""
        found = [one for one in (self.roots if kind is Kind.ROOT else self.issuing) if one.current]
        if not found:
            raise RotationError(f"the server has no {kind} CA yet: run site.yml, which makes it")
        return found[0]

    @property
    def below_the_newest(self) -> bool:
        """Whether the issuing CA is signed by the root that signs now."""
        root_ca, issuing = self.current(Kind.ROOT).certificate, self.current(Kind.ISSUING).certificate
        return issuing.issuer == root_ca.subject

    @property
    def running(self) -> Kind | None:
        """Which rotation is in progress; a root takes its issuing CA along."""
        if not self.below_the_newest or any(map(_is_root, self.replaced)):
            return Kind.ROOT
        return Kind.ISSUING if self.replaced else None

    def over(self, kind: Kind, now: datetime) -> bool:
        """Tell whether such a rotation has just been brought to its end."""
        one = self.current(kind)
        return one.number > 1 and now - one.certificate.not_valid_before_utc < FRESH


def _with_key(found: Sequence[Authority]) -> tuple[Authority, ...]:
    return tuple(one for one in found if one.key)


def _is_root(authority: Authority) -> bool:
    return authority.certificate.issuer == authority.certificate.subject


@dataclass(frozen=True, slots=True)
class Done:
    """What a step came to.

    Attributes:
        subject: the CA that is coming, such as ``issuing-2``.
        changes: what was, or would be, changed at the server: name of the CA, before, after.
        phase, after: where the rotation is, and what comes next, as human-readable text.
        seen: what was asked of each device, and how it answered.
        warnings: devices that could not be asked, where that keeps nothing up.
    """

    subject: str
    changes: tuple[tuple[str, str, str], ...]
    phase: str
    after: str
    seen: Mapping[str, str]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rotation:
    """One run's connections to the server and to the devices.

    Attributes:
        again: begin another rotation although one was just brought to its end.
    """

    plan: Plan
    access: Access
    devices: Devices
    kind: Kind
    again: bool = False
    check: bool = False

    def take(self, step: Step) -> Done:
        """Take a step, if it is due; in check mode only tell.

        Raises:
            RotationError: devices are not ready for it, or another rotation is in progress.
            VaultError: the server is away or sealed, or does not do it.
        """
        self.access.vault.require_ready()
        with logged_in(self.access, AppRole.CONFIGURATOR) as session:
            state = State.read(session, self.plan.pki)
        acts: Mapping[Step, Callable[[State], Done]] = {
            Step.BEGIN: self._begin,
            Step.SIGN: self._sign,
            Step.RETIRE: self._retire,
            Step.FINISH: self._finish,
        }
        return acts[step](state)

    def _begin(self, state: State) -> Done:
        if state.running not in {None, self.kind}:
            raise RotationError(
                f"the rotation of the {state.running} CA is in progress: bring it to its end first, "
                f"rotate.yml -e heiiki_authority={state.running}"
            )
        changes = self._completed(state)
        state = self._state(state)
        due = state.running is None and (self.again or not state.over(self.kind, datetime.now(UTC)))
        if due and not changes:
            make = ca.rotate_root if self.kind is Kind.ROOT else ca.rotate_issuing
            changes = self._changed(state, lambda vault: (make(vault, self.plan),))
            state = self._state(state)
        if self.kind is Kind.ROOT:
            return self._done(Step.BEGIN, state, changes)
        return self._published(Step.BEGIN, state, changes)

    def _sign(self, state: State) -> Done:
        """Only for a root, and only when every device trusts it."""
        if self.kind is Kind.ISSUING or state.below_the_newest:
            return self._done(Step.SIGN, state, ())
        newest = state.current(Kind.ROOT)
        seen = {
            name: ready.anchored(status, fingerprint(newest.pem)) for name, status in self._statuses().items()
        }
        self._need(seen, f"trust {newest.name}", "nothing is signed below it yet")
        changes = self._changed(state, lambda vault: (ca.rotate_issuing(vault, self.plan),))
        return self._published(Step.SIGN, self._state(state), changes, seen)

    def _retire(self, state: State) -> Done:
        if not state.replaced:
            return self._done(Step.RETIRE, state, ())
        issuing = state.current(Kind.ISSUING)
        if self.kind is Kind.ROOT and not state.below_the_newest:
            raise RotationError("no issuing CA is below the new root yet: run rotate.yml from its beginning")
        marks = fingerprint(issuing.pem), fingerprint(state.current(Kind.ROOT).pem)
        seen = {name: ready.renewed(status, *marks) for name, status in self._statuses().items()}
        old = ", ".join(dict.fromkeys(one.name for one in state.replaced))
        self._need(seen, f"use a certificate of {issuing.name}", f"{old} is not withdrawn")
        gone = tuple(
            (one.name, f"{one.certificate.subject.rfc4514_string()}\n", "") for one in state.replaced
        )
        if not self.check:
            with root(self.access) as session:
                ca.retire(session, self.plan)
        return self._done(Step.RETIRE, state, gone, seen)

    def _finish(self, state: State) -> Done:
        if state.running is not None:
            return self._done(Step.BEGIN, state, ())
        if not self.check:
            self._tidy()
            self._pull()
        known = {fingerprint(one.pem) for one in state.roots}
        issuers = {one.certificate.subject.rfc4514_string() for one in (*state.roots, *state.issuing)}
        seen = {name: ready.forgotten(status, known, issuers) for name, status in self._statuses().items()}
        self._need(seen, "have forgotten what was withdrawn", "the rest of the rotation is done")
        return self._done(Step.FINISH, state, (), seen)

    def _tidy(self) -> None:
        """Remove the key of a CA that is gone, where a run was cut off in between."""
        with logged_in(self.access, AppRole.CONFIGURATOR) as session:
            left = ca.orphans(session, self.plan.pki)
        if left:
            with root(self.access) as session:
                ca.drop_orphans(session, self.plan.pki)

    def _completed(self, state: State) -> tuple[tuple[str, str, str], ...]:
        """Make good what a run that was cut off has left; without the rights of root if nothing is."""
        with logged_in(self.access, AppRole.CONFIGURATOR) as session:
            left = ca.complete(session, self.plan, check=True)
        return self._changed(state, lambda vault: ca.complete(vault, self.plan)) if left else ()

    def _changed(
        self, state: State, act: Callable[[Vault], Sequence[Authority]]
    ) -> tuple[tuple[str, str, str], ...]:
        before = state.current(self.kind).certificate.subject.rfc4514_string()
        if self.check:
            return ((f"{self.kind} CA", f"{before}\n", f"a new {self.kind} CA\n"),)
        with root(self.access) as session:
            ca.complete(session, self.plan)
            made = act(session)
        return tuple(
            (one.name, f"{before}\n", f"{one.certificate.subject.rfc4514_string()}\n") for one in made
        )

    def _state(self, before: State) -> State:
        if self.check:
            return before
        with logged_in(self.access, AppRole.CONFIGURATOR) as session:
            return State.read(session, self.plan.pki)

    def _published(
        self,
        step: Step,
        state: State,
        changes: tuple[tuple[str, str, str], ...],
        seen: Mapping[str, str] | None = None,
    ) -> Done:
        """Have every verifier fetch the list of the new CA before a peer shows a certificate of it.

        One that cannot be reached has no tunnel to lose; it fetches the list when it is back.
        """
        if self.check or state.running is None:
            return self._done(step, state, changes, seen or {})
        self._pull()
        issuer = state.current(Kind.ISSUING).certificate.subject.rfc4514_string()
        verifiers = {device.name for device in self.plan.verifiers()}
        listed = {
            name: ready.listed(status, issuer)
            for name, status in self._statuses().items()
            if name in verifiers
        }
        away = [name for name, why in listed.items() if why.startswith(NO_ANSWER)]
        self._need(
            {name: why for name, why in listed.items() if name not in away},
            f"have the revocation list of {issuer}",
            "no device is renewed yet",
        )
        told = tuple(f"{name} {listed[name]}: it fetches the new list when it is back" for name in away)
        return self._done(step, state, changes, seen or listed, told)

    def _pull(self) -> None:
        """Have every verifier fetch the lists; whether that worked shows in what it tells afterwards."""
        self.devices.fetch_crls([device.name for device in self.plan.verifiers()])

    def _statuses(self) -> Statuses:
        asked = [device.name for device in self.plan.managed() if device.identity and not device.revoked]
        return self.devices.statuses(sorted(asked))

    def _need(self, seen: Mapping[str, str], what: str, hence: str) -> None:
        """Stop unless every device was seen to be ready."""
        lacking = [f"{name} {why}" for name, why in seen.items() if why not in ready.READY]
        if lacking and not self.check:
            more = f" and {len(lacking) - _SHOWN} more" if len(lacking) > _SHOWN else ""
            raise RotationError(
                f"{len(lacking)} of {len(seen)} devices are not known to {what}, so {hence}: "
                f"{'; '.join(lacking[:_SHOWN])}{more}. Mend these, or revoke what is gone for good "
                f"(revoke.yml), then run rotate.yml "
                f"-e heiiki_authority={self.kind} again: it goes on from here"
            )

    def _done(
        self,
        step: Step,
        state: State,
        changes: tuple[tuple[str, str, str], ...],
        seen: Mapping[str, str] | None = None,
        warnings: tuple[str, ...] = (),
    ) -> Done:
        phase, after = PHASES[self.kind].get(step, ("", ""))
        if step is Step.BEGIN and state.running is None and not changes:
            one = state.current(self.kind).certificate
            since = one.not_valid_before_utc.strftime("%Y-%m-%dT%H:%M:%SZ")
            phase = f"over: {one.subject.rfc4514_string()} took the other's place on {since}"
            after = "nothing; -e heiiki_again=true replaces it once more"
        return Done(state.current(self.kind).name, changes, phase, after, seen or {}, warnings)


def keep(artifacts: Path, plan: Plan, step: Step, done: Done) -> Path | None:
    """Add a step to the evidence of its rotation; returns the path, None when there is nothing to tell.

    Raises:
        EvidenceError: it cannot be written.
    """
    path = artifacts / FOLDER / f"{done.subject}.json"
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        document = {"service": plan.service, "authority": done.subject, "steps": [], "over": False}
    if document["over"] or not (done.changes or (done.seen and document["steps"])):
        return None
    document["steps"].append(
        {
            "step": step,
            "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "phase": done.phase,
            "changes": [
                {"name": name, "before": before, "after": after} for name, before, after in done.changes
            ],
            "devices": done.seen,
            "warnings": done.warnings,
        }
    )
    document["over"] = step is Step.FINISH
    write_evidence(path, (json.dumps(document, indent=2) + "\n").encode())
    return path
