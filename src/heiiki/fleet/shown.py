"""What was shown is what is applied: digests of every device's two configurations, taken in check mode.

A digest is of true text, secrets included, so that a key that was replaced meanwhile is a difference. It is
in a file for its user alone.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from heiiki import files, platforms
from heiiki.errors import StateError
from heiiki.fleet import linux
from heiiki.fleet.errors import NotShownError
from heiiki.fleet.model import Target

_PRIVATE = 0o600
_KEPT = 100


@dataclass(frozen=True, slots=True)
class Sight:
    """One device as it was shown.

    Attributes:
        intended: SHA-256 of the configuration that it was to get.
        had: SHA-256 of what it had, without comments and what no push touches.
    """

    intended: str
    had: str


@dataclass(frozen=True, slots=True)
class Shown:
    """What was shown of a run.

    Attributes:
        intent: SHA-256 of the service's files.
        devices: by name.
    """

    intent: str
    devices: Mapping[str, Sight]

    @property
    def digest(self) -> str:
        """SHA-256 of it all."""
        return _sha256(self._document())

    def write(self, folder: Path) -> None:
        """Keep it in `folder`, under its digest; the oldest of many go.

        Raises:
            StateError: it cannot be written.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            files.replace(folder / f"{self.digest}.json", self._document().encode(), _PRIVATE)
            old = sorted(folder.glob("*.json"), key=lambda path: path.stat().st_mtime)
            for path in old[:-_KEPT]:
                path.unlink(missing_ok=True)
        except OSError as error:
            raise StateError(f"{folder}: what was shown cannot be kept: {error.strerror}") from error

    def differences(self, other: "Shown") -> tuple[str, ...]:
        """Return what `other`, which is about to be done, does otherwise, a line for each device."""
        found = [line for name in other.devices for line in self.of_device(name, other.devices[name])]
        if self.intent != other.intent:
            found.insert(0, "the service's files were changed since")
        return tuple(found)

    def of_device(self, name: str, other: Sight) -> tuple[str, ...]:
        """Return what is otherwise at one device."""
        shown = self.devices.get(name)
        if shown is None:
            return (f"{name} was not shown",)
        told = {
            f"{name} would get another configuration than the one that was shown": shown.intended
            != other.intended,
            f"{name} has another configuration than it had then": shown.had != other.had,
        }
        return tuple(line for line, differs in told.items() if differs)

    def _document(self) -> str:
        devices = {name: asdict(sight) for name, sight in sorted(self.devices.items())}
        return json.dumps({"intent": self.intent, "devices": devices}, sort_keys=True)


def read(folder: Path, digest: str) -> Shown:
    """Return what was shown under a digest.

    Args:
        folder: where it was kept.
        digest: as it was told, or a file with it.

    Raises:
        NotShownError: nothing was, or it is not what it was.
    """
    file = Path(digest) if Path(digest).is_file() else folder / f"{digest}.json"
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        devices = {name: Sight(**sight) for name, sight in found["devices"].items()}
        shown = Shown(str(found["intent"]), devices)
    except FileNotFoundError as error:
        raise NotShownError(
            f"{digest}: nothing was shown under this digest; run with --check --diff, and take the one that "
            "it tells"
        ) from error
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise NotShownError(f"{file}: is not what was shown ({type(error).__name__})") from error
    if shown.digest != file.stem:
        raise NotShownError(f"{file}: was changed after it was written; run with --check --diff again")
    return shown


class Sights:
    """Notes what is seen of each device, as a guard of a push."""

    def __init__(self) -> None:
        """Begin with none."""
        self.seen: dict[str, Sight] = {}

    def note(self, target: Target, running: str) -> str:
        """Note a device; there is no objection."""
        self.seen[target.name] = sight(target, running)
        return ""


def sight(target: Target, running: str) -> Sight:
    """Return a device as it is shown, given what it has."""
    if target.platform == linux.LINUX:
        had = linux.identity(running)
    else:
        had = "\n".join(platforms.of(target.platform).source(running))
    return Sight(_sha256(target.intended), _sha256(had))


def refused(shown: Shown, target: Target, running: str) -> str:
    """Say why a device must not be changed, of which something else was shown; empty where it may."""
    return _joined(shown.of_device(target.name, sight(target, running)))


def _joined(lines: Iterable[str]) -> str:
    return "; ".join(lines)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
