"""Whom a wired LAN's gateway lets in: tried with what must be refused, beside what must get in.

More link addresses on the controller's port try it while the serving supplicant goes on, each with a
certificate that differs from the device's own in what is tried alone. What was refused counts only where
that own certificate was let in the same way, and IP passed then. Where it did not pass, the gateway's filter
must have counted it.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from heiiki.design.dot1x import ControlledLan, lans
from heiiki.plan.model import Plan
from heiiki.render.dot1x import REQUIREMENT
from heiiki.requirements import Result, Verdict
from heiiki.requirements.verdict import Evidence
from heiiki.verify import tls_trials
from heiiki.verify.fleet import Answer, Fleet
from heiiki.verify.ipsec.test_certificates import Authority, Credential, credentials
from heiiki.verify.isolation.spoofing import parse_counters
from heiiki.verify.verdicts import Keep, live, summarise, unknown
from heiiki.verify.wlan.trials import ANOTHER, EXPIRED, FOREIGN, PASSWORD, REVOKED, Trial, beside

SILENT = Trial("no authentication", "")
TRIALS = (SILENT, PASSWORD, FOREIGN, ANOTHER, EXPIRED, REVOKED)
_OWN = "own certificate"
_COUNTER = "unauthorized_in"
_TIMEOUT_S = 120.0
_COUNTERS = {"commands": {"counters": ["nft", "-j", "list", "counters"]}}


def subject(trial: Trial, lan: ControlledLan) -> str:
    """Subject of the verdict on one trial."""
    return f"{trial.name}: {lan.gateway.name} on a wire"


def subjects(plan: Plan) -> Iterator[str]:
    """Yield the subjects of a service; none where no wired LAN in service has controlled ports.

    What one gateway refuses, others of the same configuration do: one LAN is tried.
    """
    for lan in _first(plan):
        yield from (subject(trial, lan) for trial in TRIALS)


def _first(plan: Plan) -> tuple[ControlledLan, ...]:
    return tuple(lan for lan in lans(plan) if lan.in_service)[:1]


def not_tried(plan: Plan, why: str) -> Iterator[Verdict]:
    """Yield *unknown* for each trial."""
    yield from (unknown(REQUIREMENT, one, why) for one in subjects(plan))


def verdicts(plan: Plan, fleet: Fleet, keep: Keep, authority: Authority | None) -> Iterator[Verdict]:
    """Yield a verdict for each trial.

    Args:
        plan: the service.
        fleet: reaches its devices.
        keep: where raw output goes.
        authority: makes the certificates that must be refused.
    """
    for lan in _first(plan):
        made, missing = credentials(plan, lan.controller.name, authority)
        behind = tls_trials.behind(fleet, (lan.gateway.name,))
        came, dropped = tried(fleet, lan, made, TRIALS)
        evidence = (keep(f"dot1x/trials-{lan.controller.name}.json", came.raw),)
        for trial in TRIALS:
            if trial in (SILENT, PASSWORD) or trial.name in made:
                late = behind if trial.listed else ""
                yield judged(trial, lan, came, dropped, evidence, late)
            else:
                yield unknown(REQUIREMENT, subject(trial, lan), missing, evidence)


def tried(
    fleet: Fleet, lan: ControlledLan, made: Mapping[str, Credential], trials: Sequence[Trial]
) -> tuple[Answer, int | None]:
    """Have the controller try what of `trials` it can with what was `made`, its own certificate beside them.

    Returns:
        What came of it, and how many packets the gateway's port dropped meanwhile, None where that is not
        known.
    """
    before = _counted(fleet, lan)
    name, asked = lan.controller.name, _attempts(lan, made, trials)
    answer = fleet.ask("wlan", {name: asked}, _TIMEOUT_S)[name]
    return answer, _rise(before, _counted(fleet, lan))


def _counted(fleet: Fleet, lan: ControlledLan) -> Answer:
    return fleet.ask("read", {lan.gateway.name: _COUNTERS})[lan.gateway.name]


def _rise(before: Answer, after: Answer) -> int | None:
    """Return how many packets the gateway's port dropped meanwhile; None where it cannot be read."""
    found = []
    for answer in (before, after):
        said = {} if answer.error else answer.data["commands"]["counters"]
        if said.get("rc") != 0:
            return None
        found.append(parse_counters(said["out"]).get(_COUNTER))
    first, last = found
    return None if first is None or last is None else last - first


