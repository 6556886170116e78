"""Load a service's files: read, parse, validate, cross-check; every mistake of every file at once."""

import errno
import hashlib
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from heiiki.errors import IntentError, Problem
from heiiki.intent import risks
from heiiki.intent.consistency import across, marks
from heiiki.intent.explain import Finding, explain, misspells
from heiiki.intent.model import Intent, Retired, Revoked, Service, Site, SshManagement
from heiiki.intent.networks import Model
from heiiki.intent.place import IMPORTED
from heiiki.intent.yaml_source import MAX_CHARACTERS, YamlSource

M = TypeVar("M", bound=Model)

SITE_FILE = re.compile(r"[0-9]{4}-[a-z][a-z0-9_]*\.yml")

FORMER_KEYS = {"witnesses": ("test_equipment", "0.3.0")}
"""Former keys of ``service.yml``: the present name, and the release that refuses the former one."""

_TAGS = {"management": ("lab", "ssh"), "site_lan": ("wired", "wifi")}
"""Steps that pydantic puts into the path of a key that is one of several kinds."""
_MOST = 50
"""Problems shown of one file: who has more began with the wrong file."""


def load(folder: Path, instead: Mapping[Path, str] | None = None) -> Intent:
    """Load the service described in `folder`.

    Args:
        folder: holds ``service.yml``, ``sites/*.yml``, and where needed ``retired.yml`` and ``revoked.yml``.
        instead: texts of site files that are not written yet, by path in `folder`: they are read instead of
            the files, or beside them, and last: what two files dispute is told at these.

    Raises:
        IntentError: with every problem of every file.
    """
    problems: list[Problem] = []
    written = instead or {}
    found = tuple(_files(folder, problems))
    texts = _read((path for path in found if path not in written), problems) | dict(written)
    paths = (*found, *(path for path in written if path not in found))
    sources = {path: YamlSource(path, text) for path, text in texts.items()}
    for source in sources.values():
        problems += source.problems
    notices: list[str] = []
    for source in _named(sources, folder / "service.yml"):
        _take_former_keys(source, problems, notices)
    service = _first(_validated(Service, _named(sources, folder / "service.yml"), problems))
    retired = _first(_validated(Retired, _named(sources, folder / "retired.yml"), problems))
    revoked = _first(_validated(Revoked, _named(sources, folder / "revoked.yml"), problems))
    sites = list(_validated(Site, _in_sites(sources, folder), problems))
    named = [path.stem[5:] for path in paths if path.parent == folder / "sites"]
    seen = not any(problem.file == folder / "sites" for problem in problems)
    problems += across(service, sites, retired, named if seen else None)
    marked = marks(*revoked, problems) if revoked else ()
    resolved = _with_host_keys(*service, folder, problems) if service else None
    if problems or resolved is None:
        raise IntentError(problems)
    ordered = tuple(sorted((site for _, site in sites), key=lambda site: site.number))
    return Intent.model_construct(
        service=resolved,
        sites=ordered,
        retired=retired[1] if retired else Retired(),
        revoked=marked,
        risks=risks.declared(*service) if service else (),
        notices=tuple(notices),
        digest=_digest(folder, texts),
    )


def digest(folder: Path) -> str:
    """Return the digest of the files of the service in `folder` as they are now; mistakes do not matter.

    It is that of `Intent.digest` as long as no file has changed since.
    """
    return _digest(folder, _read(_files(folder, []), []))


def _read(paths: Iterable[Path], problems: list[Problem]) -> dict[Path, str]:
    texts: dict[Path, str] = {}
    for path in paths:
        try:
            texts[path] = _text(path)
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            problems.append(
                _whole(path, f"the file cannot be read: {reason}", "make it a readable text file")
            )
    return texts


