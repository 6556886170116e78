"""Frozen dataclasses, read from XML elements and written to them: the fields say what stands where.

A field made by `element(PATH)` is one element, or as many as its tuple has; a path of several names leads
through elements around it, which neighbouring fields share. Fields come in the order of the schema; one that
may be None may be absent. A class that is one of several possible elements names them in `TAGS`, and each
instance its own in `element_name`. Nothing is skipped: what a class does not name is refused, since a message
that was understood by half is misunderstood.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import Field, dataclass, field, fields, is_dataclass
from functools import cache
from types import UnionType
from typing import Annotated, Any, Literal, Protocol, TypeVar, Union, get_args, get_origin, get_type_hints

from lxml import etree

from heiiki_agent.openadr.errors import Malformed
from heiiki_agent.openadr.names import local, tag
from heiiki_agent.openadr.values import FORMATS, PARSERS

T = TypeVar("T")
Element = etree._Element  # noqa: SLF001  # lxml has no public name for the type


def element(path: str, *, keep: bool = False, least: int = 0, **options: Any) -> Any:
    """Declare a field.

    Args:
        path: names as `prefix:local`, `/` between them.
        keep: the elements around it are written even when it is empty.
        least: how many a tuple has at least.
        options: those of `dataclasses.field`.
    """
    return field(metadata={"path": tuple(path.split("/")), "keep": keep, "least": least}, **options)


class Kind(Protocol):
    """What an element holds."""

    def read(self, node: Element) -> Any:
        """Return the value of an element; Malformed where it has none."""

    def write(self, value: Any, node: Element) -> None:
        """Put a value into an empty element; ValueError where it does not fit."""


@dataclass(frozen=True)
class Text:
    """A simple type; `allowed` narrows it."""

    kind: type
    allowed: re.Pattern[str] | None

    def read(self, node: Element) -> Any:
        """Return what the text stands for."""
        if len(node):
            raise Malformed("has elements in it where a text is expected")
        # Blanks around a value count in a free text alone (XML Schema, whiteSpace).
        free = self.kind is str and self.allowed is None
        text = (node.text or "") if free else (node.text or "").strip()
        try:
            return PARSERS[self.kind](self._allowed(text))
        except (ValueError, OverflowError) as error:
            raise Malformed(str(error)) from error

    def write(self, value: Any, node: Element) -> None:
        """Write the value as text."""
        node.text = self._allowed(FORMATS[self.kind](value))

    def _allowed(self, text: str) -> str:
        if self.allowed and not self.allowed.fullmatch(text):
            raise ValueError(f"`{text}` is not one of the values that the schema has")
        return text


@dataclass(frozen=True)
class Model:
    """A dataclass of fields made by `element`."""

    kind: type

    def read(self, node: Element) -> Any:
        """Make the dataclass of the element."""
        values: dict[str, Any] = {}
        _read(nodes_of(self.kind), node, values)
        try:
            return self.kind(**values)
        except ValueError as error:
            raise Malformed(str(error)) from error

    def write(self, value: Any, node: Element) -> None:
        """Write every field."""
        _write(nodes_of(self.kind), node, value)


@dataclass(frozen=True)
class Leaf:
    """One field: the elements that it may be, and how often."""

    name: str
    kinds: Mapping[str, Kind]
    many: bool
    optional: bool
    least: int

    @property
    def names(self) -> tuple[str, ...]:
        """Fields below this node."""
        return (self.name,)

    def read(self, children: Sequence[Element], start: int, values: dict[str, Any]) -> int:
        """Take the elements that are this field's; return where the next field begins."""
        found: list[Any] = []
        end = start
        while end < len(children) and children[end].tag in self.kinds and (self.many or not found):
            found.append(read_element(self.kinds[str(children[end].tag)], children[end]))
            end += 1
        if self.many and len(found) < self.least:
            raise Malformed(f"{' or '.join(map(local, self.kinds))} is missing")
        if found or self.many:
            values[self.name] = tuple(found) if self.many else found[0]
        elif not self.optional:
            raise Malformed(f"{' or '.join(map(local, self.kinds))} is missing")
        return end

    def write(self, parent: Element, instance: Any) -> None:
        """Add the elements of this field."""
        value = getattr(instance, self.name)
        items = value if self.many else () if value is None else (value,)
        if len(items) < self.least:
            raise ValueError(f"{self.name}: give at least {self.least}")
        for item in items:
            name = tag(item.element_name) if hasattr(item, "TAGS") else next(iter(self.kinds))
            self.kinds[name].write(item, etree.SubElement(parent, name))


