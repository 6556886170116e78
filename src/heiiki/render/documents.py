"""JSON for programs on devices, with a line for each item, so that a difference reads line by line."""

import json
from collections.abc import Mapping

_encode = json.JSONEncoder().encode
"""The encoder in C; an indent would choose the one in Python, ten times slower."""


def by_key(document: Mapping[str, object]) -> str:
    """Return `document` with a line for each key."""
    lines = (f" {_encode(key)}: {_encode(value)}" for key, value in document.items())
    return "{\n" + ",\n".join(lines) + "\n}\n"


def by_item(document: Mapping[str, object]) -> str:
    """Return `document` with a line for each item of the lists and mappings in it."""
    lines = (f" {_encode(key)}: {_items(value)}" for key, value in document.items())
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _items(value: object) -> str:
    if isinstance(value, list) and value:
        return "[\n" + ",\n".join(f"  {_encode(item)}" for item in value) + "\n ]"
    if isinstance(value, dict) and value:
        lines = (f"  {_encode(key)}: {_encode(item)}" for key, item in value.items())
        return "{\n" + ",\n".join(lines) + "\n }"
    return _encode(value)
