"""What is measured while a fault is in force, beside the silences."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from heiiki.errors import HeiikiError
from heiiki.report.faults import Step
from heiiki.verify.fleet import Answer, told

_BACK_S, _AGAIN_S = 20.0, 2.0
"""How long a program that was killed may take to be there again, and how often that is tried."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Lived:
    """What was measured while the failure was in force, beside the silences.

    Attributes:
        wrong: what did not work, as human-readable text.
        doubts: what could not be tried.
        notes: the raw answers, for evidence.
        said: what a pass states of it.
        steps: of an event that was under way.
    """

    wrong: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    notes: Mapping[str, Any] | None = None
    said: str = ""
    steps: tuple[Step, ...] = ()


def patiently(work: Callable[[], _T]) -> _T:
    """Do something at a program that may be starting again; its last HeiikiError is raised."""
    until = time.monotonic() + _BACK_S
    while True:
        try:
            return work()
        except HeiikiError:
            if time.monotonic() > until:
                raise
        time.sleep(_AGAIN_S)


def book_of(kind: type[_T], answer: Answer) -> _T | str:
    """Return the book that an end was asked for by command ``book``, or why it cannot be read."""
    book = told(kind, answer, "book")
    problem = getattr(book, "problem", None)
    return f"{answer.device}: {problem}" if problem else book
