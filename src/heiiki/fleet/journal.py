"""What a run has begun on each device: written before the first line, removed when the device is settled.

A run that is killed leaves its entries, and the next one finishes or takes back by them. They hold whole
configurations, hence mode 0600 in a folder of mode 0700.
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from urllib.parse import quote, unquote

from heiiki import files
from heiiki.errors import StateError

_PRIVATE = 0o600


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
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            files.replace(self._file(entry.device), json.dumps(asdict(entry)).encode(), _PRIVATE)
        except OSError as error:
            raise StateError(
                f"{error.filename or self._folder}: the journal cannot be written: {error.strerror}; "
                f"{entry.device} was not touched"
            ) from error

    def read(self, device: str) -> Entry | None:
        """Return the entry of a device; None where nothing was begun.

        Raises:
            StateError: there is one, and it cannot be read.
        """
        file = self._file(device)
        try:
            return Entry(**json.loads(file.read_bytes()))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError) as error:
            raise StateError(
                f"{file}: the journal of an earlier run cannot be read ({type(error).__name__}): look at "
                f"{device} yourself, then remove the file"
            ) from error

    def remove(self, device: str) -> None:
        """Forget a device that is settled."""
        self._file(device).unlink(missing_ok=True)

    def begun(self) -> tuple[str, ...]:
        """Return the devices that have an entry, sorted."""
        return tuple(sorted(unquote(path.stem) for path in self._folder.glob("*.json")))

    def _file(self, device: str) -> Path:
        return self._folder / f"{quote(device, safe='')}.json"
