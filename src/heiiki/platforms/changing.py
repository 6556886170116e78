"""From two trees to the lines that bring a device from one to the other, in an order that it accepts."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile

from heiiki.platforms.rules import UNKNOWN, Kind, Rule, Table
from heiiki.platforms.secret import before
from heiiki.platforms.tree import Key, Line

Order = tuple[tuple[int, ...], ...]
Path = tuple[Line, ...]

_LISTS = (Kind.NUMBERED, Kind.POSITIONED)


@dataclass(frozen=True, slots=True)
class Step:
    """One line to send, inside the sections of `path`; without `text` the last of them is only opened.

    Attributes:
        path: the sections to enter first, from outside to inside.
        text: the line.
        order: its place among the steps of its phase: rank and position of each section, and its own.
        then: see `Rule.then`.
    """

    path: Path
    text: str
    order: Order
    then: str = ""


@dataclass(frozen=True, slots=True)
class Steps:
    """The steps of a change by phase.

    Lines go first, so that what they held (an address, a number) is free. New values and lines follow, what
    is referred to before what refers to it. Definitions go last, when nothing refers to them.
    """

    gone: list[Step] = field(default_factory=list)
    come: list[Step] = field(default_factory=list)
    unused: list[Step] = field(default_factory=list)

    def __iter__(self) -> Iterator[Step]:
        """Yield the steps in the order in which they are sent."""
        for phase in (self.gone, self.come, self.unused):
            yield from sorted(phase, key=lambda step: step.order)


def steps(table: Table, running: Sequence[Line], intended: Sequence[Line]) -> Steps:
    """Return what brings the lines of `running` to those of `intended`."""
    found = Steps()
    _Section(table, (), (), found).compare(running, intended)
    return found


@dataclass(frozen=True, slots=True)
class _Section:
    """One section in both trees, and where its steps stand among all."""

    table: Table
    path: Path
    order: Order
    steps: Steps

    def compare(self, running: Sequence[Line], intended: Sequence[Line]) -> None:
        """Add the steps that bring the section's lines from one to the other."""
        if running == intended:
            return
        running = _without_taken(running, intended)
        self._lists(running, intended)
        old = {line.key: line for line in running if line.rule.kind not in _LISTS}
        new = {line.key: line for line in intended if line.rule.kind not in _LISTS}
        for place, line in enumerate(old.values()):
            if line.key not in new:
                self._remove(line, place)
        for place, line in enumerate(new.values()):
            self._bring(old.get(line.key), line, place)

    def _bring(self, old: Line | None, new: Line, place: int) -> None:
        if old is None or (old.text != new.text and not (old.children or new.children)):
            self._add(new, place)
        elif old.text != new.text and new.rule.whole:
            self._leave(self.steps.gone, self.undo(old), old, place)
            self._add(new, place)
        else:
            inside = self._inside(new, place)
            if old.text != new.text:
                self.steps.come.append(Step(inside.path, "", inside.order, new.rule.then))
            inside.compare(old.children, new.children)

    def _remove(self, line: Line, place: int) -> None:
        if line.rule.lasting:
            self._inside(line, place).compare(line.children, ())
        else:
            self._leave(self._going(line.rule), self.undo(line), line, place)

    def _add(self, line: Line, place: int) -> None:
        if line.rule.inside is None or (line.rule is UNKNOWN and not line.children):
            self._enter(line.text, line, place)
            return
        inside = self._inside(line, place)
        self.steps.come.append(Step(inside.path, "", inside.order, line.rule.then))
        inside.compare((), line.children)

    def _lists(self, running: Sequence[Line], intended: Sequence[Line]) -> None:
        old, new = _by_list(running), _by_list(intended)
        for place, (name, entries) in enumerate(new.items()):
            if old.get(name) != entries:
                self._replace(old.get(name, []), entries, place)
        for place, (name, entries) in enumerate(old.items()):
            if name not in new:
                self._remove_list(entries, place)

    def _replace(self, old: list[Line], new: list[Line], place: int) -> None:
        """Take out the entries that do not stay before the others are put in: no device overwrites one."""
        gone, come = _numbered(old, new) if new[0].rule.kind is Kind.NUMBERED else _positioned(old, new)
        for number, entry in enumerate(gone):
            self._enter(self.undo(entry), entry, place, 0, number)
        for number, entry in enumerate(come):
            self._enter(entry.text, entry, place, 1, number)

    def _remove_list(self, entries: list[Line], place: int) -> None:
        rule = entries[0].rule
        if rule.undo_list:
            undo = rule.undo_list.format(*entries[0].groups)
            self._leave(self._going(rule), undo, entries[0], place)
            return
        for number, entry in enumerate(entries):
            self._leave(self._going(rule), self.undo(entry), entry, place, number)

    def _going(self, rule: Rule) -> list[Step]:
        return self.steps.unused if rule.definition else self.steps.gone

    def _inside(self, line: Line, place: int) -> "_Section":
        return _Section(self.table, (*self.path, line), (*self.order, (line.rule.rank, place)), self.steps)

    def _enter(self, text: str, line: Line, *place: int) -> None:
        order = (*self.order, (line.rule.rank, *place))
        self.steps.come.append(Step(self.path, text, order, line.rule.then))

    def _leave(self, phase: list[Step], text: str, line: Line, *place: int) -> None:
        """Add a removal: what ranks highest goes first."""
        order = (*((-rank, *rest) for rank, *rest in self.order), (-line.rule.rank, *place))
        phase.append(Step(self.path, text, order, line.rule.then))

    def undo(self, line: Line) -> str:
        """Return the line that takes `line` back, without a secret that it holds."""
        negation = self.table.negation
        if line.text.startswith(negation):
            return line.text.removeprefix(negation)
        if line.rule.undo:
            return line.rule.undo.format(*line.groups)
        if self.table.undo_by_key and line.rule.kind is Kind.ONE:
            return negation + line.groups[0]
        return negation + before(self.table.secrets, line.text)


