"""R-SEC-ACCESS/time, live: how far each clock is from the service's time, as its own chronyd says it.

That daemon hears two authenticated servers; its word is as good as theirs, and as the key that both share.
"""

from collections.abc import Iterator, Mapping
from functools import partial

from heiiki.design.time import REQUIREMENT
from heiiki.plan.model import Clock, Device, Plan
from heiiki.render import agent
from heiiki.requirements import Result, Verdict
from heiiki.requirements.verdict import Evidence
from heiiki.verify.fleet import Answer, Fleet, Looks, told
from heiiki.verify.verdicts import Keep, judged, live, unknown
from heiiki_agent.clock import ClockStatus

BOUND_S = 1.0
"""Signatures of messages are good for seconds, and those of lists and certificates begin at one."""
LOOKS = Looks(most=13, every_s=5.0)
"""What is not right yet, as after a first provisioning, has a minute to be: longer than chronyd takes for the
questions in a row that it is made to ask, on a busy machine too."""
_QUESTION = {"commands": {"clock": list(agent.command("clock", "status"))}}
# A daemon that began before its servers could answer is made to ask them again at once.
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
    asked, later = (dict.fromkeys((one.name for one in devices), one) for one in (_QUESTION, _ONCE_MORE))
    answers = fleet.ask_until("read", asked, _early, LOOKS, later=later)
    for device in devices:
        answer = answers[device.name]
        evidence = (keep(f"time/{device.name}.json", answer.raw),)
        yield judged(
            device.name,
            partial(of_clock, device, answer, evidence),
            partial(unknown, REQUIREMENT, subject(device.name), evidence=evidence),
        )


def _early(answers: Mapping[str, Answer]) -> Iterator[str]:
    """Yield whose clock is not right yet; after its first answers a daemon is sure of nothing."""
    for name, answer in answers.items():
        found = told(ClockStatus, answer, "clock")
        if isinstance(found, ClockStatus) and (not found.synchronised or found.off_s > BOUND_S):
            yield name


def of_clock(device: Device, answer: Answer, evidence: tuple[Evidence, ...]) -> Verdict:
    """Return the verdict on one clock; its figure is the offset with its possible error, seconds."""
    found = told(ClockStatus, answer, "clock")
    if isinstance(found, str) or device.clock is None:
        why = found if isinstance(found, str) else "it has no clock"
        return unknown(REQUIREMENT, subject(device.name), why, evidence)
    return _of_status(device.name, device.clock, found, evidence)


def _of_status(device: str, clock: Clock, found: ClockStatus, evidence: tuple[Evidence, ...]) -> Verdict:
    about = subject(device)
    if clock.is_reference:
        reason = "no source of time is declared: this clock is the time of the service, and nothing judges it"
        return live(REQUIREMENT, about, Result.NOT_APPLICABLE, reason, evidence)
    asked = {*map(str, clock.servers), *map(str, clock.references)}
    answering = [one for one in found.sources if one.answered and one.address in asked]
    heard = f"{len(answering)} of its {len(asked)} sources answer"
    if not found.synchronised:
        return live(REQUIREMENT, about, Result.FAIL, f"it is not synchronised: {heard}", evidence)
    if found.source not in asked:
        reason = f"it follows {found.source}, which is not in the plan"
        return live(REQUIREMENT, about, Result.FAIL, reason, evidence)
    result = Result.PASS if found.off_s <= BOUND_S else Result.FAIL
    reason = f"it follows {found.source}; {heard}"
    figure = (round(found.off_s, 6), BOUND_S, "s")
    return live(REQUIREMENT, about, result, reason, evidence, figure=figure)
