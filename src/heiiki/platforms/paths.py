"""Junos: a configuration is a set of paths, and a change of it is committed at once.

Its text is either what ``show configuration | display set`` prints, one path a line, or the statements in
braces of ``show configuration``. Both are read into the same lines.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import accumulate, pairwise

from heiiki.errors import PlatformError, printable
from heiiki.platforms import braces
from heiiki.platforms.rules import Rule, Table, any_of
from heiiki.platforms.secret import before, masked, spans
from heiiki.platforms.tree import Line, Tree

_WORD = re.compile(r'"(?:[^"\\]|\\.)*"|[^\s"]+|"')
_UNDO = {"deactivate": "activate", "protect": "unprotect"}
_VERBS = ("set", *_UNDO)
_OF_A_PATH = Rule("")


class Reader:
    """Reads both forms of Junos's text."""

    __slots__ = ("_any_ordered", "_ordered", "_table", "_untouched")

    def __init__(self, table: Table) -> None:
        """Compile what the table says of whole lines."""
        self._table = table
        self._untouched = any_of(table.untouched)
        self._ordered = [re.compile(pattern) for pattern in (*table.ordered, *table.ordered_values)]
        self._any_ordered = re.compile("|".join(pattern.pattern for pattern in self._ordered))

    def source(self, text: str) -> tuple[str, ...]:
        """Return the lines of a text that count, without reading them: equal ones are equal trees."""
        return tuple(line for raw in text.splitlines() if (line := raw.strip()) and not line.startswith("#"))

    def read(self, text: str) -> Tree:
        """Return the tree of a text.

        Raises:
            PlatformError: the text is not one of this platform; the message says which line.
        """
        found: dict[str, int] = {}
        for number, words in self._statements(text):
            for line in _expanded(words):
                found.setdefault(self._clear(line), number)
        untouched = tuple(filter(self._untouched.match, found))
        left = found.keys() - untouched - _inner(found)
        lines = (
            Line(line, key=(line,), rule=_OF_A_PATH, number=number)
            for line, number in found.items()
            if line in left
        )
        return Tree(
            self._table.name, self._sorted(tuple(lines)), untouched=untouched, source=self.source(text)
        )

    def _clear(self, line: str) -> str:
        """Return a line with its secrets as they were sent, which a device may show otherwise."""
        if "$" not in line:  # no form of a secret is without one, and few lines have any
            return line
        for start, end in reversed(spans(self._table.secrets, line)):
            shown = line[start:end].strip('"')
            if (sent := self._table.clear(shown)) != shown:
                line = f'{line[:start]}"{sent}"{line[end:]}'
        return line

    def _sorted(self, lines: tuple[Line, ...]) -> tuple[Line, ...]:
        """Return lines by their paths, and elements of an ordered list as they stand."""
        places: dict[str, int] = {}
        keys: dict[str, str] = {}
        for line in lines:
            key = line.text
            if self._any_ordered.match(key):
                found = next(found for pattern in self._ordered if (found := pattern.match(key)))
                key = f"{found[1]} {places.setdefault(found[0], len(places)):09}{key[found.end() :]}"
            keys[line.text] = key
        return tuple(sorted(lines, key=lambda line: keys[line.text]))

    def _statements(self, text: str) -> Iterator[tuple[int, list[str]]]:
        first = next((line for line in self.source(text) if not line.startswith("/*")), "")
        return self._of_sets(text) if first.partition(" ")[0] in _VERBS else self._of_braces(text)

    def _of_sets(self, text: str) -> Iterator[tuple[int, list[str]]]:
        for number, raw in enumerate(text.splitlines(), 1):
            line = raw.strip()
            if not line or line.startswith("#"):
                continue
            words = _split(line)
            if words[0] not in _VERBS or len(words) == 1:
                raise self._error(number, line, "is no path; it has to begin with set or deactivate")
            if '"' in words:
                raise self._error(number, line, "a quotation mark is not closed; close it")
            yield number, words

    def _of_braces(self, text: str) -> Iterator[tuple[int, list[str]]]:
        try:
            yield from braces.paths(text)
        except braces.MalformedError as error:
            raise self._error(*error.args) from None

    def _error(self, number: int, line: str, problem: str) -> PlatformError:
        return PlatformError(f"line {number}: {printable(masked(self._table.secrets, line))}: {problem}")


