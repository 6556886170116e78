"""YAML with positions: plain values for the models, and the place of every key for the errors.

Aliases, custom tags and doubled keys are refused: a reviewer must be able to read an order as it stands.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from heiiki.errors import Problem
from heiiki.intent.numbers import plainly
from heiiki.intent.yaml_faults import fault, place

MAX_CHARACTERS = 256 << 10
_MAX_DEPTH = 16
"""Deeper than any file of ours by far, and shallow enough for every recursion."""
_FEW_BRACKETS = 5
_INDENTED = re.compile(r"(?:^|[\r\n])[ \t?:-]{8}")
"""With fewer brackets and no such line, no more than 14 collections can stand inside each other."""
_SHOWN = 40
"""Characters of a value that a message repeats."""
_MOST = 50
"""Mistakes of form that are looked for in one file."""

_STR, _NULL, _INT, _FLOAT, _BOOL, _TIMESTAMP = (
    f"tag:yaml.org,2002:{name}" for name in ("str", "null", "int", "float", "bool", "timestamp")
)
_PLAIN_COLLECTIONS = frozenset({"tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"})
_BOOLS = {"true": True, "false": False}
_WHOLE = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
_DECIMAL = re.compile(r"[-+]?((0|[1-9][0-9]{0,17})(\.[0-9]{0,17})?|\.[0-9]{1,17})([eE][-+]?[0-9]{1,2})?")
_COMMENT = re.compile(r"[ \t]+(#[^\s#][^\r\n]*)")

_NO_BREAKS = {0x85: "\ufdd0", 0x2028: "\ufdd1", 0x2029: "\ufdd2"}
"""Breaks of lines in YAML 1.1 only (YAML 1.2 5.4): hidden from the parser, for editors do not count them."""
_BREAKS = {ord(hidden): chr(char) for char, hidden in _NO_BREAKS.items()}
_ANY_BREAK = re.compile("[\x85\u2028\u2029]")


class YamlSource:
    """One YAML file: its plain value, its mistakes of form, and where each key stands."""

    def __init__(self, file: Path, text: str) -> None:
        """Parse `text`; mistakes of form are kept in `problems`, never raised."""
        self.file = file
        self._text = _without_breaks(text.removeprefix("\ufeff"))
        self.problems: list[Problem] = []
        self._seen: set[int] = set()
        self._former: dict[str | int, str] = {}
        self.root: yaml.Node | None = self._compose(self._text)
        self.value: Any = self._plain(self.root, ()) if self.root is not None else None

    def take_former(self, former: str, name: str) -> bool:
        """Give the value of the top-level key `former` the key `name`; return False without such a key.

        Positions and problems still show the key as it is written.
        """
        if not isinstance(self.value, dict) or former not in self.value or name in self.value:
            return False
        self.value = {name if key == former else key: value for key, value in self.value.items()}
        self._former[name] = former
        return True

    def _as_written(self, loc: tuple[str | int, ...]) -> tuple[str | int, ...]:
        return (self._former.get(loc[0], loc[0]), *loc[1:]) if loc else loc

    def position(self, loc: tuple[str | int, ...]) -> tuple[int, int]:
        """Return line and column, from 1, of the key at `loc`, or of the nearest thing that holds it."""
        node, mark = self.root, self.root.start_mark if self.root is not None else None
        for step in self._as_written(loc):
            found = _child(node, step)
            if found is None:
                break
            mark, node = found
        return place(mark)

    def written(self, loc: tuple[str | int, ...]) -> str | None:
        """Return the text of the plain or quoted value at `loc`; None where there is none."""
        node = self._node(loc)
        return _read(node) if isinstance(node, yaml.ScalarNode) else None

    def comment_behind(self, loc: tuple[str | int, ...]) -> str:
        """Return the comment without a blank behind the unquoted value at `loc`, such as ``#2 (east)``."""
        node = self._node(loc)
        if not isinstance(node, yaml.ScalarNode) or node.style:
            return ""
        found = _COMMENT.match(self._text, node.end_mark.index)
        return found[1] if found else ""

    def _node(self, loc: tuple[str | int, ...]) -> yaml.Node | None:
        node = self.root
        for step in self._as_written(loc):
            found = _child(node, step)
            if found is None:
                return None
            node = found[1]
        return node

    def problem(self, loc: tuple[str | int, ...], what: str, fix: str) -> Problem:
        """Return a problem at `loc`."""
        line, column = self.position(loc)
        return Problem(self.file, line, column, dotted(self._as_written(loc)), what, fix)

    def _compose(self, text: str) -> yaml.Node | None:
        if len(text) > MAX_CHARACTERS:
            self._add(
                (1, 1), (), "the file is larger than 256 KiB", "split it, or remove what does not belong here"
            )
            return None
        try:
            too_deep = next((place(mark) for mark, depth in _collections(text) if depth > _MAX_DEPTH), None)
            root = _root(text) if too_deep is None else None
        except yaml.YAMLError as error:
            where, what, fix = fault(error, text)
            self._add(where, (), what, fix)
            return None
        if too_deep is not None:
            what = f"more than {_MAX_DEPTH} lists or mappings stand inside each other"
            self._add(too_deep, (), what, "write a few levels at most, as the reference page shows")
        elif root is None or root.tag == _NULL:
            # Not "delete it": to delete an emptied revoked.yml lets every stolen device back in.
            fix = "restore it from version control, or describe it as the reference page shows"
            self._add((1, 1), (), "the file is empty", fix)
        else:
            return root
        return None

    def _add(self, where: tuple[int, int], loc: tuple[str | int, ...], what: str, fix: str) -> None:
        if len(self.problems) == _MOST:
            return
        self.problems.append(Problem(self.file, *where, dotted(loc), what, fix))
        if len(self.problems) == _MOST:
            self.problems[-1] = Problem(
                self.file, *where, "", "there may be more mistakes below", "mend those above first"
            )

    def _plain(self, node: yaml.Node, loc: tuple[str | int, ...]) -> Any:
        if len(self.problems) == _MOST:
            return None
        if id(node) in self._seen:
            fix = "write the values out where they belong"
            here = self.position(loc[:-1] if loc and isinstance(loc[-1], int) else loc)
            self._add(here, loc, "an alias (`*name`) stands for what is written elsewhere", fix)
            return None
        self._seen.add(id(node))
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, loc)
        if node.tag not in _PLAIN_COLLECTIONS:
            self._unknown_tag(node, loc)
        if isinstance(node, yaml.SequenceNode):
            return [self._plain(item, (*loc, index)) for index, item in enumerate(node.value)]
        return dict(self._pairs(node, loc))

    def _pairs(self, node: yaml.Node, loc: tuple[str | int, ...]) -> Iterator[tuple[str, Any]]:
        first: dict[str, int] = {}
        for key_node, value_node in node.value:
            here = place(key_node.start_mark)
            if not isinstance(key_node, yaml.ScalarNode):
                self._add(here, loc, "a list or mapping stands where a key is due", "write `key: value`")
                continue
            key = _read(key_node)
            if key in first:
                what = f"the key stands twice; the first is on line {first[key]}"
                self._add(here, (*loc, key), what, "keep one of them")
                continue
            first[key] = here[0]
            yield key, self._plain(value_node, (*loc, key))

    def _scalar(self, node: yaml.ScalarNode, loc: tuple[str | int, ...]) -> Any:
        tag, text = node.tag, _read(node)
        if tag in (_STR, _TIMESTAMP):
            return text
        if tag == _BOOL:
            return _BOOLS.get(text.lower(), text)
        if tag == _NULL:
            return None
        if tag == _INT:
            return int(text) if _WHOLE.fullmatch(text) else self._odd_number(node, loc)
        if tag == _FLOAT:
            return float(text) if _DECIMAL.fullmatch(text) else self._odd_number(node, loc)
        return self._unknown_tag(node, loc)

    def _odd_number(self, node: yaml.ScalarNode, loc: tuple[str | int, ...]) -> None:
        """Refuse what YAML 1.1 reads otherwise than people do: 017 is 15 there, 1:30 is 90, 1_000 is 1000."""
        fix = "write plain digits without zeros in front, or put a name made of digits in quotes"
        if "_" in node.value and (digits := plainly(node.value[:_SHOWN])):
            fix = f"write {digits}"
        self._add(place(node.start_mark), loc, f"`{node.value[:_SHOWN]}` is not a plain number", fix)

    def _unknown_tag(self, node: yaml.Node, loc: tuple[str | int, ...]) -> None:
        self._add(
            place(node.start_mark),
            loc,
            f"the tag `{node.tag[:40]}` is not known here",
            "write a plain value",
        )


