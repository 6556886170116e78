"""The revocation of a device that was lost or stolen, by the path of every change: intent, plan, devices.

The device is marked in the intent first. From then on all goes on side by side. What needs no server: the
verifiers withdraw their connections with it and end the IKE SAs; HSS and PGW get what is compiled from the
intent, in which its subscription is no more. The keys of the other SIMs are those that the HSS has; only
where its file is not what was compiled before, the server is asked for them. What needs the server: the
certificates are revoked. Then those who let the device in load the lists that refuse it, and verifiers take
their connections back; while that is watched, the accesses are tried, and the other verifiers fetch the
lists. A step that fails stops none of the others; the same call again finishes what is left.
"""

import difflib
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from heiiki.deploy import apply_program, held_program, program
from heiiki.errors import RevocationError
from heiiki.pki.device_program import command
from heiiki.plan.model import Device, Function, Plan, Sim
from heiiki.render import compile_device
from heiiki.render.placeholders import ReadSecret
from heiiki.revocation import accesses
from heiiki.revocation.accesses import AccessBy, Outcome, verifiers
from heiiki.revocation.evidence import unfinished
from heiiki.revocation.step import Act, RevocationStep, now, said, side_by_side, stamp, timed
from heiiki.revocation.ways import No, Scene, Sign, Way, tried, ways
from heiiki.verify.fleet import Answer, Fleet
from heiiki.verify.ipsec.test_certificates import Credential

_WAIT_S = 5.0
_TIMEOUT_S = 45.0
_SESSIONS = "/run/heiiki/pgw.json"

_DEADLINE_S = 60.0
"""Time for all steps together, seconds; what is not complete by then is for the next run."""
_LEAST_S = 1.0
_MOST_LANES = 64
"""Threads for those who let a device in; a router of the hub is let in by every site."""
_WITHDRAWN = "its connection stays withdrawn until the certificates of the device are revoked"
_UNLISTED = "its connection stays withdrawn"
_NOT_REVOKED = "the certificates of the device are not revoked"


@dataclass(frozen=True, slots=True)
class RevokedAtServer:
    """What the server did.

    Attributes:
        changed: what was done; empty when nothing was left to do.
        serials: every certificate of the device that must be refused.
        shown: one of them, to be tried at every access; None: there is none.
        problem: why there is none; empty where it is not for want of one.
    """

    changed: tuple[str, ...]
    serials: tuple[str, ...]
    shown: Credential | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Means:
    """What a revocation works with.

    Attributes:
        mark: marks the device in the intent, and returns what it changed.
        planned: returns the plan of the intent as it is then.
        former: returns the plan of the same intent without the mark.
        revoke: bars the device at the server, revokes its certificates, and publishes the CRLs.
        fleet: reaches the devices.
        read_secret: returns a secret that a device's build names.
        sign: makes a good certificate, to be let in where the device is refused.
        logs: folder of what each unit says, on every device; empty where that is not known.
    """

    mark: Act
    planned: Callable[[], Plan]
    former: Callable[[], Plan]
    revoke: Callable[[], RevokedAtServer]
    fleet: Fleet
    read_secret: ReadSecret
    sign: Sign
    logs: str = ""


def find(plan: Plan, name: str) -> Device:
    """Return the device called `name`, if it has anything that can be revoked.

    Raises:
        RevocationError: there is none, it has neither a certificate nor a SIM, or it is the Vault server.
    """
    if name in plan.pki.vaults:
        raise RevocationError(
            f"{name} is a Vault server, whose CA every device trusts: it keeps its access whatever "
            "certificate is revoked. Set up another with a CA of its own (roles vault_server, pki), and run "
            "site.yml"
        )
    known = {device.name: device for device in plan.devices if device.identity or device.sim}
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known, n=5) or sorted(known)
    listed = ", ".join(near[:12])
    if not name:
        raise RevocationError(f"no device is named: say -e heiiki_device=NAME, such as {listed}")
    raise RevocationError(f"there is no device `{name}` with a certificate or a SIM; near it: {listed}")


def may_return(plan: Plan, device: Device, artifacts: Path, *, same_sim: bool) -> None:
    """Refuse to reinstate a device too early, or with a SIM that may have been stolen with it.

    Args:
        plan: the service.
        device: the one to be reinstated.
        artifacts: where the evidence of revocations is.
        same_sim: the SIM that was in it is to have service again.

    Raises:
        RevocationError: its revocation is not complete, or its SIM is the former one.
    """
    if since := unfinished(artifacts, plan.service, device.name):
        # What was stolen would have access again, beside its replacement.
        raise RevocationError(
            f"{device.name}: its revocation, begun on {since}, is not complete: run revoke.yml again, "
            "then this"
        )
    sim = device.sim.imsi if device.sim else None
    if device.revoked and sim and sim == device.revoked_sim and not same_sim:
        raise RevocationError(
            f"{device.name}: SIM {sim} was in the device that is revoked: write the new card's IMSI into the "
            f"file of site {device.site} (b.sim), or say -e heiiki_same_sim=true when you hold that very card"
        )


