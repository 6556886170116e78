"""What a source would change in the site files of a service; nothing is written here.

Each key that the source gives a value is set; every other key, and every comment, stays. A number and a name
are permanent: what the source says otherwise about either is a problem, never a change. A site that the
source does not have stays.
"""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from heiiki.errors import IntentError, Problem
from heiiki.intent import Intent, load
from heiiki.intent.yaml_edit import EditError, composed, edited, merged
from heiiki.intent.yaml_source import YamlSource
from heiiki.sources.keys import nested, site_keys, value_at
from heiiki.sources.matching import Sites, twice
from heiiki.sources.model import Inventory, Place, Record, Value


@dataclass(frozen=True, slots=True)
class Change:
    """A site file that would be written.

    Attributes:
        path: the file.
        before: its text; None where it is new.
        after: its new text.
        keys: what differs, such as ``a.circuit``; empty where the file is new.
    """

    path: Path
    before: str | None
    after: str
    keys: tuple[str, ...] = ()

    @property
    def diff(self) -> str:
        """The change as a unified diff."""
        old = (self.before or "").splitlines(keepends=True)
        name = f"sites/{self.path.name}"
        start = f"a/{name}" if self.before is not None else "/dev/null"
        lines = difflib.unified_diff(old, self.after.splitlines(keepends=True), start, f"b/{name}")
        return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)


_Drafts = dict[Path, tuple[Record, Change]]
"""What the source has of a site, and what would be written, by its file."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a source would change.

    Attributes:
        folder: the service's.
        changes: the files that would be written, by name.
        unchanged: number of sites that are as the source has them.
        others: names of files of sites that the source does not have.
        intent: the service as it would be, without mistakes.
    """

    folder: Path
    changes: tuple[Change, ...]
    unchanged: int
    others: tuple[str, ...]
    intent: Intent


def propose(folder: Path, inventory: Inventory) -> Proposal:
    """Return what `inventory` would change in the service in `folder`.

    Raises:
        IntentError: every problem of the source, each at its row and column or its object, and of the files
            as they would be.
    """
    problems = [*inventory.problems, *twice(inventory.records)]
    there = Sites(folder)
    drafts: _Drafts = {}
    for record, path in there.matched(inventory, problems):
        if (change := _drafted(record, path, problems)) is not None:
            drafts[path] = (record, change)
    problems += _lacking(inventory, drafts.values())
    texts = {path: change.after for path, (_, change) in drafts.items()}
    intent = _loaded(folder, texts, drafts, problems)
    if problems or intent is None:
        raise IntentError(problems)
    changes = tuple(change for _, change in drafts.values() if change.after != change.before)
    others = tuple(sorted(there.names - {path.name for path in drafts}))
    ordered = tuple(sorted(changes, key=lambda change: change.path))
    return Proposal(folder, ordered, len(drafts) - len(changes), others, intent)


def _drafted(record: Record, path: Path, problems: list[Problem]) -> Change | None:
    """Return what would be written, a new file or a changed one; None where the file cannot be changed."""
    if not path.exists():
        fixed = {key.name: key.only for key in site_keys().values() if key.only}
        return Change(path, None, composed(nested(fixed | _wanted(record, {}))))
    try:
        text = path.read_bytes().decode("utf-8")
        source = YamlSource(path, text)
        wanted = _wanted(record, source.value)
        after = edited(path, text, nested(wanted)) if not source.problems else text
    except EditError:
        what, fix = "the file is written in a way that an import cannot change", "change it by hand"
        problems.append(Problem(path, 0, 0, "", what, f"{fix}, as {record.place.file} says"))
        return None
    except (OSError, UnicodeDecodeError):
        return Change(path, None, "")  # `load` says why it cannot be read
    differing = (key for key, new in wanted.items() if merged(old := value_at(source.value, key), new) != old)
    return Change(path, text, after, tuple(differing) if after != text else ())


def _wanted(record: Record, value: Any) -> dict[str, Value]:
    """Return what a file must have; what is meant without being written need not be written."""
    return {
        key: given.value
        for key, given in record.values.items()
        if given.value != site_keys()[key].default or value_at(value, key) is not None
    }


def _lacking(inventory: Inventory, drafts: Iterable[tuple[Record, Change]]) -> Iterator[Problem]:
    """Yield what new sites lack: a key for which the source has no room at all once, the others each."""
    new = [record for record, change in drafts if change.before is None]
    for key in site_keys().values():
        lack = [record for record in new if key.required and not key.only and key.name not in record.values]
        remedy = inventory.remedies[key.name]
        if key.name not in inventory.head:
            for record in lack:
                place = record.blank.get(key.name, record.place)
                yield place.problem(f"`{key.name}` is missing, and the site is new", remedy)
        elif lack:
            count = "a new site lacks it" if len(lack) == 1 else f"{len(lack)} new sites lack it"
            yield inventory.head[key.name].problem(f"the column is missing, and {count}", remedy)


def _loaded(
    folder: Path,
    texts: Mapping[Path, str],
    drafts: _Drafts,
    problems: list[Problem],
) -> Intent | None:
    """Return the service as it would be, as `heiiki check` reads it; its problems are put where they began.

    Where the source has problems of its own, only those of the sites that it gives are added: what is
    missing because a row cannot be read would be told as well.
    """
    known = bool(problems)
    told = {(problem.file, problem.line, problem.column) for problem in problems}
    try:
        return load(folder, texts)
    except IntentError as error:
        for problem in error.problems:
            found = _at_source(problem, drafts)
            follows = known and problem.file not in drafts and found is problem
            if not (follows or _is_told(found, told) or _is_lacking(problem, drafts)):
                problems.append(found)
        return None


def _is_told(problem: Problem, told: AbstractSet[tuple[Path | str, int, int]]) -> bool:
    return problem.line > 0 and (problem.file, problem.line, problem.column) in told


def _is_lacking(problem: Problem, drafts: _Drafts) -> bool:
    """Tell whether it is a key that a new site lacks, or what should hold it: `_lacking` has told that."""
    record, change = drafts.get(Path(problem.file), (None, None))
    if record is None or change is None or change.before is not None:
        return False
    lack = (key.name for key in site_keys().values() if key.required and key.name not in record.values)
    return any(name == problem.where or name.startswith(f"{problem.where}.") for name in lack)


def _at_source(problem: Problem, drafts: _Drafts) -> Problem:
    """Return a problem of a file at the cell or object that it comes from, if it comes from one."""
    if not isinstance(problem.file, Path) or problem.file not in drafts:
        return problem
    record, change = drafts[problem.file]
    key = problem.where.partition("[")[0]
    if key in record.values:
        return record.values[key].place.problem(problem.what, problem.fix)
    if change.before is None:
        place = record.blank.get(key, record.place)
        return Place(place.file, place.line, place.column, problem.where).problem(problem.what, problem.fix)
    return problem
