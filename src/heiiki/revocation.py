"""What is done about a stolen device: every door that it could come in by is shut in turn, and timed.

A door that cannot be shut stops none of the others; it is named, and the same call again tries it again.
"""

import difflib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from heiiki.errors import HeiikiError, TheftError
from heiiki.intent.revoked import remove
from heiiki.plan.model import Device, Function, Plan
from heiiki.report.store import write_atomically
from heiiki.requirements import Result, Verdict
from heiiki.requirements.verdict import Evidence
from heiiki.verify.answers import Keep, live, unknown
from heiiki.verify.fleet import Answer, Fleet

BOUND_S = 10.0
"""Seconds from the start to the last door."""

FOLDER = "theft"
"""Folder of the evidence, below a service's artifacts."""

_THEFT = "R-THEFT"
_WAIT_S = 5.0
_TIMEOUT_S = 45.0
_HSS, _PGW, _SESSIONS = "/etc/heiiki/subscribers.json", "/etc/heiiki/pgw.json", "/run/heiiki/pgw.json"

Parameters = Mapping[str, Mapping[str, Any]]
Act = Callable[[], Sequence[str]]
"""Does something, and returns what it changed."""


@dataclass(frozen=True, slots=True)
class Door:
    """One door.

    Attributes:
        name: what it is, such as ``certificates`` or ``IPsec at hub-ce-b``.
        started, finished: UTC, ISO 8601.
        changed: what was done; empty when it was shut already.
        problem: why it is not known to be shut; empty when it is.
        needed: the device could come in by it; a verifier that never meets the device is told all the same.
    """

    name: str
    started: str
    finished: str
    changed: tuple[str, ...] = ()
    problem: str = ""
    needed: bool = True


def find(plan: Plan, name: str) -> Device:
    """Return the device called `name`, if it has anything that can be taken from it.

    Raises:
        TheftError: there is none, it has neither a certificate nor a SIM, or it is who would do the revoking.
    """
    if name == plan.pki.vault:
        raise TheftError(
            f"{name} is the Vault server, whose CA everybody trusts: nobody is shut out by revoking its "
            "certificate. Set up another with a CA of its own (roles vault_server and pki), and run site.yml"
        )
    known = {device.name: device for device in plan.devices if device.identity or device.sim}
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known, n=5) or sorted(known)
    listed = ", ".join(near[:12])
    if not name:
        raise TheftError(f"say which device: -e heiiki_device=NAME, such as {listed}")
    raise TheftError(f"there is no device `{name}` with a certificate or a SIM; near it: {listed}")


def readmit(
    folder: Path, plan: Plan, name: str, artifacts: Path, *, same_sim: bool, check: bool = False
) -> bool:
    """Take the mark of a device away, so that its replacement may enrol; tells whether there was one.

    Args:
        folder: the service's.
        plan: the same, resolved.
        name: of the device.
        artifacts: where the evidence of thefts is.
        same_sim: the SIM that was in it is to have service again.
        check: change nothing.

    Raises:
        TheftError: there is no such device, it is not shut out everywhere yet, or its SIM is the one of
            before and nobody said that it may be.
    """
    device = find(plan, name)
    if since := _unfinished(artifacts, plan.service, name):
        # What was stolen would come in again beside its replacement.
        raise TheftError(
            f"{name}: revoke.yml, begun on {since}, has not shut every door: run it again, then this"
        )
    if not device.revoked:
        return False
    sim = device.sim.imsi if device.sim else None
    if sim and sim == device.revoked_sim and not same_sim:
        raise TheftError(
            f"{name}: SIM {sim} was in the device that is shut out: write the new card's IMSI into the file "
            f"of site {device.site} (b.sim), or say -e heiiki_same_sim=true when you hold that very card"
        )
    return True if check else remove(folder, name)


def what_is_cut(plan: Plan, device: Device) -> str:
    """Return, in words, what becomes of the site of a device that is shut out."""
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
    """Return who has IPsec connections to a device, and how those are called there."""
    return {
        one.name: names
        for one in plan.devices
        if (names := tuple(connection.name for connection in one.ipsec if connection.peer == device))
    }


def shut(plan: Plan, device: Device, revoke: Act, fleet: Fleet, mark: Act) -> Iterator[Door]:
    """Shut every door; yields each when it is done.

    Args:
        plan: the service.
        device: what was stolen.
        revoke: revokes its certificates, publishes the lists, and returns the serials.
        fleet: the way to the others.
        mark: marks it in the intent, so that no later run lets it in again.
    """
    peers = verifiers(plan, device.name)
    if device.identity is not None:
        yield timed("certificates", revoke)
        yield from _ask(fleet, "IPsec at", {name: _ending(peers[name]) for name in peers})
    if device.sim is not None:
        yield from _sim(plan, device.sim.imsi, fleet)
    yield timed("mark in the intent", mark)
    if device.identity is not None:
        others = [one.name for one in plan.managed() if one.crl_source and one.name not in peers]
        told = {name: {"pull": True} for name in others if name != device.name}
        yield from _ask(fleet, "CRL at", told, needed=False)


def timed(name: str, act: Act) -> Door:
    """Shut a door by calling `act`, which returns what it changed."""
    started = _now()
    try:
        changed = tuple(act())
    except HeiikiError as error:
        return Door(name, started, _now(), problem=str(error))
    return Door(name, started, _now(), changed)


def _ending(names: tuple[str, ...]) -> dict[str, Any]:
    return {"pull": True, "connections": names, "wait_s": _WAIT_S}


