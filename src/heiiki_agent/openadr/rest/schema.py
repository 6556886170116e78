"""JSON Schemas (2020-12) of the documents, from the types by which they are read and written."""

import dataclasses
from collections.abc import Iterator
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from heiiki_agent.openadr.vtn.orders import Length, Moment

Schema = dict[str, Any]

_FORMATS: dict[Any, Schema] = {
    Moment: {"type": "string", "format": "date-time", "examples": ["2026-04-01T09:00:00Z"]},
    Length: {"type": "string", "format": "duration", "examples": ["PT1H"]},
}
_SCALARS: dict[type, Schema] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
}


def named(kind: type) -> Iterator[tuple[str, Schema]]:
    """Yield the schema of a document, and those of the documents in it, by their names."""
    hints = get_type_hints(kind, include_extras=True)
    fields = dataclasses.fields(kind)
    yield (
        kind.__name__,
        {
            "type": "object",
            "description": " ".join((kind.__doc__ or "").split("\n\n")[0].split()),
            "properties": {one.name: _of(hints[one.name]) | _default(one) for one in fields},
            "required": [one.name for one in fields if one.default is dataclasses.MISSING],
            "additionalProperties": False,
        },
    )
    for inner in hints.values():
        for other in _inside(inner):
            yield from named(other)


def reference(kind: type) -> Schema:
    """Return the reference to the schema of a document."""
    return {"$ref": f"#/components/schemas/{kind.__name__}"}


def _inside(kind: Any) -> Iterator[type]:
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        yield kind
    for argument in get_args(kind):
        yield from _inside(argument)


def _of(kind: Any) -> Schema:
    origin, arguments = get_origin(kind), get_args(kind)
    if kind in _FORMATS:
        return dict(_FORMATS[kind])
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return reference(kind)
    if origin is Annotated:
        return _of(arguments[0]) | _bound(arguments[1])
    if origin in (UnionType, Union):
        return {"anyOf": [_of(arguments[0]), {"type": "null"}]}
    if origin is tuple:
        return {"type": "array", "items": _of(arguments[0])}
    return {"enum": list(arguments)} if origin is Literal else dict(_SCALARS[kind])


def _bound(bound: Any) -> Schema:
    if isinstance(bound, range):
        return {"minimum": bound[0], "maximum": bound[-1]}
    return {"minItems": bound} if isinstance(bound, int) else {"pattern": f"^({bound})$"}


def _default(field: "dataclasses.Field[Any]") -> Schema:
    return {} if field.default is dataclasses.MISSING else {"default": field.default}
