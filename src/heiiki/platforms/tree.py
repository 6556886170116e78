"""A configuration as a tree of lines."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from heiiki.platforms.rules import Kind, Rule

Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """One line, with what stands in the section that it opens.

    Two lines are equal when a device would not tell them apart: where they were written says nothing.

    Attributes:
        text: the line without indentation; a banner has several lines in it.
        children: the lines of its section.
        key: what no second line of the same section has.
        rule: what the platform's table says of it.
        groups: what the rule's words matched, and their groups.
        number: where it was written, from 1.
    """

    text: str
    children: tuple["Line", ...] = ()
    key: Key = field(default=(), compare=False)
    rule: Rule = field(default=Rule(""), compare=False, repr=False)
    groups: tuple[str, ...] = field(default=(), compare=False)
    number: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Tree:
    """A configuration that was read.

    Attributes:
        platform: the platform whose rules it was read by.
        lines: the lines outside every section, in the order of the text.
        hidden: lines that the device would take but never show: see `Table.hidden`.
        untouched: paths of the text that no change may take away with what it does: see `Table.untouched`.
        source: the lines of the text that count, as they were written; equal ones are equal trees.
    """

    platform: str
    lines: tuple[Line, ...]
    hidden: tuple[str, ...] = ()
    untouched: tuple[str, ...] = field(default=(), compare=False)
    source: tuple[str, ...] = field(default=(), compare=False, repr=False)

    @property
    def text(self) -> str:
        """The normal form: a space of indentation a section, no comments, nothing that holds anyway."""
        return "".join(f"{line}\n" for line in normal(self.lines))


def normal(lines: tuple[Line, ...], depth: int = 0) -> Iterator[str]:
    """Yield the normal form of `lines`; a banner is one item with several lines in it."""
    for line in lines:
        yield " " * depth + line.text
        yield from normal(line.children, depth + 1)


def aligned(running: tuple[Line, ...], intended: tuple[Line, ...]) -> tuple[Line, ...]:
    """Return `intended` in the order of `running` where order says nothing, for a diff of what differs."""
    there = {line.key: line for line in running}
    wanted = {line.key: line for line in intended}
    order = [key for key in there if key in wanted]
    for before, key in zip((None, *wanted), wanted, strict=False):
        if key not in there:
            order.insert(order.index(before) + 1 if before else 0, key)
    entries = iter([line.key for line in intended if line.rule.kind is Kind.POSITIONED])
    order = [next(entries) if wanted[key].rule.kind is Kind.POSITIONED else key for key in order]
    return tuple(
        _inside(line, there.get(line.key)) if line.children else line
        for line in (wanted[key] for key in order)
    )


def _inside(line: Line, there: Line | None) -> Line:
    return replace(line, children=aligned(there.children if there else (), line.children))