def _sim(plan: Plan, imsi: str, fleet: Fleet) -> Iterator[Door]:
    """At the HSS first: a session that ends before that is begun anew."""
    at = {device.function: device.name for device in plan.devices}
    yield from _ask(fleet, "SIM at", {at[Function.HSS]: {"file": _HSS, "imsi": imsi}})
    ends = {"file": _PGW, "imsi": imsi, "sessions": _SESSIONS, "wait_s": _WAIT_S}
    yield from _ask(fleet, "session at", {at[Function.PGW]: ends})


def _ask(fleet: Fleet, what: str, parameters: Parameters, *, needed: bool = True) -> Iterator[Door]:
    started = _now()
    for name, answer in fleet.ask("shut", parameters, _TIMEOUT_S).items():
        yield _door(f"{what} {name}", started, answer, needed=needed)


def _door(name: str, started: str, answer: Answer, *, needed: bool) -> Door:
    changed = tuple(answer.data.get("changed", ()))
    problem = answer.error or "; ".join(answer.data.get("problems", ()))
    return Door(name, started, _now(), changed, problem, needed)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def evidence(
    plan: Plan, device: str, doors: Sequence[Door], since: str | None = None, *, over: bool = True
) -> dict[str, Any]:
    """Return the evidence as a document; `seconds` is from the first start to the last door it could use.

    Args:
        plan: the service.
        device: what was stolen.
        doors: those tried by now.
        since: start of a run that left doors open before this one; its seconds count.
        over: every door was tried.
    """
    needed = [door for door in doors if door.needed] or doors
    started = since or min((door.started for door in doors), default=_now())
    finished = max((door.finished for door in needed), default=started)
    took = datetime.fromisoformat(finished) - datetime.fromisoformat(started)
    return {
        "service": plan.service,
        "device": device,
        "started": started,
        "finished": finished,
        "seconds": round(took.total_seconds(), 3),
        "bound_s": BOUND_S,
        "shut": over and not any(door.problem for door in doors if door.needed),
        "doors": [asdict(door) for door in doors],
    }


class Record:
    """The evidence of one theft, on the disk from its first moment: a run that is killed is counted too.

    A run after one that left doors open goes on in its file, from its start. One that finds every door of an
    earlier theft shut leaves no trace.

    Attributes:
        path: the file.
        document: what stands in it, or would.
    """

    def __init__(self, artifacts: Path, plan: Plan, device: Device) -> None:
        """Begin, or go on.

        Raises:
            EvidenceError: it cannot be written.
        """
        unfinished = _unfinished(artifacts, plan.service, device.name)
        self._plan, self._device = plan, device.name
        self._since = unfinished or _now()
        self._doors: list[Door] = []
        self._wanted = bool(unfinished) or not device.revoked
        stamp = datetime.fromisoformat(self._since).strftime("%Y%m%dT%H%M%SZ")
        self.path = artifacts / FOLDER / f"{device.name}-{stamp}.json"
        self._write(over=False)

    def add(self, door: Door) -> Door:
        """Write a door down; returns it."""
        self._doors.append(door)
        self._wanted = self._wanted or bool(door.changed) or bool(door.needed and door.problem)
        self._write(over=False)
        return door

    def finish(self) -> Path | None:
        """Every door was tried: return the file, if there is anything to be told."""
        self._write(over=True)
        return self.path if self._wanted else None

    def _write(self, *, over: bool) -> None:
        self.document = evidence(self._plan, self._device, self._doors, self._since, over=over)
        if self._wanted:
            write_atomically(self.path, (json.dumps(self.document, indent=2) + "\n").encode())


def _unfinished(artifacts: Path, service: str, device: str) -> str | None:
    """Return when the device's newest theft began, if it left a door open or broke off."""
    mine = [
        document
        for _, document in _kept(artifacts)
        if document and (document["service"], document["device"]) == (service, device)
    ]
    newest = max(mine, key=lambda document: str(document["started"]), default=None)
    return str(newest["started"]) if newest and not newest["shut"] else None


def _kept(artifacts: Path) -> Iterator[tuple[Path, dict[str, Any] | None]]:
    """Yield every file of evidence, and what it says; None when it cannot be read."""
    for path in sorted((artifacts / FOLDER).glob("*.json")):
        document = None
        try:
            document = json.loads(path.read_bytes())
            whole = document.keys() >= {"service", "device", "started", "seconds", "shut", "doors"}
        except (ValueError, AttributeError):
            whole = False
        yield path, document if whole else None


def verdicts(plan: Plan, artifacts: Path, kept: Keep) -> Iterator[Verdict]:
    """Yield R-THEFT as the newest theft of the service measured it; nothing where there was none.

    Args:
        plan: the service.
        artifacts: where `keep` wrote the evidence.
        kept: keeps it beside the verdict.
    """
    found: dict[str, tuple[Path, dict[str, Any]]] = {}
    for path, document in _kept(artifacts):
        if document is None:
            yield unknown(_THEFT, f"theft: {path.name}", "the evidence cannot be read: run revoke.yml again")
        elif document["service"] == plan.service:
            found[document["started"]] = path, document
    if found:
        path, newest = found[max(found)]
        yield _judged(newest, kept(f"{FOLDER}/{path.name}", path.read_bytes()))


def _judged(document: Mapping[str, Any], proof: Evidence) -> Verdict:
    still = [door["name"] for door in document["doors"] if door["problem"] and door["needed"]]
    good = document["shut"] and document["seconds"] <= BOUND_S
    reason = f"{document['device']} on {document['started']}: "
    if still:
        reason += f"still open: {', '.join(still)}"
    elif document["shut"]:
        reason += f"{len(document['doors'])} doors shut"
    else:
        reason += "broken off before every door was shut: run revoke.yml again"
    figure = (document["seconds"], BOUND_S, "s")
    result = Result.PASS if good else Result.FAIL
    return live(_THEFT, "theft", result, reason, (proof,), figure=figure)
