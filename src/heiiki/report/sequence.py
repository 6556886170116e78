"""The last event of a row as a sequence diagram: who did what, and when."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from heiiki.report.faults import FaultRow, Step
from heiiki.requirements.figures import quantity

_FIRST_X, _STEP_X = 150, 240
_FIRST_Y, _STEP_Y = 50, 26
_BELOW = 14
_MOST = 8
"""Diagrams that are drawn: of a thousand sites the first few stand for all."""


@dataclass(frozen=True, slots=True)
class Life:
    """A column: one that takes part."""

    name: str
    x: int


@dataclass(frozen=True, slots=True)
class Arrow:
    """A step, by its places in pixels; `own` where it begins and ends at one column."""

    x: int
    to_x: int
    y: int
    time: str
    what: str

    @property
    def own(self) -> bool:
        """Whether no other takes part."""
        return self.x == self.to_x

    @property
    def middle(self) -> float:
        """Where its text stands."""
        return (self.x + self.to_x) / 2


@dataclass(frozen=True, slots=True)
class Sequence:
    """One event at one site."""

    row: str
    site: str
    lives: tuple[Life, ...]
    arrows: tuple[Arrow, ...]

    @property
    def width(self) -> int:
        """Width of the diagram."""
        return _FIRST_X + _STEP_X * (len(self.lives) - 1) + _FIRST_X // 2

    @property
    def height(self) -> int:
        """Height of the diagram."""
        return _FIRST_Y + _STEP_Y * len(self.arrows) + _BELOW


@dataclass(frozen=True, slots=True)
class Sequences:
    """The diagrams that are drawn, and how many are not."""

    drawn: tuple[Sequence, ...]
    left_out: int


def sequences(rows: Iterable[FaultRow]) -> Sequences:
    """Return a diagram for each row and each of its sites, as far as there is room."""
    found = [(row.name, site, steps) for row in rows for site, steps in _by_site(row.steps)]
    drawn = tuple(_sequence(*one) for one in found[:_MOST])
    return Sequences(drawn, len(found) - len(drawn))


def _by_site(steps: tuple[Step, ...]) -> Iterator[tuple[str, tuple[Step, ...]]]:
    for site in dict.fromkeys(step.site for step in steps):
        yield site, tuple(step for step in steps if step.site == site)


def _sequence(row: str, site: str, steps: tuple[Step, ...]) -> Sequence:
    names = dict.fromkeys(name for step in steps for name in (step.source, step.target))
    places = {name: _FIRST_X + _STEP_X * rank for rank, name in enumerate(names)}
    arrows = tuple(
        Arrow(
            places[step.source],
            places[step.target],
            _FIRST_Y + _STEP_Y * rank,
            quantity(step.at, "s"),
            step.what,
        )
        for rank, step in enumerate(steps)
    )
    return Sequence(row, site, tuple(Life(name, x) for name, x in places.items()), arrows)
