"""The revocation of a device that was lost or stolen, by the path of every change: intent, plan, devices.

The device is marked in the intent first. From then on three things go on side by side: its certificates
are revoked and the verifiers end their IPsec associations with it; the HSS and the PGW each get what is
compiled from the intent, in which its subscription is no more. A step that fails stops none of the others;
the same call again finishes what is left.
"""

import difflib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from heiiki.deploy import apply_program, program
from heiiki.deploy.build import ReadSecret
from heiiki.errors import HeiikiError, RevocationError
from heiiki.pki.device_program import command
from heiiki.plan.model import Device, Function, Plan
from heiiki.render import compile_device
from heiiki.revocation.evidence import unfinished
from heiiki.verify.fleet import Answer, Fleet

_WAIT_S = 5.0
_TIMEOUT_S = 45.0
_SESSIONS = "/run/heiiki/pgw.json"

Act = Callable[[], Sequence[str]]
"""Does something, and returns what it changed."""


@dataclass(frozen=True, slots=True)
class RevocationStep:
    """One step.

    Attributes:
        name: what it is, such as ``certificates`` or ``IPsec at hub-ce-b``.
        started: UTC, ISO 8601.
        finished: likewise.
        changed: what was done; empty when nothing was left to do.
        problem: why the step is not known to be complete; empty when it is.
        needed: without it the device still has access; a verifier that has no connection with the device is
            only informed.
    """

    name: str
    started: str
    finished: str
    changed: tuple[str, ...] = ()
    problem: str = ""
    needed: bool = True


@dataclass(frozen=True, slots=True)
class Means:
    """What a revocation works with.

    Attributes:
        mark: marks the device in the intent, and returns what it changed.
        planned: returns the plan of the intent as it is then.
        revoke: revokes the certificates, publishes the CRLs, and returns the serial numbers.
        fleet: reaches the devices.
        read_secret: returns a secret that a device's build names.
    """

    mark: Act
    planned: Callable[[], Plan]
    revoke: Act
    fleet: Fleet
    read_secret: ReadSecret


def find(plan: Plan, name: str) -> Device:
    """Return the device called `name`, if it has anything that can be revoked.

    Raises:
        RevocationError: there is none, it has neither a certificate nor a SIM, or it is the Vault server.
    """
    if name == plan.pki.vault:
        raise RevocationError(
            f"{name} is the Vault server, whose CA every device trusts: it keeps its access whatever "
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


def verifiers(plan: Plan, device: str) -> dict[str, tuple[str, ...]]:
    """Return the devices with IPsec connections to a device, and the names of those connections there."""
    return {
        one.name: names
        for one in plan.devices
        if (names := tuple(connection.name for connection in one.ipsec if connection.peer == device))
    }


def revoke(device: Device, means: Means) -> Iterator[RevocationStep]:
    """Take every step; yields each when it is complete, or has failed."""
    yield timed("mark in the intent", means.mark)
    plan = means.planned()
    lanes = [
        *([_certificates(plan, device, means)] if device.identity else []),
        *([_subscription(plan, means), _session(plan, device, means)] if device.sim else []),
    ]
    yield from _side_by_side(lanes)
    if device.identity:
        told = [one.name for one in plan.managed() if one.crl_source and one.name != device.name]
        others = [name for name in told if name not in verifiers(plan, device.name)]
        yield from _sent(means.fleet, "CRL at", {name: _ending(()) for name in others}, needed=False)


def timed(name: str, act: Act) -> RevocationStep:
    """Take a step by calling `act`, which returns what it changed."""
    started = now()
    try:
        changed = tuple(act())
    except HeiikiError as error:
        return RevocationStep(name, started, now(), problem=str(error))
    return RevocationStep(name, started, now(), changed)


def now() -> str:
    """Return the time as evidence states it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _side_by_side(lanes: Sequence[Iterator[RevocationStep]]) -> Iterator[RevocationStep]:
    """Run iterators each in a thread of its own; yields what they yield, as it comes."""
    queue: SimpleQueue[RevocationStep | None] = SimpleQueue()

    def drain(lane: Iterator[RevocationStep]) -> None:
        try:
            for step in lane:
                queue.put(step)
        finally:
            queue.put(None)

    with ThreadPoolExecutor(max(len(lanes), 1)) as pool:
        running: list[Future[None]] = [pool.submit(drain, lane) for lane in lanes]
        left = len(lanes)
        while left:
            step = queue.get()
            if step is None:
                left -= 1
            else:
                yield step
        for lane in running:
            lane.result()


def _certificates(plan: Plan, device: Device, means: Means) -> Iterator[RevocationStep]:
    """Revoke first: a verifier that fetches the CRL earlier would not find them in it."""
    yield timed("certificates", means.revoke)
    peers = verifiers(plan, device.name)
    yield from _sent(means.fleet, "IPsec at", {name: _ending(peers[name]) for name in peers})


def _ending(names: tuple[str, ...]) -> bytes:
    return program("end_associations", {"pull": command("pull"), "connections": names, "wait_s": _WAIT_S})


def _subscription(plan: Plan, means: Means) -> Iterator[RevocationStep]:
    """Give the HSS what is compiled; it takes the keys of every other SIM, which the Vault server has."""
    yield _applied("SIM at", plan, Function.HSS, means)


def _session(plan: Plan, device: Device, means: Means) -> Iterator[RevocationStep]:
    """Give the PGW what is compiled, which needs no secret: it ends the session and allows no other."""
    step = _applied("session at", plan, Function.PGW, means)
    if step.problem or device.sim is None:
        yield step
        return
    (pgw,) = (one.name for one in plan.devices if one.function is Function.PGW)
    asked = program("await_no_session", {"file": _SESSIONS, "without": device.sim.imsi, "wait_s": _WAIT_S})
    (ended,) = _sent(means.fleet, "session at", {pgw: asked}, started=step.started)
    yield RevocationStep(step.name, step.started, ended.finished, step.changed, ended.problem)


def _applied(what: str, plan: Plan, function: Function, means: Means) -> RevocationStep:
    """Have a device apply its build."""
    (device,) = (one for one in plan.devices if one.function is function)
    started = now()
    try:
        sent = apply_program(compile_device(plan, device), means.read_secret)
    except HeiikiError as error:
        return RevocationStep(f"{what} {device.name}", started, now(), problem=str(error))
    (step,) = _sent(means.fleet, what, {device.name: sent}, started=started)
    return step


def _sent(
    fleet: Fleet, what: str, programs: Mapping[str, bytes], *, needed: bool = True, started: str = ""
) -> Iterator[RevocationStep]:
    begun = started or now()
    for name, answer in fleet.run(programs, _TIMEOUT_S).items():
        yield _step(f"{what} {name}", begun, answer, needed=needed)


def _step(name: str, started: str, answer: Answer, *, needed: bool) -> RevocationStep:
    data: Mapping[str, Any] = answer.data
    problem = answer.error or str(data.get("error", ""))
    return RevocationStep(name, started, now(), tuple(data.get("changed", ())), problem, needed)
