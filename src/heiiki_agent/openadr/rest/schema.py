"""JSON Schemas (2020-12) of the documents, from the types by which they are read and written."""

import dataclasses
from collections.abc import Iterator
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from heiiki_agent.openadr.vtn.orders import Length, Moment

Schema = dict[str, Any]

_LENGTH = "^P([0-9]{1,6}W|(?=.)([0-9]{1,6}D)?(T(?=.)([0-9]{1,6}H)?([0-9]{1,6}M)?([0-9]{1,9}S)?)?)$"
_FORMATS: dict[Any, Schema] = {
    Moment: {
        "type": "string",
        "format": "date-time",
        "pattern": "Z$",
        "description": "In UTC.",
        "examples": ["2026-04-01T09:00:00Z"],
    },
    Length: {
        "type": "string",
        "format": "duration",
        "pattern": _LENGTH,
        "description": "Without years and months, which are of no fixed length.",
        "examples": ["PT1H"],
    },
}
_SCALARS: dict[type, Schema] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
}


def named(kind: type, *, taken: bool = False) -> Iterator[tuple[str, Schema]]:
    """Yield the schema of a document, and those of the documents in it, by their names.

    Of one that is taken no text may be empty, as `heiiki_agent.config` reads it.
    """
    hints = get_type_hints(kind, include_extras=True)
    fields = dataclasses.fields(kind)
    yield (
        kind.__name__,
        {
            "type": "object",
            "description": " ".join((kind.__doc__ or "").split("\n\n")[0].split()),
            "properties": {one.name: _of(hints[one.name], taken=taken) | _default(one) for one in fields},
            "required": [one.name for one in fields if one.default is dataclasses.MISSING],
            "additionalProperties": False,
        },
    )
    for inner in hints.values():
        for other in _inside(inner):
            yield from named(other, taken=taken)


def reference(kind: type) -> Schema:
    """Return the reference to the schema of a document."""
    return {"$ref": f"#/components/schemas/{kind.__name__}"}


def _inside(kind: Any) -> Iterator[type]:
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        yield kind
    for argument in get_args(kind):
        yield from _inside(argument)


def _of(kind: Any, *, taken: bool) -> Schema:
    if kind in _FORMATS:
        return dict(_FORMATS[kind])
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return reference(kind)
    if get_origin(kind) is not None:
        return _composed(kind, taken=taken)
    return dict(_SCALARS[kind]) | ({"minLength": 1} if kind is str and taken else {})


def _composed(kind: Any, *, taken: bool) -> Schema:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal:
        return {"enum": list(arguments)}
    first = _of(arguments[0], taken=taken)
    if origin is Annotated:
        return first | _bound(arguments[1])
    return {"type": "array", "items": first} if origin is tuple else {"anyOf": [first, {"type": "null"}]}


def _bound(bound: Any) -> Schema:
    if isinstance(bound, range):
        return {"minimum": bound[0], "maximum": bound[-1]}
    return {"minItems": bound} if isinstance(bound, int) else {"pattern": f"^({bound})$"}


def _default(field: "dataclasses.Field[Any]") -> Schema:
    return {} if field.default is dataclasses.MISSING else {"default": field.default}
