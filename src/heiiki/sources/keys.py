"""The keys of a site file that a source can give, from the model of the file."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from heiiki.intent.model import Site
from heiiki.intent.numbers import plainly
from heiiki.sources.model import Value


@dataclass(frozen=True, slots=True)
class Key:
    """A key of a site file.

    Attributes:
        name: its path, such as ``a.circuit``.
        meaning: for people.
        kind: ``integer``, ``string`` or ``array``.
        required: every site has it.
        only: the one value that it can have; empty where there is a choice.
        items: of an array, the keys of each item in order.
        default: what is meant where the key is left out; None where nothing is.
    """

    name: str
    meaning: str
    kind: str
    required: bool
    only: str = ""
    items: tuple[str, ...] = ()
    default: str | int | None = None


@cache
def site_keys() -> Mapping[str, Key]:
    """Return every key of a site file, by its name, in the order of the file."""
    schema = Site.model_json_schema()
    return {key.name: key for key in _keys(schema, schema["$defs"], "", required=True)}


def parsed(key: Key, text: str) -> Value:
    """Return the value that a text stands for.

    Raises:
        ValueError: its two arguments say what is wrong, and what to do.
    """
    if key.kind == "integer":
        return _integer(text)
    return _items(key, text) if key.kind == "array" else text


def value_at(value: Any, key: str) -> Any:
    """Return what a file has at a key; None where it has nothing."""
    for step in key.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    return value


def nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values by path as mappings in mappings, in the order of the file."""
    found: dict[str, Any] = {}
    for name in site_keys():
        if name in values:
            *above, last = name.split(".")
            into = found
            for step in above:
                into = into.setdefault(step, {})
            into[last] = values[name]
    return found


def _integer(text: str) -> int:
    if text.isascii() and text.isdigit():
        return int(text)
    plain = plainly(text)
    fix = f"write {plain}" if plain and plain.isdigit() else "write digits"
    raise ValueError(f"`{text[:40]}` is not a whole number", fix)


def _items(key: Key, text: str) -> tuple[Mapping[str, str], ...]:
    form = ":".join(key.items)
    found = []
    for item in text.split(";"):
        words = [word.strip() for word in item.split(":")]
        if len(words) != len(key.items) or not all(words):
            raise ValueError(f"`{item.strip()[:40]}` has the wrong form", f"write {form}, with `;` between")
        found.append(dict(zip(key.items, words, strict=True)))
    return tuple(found)


def _keys(part: Mapping[str, Any], defs: Mapping[str, Any], above: str, *, required: bool) -> Iterator[Key]:
    for name, below in part["properties"].items():
        path, needed = f"{above}{name}", required and name in part.get("required", ())
        mappings = [_named(one, defs) for one in (below, *below.get("oneOf", ())) if "$ref" in one]
        for one in mappings:
            yield from _keys(one, defs, f"{path}.", required=needed)
        if not mappings:
            yield _key(path, below, defs, required=needed)


def _named(part: Mapping[str, Any], defs: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = defs[part["$ref"].rpartition("/")[2]]
    return found


def _key(path: str, below: Mapping[str, Any], defs: Mapping[str, Any], *, required: bool) -> Key:
    kinds = [one["type"] for one in below.get("anyOf", (below,)) if one["type"] != "null"]
    items: tuple[str, ...] = ()
    if kinds == ["array"]:
        items = tuple(_named(below["items"], defs)["properties"])
    meaning = below.get("description", "")
    only = below.get("const", "") if required else ""
    return Key(path, meaning, kinds[0], required, only, items, below.get("default"))
