"""What a controller keeps between runs, for each service: the server's CA, log-ins, keys, run caches.

A service is known by its name and by the folder that it is written in. Another folder with a service of the
same name is refused: the two would overwrite each other's CA and log-ins. The lab's files are elsewhere.
"""

import json
import logging
import os
import re
import stat
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cryptography import x509

from heiiki import files
from heiiki.errors import SecretError, StateError

SERVICES = "services"
"""Folder of all services below the state folder: `lab` is a good name for a service, too."""

OWNER = "service.json"
"""The file in a service's state that names the folder of the service."""

_SECRETS, _RUN = "secrets", "run"
_PRIVATE = 0o600
_OTHERS = 0o077
_log = logging.getLogger(__name__)


class SecretSource(Protocol):
    """Where secrets are read from."""

    def read(self, path: str, field: str) -> str:
        """Return `field` of the secret at `path`.

        Raises:
            SecretError: there is no such secret, or it cannot be read.
        """


def root() -> Path:
    """Return the state folder: HEIIKI_STATE, or heiiki under XDG_STATE_HOME, or ~/.local/state/heiiki."""
    if chosen := os.environ.get("HEIIKI_STATE"):
        return Path(chosen)
    home = os.environ.get("XDG_STATE_HOME")
    return (Path(home) if home else Path.home() / ".local/state") / "heiiki"


@dataclass(frozen=True, slots=True)
class ServiceState:
    """The state of one service.

    Attributes:
        folder: holds all of it.
    """

    folder: Path

    @property
    def secrets(self) -> "FileSecrets":
        """The service's secrets that the controller keeps."""
        return FileSecrets(self.folder)

    @property
    def run(self) -> Path:
        """Folder of what one run of a playbook shares among its processes."""
        return self.folder / _RUN


def of_service(service: str, folder: Path, *, take_over: bool = False) -> ServiceState:
    """Return the state of the service called `service` that is written in `folder`.

    State of the layout before, which knew no services, is moved here.

    Args:
        service: its name.
        folder: the folder with its ``service.yml``.
        take_over: let this folder have the state, although another one with a service of that name has it.

    Raises:
        StateError: the state belongs to another folder with a service of that name, or cannot be written.
    """
    place, mine = root() / SERVICES / service, folder.resolve()
    try:
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
        owner = _owner(place)
        if owner not in {None, mine} and not take_over and _holds(owner, service):
            raise StateError(
                f"{mine}: service `{service}` of {owner} keeps its CA and its log-ins in {place} already: "
                f"give one of the two another name (service.yml), set HEIIKI_STATE to another folder, or, if "
                f"it is the same network, run `heiiki state {mine} --take-over`"
            )
        if owner != mine:
            _replace(place / OWNER, {"service": service, "folder": str(mine)})
        _adopt(place, service, mine)
    except OSError as error:
        where = error.filename or place
        raise StateError(
            f"{where}: {error.strerror}; HEIIKI_STATE names the state folder: name one that can be written"
        ) from error
    return ServiceState(place)


def artifacts(service: str) -> Path:
    """Return the folder for reports, evidence and builds of a service where no setting names another."""
    return root() / SERVICES / service / "artifacts"


def run_folder(service: str) -> Path:
    """Return the folder of what a run shares among its processes; nothing is made."""
    return ServiceState(root() / SERVICES / service).run


def owners() -> dict[Path, Path]:
    """Return the folder of each service that has state, by the folder of the state."""
    found = {place.parent: _owner(place.parent) for place in sorted((root() / SERVICES).glob(f"*/{OWNER}"))}
    return {place: owner for place, owner in found.items() if owner is not None}


