"""YAML with positions: plain values for the models, and the place of every key for the errors.

Aliases, custom tags and doubled keys are refused: a reviewer must be able to read an order as it stands.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from heiiki.errors import Problem

_MAX_BYTES = 1 << 20
_STR, _NULL = "tag:yaml.org,2002:str", "tag:yaml.org,2002:null"
_TIMESTAMP = "tag:yaml.org,2002:timestamp"
_BOOLS = {"true": True, "false": False}
_constructor = yaml.constructor.SafeConstructor()

_INT, _FLOAT, _BOOL = (f"tag:yaml.org,2002:{name}" for name in ("int", "float", "bool"))


class YamlSource:
    """One YAML file: its plain value, its mistakes of form, and where each key stands."""

    def __init__(self, file: Path, text: str) -> None:
        """Parse `text`; mistakes of form are kept in `problems`, never raised."""
        self.file = file
        self.problems: list[Problem] = []
        self.root: yaml.Node | None = self._compose(text)
        self._seen: set[int] = set()
        self.value: Any = self._plain(self.root, ()) if self.root is not None else None

    def position(self, loc: tuple[str | int, ...]) -> tuple[int, int]:
        """Return line and column, from 1, of the key at `loc`, or of the nearest thing that holds it."""
        node, mark = self.root, self.root.start_mark if self.root is not None else None
        for step in loc:
            found = _child(node, step)
            if found is None:
                break
            mark, node = found
        return (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)

    def problem(self, loc: tuple[str | int, ...], what: str, fix: str) -> Problem:
        """Return a problem at `loc`."""
        line, column = self.position(loc)
        return Problem(self.file, line, column, dotted(loc), what, fix)

    def _compose(self, text: str) -> yaml.Node | None:
        if len(text) > _MAX_BYTES:
            self._add(
                None, (), "the file is larger than 1 MiB", "split it, or remove what does not belong here"
            )
            return None
        loader = yaml.CSafeLoader(text)
        try:
            root: yaml.Node | None = loader.get_single_node()
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            what = f"this is not YAML: {error.problem or error.context}"
            self._add(mark, (), what, "mend the line; keys are `key: value`, indented by spaces")
            return None
        except (yaml.YAMLError, RecursionError) as error:
            reason = str(error).splitlines()[0] if str(error) else "nested too deeply"
            self._add(
                None, (), f"this is not YAML: {reason}", "write plain UTF-8 text, nested a few levels at most"
            )
            return None
        finally:
            loader.dispose()
        if root is None or root.tag == _NULL:
            self._add(
                None, (), "the file is empty", "describe it as the reference page shows, or delete the file"
            )
            return None
        return root

    def _add(self, mark: yaml.Mark | None, loc: tuple[str | int, ...], what: str, fix: str) -> None:
        line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
        self.problems.append(Problem(self.file, line, column, dotted(loc), what, fix))

    def _plain(self, node: yaml.Node, loc: tuple[str | int, ...]) -> Any:
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, loc)
        if id(node) in self._seen:
            self._add(
                node.start_mark,
                loc,
                "an alias (`*name`) repeats this",
                "write the values out where they belong",
            )
            return None
        self._seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            return [self._plain(item, (*loc, index)) for index, item in enumerate(node.value)]
        return dict(self._pairs(node, loc))

    def _pairs(self, node: yaml.Node, loc: tuple[str | int, ...]) -> Iterator[tuple[str, Any]]:
        first: dict[str, int] = {}
        for key_node, value_node in node.value:
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else "?"
            if key in first:
                what = f"the key stands twice; the first is on line {first[key]}"
                self._add(key_node.start_mark, (*loc, key), what, "keep one of them")
                continue
            first[key] = key_node.start_mark.line + 1
            yield key, self._plain(value_node, (*loc, key))

    def _scalar(self, node: yaml.ScalarNode, loc: tuple[str | int, ...]) -> Any:
        tag = node.tag
        if tag in (_STR, _TIMESTAMP):
            return node.value
        if tag == _BOOL:
            return _BOOLS.get(node.value.lower(), node.value)
        if tag == _INT:
            return _constructor.construct_yaml_int(node)
        if tag == _FLOAT:
            return _constructor.construct_yaml_float(node)
        if tag == _NULL:
            return None
        self._add(node.start_mark, loc, f"the tag `{tag}` is not known here", "write a plain value")
        return None


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
