"""From what pydantic found to what a person must do: the words of every mistake in a value."""

import difflib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

from pydantic_core import ErrorDetails

from heiiki.intent.characters import folded, lookalikes
from heiiki.intent.forms import FORMS, TEXT, invisible
from heiiki.intent.networks import Model
from heiiki.intent.numbers import plainly
from heiiki.intent.platforms import misplaced

_SHOWN = 40
"""Characters of a wrong value that a message repeats."""

_Words = tuple[str, str]

_GROUP = re.compile(r"[0-9]{3}(\.[0-9]+)?")


@dataclass(frozen=True, slots=True)
class Finding:
    """What pydantic found at one value.

    Attributes:
        kind: pydantic's kind of error.
        given: the value as it was read.
        written: its text in the file; None where it is a list or mapping, or missing.
        context: bounds and patterns, by pydantic's names.
        message: pydantic's own words.
    """

    kind: str
    given: Any
    written: str | None
    context: Mapping[str, Any]
    message: str

    @classmethod
    def of(cls, detail: ErrorDetails, written: str | None) -> Self:
        """Take over what pydantic says in `detail`."""
        return cls(detail["type"], detail["input"], written, detail.get("ctx", {}), detail["msg"])


def explain(found: Finding, model: type[Model], loc: tuple[str | int, ...], value: Any) -> _Words:
    """Return what is wrong at `loc`, and what to do.

    Args:
        found: pydantic's finding.
        model: the model that the whole file must satisfy.
        loc: path of the key, without pydantic's own tags.
        value: the whole file's plain value.
    """
    if found.kind == "missing":
        return _missing(loc)
    if found.kind == "extra_forbidden":
        return misplaced(loc, found.given) or _strange_key(str(loc[-1]), _keys(model, loc[:-1], value))
    if found.given is None and found.kind != "none_required":
        return "the value is missing", "write it behind the colon"
    if words := _lookalikes(found) or _misplaced(found, loc):
        return words
    if found.kind in _BY_KIND:
        return _BY_KIND[found.kind](found)
    return f"{_shown(found)}: {_small(found.message)}", "see docs/reference/intent.md"


def misspells(strange: tuple[str | int, ...], missing: tuple[str | int, ...]) -> bool:
    """Tell whether the key at `strange` is what was meant for the key at `missing`."""
    beside = strange[:-1] == missing[:-1]
    key = folded(str(strange[-1])).partition(":")[0]
    return beside and bool(difflib.get_close_matches(key, [str(missing[-1])], n=1))


def _missing(loc: tuple[str | int, ...]) -> _Words:
    if isinstance(loc[-1], int):
        return f"item {loc[-1] + 1} of the list is missing", "write it"
    return "the key is missing", f"add `{loc[-1]}:`"


def _strange_key(key: str, allowed: list[str]) -> _Words:
    what = "there is no such key"
    if _GROUP.fullmatch(key):
        return what, "write a number without commas: inside braces a comma ends the value"
    name, colon, rest = folded(key).partition(":")
    if colon and name in allowed:
        return what, f"write `{name}: {rest.strip()}`, with a space behind the colon"
    return what, _nearest(folded(key), allowed)


def _lookalikes(found: Finding) -> _Words | None:
    """A value that is right but for full-width digits, curly quotes and the like; texts may hold them."""
    if not isinstance(found.given, str) or found.context.get("pattern") == TEXT or "_too_" in found.kind:
        return None
    seen = lookalikes(found.given)
    return (f"{_shown(found)} has {seen}", f"write `{folded(found.given)}`, in half-width") if seen else None


def _misplaced(found: Finding, loc: tuple[str | int, ...]) -> _Words | None:
    """A platform where only one is possible."""
    return misplaced(loc, found.given) if found.kind == "literal_error" else None


def _shown(found: Finding) -> str:
    if isinstance(found.given, dict | list):
        return "a mapping" if isinstance(found.given, dict) else "a list"
    text = str(found.given) if found.written is None else found.written
    return f"`{text[:_SHOWN]}…`" if len(text) > _SHOWN else f"`{text}`"