def change(table: Table, running: Tree, intended: Tree) -> tuple[str, ...]:
    """Return the commands that bring a device from `running` to `intended`, before one commit."""
    old, new = ([line.text for line in tree.lines] for tree in (running, intended))
    again = _values_in_another_order(table, old, new)
    kept = _prefixes((*new, *running.untouched, *intended.untouched))
    there, wanted = set(old), set(new)
    gone = [line for line in old if line not in wanted]
    come = [line for line in new if line not in there or line.startswith(again)]
    commands = (
        *(f"delete {path.removeprefix('set ').rstrip()}" for path in again),
        *(_undo(table, line, kept) for line in gone if not line.startswith(again)),
        *sorted(come, key=lambda line: not line.startswith("set ")),
        *_inserts(table, old, new),
    )
    return tuple(dict.fromkeys(command for command in commands if command))


def _undo(table: Table, line: str, kept: set[str]) -> str:
    """Return what takes a line back: with it goes everything around it that nothing else needs."""
    verb, _, path = line.partition(" ")
    if verb in _UNDO:
        return f"{_UNDO[verb]} {path}" if f"set {path}" in kept else ""
    words = _split(line)
    paths = (" ".join(words[:size]) for size in range(2, len(words) + 1))
    shortest = next((path for path in paths if path not in kept), "")
    return f"delete {before(table.secrets, shortest).removeprefix('set ')}" if shortest else ""


def _values_in_another_order(table: Table, old: list[str], new: list[str]) -> tuple[str, ...]:
    """Return the lists of plain values whose order has to change: they are made again."""
    there, wanted = (_lists(table.ordered_values, lines) for lines in (old, new))
    return tuple(
        f"{name} "
        for name, values in wanted.items()
        if name in there and _after_changes(there[name], values) != values
    )


def _inserts(table: Table, old: list[str], new: list[str]) -> Iterator[str]:
    there, wanted = (_lists(table.ordered, lines) for lines in (old, new))
    for name, elements in wanted.items():
        now = _after_changes(there.get(name, []), elements)
        for place, element in enumerate(elements):
            if now[place] != element:
                yield f"insert {name.removeprefix('set ')} {element} before {now[place]}"
                now.remove(element)
                now.insert(place, element)


def _after_changes(old: list[str], new: list[str]) -> list[str]:
    """Return the order in which elements stand when some were deleted, and others set."""
    return [element for element in old if element in new] + [element for element in new if element not in old]


def _lists(patterns: Iterable[str], lines: list[str]) -> dict[str, list[str]]:
    found: dict[str, dict[str, None]] = {}
    for pattern in map(re.compile, patterns):
        for line in lines:
            if match := pattern.match(line):
                found.setdefault(match[1], {})[match[2]] = None
    return {name: list(elements) for name, elements in found.items()}


def _expanded(words: list[str]) -> Iterator[str]:
    """Yield a line for each value of a list in brackets."""
    if "[" not in words or words[-1] != "]":
        yield " ".join(words)
        return
    start = words.index("[")
    for value in words[start + 1 : -1]:
        yield " ".join((*words[:start], value))


def _inner(lines: Iterable[str]) -> set[str]:
    """Return the lines that only lead to others; sorted, such a line stands right before one of those."""
    return {
        line.removesuffix(" ")
        for line, following in pairwise(sorted(f"{line} " for line in lines))
        if following.startswith(line)
    }


def _prefixes(lines: Iterable[str]) -> set[str]:
    """Return the lines, and every path that leads to one of them."""
    found: set[str] = set()
    for line in lines:
        found.update(accumulate(_split(line), "{} {}".format))
    return found


def _split(line: str) -> list[str]:
    return _WORD.findall(line) if '"' in line else line.split()