def _owner(place: Path) -> Path | None:
    try:
        return Path(json.loads((place / OWNER).read_text(encoding="utf-8"))["folder"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise StateError(
            f"{place / OWNER} does not say whose state this is ({error}); remove the file if it is the only "
            "service of that name"
        ) from error


def _holds(folder: Path | None, service: str) -> bool:
    """Tell whether there is still a service of that name in `folder`; one that was moved away is gone."""
    if folder is None:
        return False
    try:
        text = (folder / "service.yml").read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, UnicodeError):
        return True
    return re.search(rf"^service:\s*[\"']?{re.escape(service)}\b", text, re.MULTILINE) is not None


def _lab_of() -> Path | None:
    """Return the service of a lab that was started with the layout before and is still up."""
    note = root() / "service-folder"
    return Path(note.read_text(encoding="utf-8")) if note.is_file() else None


def _adopt(place: Path, service: str, folder: Path) -> None:
    """Move the secrets of the layout before, unless they are another service's."""
    old, new = root() / _SECRETS, place / _SECRETS
    if new.exists() or not old.is_dir():
        return
    if not _may_be_of(old / "vault/ca.json", service):
        _log.warning("%s: left where it is, for its CA is not that of service %s", old, service)
        return
    if (lab := _lab_of()) not in {None, folder}:
        _log.warning("%s: left where it is, for the lab of %s is up with it", old, lab)
        return
    with suppress(FileNotFoundError):  # another process of this run was faster
        old.rename(new)
        _log.warning("%s: moved to %s: state is kept per service now", old, new)


def _may_be_of(ca: Path, service: str) -> bool:
    """Tell whether a kept CA bears the name of the service; True where none is kept."""
    try:
        pem = json.loads(ca.read_text(encoding="utf-8"))["pem"]
        certificates = x509.load_pem_x509_certificates(pem.encode("ascii"))
    except FileNotFoundError:
        return True
    except (ValueError, KeyError, TypeError):
        return False
    subjects = " ".join(one.subject.rfc4514_string() for one in certificates)
    names = re.escape(service), re.escape(service.replace("_", "-"))
    return re.search(rf"(?<![\w-])({'|'.join(names)})(?![\w-])", subjects) is not None


class FileSecrets:
    """Secrets that the controller keeps: files of mode 0600 in ``secrets``, outside every checkout (D10)."""

    def __init__(self, state: Path) -> None:
        """Keep them in the folder `state`."""
        self._folder = state / _SECRETS

    def read(self, path: str, field: str) -> str:
        """Return `field` of the secret at `path`."""
        try:
            value = json.loads(_own(self._file(path)))[field]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise SecretError(f"secret {path}: {field} cannot be read from {self._folder}") from error
        return str(value)

    def fields(self, path: str) -> dict[str, str]:
        """Return every field of the secret at `path`; errors as for `read`."""
        try:
            return dict(json.loads(_own(self._file(path))))
        except (OSError, ValueError, TypeError) as error:
            raise SecretError(f"secret {path} cannot be read from {self._folder}") from error

    def write(self, path: str, fields: Mapping[str, str]) -> None:
        """Put a secret in the place of whatever stood at `path`: whole or not at all, mode 0600."""
        _replace(self._file(path), fields)

    def create(self, path: str, fields: Mapping[str, str]) -> bool:
        """Write a secret where there is none yet; of two that do so at once the first wins.

        Returns whether it was written.
        """
        with files.draft(_with_folder(self._file(path)), _encoded(fields), _PRIVATE) as draft:
            try:
                os.link(draft, self._file(path))
            except FileExistsError:
                return False
        return True

    def has(self, path: str) -> bool:
        """Tell whether there is a secret at `path`."""
        return self._file(path).exists()

    def _file(self, path: str) -> Path:
        return self._folder / f"{path}.json"


def _own(file: Path) -> bytes:
    """Return what a file holds that only its owner, who is the caller or root, can read or write.

    Raises:
        SecretError: others could; a backup that was restored without its modes, for example.
        OSError: it cannot be read.
    """
    with os.fdopen(os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as stream:
        about = os.fstat(stream.fileno())
        if (
            not stat.S_ISREG(about.st_mode)
            or about.st_mode & _OTHERS
            or about.st_uid not in {0, os.geteuid()}
        ):
            mode = f"{stat.S_IMODE(about.st_mode):04o} of user {about.st_uid}"
            raise SecretError(
                f"{file} is {mode}, so others may have read or written it: replace the secret if they may "
                "have, then make the file yours alone (chown, chmod 600)"
            )
        return stream.read()


def _replace(file: Path, fields: Mapping[str, str]) -> None:
    files.replace(_with_folder(file), _encoded(fields), _PRIVATE)


def _with_folder(file: Path) -> Path:
    """Make the folders above a file, for their user alone: names tell too."""
    for folder in reversed(file.parents):
        if not folder.is_dir():
            folder.mkdir(exist_ok=True, mode=0o700)
    return file


def _encoded(fields: Mapping[str, str]) -> bytes:
    return json.dumps(dict(fields)).encode("ascii")
