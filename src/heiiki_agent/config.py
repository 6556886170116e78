"""Reads JSON into frozen dataclasses: the types of the fields say what is accepted.

Scalars must have exactly the type of their field. `Annotated` narrows a text to a pattern or to what a type
can parse (its canonical form is kept), a number to a `range`, and a list to a least length. `__post_init__`
refuses with ValueError.
"""

import dataclasses
import json
import re
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from heiiki_agent.errors import AgentError

_T = TypeVar("_T")


def read(kind: type[_T], file: Path) -> _T:
    """Read `file`.

    Raises:
        AgentError: it cannot be read, or with every problem of it.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise AgentError(f"{file}: cannot be read: {error}; apply the device's build first") from error
    return parse(kind, text, str(file))


def parse(kind: type[_T], text: str, where: str) -> _T:
    """Return the `kind` that `text` describes.

    Raises:
        AgentError: with every problem of the text, each with its place in it.
    """
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise AgentError(f"{where}:{error.lineno}:{error.colno}: is not JSON: {error.msg}") from error
    reader = _Reader()
    value: _T = reader.value(kind, document, "")
    if reader.problems:
        raise AgentError("\n".join(f"{where}: {problem}" for problem in reader.problems))
    return value


@cache
def _types(kind: type) -> dict[str, Any]:
    return get_type_hints(kind, include_extras=True)


class _Reader:
    """Converts values, and collects every problem with the path of its key."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def value(self, kind: Any, found: Any, at: str) -> Any:
        """Return `found` as `kind` wants it; None where that is a problem, which is noted."""
        before = len(self.problems)
        try:
            return self._converted(kind, found, at)
        except (ValueError, TypeError) as error:
            if len(self.problems) == before:
                self.problems.append(f"{at}: is wrong: {error}" if at else f"is wrong: {error}")
            return None

    def _converted(self, kind: Any, found: Any, at: str) -> Any:
        origin, arguments = get_origin(kind), get_args(kind)
        if dataclasses.is_dataclass(kind):
            return self._object(kind, found, at)
        if origin is Annotated:
            return _narrowed(self._converted(arguments[0], found, at), arguments[1])
        if origin in (UnionType, Union):
            return None if found is None else self._converted(arguments[0], found, at)
        if origin in (tuple, dict):
            return self._container(origin, arguments, found, at)
        return _one_of(arguments, found) if origin is Literal else _scalar(kind, found)

    def _container(self, origin: Any, arguments: tuple[Any, ...], found: Any, at: str) -> Any:
        if origin is tuple:
            items = enumerate(_typed(list, found, "list"))
            return tuple(self.value(arguments[0], item, f"{at}[{number}]") for number, item in items)
        pairs = _typed(dict, found, "object").items()
        return {
            self.value(arguments[0], key, f"{at}.{key}"): self.value(arguments[1], item, f"{at}.{key}")
            for key, item in pairs
        }

    def _object(self, kind: Any, found: Any, at: str) -> Any:
        document, prefix = _typed(dict, found, "object"), f"{at}." if at else ""
        fields = {field.name: field for field in dataclasses.fields(kind)}
        before = len(self.problems)
        for key in sorted(document.keys() - fields.keys()):
            self.problems.append(f"{prefix}{key}: is not known here; remove it")
        for key, field in fields.items():
            optional = (
                field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING
            )
            if key not in document and not optional:
                self.problems.append(f"{prefix}{key}: is missing; add it")
        types = _types(kind)
        values = {
            key: self.value(types[key], document[key], f"{prefix}{key}") for key in fields if key in document
        }
        return kind(**values) if len(self.problems) == before else None


def _typed(kind: type[_T], found: Any, name: str) -> _T:
    if type(found) is not kind:
        raise TypeError(f"must be {'an' if name == 'object' else 'a'} {name}")
    return found


def _one_of(choices: tuple[Any, ...], found: Any) -> Any:
    if found not in choices:
        raise ValueError(f"{found!r} is not known; use {', '.join(map(str, choices))}")
    return found


def _scalar(kind: Any, found: Any) -> Any:
    if kind is Any:
        return found
    if kind is int and type(found) is float and found.is_integer():
        # 1.0 is a whole number of JSON too.
        return int(found)
    if kind in (bool, int):
        return _typed(kind, found, {bool: "truth value", int: "whole number"}[kind])
    if kind is float:
        return float(found if type(found) is int else _typed(float, found, "number"))
    text = _typed(str, found, "text")
    if not text:
        raise ValueError("must not be empty")
    if kind is Path and not text.startswith("/"):
        raise ValueError("must be an absolute path")
    return kind(text)


def _narrowed(value: Any, bound: Any) -> Any:
    if isinstance(bound, range):
        if value not in bound:
            raise ValueError(f"{value} is not a whole number from {bound[0]} to {bound[-1]}")
        return value
    if isinstance(bound, int):
        if len(value) < bound:
            raise ValueError(f"give at least {bound}")
        return value
    if isinstance(bound, str):
        if not re.fullmatch(bound, value):
            raise ValueError(f"{value!r} does not match {bound}")
        return value
    return str(bound(value))
