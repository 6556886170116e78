"""What is judged by what both of its ends say: a site's LAN, an optical line."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Protocol, TypeVar

from heiiki.plan.model import Device
from heiiki.requirements import Result, Verdict
from heiiki.requirements.verdict import Evidence
from heiiki.verify.fleet import Answer, Fleet
from heiiki.verify.verdicts import Keep, judged, live, unknown


class Joined(Protocol):
    """Something with two ends."""

    @property
    def subject(self) -> str:
        """Subject of its verdict."""

    @property
    def in_service(self) -> bool:
        """Whether both ends are ours to ask."""

    @property
    def ends(self) -> tuple[Device, Device]:
        """Both, in the order in which their answers are judged."""


_Joined = TypeVar("_Joined", bound=Joined)
Both = tuple[Answer, Answer]


def verdicts(
    found: Iterable[_Joined],
    requirement: str,
    folder: str,
    questions: Callable[[Sequence[_Joined]], Iterable[tuple[str, Mapping[str, Any]]]],
    verdict: Callable[[_Joined, Both, tuple[Evidence, ...]], Verdict],
    fleet: Fleet,
    keep: Keep,
) -> Iterator[Verdict]:
    """Yield a verdict for each; *not applicable* where an end is revoked.

    Args:
        found: what is judged.
        requirement: of the verdicts.
        folder: where the evidence of each device goes.
        questions: yields each device and what probe ``read`` asks it, for those in service.
        verdict: judges one by the answers of both ends.
        fleet: reaches the devices.
        keep: where raw output goes.
    """
    every = tuple(found)
    answers = fleet.ask("read", dict(questions([one for one in every if one.in_service])))
    for one in every:
        if not one.in_service:
            yield live(requirement, one.subject, Result.NOT_APPLICABLE, "an end of it is revoked")
            continue
        first, second = one.ends
        both = answers[first.name], answers[second.name]
        evidence = tuple(keep(f"{folder}/{answer.device}.json", answer.raw) for answer in both)
        yield judged(
            one.subject,
            partial(verdict, one, both, evidence),
            partial(unknown, requirement, one.subject, evidence=evidence),
        )
