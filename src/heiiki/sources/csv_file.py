"""Sites from a CSV file (RFC 4180): a row for each site, a column for each key of its file."""

import csv
import difflib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from heiiki.errors import Problem, SourceError
from heiiki.sources.keys import Key, parsed, site_keys
from heiiki.sources.model import Given, Inventory, Place, Record

_MOST = 4 << 20
"""Characters of a file: a few times what 9,999 sites need."""
_SEPARATORS = {";": "`;`", "\t": "tabs"}


def read_csv(file: Path) -> Inventory:
    """Read the sites of a CSV file.

    The first row names the columns by the keys of a site file. An empty cell says nothing. Rows and columns
    of problems are those that a spreadsheet shows.

    Raises:
        SourceError: the file cannot be read.
    """
    try:
        rows = list(_rows(file))
    except csv.Error as error:
        raise SourceError(f"{file}: this is not CSV: {error}; write it as RFC 4180 says") from error
    if not rows:
        raise SourceError(f"{file}: the file is empty; begin it with a row that names the columns")
    problems: list[Problem] = []
    head = dict(_columns(file, rows[0][1], problems))
    width = len(rows[0][1])
    records = []
    for line, cells in rows[1:]:
        if len(cells) > width and any(cell.strip() for cell in cells[width:]):
            what = f"the row has {len(cells)} cells, and {width} columns have a name"
            problems.append(Place(file, line, width + 1).problem(what, "put a text with a comma in quotes"))
        records.append(_record(Place(file, line), head, cells, problems))
    problems += (
        Place(file, 1, 0, name).problem("the column is missing", "add it: it says which site a row is")
        for name in ("number", "name")
        if name not in head.values()
    )
    lacks = {name: Place(file, 1, 0, name) for name in site_keys() if name not in head.values()}
    remedies = {name: f"add the column `{name}`, or fill the cell in" for name in site_keys()}
    return Inventory(str(file), tuple(records), tuple(problems), remedies, lacks)


def _rows(file: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows that are not empty, each with the number of its first line."""
    lines = _text(file).splitlines(keepends=True)
    reader = csv.reader(lines, strict=True)
    first = 1
    for cells in reader:
        if any(cell.strip() for cell in cells):
            yield first, cells
        first = reader.line_num + 1


def _text(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            text = stream.read(4 * _MOST + 1).decode("utf-8-sig")
    except OSError as error:
        raise SourceError(
            f"{file}: the file cannot be read: {error.strerror}; name a readable file"
        ) from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise SourceError(f"{file}: line {line} is not UTF-8 text; save it as `CSV UTF-8`") from error
    if len(text) > _MOST:
        raise SourceError(f"{file}: the file is larger than 4 Mi characters; name a table of sites")
    return text


def _columns(file: Path, names: Sequence[str], problems: list[Problem]) -> Iterator[tuple[int, str]]:
    """Yield the index and key of each column that is known."""
    seen: dict[str, int] = {}
    for index, written in enumerate(names):
        name, place = written.strip(), Place(file, 1, index + 1, written.strip())
        if name in seen:
            problems.append(place.problem(f"column {seen[name]} has the same name", "keep one of them"))
        elif name in site_keys():
            yield index, name
        elif not name:
            problems.append(place.problem("the column has no name", "name it, or remove it"))
        else:
            problems.append(place.problem("there is no such column", _nearest(name)))
        seen.setdefault(name, index + 1)


def _nearest(name: str) -> str:
    for separator, shown in _SEPARATORS.items():
        if separator in name:
            return f"separate columns by commas, not by {shown}"
    close = difflib.get_close_matches(name, site_keys(), n=1)
    if close:
        return f"did you mean `{close[0]}`?"
    return f"allowed are {', '.join(f'`{key}`' for key in site_keys())}"


def _record(row: Place, head: Mapping[int, str], cells: Sequence[str], problems: list[Problem]) -> Record:
    values: dict[str, Given] = {}
    blank: dict[str, Place] = {}
    for index, name in head.items():
        text = cells[index].strip() if index < len(cells) else ""
        place = Place(row.file, row.line, index + 1, name)
        if not text:
            blank[name] = place
            continue
        if (given := _given(site_keys()[name], text, place, problems)) is not None:
            values[name] = given
    return Record(row, values, blank)


def _given(key: Key, text: str, place: Place, problems: list[Problem]) -> Given | None:
    """Return a value; the text itself where it is none, so that it does not count as missing."""
    try:
        return Given(parsed(key, text), place)
    except ValueError as error:
        problems.append(place.problem(*error.args))
        return None if key.name == "number" else Given(text, place)
