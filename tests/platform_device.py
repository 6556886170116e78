"""A small device for the tests: it takes lines as a platform does, and knows nothing of `heiiki.platforms`.

It refuses what the platform refuses, and what would leave a line without what it refers to, so that the order
of a change is tried too. Indentation means nothing to it: it is where the last commands led.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache


class RefusedError(Exception):
    """The device does not take the line."""


@cache
def _compiled(pattern: str) -> "re.Pattern[str]":
    """The expression of a line and lines around it: `.*` goes no further than its line."""
    around = "" if pattern.startswith("^") else "(?:.* / )?"
    return re.compile(f"{around}(?:{pattern.replace('.*', '(?:(?! / ).)*')})")


@dataclass
class Node:
    text: str
    children: list["Node"] = field(default_factory=list)

    def find(self, text: str) -> "Node | None":
        return next((child for child in self.children if child.text == text), None)

    def walk(self) -> "Iterable[Node]":
        for child in self.children:
            yield child
            yield from child.walk()


@dataclass(frozen=True)
class Nature:
    """What the device is like.

    Attributes:
        sections: expressions of a line with the lines around it, joined by `` / ``, that opens a section.
        ends: lines that leave a section.
        unique: expressions of a line, likewise; two lines with the same groups take the place of one another.
        lasting: sections that cannot be removed.
        keyed: expressions; `no` and what one matches removes the line.
        numbered: entries of an ordered list with its number in the second group: never two of one number.
        silent_twins: an entry that is there under another number is ignored without a word.
        positioned: entries whose order counts.
        owners: expression of a line, and the beginning of those that go with it; `{1}` is its first group.
        wipes: expression of a line that, set or removed, wipes lines that begin with the second.
        needs: expression of a line, and of the one that has to be there before and as long as it is.
        nothing: commands that change nothing.
        defaults: lines that a device does not keep.
        one_only: sections of which there can be one.
        lists: `no` and such a list's name removes all of it.
    """

    sections: tuple[str, ...]
    ends: frozenset[str]
    unique: tuple[str, ...] = ()
    lasting: tuple[str, ...] = ()
    keyed: tuple[str, ...] = ()
    numbered: tuple[str, ...] = ()
    silent_twins: bool = False
    positioned: tuple[str, ...] = ()
    owners: tuple[tuple[str, str], ...] = ()
    wipes: tuple[tuple[str, str], ...] = ()
    needs: tuple[tuple[str, str], ...] = ()
    nothing: tuple[str, ...] = ()
    defaults: tuple[str, ...] = ()
    one_only: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()


def _path(where: Sequence[Node]) -> str:
    """Return the lines around a place, from the outermost section on; the first node is the root."""
    return " / ".join(node.text for node in where[1:])


class Device:
    def __init__(self, nature: Nature, text: str) -> None:
        self.nature = nature
        self.root = Node("")
        self.strict = False
        self.send(text.splitlines())
        self.strict = True

    def send(self, lines: Iterable[str]) -> None:
        where: list[Node] = [self.root]
        for raw in lines:
            line = raw.strip()
            if not line or line[0] in "!#" or line in self.nature.nothing:
                continue
            if line in self.nature.ends:
                if len(where) == 1 and self.strict:
                    raise RefusedError(f"{line}: nothing to leave")
                del where[-1 if len(where) > 1 else 1 :]
            elif line.startswith("no "):
                self._no(where, line[3:])
            else:
                self._yes(where, line)
        if len(where) != 1 and self.strict:
            raise RefusedError(f"left in {where[-1].text}")
        self._check_dangling()

    def show(self) -> str:
        return "\n".join(self._lines(self.root, 0)) + "\n"

    def state(self) -> object:
        return self._state(self.root)

    def _lines(self, node: Node, depth: int) -> Iterable[str]:
        for child in node.children:
            yield " " * depth + child.text
            yield from self._lines(child, depth + 1)

    def _state(self, node: Node, path: tuple[Node, ...] = ()) -> object:
        ordered: dict[str, list[str]] = {}
        for child in node.children:
            if entry := self._match(self.nature.positioned, "", child.text):
                ordered.setdefault(entry[1], []).append(child.text)
        kept = [
            child
            for child in node.children
            if child.children or not self._match(self.nature.lasting, _path((self.root, *path)), child.text)
        ]
        return (
            tuple(sorted(map(tuple, ordered.values()))),
            frozenset((child.text, self._state(child, (*path, child))) for child in kept),
        )

    def _paths(self, node: Node, path: tuple[Node, ...]) -> Iterable[tuple[Node, ...]]:
        yield path
        for child in node.children:
            yield from self._paths(child, (*path, child))

    def _match(self, patterns: Iterable[str], path: str, line: str) -> "re.Match[str] | None":
        full = f"{path} / {line}" if path else line
        return next((found for pattern in patterns if (found := _compiled(pattern).fullmatch(full))), None)

    def _yes(self, where: list[Node], line: str) -> None:
        here, path = where[-1], _path(where)
        if denied := here.find(f"no {line}"):
            here.children.remove(denied)
            return
        if line in self.nature.defaults:
            return
        self._check_needs(path, line)
        self._number_free(here, path, line)
        if self._twin(here, line):
            return
        self._wipe(here, line)
        existing = here.find(line)
        opens = self._match(self.nature.sections, path, line)
        if existing is None:
            existing = self._replaced(here, path, line) or Node(line)
            existing.text = line
            if existing not in here.children:
                here.children.append(existing)
        if opens:
            where.append(existing)

    def _replaced(self, here: Node, path: str, line: str) -> Node | None:
        found = self._match(self.nature.unique, path, line.removeprefix("no "))
        if not found:
            return None
        for child in here.children:
            other = self._match(self.nature.unique, path, child.text.removeprefix("no "))
            if other and other.re == found.re and other.groups() == found.groups():
                if self._match(self.nature.one_only, path, line):
                    raise RefusedError(f"{line}: there is {child.text}")
                return child
        return None

    def _number_free(self, here: Node, path: str, line: str) -> None:
        found = self._match(self.nature.numbered, path, line)
        if not found:
            return
        for child in here.children:
            other = self._match(self.nature.numbered, path, child.text)
            if other and other.groups()[:2] == found.groups()[:2] and child.text != line:
                raise RefusedError(f"{line}: its number is taken by {child.text}")

    def _twin(self, here: Node, line: str) -> bool:
        def bare(text: str) -> str:
            return re.sub(r"seq \d+", "", text)

        numbered = self.nature.silent_twins and self._match(self.nature.numbered, "", line)
        return bool(numbered) and any(bare(child.text) == bare(line) for child in here.children)

    def _wipe(self, here: Node, line: str) -> None:
        for pattern, beginning in self.nature.wipes:
            if re.match(pattern, line) and here.find(line) is None:
                here.children = [child for child in here.children if not child.text.startswith(beginning)]

    def _check_needs(self, path: str, line: str) -> None:
        if not self.strict:
            return
        for pattern, needed in self.nature.needs:
            if found := self._match((pattern,), path, line):
                wanted = needed.replace("{1}", re.escape(found[1]))
                if not any(self._match((wanted,), "", node.text) for node in self.root.walk()):
                    raise RefusedError(f"{line}: {wanted} is not there")

    def _no(self, where: list[Node], line: str) -> None:
        here, path = where[-1], _path(where)
        removed = self._removed(here, path, line)
        if not removed:
            self._deny(here, path, line)
            return
        for node in removed:
            if self.strict and self._match(self.nature.lasting, path, node.text):
                raise RefusedError(f"no {line}: cannot be removed")
            self._wipe_with(here, node.text)
            here.children = [child for child in here.children if child is not node]
        entries = (*self.nature.numbered, *self.nature.positioned)
        if not self._match(entries, path, removed[0].text):
            self._check_dangling()

    def _deny(self, here: Node, path: str, line: str) -> None:
        if self.strict and (here.find(f"no {line}") or not self._plausible(line)):
            raise RefusedError(f"no {line}: there is none")
        if f"no {line}" in self.nature.defaults:
            return
        node = self._replaced(here, path, f"no {line}") or Node("")
        node.text = f"no {line}"
        if node not in here.children:
            here.children.append(node)

    def _plausible(self, line: str) -> bool:
        """Whether `no` of a line that is not there is a setting of its own."""
        return bool(re.match(r"bgp default|ipv6 forwarding|ip redirects|ip http|shutdown", line))

    def _removed(self, here: Node, path: str, line: str) -> list[Node]:
        if found := [child for child in here.children if child.text == line]:
            return found
        if self._match(self.nature.lists, path, line) and (
            found := [child for child in here.children if child.text.startswith(line + " ")]
        ):
            return found
        if self._match(self.nature.keyed, path, line):
            return [child for child in here.children if child.text.startswith(line + " ")]
        return []

    def _wipe_with(self, here: Node, text: str) -> None:
        for pattern, beginning in self.nature.owners:
            if found := re.match(pattern, text):
                self._drop(here, beginning.replace("{1}", found[1]), text)
        for pattern, beginning in self.nature.wipes:
            if re.match(pattern, text):
                self._drop(here, beginning, text)

    def _drop(self, node: Node, beginning: str, but: str) -> None:
        node.children = [
            child
            for child in node.children
            if child.text == but or not child.text.removeprefix("no ").startswith(beginning)
        ]
        for child in node.children:
            self._drop(child, beginning, but)

    def _check_dangling(self) -> None:
        for path in self._paths(self.root, ()):
            if path and self.strict:
                self._check_needs(" / ".join(node.text for node in path[:-1]), path[-1].text)


class PathDevice:
    """Junos: paths, a candidate, and containers that stay when they are emptied."""

    def __init__(self, text: str) -> None:
        self.paths: list[tuple[str, ...]] = []
        self.tags: set[tuple[str, tuple[str, ...]]] = set()
        self.send(text.splitlines())

    def send(self, lines: Iterable[str]) -> None:
        for line in lines:
            verb, *words = re.findall(r'"[^"]*"|\S+', line)
            getattr(self, f"_{verb}")(tuple(words))

    def show(self) -> str:
        tags = "".join(f"{verb} {' '.join(path)}\n" for verb, path in sorted(self.tags))
        return "".join(f"set {' '.join(path)}\n" for path in self.paths) + tags

    def leaves(self) -> object:
        """Return what is set, whatever its order."""
        return frozenset(self.paths), frozenset(self.tags)

    def state(self, lists: tuple[str, ...]) -> object:
        """Return what is set, and the order of what has one."""
        orders = {}
        for pattern in lists:
            for path in self.paths:
                if found := re.match(pattern, " ".join(path)):
                    orders.setdefault(found[1], {})[found[2]] = None
        return (
            frozenset(self.paths),
            frozenset(self.tags),
            {name: list(order) for name, order in orders.items()},
        )

    def _set(self, path: tuple[str, ...]) -> None:
        self.paths = [known for known in self.paths if known != path[: len(known)] or known == path]
        if not any(known[: len(path)] == path for known in self.paths):
            self.paths.append(path)

    def _delete(self, path: tuple[str, ...]) -> None:
        kept = [known for known in self.paths if known[: len(path)] != path]
        if len(kept) == len(self.paths):
            raise RefusedError(f"delete {' '.join(path)}: statement not found")
        self.paths = kept
        self.tags = {(verb, known) for verb, known in self.tags if known[: len(path)] != path}

    def _deactivate(self, path: tuple[str, ...]) -> None:
        self._there(path)
        self.tags.add(("deactivate", path))

    def _activate(self, path: tuple[str, ...]) -> None:
        self._there(path)
        self.tags.remove(("deactivate", path))

    def _insert(self, words: tuple[str, ...]) -> None:
        place = words.index("before")
        moved, other = words[:place], words[place + 1 :]
        anchor = (*moved[: -len(other)], *other)
        self._there(moved)
        self._there(anchor)
        mine = [known for known in self.paths if known[: len(moved)] == moved]
        rest = [known for known in self.paths if known not in mine]
        place = next(i for i, known in enumerate(rest) if known[: len(anchor)] == anchor)
        self.paths = rest[:place] + mine + rest[place:]

    def _there(self, path: tuple[str, ...]) -> None:
        if not any(known[: len(path)] == path for known in self.paths):
            raise RefusedError(f"{' '.join(path)}: statement not found")
