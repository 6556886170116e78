"""From what pydantic found to what a person must do: the words of every mistake in a value."""

import difflib
from collections.abc import Callable, Iterator
from typing import Any

from pydantic_core import ErrorDetails

from heiiki.intent.model import FORMS, Model

_SHOWN = 40
"""Characters of a wrong value that a message repeats."""

_Words = tuple[str, str]


def explain(detail: ErrorDetails, model: type[Model], loc: tuple[str | int, ...], value: Any) -> _Words:
    """Return what is wrong at `loc`, and what to do.

    Args:
        detail: pydantic's finding.
        model: the model that the whole file must satisfy.
        loc: path of the key, without pydantic's own tags.
        value: the whole file's plain value.
    """
    kind = detail["type"]
    if kind == "missing":
        return _missing(loc)
    if kind == "extra_forbidden":
        return "there is no such key", _nearest(str(loc[-1]), _keys(model, loc[:-1], value))
    if detail["input"] is None and kind != "none_required":
        return "the value is missing", "write it behind the colon"
    if kind in _BY_KIND:
        return _BY_KIND[kind](detail)
    return f"{_shown(detail)}: {_small(detail['msg'])}", "see docs/reference/intent.md"


def misspells(strange: tuple[str | int, ...], missing: tuple[str | int, ...]) -> bool:
    """Tell whether the key at `strange` is what was meant for the key at `missing`."""
    beside = strange[:-1] == missing[:-1]
    return beside and bool(difflib.get_close_matches(str(strange[-1]), [str(missing[-1])], n=1))


def _missing(loc: tuple[str | int, ...]) -> _Words:
    if isinstance(loc[-1], int):
        return f"item {loc[-1] + 1} of the list is missing", "write it"
    return "the key is missing", f"add `{loc[-1]}:`"


def _shown(detail: ErrorDetails) -> str:
    given = detail["input"]
    match given:
        case dict():
            return "a mapping"
        case list():
            return "a list"
        case bool():
            return f"`{str(given).lower()}`"
    text = str(given)
    return f"`{text[:_SHOWN]}…`" if len(text) > _SHOWN else f"`{text}`"


def _small(message: str) -> str:
    return message[:1].lower() + message[1:]


def _literal(detail: ErrorDetails) -> _Words:
    return f"{_shown(detail)} is not known", f"write one of {_choices(str(detail['ctx']['expected']))}"


def _tag(detail: ErrorDetails) -> _Words:
    context = detail["ctx"]
    return (
        f"the kind `{context['tag']}` is not known",
        f"write one of {_choices(str(context['expected_tags']))}",
    )


def _form(detail: ErrorDetails) -> _Words:
    pattern = str(detail["ctx"]["pattern"])
    return f"{_shown(detail)} has the wrong form", f"write {FORMS.get(pattern, f'what matches {pattern}')}"


def _text(detail: ErrorDetails) -> _Words:
    given = detail["input"]
    return f"{_shown(detail)} is not text", "put it in quotes" if isinstance(
        given, int | float
    ) else "write text"


def _range(detail: ErrorDetails) -> _Words:
    bound = detail["msg"].removeprefix("Input should be ")
    return f"{_shown(detail)} is out of range", f"write a number {bound}"


def _length(detail: ErrorDetails) -> _Words:
    context = detail["ctx"]
    if "min_length" in context:
        return f"{_shown(detail)} is too short", f"write at least {context['min_length']}"
    return f"{_shown(detail)} is too long", f"write {context['max_length']} at the most"


def _whole(detail: ErrorDetails) -> _Words:
    return f"{_shown(detail)} is not a whole number", "write digits, without quotes"


def _number(detail: ErrorDetails) -> _Words:
    return f"{_shown(detail)} is not a number", "write digits, with a point if need be, without quotes"


def _list(detail: ErrorDetails) -> _Words:
    return f"{_shown(detail)} is not a list", "write `- item` lines, or [item, item]"


def _mapping(detail: ErrorDetails) -> _Words:
    return f"{_shown(detail)} is not a mapping", "write `key: value` lines below it, or {key: value}"


def _prefix(detail: ErrorDetails) -> _Words:
    fix = "write it as 10.16.0.0/18, with no bit set right of the length"
    return f"{_shown(detail)} is not an IPv4 prefix", fix


_BY_KIND: dict[str, Callable[[ErrorDetails], _Words]] = {
    "literal_error": _literal,
    "union_tag_invalid": _tag,
    "union_tag_not_found": lambda _: ("the key `kind` is missing", "add `kind:`"),
    "string_pattern_mismatch": _form,
    "string_type": _text,
    "greater_than_equal": _range,
    "less_than_equal": _range,
    "greater_than": _range,
    "less_than": _range,
    "too_short": _length,
    "too_long": _length,
    "string_too_short": _length,
    "string_too_long": _length,
    "int_type": _whole,
    "int_parsing": _whole,
    "int_from_float": _whole,
    "float_type": _number,
    "float_parsing": _number,
    "finite_number": _number,
    "tuple_type": _list,
    "model_type": _mapping,
    "model_attributes_type": _mapping,
    "dict_type": _mapping,
    "value_error": _prefix,
    "ip_v4_network": _prefix,
}
"""Words by pydantic's kind of error; a prefix is the only value with a check of its own."""


def _choices(expected: str) -> str:
    return expected.replace("'", "`").replace(" or ", ", ")


def _keys(model: type[Model], loc: tuple[str | int, ...], value: Any) -> list[str]:
    """Return the keys allowed at `loc`: the model's own fields along the path."""
    current: Any = model
    for step in loc:
        value = value[step]
        if isinstance(step, str):
            current = current.model_fields[step].annotation
        current = next(iter(_models_in(current, value)), current)
    return sorted(current.model_fields)


def _models_in(annotation: Any, value: Any) -> Iterator[type[Model]]:
    if isinstance(annotation, type) and issubclass(annotation, Model):
        kind = annotation.model_fields.get("kind")
        allowed = getattr(kind.annotation, "__args__", ()) if kind is not None else ()
        if kind is None or not isinstance(value, dict) or value.get("kind") in allowed:
            yield annotation
    for argument in getattr(annotation, "__args__", ()):
        yield from _models_in(argument, value)


def _nearest(key: str, allowed: list[str]) -> str:
    close = difflib.get_close_matches(key, allowed, n=1)
    return (
        f"did you mean `{close[0]}`?"
        if close
        else f"allowed are {', '.join(f'`{name}`' for name in allowed)}"
    )
