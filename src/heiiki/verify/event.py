"""R-EVENT, live: each site's VEN is registered, and its VTN hears it: an event would reach it.

The VTN says when it last heard each VEN, and each VEN how its last exchange went. Neither is believed alone:
a VEN may speak to something else, and a VTN that is heard may not get through to its resource.
"""

import time
from collections.abc import Container, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from heiiki.plan.model import Device, Plan
from heiiki.render import openadr
from heiiki.requirements import Result, Verdict
from heiiki.requirements.verdict import Evidence
from heiiki.verify.fleet import Answer, Fleet
from heiiki.verify.verdicts import Keep, live, summarise, unknown
from heiiki_agent import config
from heiiki_agent.errors import AgentError
from heiiki_agent.openadr.places import End
from heiiki_agent.openadr.statuses import VenStatus, VtnStatus

REQUIREMENT = openadr.REQUIREMENT
SILENT_S = 30.0
"""Three polls of a VEN (`heiiki_agent.openadr.vtn.settings`): two may be lost."""
PATIENCE_S = 60.0
_AGAIN_S = 5.0
_Status = TypeVar("_Status", VtnStatus, VenStatus)


def subject(device: str) -> str:
    """Subject of the verdict on one VEN."""
    return f"{device} is served"


def vens(plan: Plan) -> tuple[Device, ...]:
    """Return the devices that are VENs."""
    return tuple(device for device in plan.managed() if device.ven is not None)


Said = Mapping[str, VtnStatus | VenStatus | str]
"""The status of each end by its device, or why it is not known."""


def verdicts(plan: Plan, fleet: Fleet, keep: Keep) -> Iterator[Verdict]:
    """Yield whether each VEN is served."""
    served = vens(plan)
    servers = [device.name for device in plan.managed() if device.vtn is not None]
    answers = _settled(fleet, servers, [device.name for device in served])
    said = _statuses(servers, answers)
    kept = {name: keep(f"event/{name}.json", answer.raw) for name, answer in answers.items()}
    for device in served:
        yield of_ven(device.name, servers, said, tuple(kept[name] for name in (*servers, device.name)))


def _settled(fleet: Fleet, servers: Sequence[str], served: Sequence[str]) -> dict[str, Answer]:
    """Ask; a VEN that was just provisioned, or has lost its VTN, has the time to be heard.

    What cannot be read is not waited for: the whole check is repeated then.
    """
    asked = {name: _question("vtn") for name in servers} | {name: _question("ven") for name in served}
    until = time.monotonic() + PATIENCE_S
    while True:
        answers = fleet.ask("read", asked)
        said = _statuses(servers, answers)
        readable = not any(isinstance(one, str) for one in said.values())
        late = readable and any(problems(name, servers, said) for name in served)
        if not late or time.monotonic() > until:
            return dict(answers)
        time.sleep(_AGAIN_S)


def _question(which: End) -> dict[str, Any]:
    return {"commands": {"health": list(openadr.health(which))}}


def _statuses(servers: Container[str], answers: Mapping[str, Answer]) -> Said:
    return {
        name: _status(VtnStatus, answer) if name in servers else _status(VenStatus, answer)
        for name, answer in answers.items()
    }


def _status(kind: type[_Status], answer: Answer) -> _Status | str:
    if answer.error:
        return answer.error
    told = answer.data["commands"]["health"]
    if told["rc"] != 0:
        return f"{answer.device}: {(told['out'] + told['err']).strip()[:200] or 'it says nothing'}"
    try:
        return config.parse(kind, told["out"], answer.device)
    except AgentError as error:
        return str(error)


def of_ven(name: str, servers: Sequence[str], said: Said, evidence: tuple[Evidence, ...]) -> Verdict:
    """Return the verdict on one VEN; its figure is how long ago it was heard, seconds."""
    unread = [text for one in (*servers, name) if isinstance(text := said[one], str)]
    if unread:
        return unknown(REQUIREMENT, subject(name), summarise(unread), evidence)
    if wrong := problems(name, servers, said):
        return live(REQUIREMENT, subject(name), Result.FAIL, summarise(wrong), evidence)
    ages = [one.silent_s(name) for one in map(said.get, servers) if isinstance(one, VtnStatus)]
    figure = (max(age for age in ages if age is not None), SILENT_S, "s ago")
    reason = f"registered, and heard by {', '.join(servers)}"
    return live(REQUIREMENT, subject(name), Result.PASS, reason, evidence, figure=figure)


def problems(name: str, servers: Sequence[str], said: Said) -> list[str]:
    """Return what keeps an event from a VEN; of an end that says nothing, why that is not known."""
    found = [*_of_ven(name, said[name])]
    for server in servers:
        found += _of_vtn(server, name, said[server])
    return found if servers else [*found, "no VTN serves it"]


def _of_ven(name: str, own: VtnStatus | VenStatus | str) -> Iterator[str]:
    if not isinstance(own, VenStatus):
        yield str(own)
    elif own.problem:
        yield f"{name}: {own.problem}"
    elif own.ven_id != name:
        yield f"{name} is registered as {own.ven_id or 'no VEN'}"


def _of_vtn(server: str, name: str, found: VtnStatus | VenStatus | str) -> Iterator[str]:
    if not isinstance(found, VtnStatus):
        yield str(found)
        return
    yield from (f"{server}: {one.problem}" for one in found.vtns.values() if one.problem)
    age = found.silent_s(name)
    if age is None:
        yield f"{server} has not heard it"
    elif age > SILENT_S:
        yield f"{server} has not heard it for {age:.0f} s"