def _text(path: Path) -> str:
    """Read a file; one that is too large is not read to its end: the parser refuses what comes."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(errno.EINVAL, "it is not a file")
    with path.open("rb") as stream:
        return stream.read(4 * MAX_CHARACTERS + 1).decode("utf-8")


def _whole(path: Path, what: str, fix: str) -> Problem:
    return Problem(path, 0, 0, "", what, fix)


def _files(folder: Path, problems: list[Problem]) -> Iterator[Path]:
    if not (folder / "service.yml").exists():
        fix = "name a folder that holds service.yml; `heiiki new DIR` makes one"
        problems.append(_whole(folder / "service.yml", "there is no such file", fix))
    for name in ("service", "retired", "revoked"):
        if (path := folder / f"{name}.yml").exists():
            yield path
        if (path := folder / f"{name}.yaml").exists():
            problems.append(_whole(path, "the file is never read", f"call it {name}.yml"))
    if (unfinished := folder / "sites" / IMPORTED).exists():
        fix = "run `heiiki import finish` on the service's folder"
        problems.append(_whole(unfinished, "an import was cut off while it wrote", fix))
    try:
        found = sorted((folder / "sites").iterdir())
    except FileNotFoundError:
        return
    except OSError as error:
        fix = "make it a readable folder of site files"
        problems.append(_whole(folder / "sites", f"the folder cannot be read: {error.strerror}", fix))
        return
    yield from _site_files(found, problems)


def _site_files(found: Iterable[Path], problems: list[Problem]) -> Iterator[Path]:
    for path in found:
        if SITE_FILE.fullmatch(path.name):
            yield path
        elif not path.name.startswith("."):
            fix = "call it NNNN-name.yml, such as 0017-umeda.yml, or move it out of sites/"
            problems.append(_whole(path, "this is not a site file", fix))


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
            details = error.errors(include_url=False)
            problems.extend(_problem(source, model, detail) for detail in _causes(details)[:_MOST])
            if len(details) > _MOST:
                problems.append(
                    source.problem((), f"there are {len(details)} problems", "mend those shown first")
                )


def _causes(details: list[ErrorDetails]) -> list[ErrorDetails]:
    """Leave out what follows from another finding: one mistake, one message.

    A missing key stands there misspelt; a list is too short because of an item that is wrong.
    """
    strange = [detail["loc"] for detail in details if detail["type"] == "extra_forbidden"]
    holders = {detail["loc"][:-1] for detail in details}
    return [
        detail
        for detail in details
        if not (detail["type"] == "missing" and any(misspells(loc, detail["loc"]) for loc in strange))
        and not (detail["type"] == "too_short" and detail["loc"] in holders)
    ]


def _take_former_keys(source: YamlSource, problems: list[Problem], notices: list[str]) -> None:
    """Accept the former names of keys of ``service.yml``, each with a notice."""
    for former, (name, release) in FORMER_KEYS.items():
        if source.take_former(former, name):
            what, fix = f"the key is called `{name}`", f"rename it: release {release} refuses the former name"
            notices.append(str(source.problem((name,), what, fix)))
        elif isinstance(source.value, dict) and former in source.value:
            what = f"`{former}` is the former name of `{name}`, which is there too"
            problems.append(source.problem((former,), what, "remove it"))
            del source.value[former]


def _with_host_keys(source: YamlSource, service: Service, folder: Path, problems: list[Problem]) -> Service:
    """Resolve the file of SSH host keys, which is named relative to the service's folder."""
    management = service.management
    if not isinstance(management, SshManagement) or management.known_hosts is None:
        return service
    path = (folder / management.known_hosts).resolve()
    if not path.is_file():
        fix = "write it by `ssh-keyscan`, compare it with the devices' consoles, and commit it"
        problems.append(source.problem(("management", "known_hosts"), f"there is no file {path}", fix))
    return service.model_copy(update={"management": management.model_copy(update={"known_hosts": str(path)})})


def _first(found: Iterator[tuple[YamlSource, M]]) -> tuple[YamlSource, M] | None:
    return next(found, None)


def _problem(source: YamlSource, model: type[Model], detail: ErrorDetails) -> Problem:
    loc = tuple(step for step in detail["loc"] if not _is_tag(step, detail["loc"]))
    what, fix = explain(Finding.of(detail, source.written(loc)), model, loc, source.value)
    return source.problem(loc, what, fix)


def _is_tag(step: str | int, loc: tuple[str | int, ...]) -> bool:
    """Tell the discriminator that pydantic puts into a path from a key that a person wrote."""
    return step in _TAGS.get(str(loc[0]), ())


def _digest(folder: Path, texts: dict[Path, str]) -> str:
    digest = hashlib.sha256()
    for path, text in sorted(texts.items()):
        digest.update(f"{path.relative_to(folder).as_posix()}\0{len(text)}\0{text}".encode())
    return digest.hexdigest()
