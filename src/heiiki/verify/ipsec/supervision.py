"""R-THEFT/supervision, live: every site's gateway is heard at the hub, or it is said what to do about it.

The hub's watch says how long each gateway has had no IKE SA (`heiiki_agent.pki.supervision`). A gateway on
both networks is silent when it is so on both.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from heiiki.pki.device_program import command
from heiiki.plan.model import Plan
from heiiki.render.credentials import supervised_by
from heiiki.requirements import Result, Verdict
from heiiki.requirements.verdict import Evidence
from heiiki.verify.fleet import Answer, Fleet
from heiiki.verify.verdicts import Keep, live, summarise, unknown

REQUIREMENT = "R-THEFT/supervision"
SILENT_S = 300.0
"""A gateway that was not heard for so long is asked after, seconds."""


def subject(gateway: str) -> str:
    """Subject of the verdict on one gateway."""
    return f"{gateway} is heard"


def watchers(plan: Plan) -> dict[str, tuple[str, ...]]:
    """Return the hub's routers that each gateway must be heard at."""
    found: dict[str, tuple[str, ...]] = {}
    for device in plan.managed():
        for gateway in supervised_by(plan, device).values():
            found[gateway] = (*found.get(gateway, ()), device.name)
    return found


def verdicts(plan: Plan, fleet: Fleet, keep: Keep) -> Iterator[Verdict]:
    """Yield whether each gateway is heard."""
    by_gateway = watchers(plan)
    asked = dict.fromkeys((name for names in by_gateway.values() for name in names), _QUESTION)
    answers = fleet.ask("read", asked)
    evidence = {name: keep(f"trust/supervision-{name}.json", one.raw) for name, one in answers.items()}
    said = {name: _silent(answer) for name, answer in answers.items()}
    for gateway, names in by_gateway.items():
        yield of_gateway(gateway, {name: said[name] for name in names}, tuple(evidence[one] for one in names))


_QUESTION = {"commands": {"check": command("check")}}


def _silent(answer: Answer) -> Mapping[str, float] | str:
    """Return for how long each silent gateway was so, or why that is not known."""
    if answer.error:
        return answer.error
    check = answer.data["commands"]["check"]
    try:
        found: Any = json.loads(check["out"])["silent"]
        return {str(name): float(seconds) for name, seconds in found.items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        told = f"{check['out']}{check['err']}".strip()
        return f"{answer.device}: its watch does not say which gateways are heard: {told[:200]}"


def of_gateway(
    gateway: str, said: Mapping[str, Mapping[str, float] | str], evidence: tuple[Evidence, ...]
) -> Verdict:
    """Return the verdict on one gateway; its figure is how long it was not heard anywhere, seconds."""
    unread = [one for one in said.values() if isinstance(one, str)]
    heard = [name for name, one in said.items() if not isinstance(one, str) and gateway not in one]
    if heard:
        return live(REQUIREMENT, subject(gateway), Result.PASS, f"heard at {', '.join(heard)}", evidence)
    if unread:
        return unknown(REQUIREMENT, subject(gateway), summarise(unread), evidence)
    seconds = min(one[gateway] for one in said.values() if not isinstance(one, str))
    where = " and ".join(said)
    figure = (seconds, SILENT_S, "s of silence")
    if seconds < SILENT_S:
        reason = f"not heard at {where} for {seconds:.0f} s; it is asked after when that is {SILENT_S:.0f} s"
        return live(REQUIREMENT, subject(gateway), Result.PASS, reason, evidence, figure=figure)
    reason = (
        f"not heard at {where} for {seconds / 60:.0f} minutes. If nothing else explains it, it may have been "
        f"stolen; to bar it: ansible-playbook playbooks/revoke.yml -e heiiki_device={gateway}"
    )
    return live(REQUIREMENT, subject(gateway), Result.FAIL, reason, evidence, figure=figure)
