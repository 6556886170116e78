"""What may be examined at the same time: each part says what it does to the network, and what would spoil it.

Waiting is most of what a verification does: until every device listens, until a peer has refused, until a
capture is long enough. Meanwhile something else can be examined, unless one would see the other's doings for
the network's own.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from enum import StrEnum, auto
from typing import Protocol, TypeVar


class Effect(StrEnum):
    """What a part does that another one may see."""

    WORK = auto()
    """The processors of many devices are busy: delays are longer than they would be."""
    PACKETS = auto()
    """Packets that no plan has are on the lines, and filters count them as dropped."""
    PROBES = auto()
    """Hosts have sockets, processes and units that no plan has."""
    TRIALS = auto()
    """IKE daemons have connections, certificates and SAs that no plan has."""
    TAPS = auto()
    """Gateways have processes and packet sockets that no plan has, which do no more than to look."""
    FAILURE = auto()
    """Something of the network is broken on purpose."""


ALL = frozenset(Effect)


@dataclass(frozen=True, slots=True)
class Needs:
    """How a part of the verification goes together with others.

    Attributes:
        does: what it does to devices and lines while it lasts.
        spoiled_by: what others must not do meanwhile, because it would be judged as the network's own.
        after: parts that must be over before it begins, because what it leaves behind would spoil them.
    """

    does: frozenset[Effect] = frozenset()
    spoiled_by: frozenset[Effect] = frozenset()
    after: frozenset[str] = frozenset()

    def bears(self, other: "Needs") -> bool:
        """Tell whether both may go on at the same time."""
        return not self.does & other.spoiled_by and not other.does & self.spoiled_by

    @property
    def holds_devices(self) -> bool:
        """It has devices do something for as long as it lasts, and not only answer."""
        return bool(self.does - {Effect.WORK})


class Part(Protocol):
    """A part of a verification."""

    @property
    def name(self) -> str:
        """What others call it."""

    @property
    def needs(self) -> Needs:
        """How it goes together with others."""


P = TypeVar("P", bound=Part)
R = TypeVar("R")


def side_by_side(parts: Sequence[P], work: Callable[[P], R], done: Callable[[P, R], None]) -> None:
    """Do the work of every part, of those that bear each other at the same time.

    Each begins as soon as everything that runs bears it; the first of `parts` that may, begins first.

    Args:
        parts: what is to be done.
        work: does one part, in a thread of its own; what it raises ends all once those that run are over.
        done: takes the result of each part, in the caller's thread, as it comes.
    """
    waiting = list(parts)
    running: dict[Future[R], P] = {}
    with ThreadPoolExecutor(max(1, len(parts)), thread_name_prefix="part") as pool:
        while waiting or running:
            for part in tuple(waiting):
                if _may_begin(part, running.values(), waiting):
                    waiting.remove(part)
                    running[pool.submit(work, part)] = part
            ended, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in ended:
                done(running.pop(future), future.result())


def _may_begin(part: Part, running: Collection[Part], waiting: Iterable[Part]) -> bool:
    not_over = {other.name for other in (*running, *waiting)}
    return not part.needs.after & not_over and all(part.needs.bears(other.needs) for other in running)