@dataclass(frozen=True)
class Wrapper:
    """An element around one or several fields."""

    tag: str
    nodes: tuple["Leaf | Wrapper", ...]
    keep: bool

    @property
    def names(self) -> tuple[str, ...]:
        """Fields below this node."""
        return tuple(name for node in self.nodes for name in node.names)

    def read(self, children: Sequence[Element], start: int, values: dict[str, Any]) -> int:
        """Read the fields inside; without the element they must all be optional."""
        there = start < len(children) and children[start].tag == self.tag
        try:
            _read(self.nodes, children[start] if there else etree.Element(self.tag), values)
        except Malformed as error:
            if there:
                raise error.inside(local(self.tag)) from error
            raise Malformed(f"{local(self.tag)} is missing") from error
        return start + there

    def write(self, parent: Element, instance: Any) -> None:
        """Write the fields inside, if there is one that says something."""
        if self.keep or any(getattr(instance, name) not in (None, ()) for name in self.names):
            _write(self.nodes, etree.SubElement(parent, self.tag), instance)


def read_element(kind: Kind, node: Element) -> Any:
    """Read `node`; Malformed names the element."""
    try:
        return kind.read(node)
    except Malformed as error:
        raise error.inside(local(str(node.tag))) from error


def _read(nodes: Sequence[Leaf | Wrapper], parent: Element, values: dict[str, Any]) -> None:
    children = list(parent)
    if any((text or "").strip() for text in (parent.text, *(child.tail for child in children))):
        raise Malformed("has text between its elements")
    at = 0
    for node in nodes:
        at = node.read(children, at, values)
    if at < len(children):
        raise Malformed("is not expected here", local(str(children[at].tag)))


def _write(nodes: Sequence[Leaf | Wrapper], parent: Element, instance: Any) -> None:
    for node in nodes:
        node.write(parent, instance)


@cache
def nodes_of(kind: type) -> tuple[Leaf | Wrapper, ...]:
    """Return what stands in an element of `kind`, in order."""
    hints = get_type_hints(kind, include_extras=True)
    marked = [(one.metadata["path"], one) for one in fields(kind) if "path" in one.metadata]
    return tuple(_grouped(marked, hints))


def _grouped(
    marked: Sequence[tuple[tuple[str, ...], Field[Any]]], hints: Mapping[str, Any]
) -> Iterator[Leaf | Wrapper]:
    at = 0
    while at < len(marked):
        path, first = marked[at]
        end = at + 1
        if len(path) == 1:
            yield _leaf(path[0], first, hints[first.name])
        else:
            while end < len(marked) and len(marked[end][0]) > 1 and marked[end][0][0] == path[0]:
                end += 1
            inside = [(one[1:], declared) for one, declared in marked[at:end]]
            keep = any(declared.metadata["keep"] for _, declared in inside)
            yield Wrapper(tag(path[0]), tuple(_grouped(inside, hints)), keep)
        at = end


def _leaf(name: str, declared: Field[Any], hint: Any) -> Leaf:
    many, least = get_origin(hint) is tuple, declared.metadata["least"]
    kind = get_args(hint)[0] if many else hint
    # A default is for who makes a message; one from outside that lacks what the schema demands is refused.
    optional = type(None) in get_args(kind)
    choices = [one for one in get_args(kind) if one is not type(None)] if _is_union(kind) else [kind]
    if len(choices) == 1 and not hasattr(choices[0], "TAGS"):
        return Leaf(declared.name, {tag(name): _kind(choices[0])}, many, optional, least)
    kinds = {tag(one): _kind(choice) for choice in choices for one in choice.TAGS}
    return Leaf(declared.name, kinds, many, optional, least)


def _is_union(hint: Any) -> bool:
    return get_origin(hint) in {Union, UnionType}


def _kind(hint: Any) -> Kind:
    if hasattr(hint, "KIND"):
        own: Kind = hint.KIND
        return own
    if is_dataclass(hint):
        return Model(hint)  # type: ignore[arg-type]  # a class: hints hold no instances
    if get_origin(hint) is Annotated:
        base, pattern = get_args(hint)
        return Text(base, re.compile(pattern))
    if get_origin(hint) is Literal:
        return Text(str, re.compile("|".join(map(re.escape, get_args(hint)))))
    return Text(hint, None)
