"""What a run has begun on each device: written before the first line, removed when the device is settled.

A run that is killed leaves its entries, and the next one finishes or takes back by them. They hold whole
configurations, hence mode 0600 in a folder of mode 0700.
"""

import json
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from urllib.parse import quote, unquote

from heiiki import files
from heiiki.errors import StateError

_PRIVATE = 0o600
_JOINT = "+"
"""Between the names of devices in that of a file; `quote` leaves none in a name."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One change that was begun.

    Attributes:
        device: its name.
        before: the configuration that the device had.
        intended: the one that it was to get.
        until: when a rollback timer that was armed for it has run out, as `time.time()`; 0 if none can run.
    """

    device: str
    before: str = field(repr=False)
    intended: str = field(repr=False)
    until: float


class Journal:
    """The entries of one run's folder."""

    def __init__(self, folder: Path) -> None:
        """Keep them in `folder`, which is made when the first is written."""
        self._folder = folder

    def write(self, entry: Entry) -> None:
        """Write an entry, in the place of an earlier one of the device; it is on disk when this returns.

        Raises:
            StateError: it cannot be written, so nothing may be begun.
        """
        self.write_all((entry,))

    def write_all(self, entries: Collection[Entry]) -> None:
        """Write the entries of one line in one file: all of them are on disk when this returns, or none.

        Raises:
            StateError: they cannot be written, so nothing may be begun.
        """
        names = tuple(entry.device for entry in entries)
        document = [asdict(entry) for entry in entries]
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            files.replace(self._file(names), json.dumps(document).encode(), _PRIVATE)
        except OSError as error:
            raise StateError(
                f"{error.filename or self._folder}: the journal cannot be written: {error.strerror}; "
                f"{' and '.join(names)} were not touched"
            ) from error

    def flush(self) -> None:
        """Write what is left to write: nothing, for each entry is on disk already."""

    def read(self, device: str) -> Entry | None:
        """Return the entry of a device; None where nothing was begun.

        Raises:
            StateError: there is one, and it cannot be read.
        """
        file = self._of(device)
        if file is None:
            return None
        try:
            return next(
                entry
                for entry in (Entry(**one) for one in json.loads(file.read_bytes()))
                if entry.device == device
            )
        except (OSError, ValueError, TypeError, StopIteration) as error:
            raise StateError(
                f"{file}: the journal of an earlier run cannot be read ({type(error).__name__}): look at "
                f"{device} yourself, then remove the file"
            ) from error

    def remove(self, device: str) -> None:
        """Forget a device that is settled, and whatever shares its file."""
        if (file := self._of(device)) is not None:
            file.unlink(missing_ok=True)

    def begun(self) -> tuple[str, ...]:
        """Return the devices that have an entry, sorted."""
        return tuple(sorted(name for names in self.lines() for name in names))

    def lines(self) -> tuple[tuple[str, ...], ...]:
        """Return the devices of each file: those that are settled together."""
        return tuple(_names(path) for path in sorted(self._folder.glob("*.json")))

    def of_line(self) -> "LineJournal":
        """Return the journal of one line in the same folder."""
        return LineJournal(self._folder)

    def _of(self, device: str) -> Path | None:
        """Return the file of a device: its own, else the one that it shares."""
        own = self._file((device,))
        if own.exists():
            return own
        return next((path for path in self._folder.glob(f"*{_JOINT}*.json") if device in _names(path)), None)

    def _file(self, devices: Iterable[str]) -> Path:
        return self._folder / f"{_JOINT.join(quote(device, safe='') for device in devices)}.json"


class LineJournal(Journal):
    """The journal of one line: an entry is written when all are there, and goes when all are settled."""

    def __init__(self, folder: Path) -> None:
        """Keep them in `folder`, as `Journal` does."""
        super().__init__(folder)
        self._given: list[Entry] = []
        self._settled: set[str] = set()

    def write(self, entry: Entry) -> None:
        """Keep an entry until `flush`."""
        self._given.append(entry)
        self._settled.discard(entry.device)

    def flush(self) -> None:
        """Write what was kept, once; errors as for `Journal.write`."""
        if self._given:
            given, self._given = self._given, []
            self.write_all(given)

    def remove(self, device: str) -> None:
        """Forget the line when the last of its devices is settled."""
        self._settled.add(device)
        file = self._of(device)
        if file is not None and self._settled >= set(_names(file)):
            file.unlink(missing_ok=True)


def _names(path: Path) -> tuple[str, ...]:
    return tuple(unquote(name) for name in path.stem.split(_JOINT))