def what_is_cut(plan: Plan, device: Device) -> str:
    """Return, for people, what becomes of the site of a device that is revoked."""
    site = next((site for site in plan.sites if site.name == device.site), None)
    if site is None:
        return f"{device.name} is at no site: what goes over it is cut"
    if device.name not in site.gateways:
        return f"{site.name} keeps its gateways; {device.name} is cut"
    gone = {one.name for one in plan.devices if one.revoked} | {device.name}
    left = [name for name in site.gateways if name not in gone]
    if left:
        return f"{site.name} goes on over {', '.join(left)}"
    return f"{site.name} has no other gateway: the whole site is cut off until enrol.yml"


def revoke(device: Device, means: Means) -> Iterator[RevocationStep]:
    """Take every step; yields each when it is complete, or has failed."""
    yield timed("mark in the intent", means.mark)
    run = _Run(device, means.planned(), means, time.monotonic() + _DEADLINE_S)
    lanes = [
        *([run.refusal()] if device.identity else []),
        *([run.subscription(), run.session(device.sim)] if device.sim else []),
    ]
    yield from side_by_side(lanes)


@dataclass(slots=True)
class _Run:
    """One revocation: the steps of its lanes."""

    device: Device
    plan: Plan
    means: Means
    deadline: float
    done: RevokedAtServer | None = None
    """What the server did; None while that is not known."""
    listed: dict[str, str] = field(default_factory=dict)
    """Peers by IPsec that have loaded the lists, and since when they were asked to."""

    @property
    def serials(self) -> tuple[str, ...] | None:
        """What verifiers must refuse; None while that is not known."""
        return None if self.done is None else self.done.serials

    def refusal(self) -> Iterator[RevocationStep]:
        """End the IKE SAs while the certificates are revoked; then let the lists refuse the device."""
        peers = verifiers(self.plan, self.device.name)
        yield from side_by_side([self._ended(peers), self._certificates()])
        let_in = accesses.letting_in(self.plan, self.device)
        if self.serials is not None:
            # The lists first: trials beside them would take the processors that they need.
            yield from side_by_side([self._listed(share, let_in) for share in _shares(let_in)])
            back = [self._back(share, peers) for share in _shares(self.listed)]
            yield from side_by_side([*back, self._elsewhere(let_in)])
            return
        for device, every in let_in.items():
            for access in every:
                why = _WITHDRAWN if access is AccessBy.IPSEC else _NOT_REVOKED
                yield RevocationStep(accesses.at(access, device), now(), now(), problem=why)

    def _listed(
        self, names: Collection[str], let_in: Mapping[str, tuple[AccessBy, ...]]
    ) -> Iterator[RevocationStep]:
        """Have who lets the device in load the lists that refuse it."""
        begun = now()
        for name, answer in self._ran({one: self._lists() for one in names}).items():
            for access in let_in[name]:
                step = _step(accesses.at(access, name), begun, answer)
                if access is not AccessBy.IPSEC:
                    yield step
                elif step.problem:
                    yield replace(step, problem=f"{step.problem}; {_UNLISTED}")
                else:
                    self.listed[name] = begun

    def _back(self, names: Collection[str], peers: Mapping[str, tuple[str, ...]]) -> Iterator[RevocationStep]:
        """Have verifiers take their connections back, and watch that the device does not come in."""
        timers = self.plan.timers
        # A peer that was refused asks again with its next BFD packet, when the kernel lets it.
        watch_s = timers.ike.acquire_s + timers.standby.interval_ms / 1000 + 1
        programs = {name: _of_connections(peers[name], watch_s=watch_s) for name in names}
        for name, answer in self._ran(programs).items():
            yield _step(accesses.at(AccessBy.IPSEC, name), self.listed[name], answer)

    def _elsewhere(self, let_in: Mapping[str, tuple[AccessBy, ...]]) -> Iterator[RevocationStep]:
        """Try the accesses; then have the others fetch the lists, on whose time nothing depends."""
        own = {access for every in let_in.values() for access in every}
        yield from side_by_side([self._accesses(own)])  # so that no fault in them stops what follows
        yield from self._told(let_in)

    def _accesses(self, own: Collection[AccessBy]) -> Iterator[RevocationStep]:
        """Try every access with a certificate of the device: those it has, then the others."""
        if self.done is None or not (self.done.shown or self.done.problem):
            return
        scene = Scene(self.plan, self.means.fleet, self.device, self.means.sign, self.means.logs)
        every = ways(scene).items()
        for mine in (True, False):
            tried_now = [(access, way) for access, way in every if (access in own) is mine]
            for step in side_by_side([self._at(access, way, self.done) for access, way in tried_now]):
                yield replace(step, own=mine)

    def _at(self, access: AccessBy, way: Way | No, done: RevokedAtServer) -> Iterator[RevocationStep]:
        started, place = now(), ", ".join(way.servers) if isinstance(way, Way) else ""
        try:
            outcome, why = self._tried(way, done)
        except Exception as error:  # noqa: BLE001 - see `timed`
            outcome, why = Outcome.UNTRIED, said(error)
        problem = "" if outcome in (Outcome.SHUT, Outcome.NONE) else why
        step = RevocationStep(f"access {access}", started, now(), (), problem, needed=False)
        yield replace(step, access=access, outcome=outcome, place=place)

    def _tried(self, way: Way | No, done: RevokedAtServer) -> tuple[Outcome, str]:
        if isinstance(way, No):
            return way.outcome, way.why
        if done.shown is None:
            return Outcome.UNTRIED, done.problem
        return tried(self.means.fleet, way, done.shown)

    def _ended(self, peers: Mapping[str, tuple[str, ...]]) -> Iterator[RevocationStep]:
        yield from self._sent(accesses.IKE, {name: _of_connections(names) for name, names in peers.items()})

    def _certificates(self) -> Iterator[RevocationStep]:
        def revoked() -> Sequence[str]:
            self.done = self.means.revoke()
            return self.done.changed

        yield timed("certificates", revoked)

    def _lists(self) -> bytes:
        return _of_connections((), pull=command("pull"), status=command("status"), serials=self.serials)

    def _told(self, let_in: Collection[str]) -> Iterator[RevocationStep]:
        """Have the verifiers fetch the lists that do not let the device in."""
        if not self.serials:
            return
        named = [one.name for one in accesses.reached(self.plan) if one.crl_source]
        others = {name: self._lists() for name in named if name not in {*let_in, self.device.name}}
        yield from self._sent("CRL", others, needed=False)

    def subscription(self) -> Iterator[RevocationStep]:
        """Give the HSS what is compiled, with the keys that it has, or that the server has.

        A server that hangs would keep the SIM in service.
        """
        step = self._applied(accesses.SIM, Function.HSS, self._with_held)
        if step.problem:
            step = replace(self._applied(accesses.SIM, Function.HSS, self._with_read), started=step.started)
        yield step

    def session(self, sim: Sim) -> Iterator[RevocationStep]:
        """Give the PGW what is compiled, which needs no secret: it ends the session and allows no other."""
        step = self._applied(accesses.SESSION, Function.PGW, self._with_read)
        if step.problem:
            yield step
            return
        (pgw,) = (one.name for one in self.plan.devices if one.function is Function.PGW)
        asked = program("await_no_session", {"file": _SESSIONS, "without": sim.imsi, "wait_s": _WAIT_S})
        (ended,) = self._sent(accesses.SESSION, {pgw: asked}, started=step.started)
        yield RevocationStep(step.name, step.started, ended.finished, step.changed, ended.problem)

    def _with_read(self, device: Device) -> bytes:
        return apply_program(compile_device(self.plan, device), self.means.read_secret)

    def _with_held(self, device: Device) -> bytes:
        former = self.means.former()
        return held_program(
            compile_device(self.plan, device), compile_device(former, former.device(device.name))
        )

    def _applied(self, what: str, function: Function, made: Callable[[Device], bytes]) -> RevocationStep:
        """Have a device apply its build, by the program that `made` makes of it."""
        (device,) = (one for one in self.plan.devices if one.function is function)
        started = now()
        try:
            sent = made(device)
        except Exception as error:  # noqa: BLE001 - see `timed`
            return RevocationStep(accesses.at(what, device.name), started, now(), problem=said(error))
        (step,) = self._sent(what, {device.name: sent}, started=started)
        return step

    def _sent(
        self, what: str, programs: Mapping[str, bytes], *, needed: bool = True, started: str = ""
    ) -> Iterator[RevocationStep]:
        begun = started or now()
        for name, answer in self._ran(programs).items():
            yield _step(accesses.at(what, name), begun, answer, needed=needed)

    def _ran(self, programs: Mapping[str, bytes]) -> Mapping[str, Answer]:
        left = min(max(self.deadline - time.monotonic(), _LEAST_S), _TIMEOUT_S)
        return self.means.fleet.run(programs, left)


def _of_connections(names: tuple[str, ...], **more: object) -> bytes:
    """Return the program that does something to a verifier's connections; see `end_associations`."""
    return program("end_associations", {"connections": names, "wait_s": _WAIT_S, **more})


def _shares(names: Collection[str]) -> Iterator[tuple[str, ...]]:
    """Yield names in a few shares: each is timed by itself, and where there are few, each device is."""
    every = tuple(names)
    yield from (every[start::_MOST_LANES] for start in range(min(_MOST_LANES, len(every))))


def _step(name: str, started: str, answer: Answer, *, needed: bool = True) -> RevocationStep:
    data: Mapping[str, Any] = answer.data
    problem = answer.error or str(data.get("error", ""))
    finished = datetime.now(UTC) - timedelta(seconds=data.get("watched_s", 0.0))
    return RevocationStep(name, started, stamp(finished), tuple(data.get("changed", ())), problem, needed)
