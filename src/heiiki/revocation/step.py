"""One step of a revocation, and several of them side by side: what goes wrong in one stops no other."""

import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from queue import SimpleQueue

from heiiki.errors import HeiikiError

_LOG = logging.getLogger(__name__)

Act = Callable[[], Sequence[str]]
"""Does something, and returns what it changed."""


@dataclass(frozen=True, slots=True)
class RevocationStep:
    """One step.

    Attributes:
        name: what it is, such as ``certificates`` or ``IPsec at hub-ce-b``.
        started: UTC, ISO 8601.
        finished: likewise; the time for which a device was watched afterwards is left out.
        changed: what was done; empty when nothing was left to do.
        problem: why the step is not known to be complete; empty when it is.
        needed: without it the device still has access; a verifier that does not let the device in is only
            informed, and an access is only tried.
        access: the access that was tried; empty for what is done.
        outcome: how it is; empty for what is done.
        place: who lets in there; empty for what is done.
        own: the device was let in there; a certificate of it is shown at the other accesses, too.
    """

    name: str
    started: str
    finished: str
    changed: tuple[str, ...] = ()
    problem: str = ""
    needed: bool = True
    access: str = ""
    outcome: str = ""
    place: str = ""
    own: bool = True


def timed(name: str, act: Act) -> RevocationStep:
    """Take a step by calling `act`, which returns what it changed.

    Whatever goes wrong is the problem of that step alone: one that broke the run off would leave open what
    the others end.
    """
    started = now()
    try:
        changed = tuple(act())
    except Exception as error:  # noqa: BLE001 - a fault of ours, too, must not stop the other steps
        return RevocationStep(name, started, now(), problem=said(error))
    return RevocationStep(name, started, now(), changed)


def said(error: Exception) -> str:
    """Return what went wrong as text; of a fault of ours with its kind, and where it arose in the log."""
    if isinstance(error, HeiikiError):
        return str(error)
    _LOG.debug("a step of the revocation broke", exc_info=error)
    return f"{type(error).__name__}: {error}; report it, and run again with -vvv to see where it arose"


def now() -> str:
    """Return what the time is, as evidence states it."""
    return stamp(datetime.now(UTC))


def stamp(moment: datetime) -> str:
    """Return a time as evidence states it."""
    return moment.isoformat(timespec="milliseconds")


def side_by_side(lanes: Sequence[Iterator[RevocationStep]]) -> Iterator[RevocationStep]:
    """Run iterators each in a thread of its own; yields what they yield, as it comes."""
    queue: SimpleQueue[RevocationStep | None] = SimpleQueue()

    def drain(lane: Iterator[RevocationStep]) -> None:
        try:
            for step in lane:
                queue.put(step)
        except Exception as error:  # noqa: BLE001 - see `timed`
            queue.put(RevocationStep("the steps after that", now(), now(), problem=said(error)))
        finally:
            queue.put(None)

    with ThreadPoolExecutor(max(len(lanes), 1)) as pool:
        running: list[Future[None]] = [pool.submit(drain, lane) for lane in lanes]
        left = len(lanes)
        while left:
            step = queue.get()
            if step is None:
                left -= 1
            else:
                yield step
        for lane in running:
            lane.result()