def _attempts(lan: ControlledLan, made: Mapping[str, Credential], trials: Sequence[Trial]) -> dict[str, Any]:
    """Return what probe ``wlan`` needs to be plugged in; the device's own certificate is to be let in."""
    attempts: list[dict[str, Any]] = [{"name": _OWN}]
    if SILENT in trials:
        attempts.append({"name": SILENT.name, "silent": True})
    if PASSWORD in trials:
        attempts.append({"name": PASSWORD.name, "password": True})
    attempts += [
        {"name": trial.name, "certificate": made[trial.name].certificate, "key": made[trial.name].key}
        for trial in trials
        if trial.name in made
    ]
    here = lan.controller.interface(lan.supplicant.interface)
    there = lan.gateway.interface(lan.authenticator.interface)
    for number, one in enumerate(attempts, start=1):
        one |= {"interface": f"trial{number}", "address": beside(here.link_address, number)}
    return {
        "do": "plug",
        "interface": here.name,
        "authenticator": lan.supplicant.authenticator,
        "attempts": attempts,
        "echo": {
            "source": str(here.addresses[0].ip),
            "target": str(there.addresses[0].ip),
            "link_address": there.link_address,
        },
    }


def judged(
    trial: Trial,
    lan: ControlledLan,
    tried: Answer,
    dropped: int | None,
    evidence: tuple[Evidence, ...],
    behind: str = "",
) -> Verdict:
    """Return the verdict of one trial.

    Args:
        trial: what was tried.
        lan: where.
        tried: what came of all attempts.
        dropped: how many packets the gateway's port dropped meanwhile; None where it is not known.
        evidence: raw output.
        behind: why the gateway may not have the newest list.
    """
    what = subject(trial, lan)
    if tried.error:
        return unknown(REQUIREMENT, what, tried.error, evidence)
    came, own = tried.data["attempts"][trial.name], tried.data["attempts"][_OWN]
    if came["in"] or came["answered"]:
        how = "let in" if came["in"] else "not let in, and its packets were answered: the port is open"
        reason = "; ".join(filter(None, (how, behind)))
        return live(REQUIREMENT, what, Result.FAIL, reason, evidence)
    if doubts := list(_doubts(trial, came, own, dropped)):
        return unknown(REQUIREMENT, what, summarise(doubts), evidence)
    reason = (
        "refused, and its packets were dropped at the port; the device's own certificate was let in beside it"
    )
    return live(REQUIREMENT, what, Result.PASS, reason, evidence)


def _doubts(
    trial: Trial, came: Mapping[str, Any], own: Mapping[str, Any], dropped: int | None
) -> Iterator[str]:
    if not own["in"]:
        yield f"its own certificate was not let in either: {summarise(own['said'][-3:])}"
    elif not own["answered"]:
        yield "packets of its own certificate were not answered either"
    if not dropped:
        yield "the gateway does not say that its port dropped anything"
    shown = trial is not SILENT and trial is not PASSWORD
    if shown and (came["refused"] or not any("EAP-FAILURE" in line for line in came["said"])):
        why = came["refused"] or summarise(came["said"][-3:])
        yield f"the gateway did not refuse it: {why or 'nothing was said'}"
    if trial is PASSWORD and not any(re.search(trial.cause, line) for line in came["said"]):
        yield f"refused for another reason: {summarise(came['said'][-3:])}"
