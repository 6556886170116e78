"""What a source says of sites, with the place of every value, whatever the source is."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from heiiki.errors import Problem

Value = int | str | tuple[Mapping[str, str], ...]
"""A number, a text, or a list of small mappings, such as resources."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands in a source.

    Attributes:
        file: the file, or the address of an object.
        line: row of the file, from 1; 0 for an object.
        column: column of the file, from 1; 0 for a whole row or an object.
        where: name of the column or the field.
    """

    file: Path | str
    line: int = 0
    column: int = 0
    where: str = ""

    def problem(self, what: str, fix: str) -> Problem:
        """Return a problem here."""
        return Problem(self.file, self.line, self.column, self.where, what, fix)


@dataclass(frozen=True, slots=True)
class Given:
    """A value that a source gives to a key of a site file."""

    value: Value
    place: Place


@dataclass(frozen=True, slots=True)
class Record:
    """One site, as the source has it.

    Attributes:
        place: its row or object.
        values: by key, such as ``a.circuit``.
        blank: places of keys that the source has room for and says nothing of.
    """

    place: Place
    values: Mapping[str, Given]
    blank: Mapping[str, Place]


@dataclass(frozen=True, slots=True)
class Inventory:
    """Everything that a source says.

    Attributes:
        name: what it is, such as the file.
        records: the sites.
        problems: what could not be read.
        remedies: for each key, what to do in this source where it is missing.
        head: for a key that the source has no room for at all, where to say so once.
    """

    name: str
    records: tuple[Record, ...]
    problems: tuple[Problem, ...]
    remedies: Mapping[str, str]
    head: Mapping[str, Place]
