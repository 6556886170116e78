"""What the registration authority says of itself, live: it listens, and knows why it trusted each device."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from heiiki.design.enrolment import ABSENT, host
from heiiki.plan.model import Plan
from heiiki.render import est
from heiiki.requirements import Result, Stage, Verdict
from heiiki.verify.fleet import Fleet
from heiiki.verify.verdicts import Keep, live, unknown

REQUIREMENT = est.REQUIREMENT
_QUESTION = {"commands": {"health": list(est.HEALTH), "devices": list(est.operate("GET", "/devices"))}}


def subject(name: str) -> str:
    """Subject of the verdict on the program."""
    return f"registration authority on {name}"


def subjects(plan: Plan) -> Iterator[str]:
    """Yield the subject of the program, where there is one."""
    if (found := host(plan)) is not None:
        yield subject(found.name)


def verdicts(plan: Plan, fleet: Fleet, keep: Keep) -> Iterator[Verdict]:
    """Yield the verdict on the program; one that says so where there is none."""
    found = host(plan)
    yield from ABSENT.verdicts(plan, Stage.LIVE)
    if found is None:
        return
    answer = fleet.ask("read", {found.name: _QUESTION})[found.name]
    evidence, about = (keep(f"est/{found.name}.json", answer.raw),), subject(found.name)
    if answer.error:
        yield unknown(REQUIREMENT, about, answer.error, evidence)
        return
    said = answer.data.get("commands", {})
    try:
        result, reason = _judged(said)
    except (ValueError, KeyError, TypeError) as error:
        yield unknown(REQUIREMENT, about, f"its answer cannot be read: {error!r}", evidence)
    else:
        yield live(REQUIREMENT, about, result, reason, evidence)


def _judged(said: Mapping[str, Any]) -> tuple[Result, str]:
    for name in ("health", "devices"):
        if said[name]["rc"] != 0:
            return Result.FAIL, f"it does not work: {(said[name]['out'] + said[name]['err']).strip()}"
    if problem := json.loads(said["health"]["out"])["problem"]:
        return Result.FAIL, f"it does not listen: {problem}"
    given = [one for device in json.loads(said["devices"]["out"]) for one in device["certificates"]]
    if bare := [one["serial"] for one in given if not one["trust"]]:
        return Result.FAIL, f"it does not know why it gave the certificates {', '.join(bare)}"
    return Result.PASS, f"it listens; {len(given)} certificates were given, and it is kept for each why"
