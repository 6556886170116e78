"""R-EVENT, live: each site's VEN is registered, and its VTN hears it: an event would reach it.

Of a VTN on two hosts it is the one that writes; how the two stand is R-EVENT/standby.

The VTN says when it last heard each VEN, and each VEN how its last exchange went. Neither is believed alone:
a VEN may speak to something else, and a VTN that is heard may not get through to its resource.
"""

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from heiiki import dispatch
from heiiki.plan.model import Plan
from heiiki.render import openadr
from heiiki.requirements import Result, Verdict
from heiiki.requirements.verdict import Evidence
from heiiki.verify.events import standby
from heiiki.verify.fleet import Answer, Fleet, Looks, told
from heiiki.verify.verdicts import Keep, live, summarise, unknown
from heiiki_agent.openadr.places import End
from heiiki_agent.openadr.statuses import LOGGED_IN, VenStatus, VtnStatus

REQUIREMENT = openadr.REQUIREMENT
_POLLS = 5
"""So many polls of a VEN after it was heard it should have been heard again: four may be lost."""
LOOKS = Looks(most=13, every_s=5.0)
"""A VEN that was just provisioned, or has lost its VTN, has a minute to be heard."""


def subject(device: str) -> str:
    """Subject of the verdict on one VEN."""
    return f"{device} is served"


@dataclass(frozen=True, slots=True)
class _Ends:
    """What the ends say of themselves.

    Attributes:
        servers: hosts of VTNs.
        pushing: the ends that speak XMPP by the plan.
        said: the status of each end by its device, or why it is not known.
        silent_s: how long ago a VEN was heard at most, seconds.
    """

    servers: Sequence[str]
    pushing: Container[str]
    said: Mapping[str, VtnStatus | VenStatus | str]
    silent_s: float

    @property
    def _asked(self) -> Sequence[str]:
        """The host of the VTN that must hear VENs; where none says that it writes, each may be the one."""
        found = standby.writer(self.servers, self.said) if self.servers else None
        return (found,) if found else self.servers

    def unread(self, name: str) -> list[str]:
        """Return why it is not known how a VEN is."""
        return [text for one in (*self._asked, name) if isinstance(text := self.said[one], str)]

    def problems(self, name: str) -> list[str]:
        """Return what keeps an event from a VEN; of an end that says nothing, why that is not known."""
        found = [*self._of_ven(name)]
        asked = self._asked
        if len(asked) != 1:
            return [*found, "no host of the VTN writes" if asked else "no VTN serves it"]
        return [*found, *self._of_vtn(asked[0], name)]

    def heard_s(self, name: str) -> float:
        """Return how long ago the VTN heard a VEN, seconds."""
        ages = [one.silent_s(name) for one in map(self.said.get, self._asked) if isinstance(one, VtnStatus)]
        return max(age for age in ages if age is not None)

    @property
    def heard_by(self) -> str:
        """The host of the VTN that hears VENs."""
        return ", ".join(self._asked)

    def _of_vtn(self, server: str, name: str) -> Iterator[str]:
        found = self.said[server]
        if not isinstance(found, VtnStatus):
            yield str(found)
            return
        yield from (f"{server}: {one.problem}" for one in found.vtns.values() if one.problem)
        for one in found.vtns.values():
            yield from self._by_xmpp(server, one.xmpp)
        age = found.silent_s(name)
        if age is None:
            yield f"{server} has not heard it"
        elif age > self.silent_s:
            yield f"{server} has not heard it for {age:.0f} s"

    def _of_ven(self, name: str) -> Iterator[str]:
        own = self.said[name]
        if not isinstance(own, VenStatus):
            yield str(own)
            return
        if own.problem:
            yield f"{name}: {own.problem}"
        elif own.ven_id != name:
            yield f"{name} is registered as {own.ven_id or 'no VEN'}"
        yield from self._by_xmpp(name, own.xmpp)

    def _by_xmpp(self, name: str, said: str | None) -> Iterator[str]:
        """Yield why an end would not be reached at once: the second way alone brings an event at a poll."""
        if name in self.pushing and said is None:
            yield f"{name} does not speak XMPP"
        elif name in self.pushing and said != LOGGED_IN:
            yield f"{name}: XMPP: {said}"


def verdicts(plan: Plan, fleet: Fleet, keep: Keep) -> Iterator[Verdict]:
    """Yield whether each VEN is served, and how the VTN's hosts stand."""
    served = tuple(dispatch.served(plan).values())
    servers = standby.servers(plan)
    silent_s = float(_POLLS * plan.timers.openadr_poll_s)
    pushing = _pushing(plan)
    asked = {name: _question("vtn") for name in servers} | {name: _question("ven") for name in served}
    unheard = partial(_unheard, servers, served, pushing, silent_s)
    answers = fleet.ask_until("read", asked, unheard, LOOKS)
    ends = _Ends(servers, pushing, _statuses(servers, answers), silent_s)
    kept = {name: keep(f"event/{name}.json", answer.raw) for name, answer in answers.items()}
    for name in served:
        yield _judged(name, ends, tuple(kept[one] for one in (*servers, name)))
    yield standby.verdict(plan, ends.said, tuple(kept[one] for one in servers))


def _unheard(
    servers: Sequence[str],
    served: Sequence[str],
    pushing: Container[str],
    silent_s: float,
    answers: Mapping[str, Answer],
) -> tuple[str, ...]:
    """Return whom to ask again: VENs that may be heard yet, and those who must hear them.

    What cannot be read is not waited for: the whole check is repeated then.
    """
    ends = _Ends(servers, pushing, _statuses(servers, answers), silent_s)
    if any(ends.unread(name) for name in served):
        return ()
    late = tuple(name for name in served if ends.problems(name))
    apart = len(servers) > 1 and any(standby.wrong(servers, ends.said))
    return (*servers, *late) if late or apart else ()


def _pushing(plan: Plan) -> frozenset[str]:
    """Return the ends that speak XMPP."""
    ends = ((device.name, device.vtn or device.ven) for device in plan.managed())
    return frozenset(name for name, end in ends if end is not None and end.xmpp is not None)


def _question(which: End) -> dict[str, Any]:
    return {"commands": {"health": list(openadr.health(which))}}


def _statuses(
    servers: Container[str], answers: Mapping[str, Answer]
) -> dict[str, VtnStatus | VenStatus | str]:
    return {
        name: told(VtnStatus, answer, "health") if name in servers else told(VenStatus, answer, "health")
        for name, answer in answers.items()
    }


def _judged(name: str, ends: _Ends, evidence: tuple[Evidence, ...]) -> Verdict:
    """Return the verdict on one VEN; its figure is how long ago it was heard, seconds."""
    if unread := ends.unread(name):
        return unknown(REQUIREMENT, subject(name), summarise(unread), evidence)
    if wrong := ends.problems(name):
        return live(REQUIREMENT, subject(name), Result.FAIL, summarise(wrong), evidence)
    figure = (ends.heard_s(name), ends.silent_s, "s ago")
    way = "; both are logged in at the XMPP server" if name in ends.pushing else ""
    reason = f"registered, and heard by {ends.heard_by}{way}"
    return live(REQUIREMENT, subject(name), Result.PASS, reason, evidence, figure=figure)
