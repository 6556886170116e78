"""From the text of a device, or of a template, to a tree of lines."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from heiiki.errors import PlatformError, printable
from heiiki.platforms.rules import NOTHING, UNKNOWN, Kind, Rule, Table, any_of
from heiiki.platforms.secret import masked
from heiiki.platforms.tree import Key, Line, Tree

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029]")
"""What no configuration holds: what a pager writes, and ways to end a line that no device has."""


@dataclass(slots=True)
class _Open:
    """A line while the text below it is read. What is ignored stays on the stack, and in no tree."""

    indent: int
    text: str
    number: int
    rule: Rule
    groups: tuple[str, ...]
    key: tuple[str, ...]
    children: "list[_Open]" = field(default_factory=list)
    ignored: bool = False


class Reader:
    """Reads indented text by the rules of one platform."""

    __slots__ = ("_bounds", "_comments", "_hidden", "_table", "_untouched")

    def __init__(self, table: Table) -> None:
        """Compile what the table says of whole lines."""
        self._table = table
        self._comments = tuple(table.comments)
        self._bounds = table.ends & {"end"}  # a device prints it below its configuration; a template does not
        self._untouched, self._hidden = any_of(table.untouched), any_of(table.hidden)

    def source(self, text: str) -> tuple[str, ...]:
        """Return the lines of a text that count, without reading them: equal ones are equal trees."""
        found: list[str] = []
        ignored = False
        lines = text.split("\n")
        for number, line in enumerate(lines):
            if line.startswith(self._table.blocks):
                return (*found, *lines[number:])
            body = line.lstrip()
            if not body or body[0] in self._comments:
                continue
            if len(body) == len(line):
                ignored = line in self._bounds or self._untouched.match(line) is not None
            if not ignored:
                found.append(line.rstrip())
        return tuple(found)

    def read(self, text: str) -> Tree:
        """Return the tree of a text.

        Raises:
            PlatformError: the text is not one of this platform; the message says which line.
        """
        root = _Open(-1, "", 0, Rule("", inside=self._table.rules), (), ())
        hidden: list[str] = []
        lines = text.split("\n")
        if _CONTROL.search(text):
            number = next(number for number, line in enumerate(lines, 1) if _CONTROL.search(line))
            problem = "holds a control character; read the device again, without its pager"
            raise self._error(number, lines[number - 1].strip(), problem)
        self._fill(root, lines, hidden)
        return Tree(self._table.name, self._frozen(root), tuple(hidden), source=self.source(text))

    def _fill(self, root: _Open, lines: list[str], hidden: list[str]) -> None:
        stack = [root]
        rest = iter(enumerate(lines, 1))
        for number, raw in rest:
            body = raw.strip()
            if not body or body[0] in self._comments:
                continue
            indent = len(raw.rstrip()) - len(body)
            if body in self._table.ends:
                self._leave(stack, indent, body, number)
                continue
            parent = self._parent(stack, indent, body, number)
            line = self._line(parent, body, indent, number)
            if parent is root and body.startswith(self._table.blocks):
                self._block(line, rest)
            if parent is root and self._hidden.match(body):
                hidden.append(body)
                line.ignored = True
            if not line.ignored:
                parent.children.append(line)
            stack.append(line)

    def _block(self, line: _Open, rest: Iterator[tuple[int, str]]) -> None:
        """Read on to the delimiter that the line begins its text with."""
        begun = line.text[len(line.groups[0]) :].lstrip()
        delimiter = "^C" if begun.startswith("^C") else begun[:1]
        if delimiter and delimiter in begun[len(delimiter) :]:
            return
        for _, raw in rest:
            line.text += "\n" + raw.rstrip()
            if delimiter in raw:
                return
        raise self._error(
            line.number, line.text.partition("\n")[0], f"its text has no end; close it by {delimiter}"
        )

    def _line(self, parent: _Open, body: str, indent: int, number: int) -> _Open:
        positive = body.removeprefix(self._table.negation)
        rule, found = (parent.rule.inside or NOTHING).find(positive)
        groups = (found[0], *found.groups("")) if found else ()
        ignored = (
            parent.ignored
            or body in self._table.defaults
            or (parent.indent < 0 and self._untouched.match(body) is not None)
        )
        keyed = rule.kind is Kind.ONE or rule.kind is Kind.NUMBERED
        key = (rule.words, *(groups[1:] or groups)) if keyed else (positive,)
        return _Open(indent, body, number, rule, groups, key, ignored=ignored)

    def _parent(self, stack: list[_Open], indent: int, body: str, number: int) -> _Open:
        """Return the section that a line belongs to, by its indentation."""
        if self._table.flat and indent and len(stack) > 1:
            del stack[2:]
            indent = stack[1].indent + 1
        closed = None
        while stack[-1].indent >= indent:
            closed = stack.pop()
        parent = stack[-1]
        if closed is not None and closed.indent > indent and not closed.ignored:
            raise self._error(
                number, body, "its indentation is that of no line above; give it that of its neighbours"
            )
        if parent.indent < 0 < indent:
            raise self._error(
                number, body, "is indented, but no section is open; begin it in the first column"
            )
        if parent.rule.inside is None and not parent.ignored:
            above = f"{self._shown(parent.text)} (line {parent.number})"
            raise self._error(
                number, body, f"stands below {above}, which opens no section; check its indentation"
            )
        return parent

    def _leave(self, stack: list[_Open], indent: int, body: str, number: int) -> None:
        """Close the section that begins where the line does; ``end`` closes all of them."""
        while len(stack) > 1 and stack[-1].indent > indent:
            stack.pop()
        if body == "end" or self._table.flat:
            del stack[1:]
            return
        last = stack.pop() if len(stack) > 1 else None
        if last is None or not (last.ignored or last.children or _opens(last.rule)):
            raise self._error(
                number, body, "leaves a section, but none is open here; check the indentation above"
            )

    def _shown(self, body: str) -> str:
        return printable(masked(self._table.secrets, body))

    def _error(self, number: int, body: str, problem: str) -> PlatformError:
        return PlatformError(f"line {number}: {self._shown(body)}: {problem}")

    def _frozen(self, section: _Open) -> tuple[Line, ...]:
        """Return the lines of a section, each once: a device shows a section in several parts at times."""
        if section.rule.numbering:
            self._number(section)
        found: dict[Key, Line] = {}
        for line in section.children:
            children = self._frozen(line) if line.children else ()
            new = Line(line.text, children, line.key, line.rule, line.groups, line.number)
            if line.key in found:
                new = self._merged(found[line.key], new)
            if children or not line.rule.lasting:
                found[line.key] = new
        return tuple(found.values())

    def _number(self, section: _Open) -> None:
        """Give entries without a number the one that the device gives them: the next multiple."""
        last, step = 0, section.rule.numbering
        for position, line in enumerate(section.children):
            first = line.text.partition(" ")[0]
            if first.isdecimal():
                last = int(first)
            else:
                last = (last // step + 1) * step
                section.children[position] = self._line(
                    section, f"{last} {line.text}", line.indent, line.number
                )

    def _merged(self, old: Line, new: Line) -> Line:
        """Return two parts of one section as one."""
        if old.text != new.text:
            known = f"{self._shown(old.text)} of line {old.number}"
            raise self._error(new.number, new.text, f"contradicts {known}; keep one of them")
        lines = {line.key: line for line in old.children}
        for line in new.children:
            lines[line.key] = self._merged(lines[line.key], line) if line.key in lines else line
        return replace(old, children=tuple(lines.values()))


def _opens(rule: Rule) -> bool:
    """Whether a line of the rule is known to open a section, be it empty."""
    return rule.inside is not None and rule is not UNKNOWN