def _by_list(lines: Iterable[Line]) -> dict[tuple[str, ...], list[Line]]:
    found: dict[tuple[str, ...], list[Line]] = {}
    for line in lines:
        if line.rule.kind in _LISTS:
            found.setdefault((line.rule.words, *line.groups[1:2]), []).append(line)
    return found


def _numbered(old: list[Line], new: list[Line]) -> tuple[list[Line], list[Line]]:
    kept = {entry.text for entry in old} & {entry.text for entry in new}
    return [entry for entry in old if entry.text not in kept], [
        entry for entry in new if entry.text not in kept
    ]


def _positioned(old: list[Line], new: list[Line]) -> tuple[list[Line], list[Line]]:
    same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(old, new, strict=False)))
    return old[same:], new[same:]


def _without_taken(running: Sequence[Line], intended: Sequence[Line]) -> Sequence[Line]:
    """Return the lines of `running` that are left when those that take others with them have changed."""
    old, new = ({line.key: line.text for line in lines} for lines in (running, intended))
    gone = [line for line in running if line.rule.takes and _takes(line, new)]
    come = [line for line in intended if line.rule.takes_always and _takes(line, old)]
    if not gone and not come:
        return running
    owners = [_taken_by(line) for line in (*gone, *come)]
    return _filtered(running, re.compile("|".join(owners)), {line.text for line in gone})


def _takes(line: Line, others: dict[Key, str]) -> bool:
    return line.key not in others or (line.rule.takes_always and others[line.key] != line.text)


def _taken_by(line: Line) -> str:
    return "(?:no )?" + re.escape(line.rule.takes.format(*line.groups))


def _filtered(lines: Sequence[Line], taken: re.Pattern[str], owners: set[str]) -> tuple[Line, ...]:
    return tuple(
        replace(line, children=_filtered(line.children, taken, owners))
        for line in lines
        if line.text in owners or not taken.match(line.text)
    )


def written(found: Steps) -> tuple[str, ...]:
    """Return the lines that a device is sent: sections are entered and left by lines of their own."""
    lines: list[str] = []
    followers: dict[str, None] = {}
    open_: Path = ()
    for step in found:
        same = sum(
            1
            for _ in takewhile(lambda pair: pair[0].text == pair[1].text, zip(open_, step.path, strict=False))
        )
        lines += _ends(open_, same)
        lines += (" " * depth + step.path[depth].text for depth in range(same, len(step.path)))
        lines += [" " * len(step.path) + step.text] if step.text else []
        open_ = step.path
        followers |= {step.then: None} if step.then else {}
    return (*lines, *_ends(open_, 0), *followers)


def _ends(path: Path, same: int) -> list[str]:
    return [" " * depth + path[depth].rule.ends for depth in range(len(path) - 1, same - 1, -1)]