def _small(message: str) -> str:
    return message[:1].lower() + message[1:]


def _literal(found: Finding) -> _Words:
    return f"{_shown(found)} is not known", f"write one of {_choices(str(found.context['expected']))}"


def _tag(found: Finding) -> _Words:
    context = found.context
    return (
        f"the {_discriminator(found)} `{context['tag']}` is not known",
        f"write one of {_choices(str(context['expected_tags']))}",
    )


def _discriminator(found: Finding) -> str:
    return str(found.context["discriminator"]).strip("'")


def _tagless(found: Finding) -> _Words:
    key = _discriminator(found)
    return f"the key `{key}` is missing", f"add `{key}:`"


def _form(found: Finding) -> _Words:
    pattern = str(found.context["pattern"])
    if pattern == TEXT and (hidden := invisible(str(found.given))):
        return f"{_shown(found)} holds {hidden}, which is invisible", "leave it out"
    return f"{_shown(found)} has the wrong form", f"write {FORMS.get(pattern, f'what matches {pattern}')}"


def _text(found: Finding) -> _Words:
    if isinstance(found.given, float):
        return f"{_shown(found)} is not text", "write every digit, in quotes"
    return f"{_shown(found)} is not text", "put it in quotes" if isinstance(
        found.given, int
    ) else "write text"


def _range(found: Finding) -> _Words:
    bound = found.message.removeprefix("Input should be ")
    return f"{_shown(found)} is out of range", f"write a number {bound}"


def _refused(found: Finding) -> _Words:
    return f"{_shown(found)} {found.context['what']}", str(found.context["fix"])


def _length(found: Finding) -> _Words:
    context = found.context
    if found.kind == "string_too_short":
        return "the text is empty", "write what people can read"
    if "min_length" in context:
        return f"{_shown(found)} is too short", f"write at least {context['min_length']}"
    return f"{_shown(found)} is too long", f"write {context['max_length']} at the most"


def _whole(found: Finding) -> _Words:
    plain = plainly(str(found.written))
    whole = plain is not None and "." not in plain and plain != found.written
    fix = f"write {plain}, without quotes" if whole else "write digits, without quotes"
    return f"{_shown(found)} is not a whole number", fix


def _number(found: Finding) -> _Words:
    plain = plainly(str(found.written))
    known = plain is not None and plain != found.written
    fix = f"write {plain}" if known else "write digits, with a point if need be"
    return f"{_shown(found)} is not a number", f"{fix}, without quotes"


def _list(found: Finding) -> _Words:
    return f"{_shown(found)} is not a list", "write `- item` lines, or [item, item]"


def _mapping(found: Finding) -> _Words:
    return f"{_shown(found)} is not a mapping", "write `key: value` lines below it, or {key: value}"


def _prefix(found: Finding) -> _Words:
    fix = "write it as 10.16.0.0/18, with no bit set right of the length"
    return f"{_shown(found)} is not an IPv4 prefix", fix


_BY_KIND: dict[str, Callable[[Finding], _Words]] = {
    "literal_error": _literal,
    "union_tag_invalid": _tag,
    "union_tag_not_found": _tagless,
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
    "refused": _refused,
    "value_error": _prefix,
    "ip_v4_network": _prefix,
}
"""Words by pydantic's kind of error; only the check of prefixes raises `ValueError`."""


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
        told = next((key for key in _KINDS if key in annotation.model_fields), "")
        allowed = getattr(annotation.model_fields[told].annotation, "__args__", ()) if told else ()
        if not told or not isinstance(value, dict) or value.get(told) in allowed:
            yield annotation
    for argument in getattr(annotation, "__args__", ()):
        yield from _models_in(argument, value)


_KINDS = ("kind", "medium")
"""Keys that say which of several kinds something is."""


def _nearest(key: str, allowed: list[str]) -> str:
    close = difflib.get_close_matches(key, allowed, n=1)
    return (
        f"did you mean `{close[0]}`?"
        if close
        else f"allowed are {', '.join(f'`{name}`' for name in allowed)}"
    )
