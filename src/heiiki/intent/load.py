"""Load a service's files: read, parse, validate, cross-check; every mistake of every file at once."""

import difflib
import hashlib
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from heiiki.errors import IntentError, Problem
from heiiki.intent.collector import held
from heiiki.intent.consistency import across
from heiiki.intent.model import Intent, Model, Retired, Service, Site
from heiiki.intent.yaml_source import YamlSource

M = TypeVar("M", bound=Model)

_SITE_FILE = re.compile(r"^\d{4}-[a-z][a-z0-9_]*\.yml$")

_PATTERNS = {
    r"^[a-z][a-z0-9_]{0,15}$": "a small letter, then small letters, digits or `_`, 16 at the most",
    r"^\d{15}$": "15 digits in quotes",
    r"^\d{5,6}$": "5 or 6 digits in quotes",
    r"^[^\x00-\x1f\x7f]+$": "one line of printable text",
}


@held()
def load(folder: Path) -> Intent:
    """Load the service described in `folder`.

    Args:
        folder: holds ``service.yml``, ``sites/*.yml`` and, if numbers were retired, ``retired.yml``.

    Raises:
        IntentError: with every problem of every file.
    """
    problems: list[Problem] = []
    texts = _read(folder, problems)
    sources = {path: YamlSource(path, text) for path, text in texts.items()}
    for source in sources.values():
        problems += source.problems
    service = _first(_validated(Service, _named(sources, folder / "service.yml"), problems))
    retired = _first(_validated(Retired, _named(sources, folder / "retired.yml"), problems))
    sites = list(_validated(Site, _in_sites(sources, folder), problems))
    problems += across(service, sites, retired)
    if problems or service is None:
        raise IntentError(problems)
    ordered = tuple(sorted((site for _, site in sites), key=lambda site: site.number))
    return Intent.model_construct(
        service=service[1],
        sites=ordered,
        retired=retired[1] if retired else Retired(),
        digest=_digest(folder, texts),
    )


def _read(folder: Path, problems: list[Problem]) -> dict[Path, str]:
    texts: dict[Path, str] = {}
    if not (folder / "service.yml").is_file():
        fix = "name a folder that holds service.yml; `heiiki new DIR` makes one"
        problems.append(Problem(folder / "service.yml", 0, 0, "", "there is no such file", fix))
    for path in _files(folder, problems):
        try:
            texts[path] = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            problems.append(Problem(path, 0, 0, "", f"the file cannot be read: {reason}", "make it readable"))
    return texts


def _files(folder: Path, problems: list[Problem]) -> Iterator[Path]:
    yield from (path for name in ("service.yml", "retired.yml") if (path := folder / name).is_file())
    sites = folder / "sites"
    for path in sorted(sites.iterdir()) if sites.is_dir() else ():
        if _SITE_FILE.match(path.name):
            yield path
        elif not path.name.startswith("."):
            fix = "call it NNNN-name.yml, such as 0017-umeda.yml, or move it out of sites/"
            problems.append(Problem(path, 0, 0, "", "this is not a site file", fix))


def _named(sources: dict[Path, YamlSource], path: Path) -> Iterator[YamlSource]:
    if path in sources:
        yield sources[path]


def _in_sites(sources: dict[Path, YamlSource], folder: Path) -> Iterator[YamlSource]:
    return (source for path, source in sources.items() if path.parent == folder / "sites")


def _validated(
    model: type[M], sources: Iterable[YamlSource], problems: list[Problem]
) -> Iterator[tuple[YamlSource, M]]:
    for source in sources:
        if source.problems:
            continue
        if not isinstance(source.value, dict):
            problems.append(source.problem((), "the file is not a mapping", "write `key: value` lines"))
            continue
        try:
            yield source, model.model_validate(source.value)
        except ValidationError as error:
            problems.extend(_problem(source, model, detail) for detail in error.errors(include_url=False))


def _first(found: Iterator[tuple[YamlSource, M]]) -> tuple[YamlSource, M] | None:
    return next(found, None)


def _problem(source: YamlSource, model: type[Model], detail: ErrorDetails) -> Problem:
    loc = tuple(step for step in detail["loc"] if not _is_tag(step, detail["loc"]))
    what, fix = _explain(detail, model, loc, source.value)
    return source.problem(loc, what, fix)


def _is_tag(step: str | int, loc: tuple[str | int, ...]) -> bool:
    """Tell the discriminator that pydantic puts into a path from a key that a person wrote."""
    return loc[0] == "management" and step in ("lab", "ssh")


def _explain(
    detail: ErrorDetails, model: type[Model], loc: tuple[str | int, ...], value: Any
) -> tuple[str, str]:
    kind, context, given = detail["type"], detail.get("ctx", {}), detail["input"]
    shown = f"`{str(given)[:40]}`"
    match kind:
        case "missing":
            return "the key is missing", f"add `{loc[-1]}:`"
        case "extra_forbidden":
            return "there is no such key", _nearest(str(loc[-1]), _keys(model, loc[:-1], value))
        case "literal_error":
            return f"{shown} is not known", f"write one of {_plain_or(str(context['expected']))}"
        case "union_tag_invalid":
            return f"the kind {shown} is not known".replace(shown, f"`{context['tag']}`"), (
                f"write one of {_plain_or(str(context['expected_tags']))}"
            )
        case "union_tag_not_found":
            return "the key `kind` is missing", "add `kind:`"
        case "string_pattern_mismatch":
            pattern = str(context["pattern"])
            return f"{shown} has the wrong form", f"write {_PATTERNS.get(pattern, f'what matches {pattern}')}"
        case "string_type":
            return f"{shown} is not text", "put it in quotes" if isinstance(
                given, int | float
            ) else "write text"
        case "greater_than_equal" | "less_than_equal" | "greater_than" | "less_than":
            return (
                f"{shown} is out of range",
                f"write a {detail['msg'].removeprefix('Input should be ')} number",
            )
        case "int_type" | "int_parsing":
            return f"{shown} is not a whole number", "write digits without quotes"
        case "ip_v4_network" | "ip_any_network":
            return (
                f"{shown} is not an IPv4 prefix",
                "write it as 10.16.0.0/18, with no bit set right of the length",
            )
        case _:
            return (
                f"{shown}: {detail['msg'][0].lower()}{detail['msg'][1:]}",
                "see the reference page of the models",
            )


def _plain_or(expected: str) -> str:
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
        if (
            kind is None
            or not isinstance(value, dict)
            or value.get("kind") in getattr(kind.annotation, "__args__", ())
        ):
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


def _digest(folder: Path, texts: dict[Path, str]) -> str:
    digest = hashlib.sha256()
    for path, text in sorted(texts.items()):
        digest.update(f"{path.relative_to(folder).as_posix()}\0{len(text)}\0{text}".encode())
    return digest.hexdigest()
