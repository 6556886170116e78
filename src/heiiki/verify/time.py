"""R-SEC-ACCESS/time, live: how far each clock is from the service's time, as its own chronyd says it.

That daemon hears two authenticated servers; its word is as good as theirs, and as the key that both share.
"""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from heiiki.design.time import REQUIREMENT
from heiiki.plan.model import Clock, Device, Plan
from heiiki.render import agent
from heiiki.requirements import Result, Verdict
from heiiki.requirements.verdict import Evidence
from heiiki.verify.fleet import Answer, Fleet
from heiiki.verify.verdicts import Keep, judged, live, unknown

BOUND_S = 1.0
"""Signatures of messages are good for seconds, and those of lists and certificates begin at one."""
PATIENCE_S = 60.0
"""Longer than the questions in a row take that chronyd is made to ask, on a busy machine too."""
_AGAIN_S = 5.0
_QUESTION = {"commands": {"clock": list(agent.command("clock", "status"))}}
_ONCE_MORE = {"commands": {"clock": list(agent.command("clock", "ask"))}}


def subject(device: str) -> str:
    """Subject of the verdict on a clock."""
    return f"clock of {device}"


def clocked(plan: Plan) -> tuple[Device, ...]:
    """Return the devices whose clock is judged."""
    return tuple(device for device in plan.managed() if device.clock is not None)


def verdicts(plan: Plan, fleet: Fleet, keep: Keep) -> Iterator[Verdict]:
    """Yield one verdict for each clock."""
    devices = clocked(plan)
    answers = _awaited(fleet, [device.name for device in devices])
    for device in devices:
        answer, about = answers[device.name], subject(device.name)
        evidence = (keep(f"time/{device.name}.json", answer.raw),)
        yield judged(
            device.name,
            partial(of_clock, device, answer, evidence),
            partial(unknown, REQUIREMENT, about, evidence=evidence),
        )


def _awaited(fleet: Fleet, names: Sequence[str]) -> dict[str, Answer]:
    """Ask; what is not right yet, as after a first provisioning, has the time to be.

    A daemon that began before its servers could answer is made to ask them again at once.
    """
    answers = fleet.ask("read", dict.fromkeys(names, _QUESTION))
    until = time.monotonic() + PATIENCE_S
    while left := [name for name in names if _may_become(answers[name])]:
        if time.monotonic() > until:
            break
        time.sleep(_AGAIN_S)
        answers |= fleet.ask("read", dict.fromkeys(left, _ONCE_MORE))
    return answers


def _may_become(answer: Answer) -> bool:
    """Tell whether a clock is not right yet; after its first answers a daemon is sure of nothing."""
    said = answer.data.get("commands", {}).get("clock", {})
    try:
        found = json.loads(said["out"])
        return not found["synchronised"] or _off_s(found) > BOUND_S
    except (ValueError, KeyError, TypeError):
        return False


def _off_s(found: Any) -> float:
    return float(abs(found["offset_s"]) + found["error_s"])


def of_clock(device: Device, answer: Answer, evidence: tuple[Evidence, ...]) -> Verdict:
    """Return the verdict on one clock; its figure is the offset with its possible error, seconds.

    Raises:
        ValueError, KeyError: it is no answer of ``heiiki-agent clock status``.
    """
    about, clock = subject(device.name), device.clock
    if answer.error or clock is None:
        return unknown(REQUIREMENT, about, answer.error or "it has no clock", evidence)
    said = answer.data["commands"]["clock"]
    if said["rc"] != 0:
        return unknown(REQUIREMENT, about, f"{device.name}: {_told(said)}", evidence)
    return _of_status(device.name, clock, json.loads(said["out"]), evidence)


def _of_status(device: str, clock: Clock, found: Any, evidence: tuple[Evidence, ...]) -> Verdict:
    about = subject(device)
    if clock.is_reference:
        reason = "no source of time is declared: this clock is the time of the service, and nothing judges it"
        return live(REQUIREMENT, about, Result.NOT_APPLICABLE, reason, evidence)
    asked = {*map(str, clock.servers), *map(str, clock.references)}
    answering = [one["address"] for one in found["sources"] if one["answered"] and one["address"] in asked]
    heard = f"{len(answering)} of its {len(asked)} sources answer"
    if not found["synchronised"]:
        return live(REQUIREMENT, about, Result.FAIL, f"it is not synchronised: {heard}", evidence)
    off = _off_s(found)
    if found["source"] not in asked:
        reason = f"it follows {found['source']}, which is not in the plan"
        return live(REQUIREMENT, about, Result.FAIL, reason, evidence)
    result = Result.PASS if off <= BOUND_S else Result.FAIL
    reason = f"it follows {found['source']}; {heard}"
    return live(REQUIREMENT, about, result, reason, evidence, figure=(round(off, 6), BOUND_S, "s"))


def _told(said: Mapping[str, Any]) -> str:
    return str(said["out"] + said["err"]).strip() or "chronyd says nothing"
