"""Which site file a site of a source belongs to: by number and name, which are permanent."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from heiiki.errors import Problem
from heiiki.intent.load import SITE_FILE
from heiiki.sources.model import Inventory, Place, Record

_UNIQUE = ("number", "name", "a.circuit", "b.sim")
"""Keys whose values no two sites have in common."""


def twice(records: Sequence[Record]) -> Iterator[Problem]:
    """Yield every value that a source gives to two sites."""
    for key in _UNIQUE:
        first: dict[str, Place] = {}
        for record in records:
            if (given := record.values.get(key)) is None:
                continue
            same = str(given.value).casefold()
            if same in first:
                what = f"{given.value} is used twice; the first is in {_shown(first[same], given.place)}"
                yield given.place.problem(what, "give each site its own, and write each site once")
            first.setdefault(same, given.place)


def _shown(place: Place, seen_from: Place) -> str:
    return f"row {place.line}" if place.line and place.file == seen_from.file else str(place.file)


class Sites:
    """The site files of a service, by what their names say."""

    def __init__(self, folder: Path) -> None:
        """Look which files there are in the service's folder."""
        self._sites = folder / "sites"
        found = sorted(self._sites.iterdir()) if self._sites.is_dir() else []
        paths = [path for path in found if SITE_FILE.fullmatch(path.name)]
        self.names = frozenset(path.name for path in paths)
        self._by_number = {int(path.name[:4]): path for path in paths}
        self._by_name = {path.stem[5:]: path for path in paths}

    def matched(self, inventory: Inventory, problems: list[Problem]) -> Iterator[tuple[Record, Path]]:
        """Yield each site with its file, there or not; a site that has none is a problem."""
        seen: set[Path] = set()
        for record in inventory.records:
            path = self._path(inventory, record, problems)
            if path is not None and path not in seen:
                seen.add(path)
                yield record, path

    def _path(self, inventory: Inventory, record: Record, problems: list[Problem]) -> Path | None:
        if not _identified(inventory, record, problems):
            return None
        number, name = record.values["number"], record.values["name"]
        path = self._sites / f"{number.value:04d}-{name.value}.yml"
        by_number = self._by_number.get(int(str(number.value)), path)
        by_name = self._by_name.get(str(name.value), path)
        if by_number != path:
            what = f"`{name.value}` is not the name of number {number.value}, which is sites/{by_number.name}"
            problems.append(name.place.problem(what, f"write `{by_number.stem[5:]}`: a name is permanent"))
            return None
        if by_name != path:
            what = f"{number.value} is not the number of `{name.value}`, which is sites/{by_name.name}"
            fix = f"write {int(by_name.name[:4])}: a number is permanent"
            problems.append(number.place.problem(what, fix))
            return None
        if not SITE_FILE.fullmatch(path.name):
            what = f"`{number.value:04d}-{name.value}` is not the name of a site file"
            fix = "take a number from 1 to 9999, and for the name small letters, digits and single `_`"
            problems.append(record.place.problem(what, fix))
            return None
        return path


def _identified(inventory: Inventory, record: Record, problems: list[Problem]) -> bool:
    """Tell whether a site has number and name; a value that cannot be read was told already."""
    missing = [key for key in ("number", "name") if key not in record.values]
    problems += (
        record.blank[key].problem(f"`{key}` is missing", inventory.remedies[key])
        for key in missing
        if key in record.blank
    )
    return not missing
