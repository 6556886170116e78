"""Through the XMPP server devices reach DRAS, and no other device (R-ISO-SITE/xmpp, live).

DRAS and the devices log in, each for itself. DRAS answers once it has heard all, so everybody is there when
each then sends a message, a presence and an iq to others. Each must come back for its addressee, since what
comes back because its addressee is away says nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from heiiki.plan.model import Device, Plan
from heiiki.render import xmpp
from heiiki.requirements import Result, Verdict
from heiiki.verify.fleet import Answer, Fleet
from heiiki.verify.isolation.sample import Population, told
from heiiki.verify.verdicts import Keep, live, summarise, unknown
from heiiki.verify.xmpp.server import Served, jid, resource, served
from heiiki_agent.xmpp.client import KINDS

REQUIREMENT = xmpp.ISOLATION
SUBJECT = "devices, by the XMPP server"
REFUSED = "policy-violation"
OTHERS = 2
"""How many others each device tries to reach."""
_SECONDS = 15.0


def verdicts(plan: Plan, fleet: Fleet, keep: Keep, random: Random, patience: int = 1) -> Iterator[Verdict]:
    """Yield whether the devices of a service, or of a large one some, reach DRAS and no one else."""
    found = served(plan)
    if found is None or not found.clients:
        return
    sites = {site.controller for site in Population(plan).some_sites(random)}
    tried = [one for one in found.clients if one.name in sites]
    seconds, name = _SECONDS * patience, resource()
    answers = fleet.ask("xmpp", dict(_questions(found, tried, name, seconds)), 3 * seconds)
    kept = {device: keep(f"xmpp/{device}.json", answer.raw) for device, answer in answers.items()}
    yield _Run(found, tried, answers).verdict(tuple(kept.values()))


def _questions(
    found: Served, tried: Sequence[Device], name: str, seconds: float
) -> Iterator[tuple[str, dict[str, Any]]]:
    expected = [jid(one) for one in tried]
    yield found.dras, found.question("answer", name, expected=expected, seconds=seconds)
    dras = f"{found.server.dras}/{name}"
    for index, device in enumerate(tried):
        others = [f"{jid(one)}/{name}" for one in _others(tried, index)]
        yield (
            device.name,
            found.question("exchange", name, dras=dras, others=others, seconds=seconds),
        )


def _others(tried: Sequence[Device], index: int) -> list[Device]:
    """Return the next ones in a circle, so that each is tried by as many."""
    steps = range(1, min(OTHERS, len(tried) - 1) + 1)
    return [tried[(index + step) % len(tried)] for step in steps]


@dataclass(frozen=True, slots=True)
class _Run:
    found: Served
    tried: Sequence[Device]
    answers: Mapping[str, Answer]

    def verdict(self, evidence: tuple[Any, ...]) -> Verdict:
        """Return the verdict: what got through fails whatever else is not known."""
        if wrong := [text for one in self.tried for text in _through(one.name, self.answers[one.name])]:
            return live(REQUIREMENT, SUBJECT, Result.FAIL, summarise(wrong), evidence)
        doubts = [answer.error for answer in self.answers.values() if answer.error] or list(self._unheard())
        if doubts:
            return unknown(REQUIREMENT, SUBJECT, summarise(doubts), evidence)
        pairs = sum(len(self.answers[one.name].data["others"]) for one in self.tried)
        if not pairs:
            return unknown(REQUIREMENT, SUBJECT, "there is no other device to try", evidence)
        scope = told(len(self.tried), len(self.found.clients), "devices")
        reason = (
            f"{pairs} ordered pairs: {', '.join(KINDS)} came back for their addressee, and the same from "
            f"each device arrived at {self.found.dras}; {scope}"
        )
        return live(REQUIREMENT, SUBJECT, Result.PASS, reason, evidence)

    def _unheard(self) -> Iterator[str]:
        """Yield the positives that are missing: refusals prove nothing where nothing gets through."""
        heard = self.answers[self.found.dras].data["heard"]
        for device in self.tried:
            missing = [kind for kind in KINDS if kind not in heard.get(jid(device), ())]
            if missing:
                yield f"{', '.join(missing)} of {device.name} did not arrive at {self.found.dras}"
            elif self.answers[device.name].data["dras"]:
                yield f"{device.name} had no answer of {self.found.dras}"


def _through(name: str, answer: Answer) -> Iterator[str]:
    """Yield what was not refused for its addressee, and what came from another device."""
    for to, came in answer.data.get("others", {}).items():
        yield from (f"{kind} from {name} to {to}: {said}" for kind, said in came.items() if said != REFUSED)
    for sender in answer.data.get("heard", ()):
        yield f"{name} was sent something by {sender}"