def _root(text: str) -> yaml.Node | None:
    loader = yaml.CSafeLoader(text)
    try:
        return loader.get_single_node()
    finally:
        loader.dispose()


def _collections(text: str) -> Iterator[tuple[Any, int]]:
    """Yield the place and depth of each list or mapping, by events; nothing where the text cannot be deep.

    Composing is recursive, and in C: a file of 10,000 brackets would end the process.
    """
    if text.count("[") + text.count("{") <= _FEW_BRACKETS and not _INDENTED.search(text):
        return
    depth = 0
    for event in yaml.parse(text, yaml.CSafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            yield event.start_mark, depth
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _without_breaks(text: str) -> str:
    return text.translate(_NO_BREAKS) if _ANY_BREAK.search(text) else text


def _read(node: yaml.ScalarNode) -> str:
    text: str = node.value
    return text if text.isascii() else text.translate(_BREAKS)


def dotted(loc: tuple[str | int, ...]) -> str:
    """Write a path of keys as people do: ``resources[0].kind``."""
    text = ""
    for step in loc:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def _child(node: yaml.Node | None, step: str | int) -> tuple[yaml.Mark, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        for key_node, value_node in node.value:
            if key_node.value == step:
                return key_node.start_mark, value_node
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        item = node.value[step]
        return item.start_mark, item
    return None
