"""A site file as a program changes it: single values in place; comments, order and layout stay.

Only what differs is touched, by the places that the parser gives. A file of another make than a program can
change so is refused: its author knows better where a value belongs.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from heiiki.intent.yaml_source import YamlSource

_PLAIN = re.compile(r"[^\W\d_](?:[\w ./-]*[\w/])?")
"""Texts that need no quotes, neither in a block nor inside braces; `true`, `no` and `null` are looked up."""
_LAST_SHORT = 0xFFFF
_Edit = tuple[int, int, str]
"""Begin and end of what is replaced, and the new text."""


class EditError(Exception):
    """The file is written in a way that cannot be changed in place."""


def composed(values: Mapping[str, Any]) -> str:
    """Return the text of a new file: a line for each key, a list as lines of its own."""
    return "".join(_entry(key, value, "\n") for key, value in values.items())


def edited(file: Path, text: str, wanted: Mapping[str, Any]) -> str:
    """Return the text with the `wanted` values; keys that are not named keep theirs.

    Args:
        file: where the text is from, for its places.
        text: has no mistakes of form.
        wanted: plain values by key, mappings in mappings. A list that differs in its order alone is left.

    Raises:
        EditError: it cannot be changed in place.
    """
    source = YamlSource(file, text)
    if source.problems or not isinstance(source.root, yaml.MappingNode):
        raise EditError
    mark = "\ufeff" if text.startswith("\ufeff") else ""
    bare = text.removeprefix("\ufeff")
    writer = _Writer(bare)
    changed = bare
    for begin, end, new in sorted(writer.of_mapping(source.root, source.value, wanted), reverse=True):
        changed = f"{changed[:begin]}{new}{changed[end:]}"
    outcome = YamlSource(file, changed)
    if outcome.problems or outcome.value != merged(source.value, wanted):
        raise EditError
    return mark + changed


def merged(value: Any, wanted: Any) -> Any:
    """Return a value with the `wanted` ones in it, as `edited` writes them."""
    if isinstance(value, dict) and isinstance(wanted, Mapping):
        return value | {key: merged(value.get(key), new) for key, new in wanted.items()}
    if isinstance(value, list) and isinstance(wanted, Sequence) and _same_items(value, wanted):
        return value
    return list(wanted) if isinstance(wanted, tuple) else wanted


def _same_items(value: list[Any], wanted: Any) -> bool:
    if isinstance(wanted, str) or len(value) != len(wanted):
        return False
    return sorted(map(repr, value)) == sorted(map(repr, wanted))


class _Writer:
    """Finds what is to be replaced in one text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._newline = "\r\n" if "\r\n" in text else "\n"

    def of_mapping(self, node: yaml.MappingNode, value: Any, wanted: Mapping[str, Any]) -> Iterator[_Edit]:
        nodes = {key.value: below for key, below in node.value}
        for key, new in wanted.items():
            if key in nodes:
                yield from self._of(nodes[key], value[key], new)
        added = {key: new for key, new in wanted.items() if key not in nodes}
        if added:
            yield self._added(node, added)

    def _of(self, node: yaml.Node, value: Any, wanted: Any) -> Iterator[_Edit]:
        if merged(value, wanted) == value:
            return
        if isinstance(node, yaml.MappingNode) and isinstance(wanted, Mapping):
            yield from self.of_mapping(node, value, wanted)
        elif isinstance(node, yaml.SequenceNode) and isinstance(wanted, Sequence):
            yield from self._of_list(node, value, wanted)
        elif isinstance(node, yaml.ScalarNode) and not isinstance(wanted, Mapping | tuple | list):
            begin, end = node.start_mark.index, node.end_mark.index
            quoted = node.style in ("'", '"') and isinstance(wanted, str)
            new = _quoted(wanted) if quoted else _flow(wanted)
            yield begin, end, f" {new}" if begin == end else new
        else:
            raise EditError

    def _of_list(self, node: yaml.SequenceNode, value: list[Any], wanted: Sequence[Any]) -> Iterator[_Edit]:
        if not node.value or not wanted:
            raise EditError
        for item, old, new in zip(node.value, value, wanted, strict=False):
            yield from self._of(item, old, new)
        last = node.value[min(len(node.value), len(wanted)) - 1]
        if node.flow_style:
            yield from self._flow_length(node, _end(last), wanted)
            return
        for item in node.value[len(wanted) :]:
            begin = self._text.rfind("\n", 0, item.start_mark.index) + 1
            yield begin, self._line_end(_end(item)), ""
        if more := wanted[len(node.value) :]:
            begin = self._text.rfind("\n", 0, last.start_mark.index) + 1
            lead = self._text[begin : last.start_mark.index]
            if lead.strip() != "-":
                raise EditError
            yield self._new_lines(_end(last), [f"{lead}{_flow(item)}" for item in more])

    def _flow_length(self, node: yaml.SequenceNode, end: int, wanted: Sequence[Any]) -> Iterator[_Edit]:
        if len(wanted) < len(node.value):
            yield end, _end(node.value[-1]), ""
        elif more := wanted[len(node.value) :]:
            yield end, end, "".join(f", {_flow(item)}" for item in more)

    def _added(self, node: yaml.MappingNode, added: Mapping[str, Any]) -> _Edit:
        if node.flow_style:
            end = _end(node.value[-1][1]) if node.value else node.start_mark.index + 1
            text = ", ".join(f"{key}: {_flow(value)}" for key, value in added.items())
            return end, end, f", {text}" if node.value else text
        indent = " " * node.value[0][0].start_mark.column
        lines = [f"{indent}{key}: {_flow(value)}" for key, value in added.items()]
        return self._new_lines(_end(node.value[-1][1]), lines)

    def _new_lines(self, end: int, lines: Sequence[str]) -> _Edit:
        """Return lines behind the one that holds the end of a value, and the comment there."""
        at = self._line_end(end)
        text = self._newline.join(lines)
        if at and self._text[at - 1] != "\n":
            return at, at, f"{self._newline}{text}"
        return at, at, f"{text}{self._newline}"

    def _line_end(self, index: int) -> int:
        """Return where the next line begins."""
        found = self._text.find("\n", index)
        return len(self._text) if found < 0 else found + 1


def _end(node: yaml.Node) -> int:
    """Return where a value ends; the parser puts the end of a block behind what follows it."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style:
        last = node.value[-1]
        return _end(last[1] if isinstance(last, tuple) else last)
    return int(node.end_mark.index)


def _entry(key: str, value: Any, newline: str) -> str:
    if isinstance(value, tuple | list):
        items = "".join(f"{newline}  - {_flow(item)}" for item in value)
        return f"{key}:{items}{newline}"
    return f"{key}: {_flow(value)}{newline}"


def _flow(value: Any) -> str:
    """Return a value on one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(_flow, value))}]"
    return _text(value) if isinstance(value, str) else str(value)


@lru_cache(maxsize=4096)
def _text(value: str) -> str:
    """Return a text, in quotes unless every reader takes it for itself without."""
    plain = _PLAIN.fullmatch(value) and "  " not in value and yaml.safe_load(value) == value
    return value if plain else _quoted(value)


def _quoted(value: str) -> str:
    """Return a text in quotes, as in JSON; what shows nothing is written by its number."""
    return "".join(
        char if char.isprintable() else _number(char) for char in json.dumps(value, ensure_ascii=False)
    )


def _number(char: str) -> str:
    return f"\\u{ord(char):04x}" if ord(char) <= _LAST_SHORT else f"\\U{ord(char):08x}"
