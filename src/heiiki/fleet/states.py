"""Configurations that a device had: kept before a change and after it, so that one can come back.

They hold secrets, hence files of mode 0600 in folders of mode 0700.
"""

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from urllib.parse import quote

from heiiki import files
from heiiki.errors import StateError
from heiiki.fleet.model import Comparer

_PRIVATE = 0o600
_KEPT = 50
_STAMP = "%Y%m%dT%H%M%SZ"


class Origin(StrEnum):
    """How a state came about."""

    FOUND = "found"
    ACCEPTED = "accepted"


@dataclass(frozen=True, slots=True)
class State:
    """One configuration of a device.

    Attributes:
        name: by which it is asked for: when it was kept, UTC, with a number where there are several.
        origin: a push has found it there, or brought it.
        text: the configuration.
        secrets: values in it that no text may show.
        depends: what the other ends of the device's lines had for it then, by what that is; None where it is
            not known, for somebody else has made the configuration.
    """

    name: str
    origin: Origin
    text: str = field(repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    depends: Mapping[str, str] | None = None

    def changed_since(self, now: Mapping[str, str]) -> tuple[str, ...]:
        """Return what the other ends have otherwise now, or that this is not known."""
        if self.depends is None:
            return ("what the other ends of its lines had then is not known",)
        before = self.depends
        return tuple(key for key in sorted({*before, *now}) if before.get(key) != now.get(key))


class States:
    """The states of one device."""

    def __init__(self, folder: Path, device: str) -> None:
        """Keep them in the device's own folder below `folder`."""
        self._folder, self._device = folder / quote(device, safe=""), device

    def all(self) -> tuple[State, ...]:
        """Return what is kept, the oldest first.

        Raises:
            StateError: a file cannot be read.
        """
        return tuple(_read(path) for path in sorted(self._folder.glob("*.json")))

    def named(self, name: str) -> State:
        """Return a state by its name.

        Raises:
            StateError: there is none of this name.
        """
        known = {state.name: state for state in self.all()}
        if name not in known:
            raise StateError(f"{self._device}: no state {name} is kept; known: {', '.join(known) or 'none'}")
        return known[name]

    def former(self, comparer: Comparer) -> State:
        """Return the newest state that is another configuration than the last one.

        Raises:
            StateError: there is none.
        """
        kept = self.all()
        for state in reversed(kept[:-1]):
            if comparer.compare(kept[-1].text, state.text).lines:
                return state
        raise StateError(f"{self._device}: no other state than the last one is kept")

    def keep_found(self, running: str, comparer: Comparer) -> None:
        """Keep what a device has before it is changed, unless the newest state is that.

        Raises:
            StateError: it cannot be written.
        """
        kept = self.all()
        if not kept or comparer.compare(running, kept[-1].text).lines:
            self._write(State(self._name(), Origin.FOUND, running))

    def keep_accepted(self, text: str, secrets: tuple[str, ...], depends: Mapping[str, str] | None) -> None:
        """Keep what a push has brought; the oldest of many go.

        Raises:
            StateError: it cannot be written.
        """
        self._write(State(self._name(), Origin.ACCEPTED, text, secrets, depends))
        for path in sorted(self._folder.glob("*.json"))[:-_KEPT]:
            path.unlink(missing_ok=True)

    def _name(self) -> str:
        stamp = time.strftime(_STAMP, time.gmtime())
        return f"{stamp}-{sum(1 for _ in self._folder.glob(f'{stamp}-*.json'))}"

    def _write(self, state: State) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            files.replace(self._folder / f"{state.name}.json", json.dumps(asdict(state)).encode(), _PRIVATE)
        except OSError as error:
            raise StateError(
                f"{self._folder}: the configuration of {self._device} cannot be kept: {error.strerror}"
            ) from error


def _read(path: Path) -> State:
    try:
        found = json.loads(path.read_bytes())
        found |= {"origin": Origin(found["origin"]), "secrets": tuple(found["secrets"])}
        return State(**found)
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise StateError(
            f"{path}: a state that was kept cannot be read ({type(error).__name__}); remove the file"
        ) from error
