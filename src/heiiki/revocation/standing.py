"""Whether every revocation still holds (R-THEFT): proved again by each verification, not remembered."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from heiiki.errors import HeiikiError
from heiiki.pki.device_program import QUESTION, credentials_status
from heiiki.pki.marks import is_marked, revoked_devices
from heiiki.pki.revoke import issued, of_device, revoked_since
from heiiki.pki.server.connection import Vault
from heiiki.plan.model import Device, Plan
from heiiki.requirements import Result, Stage, Verdict
from heiiki.verify.fleet import Answer, Fleet
from heiiki.verify.verdicts import Keep, live, summarise, unknown

_REQUIREMENT = "R-THEFT"


@dataclass(frozen=True, slots=True)
class AtServer:
    """What the Vault server has of a device that is revoked.

    Attributes:
        marked: no token of the device may do anything.
        revoked: serials of its certificates that verifiers must refuse.
        good: serials of those that are not revoked.
    """

    marked: bool
    revoked: tuple[str, ...]
    good: tuple[str, ...]


def at_server(vault: Vault, plan: Plan) -> dict[str, AtServer]:
    """Return every device that is revoked, by the intent or by the server, and what the server has of it.

    The session is that of AppRole auditor.
    """
    every, since = issued(vault, plan.pki), revoked_since(vault, plan.pki)
    named = revoked_devices(vault, plan.pki, plan.identities(), since)
    found = {}
    for device in plan.devices:
        if device.identity and (device.revoked or device.name in named):
            mine = [one.serial for one in of_device(every, device.identity)]
            found[device.name] = AtServer(
                # Only the intent asks for a mark; an officer's revocation of a certificate makes none.
                is_marked(vault, plan.pki, device.name) or not device.revoked,
                tuple(serial for serial in mine if serial in since),
                tuple(serial for serial in mine if serial not in since),
            )
    return found


def verdicts(plan: Plan, revoked: Mapping[str, AtServer], fleet: Fleet, keep: Keep) -> Iterator[Verdict]:
    """Yield R-THEFT of each device that is revoked: the lists that every verifier has loaded refuse it.

    Args:
        plan: the service.
        revoked: of `at_server`.
        fleet: reaches the verifiers.
        keep: keeps what they answered.
    """
    if not revoked:
        return
    verifiers = [one.name for one in plan.verifiers() if one.name not in revoked]
    answers = fleet.ask("read", dict.fromkeys(verifiers, QUESTION))
    refused = {name: _refused(answer) for name, answer in answers.items()}
    told = {name: one if isinstance(one, str) else sorted(one) for name, one in refused.items()}
    proof = (keep("revocation/refused-serials.json", json.dumps(told).encode()),)
    unasked = [one for one in refused.values() if isinstance(one, str)]
    for device, server in revoked.items():
        wrong = list(_wrong(server, refused))
        result = Result.FAIL if wrong else Result.UNKNOWN if unasked else Result.PASS
        reason = summarise(wrong or unasked) or (
            f"{len(server.revoked)} certificates are on the lists that {len(verifiers)} verifiers have loaded"
        )
        yield live(_REQUIREMENT, _subject(device), result, reason, proof)


def expected(plan: Plan) -> Mapping[tuple[str, Stage], tuple[str, ...]]:
    """Return the subjects that must have a verdict: each device that the intent says is revoked."""
    return {(_REQUIREMENT, Stage.LIVE): tuple(_subject(device.name) for device in _barred(plan))}


def _barred(plan: Plan) -> Iterator[Device]:
    return (device for device in plan.devices if device.revoked and device.identity)


def not_asked(plan: Plan, error: HeiikiError) -> Iterator[Verdict]:
    """Yield that it is not known, for each device that the intent says is revoked."""
    for device in _barred(plan):
        yield unknown(_REQUIREMENT, _subject(device.name), str(error))


def _subject(device: str) -> str:
    return f"{device} stays revoked"


def _refused(answer: Answer) -> frozenset[str] | str:
    """Return the serials that a verifier refuses, or why that is not known."""
    status = credentials_status(answer)
    if isinstance(status, str):
        return f"{answer.device} {status}"
    serials = status.get("refused_serials")
    if serials is None:
        return f"{answer.device} does not tell which lists are loaded"
    return frozenset(serials)


def _wrong(server: AtServer, refused: Mapping[str, frozenset[str] | str]) -> Iterator[str]:
    if not server.marked:
        yield "the Vault server has no mark of it: run revoke.yml again"
    if server.good:
        yield f"not revoked: {', '.join(server.good)}: run revoke.yml again"
    for name, serials in refused.items():
        if not isinstance(serials, str) and (missing := set(server.revoked) - serials):
            yield f"{name} has loaded no list with {', '.join(sorted(missing))}"
