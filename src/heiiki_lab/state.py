"""Where a running lab keeps its files, and how one knows that it runs."""

import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from heiiki.errors import LabError
from heiiki.state import OWNER, SERVICES, owners, root

GUEST = "_guest"
SERVICE_FOLDER = "service-folder"
"""The file that names the folder of the service whose lab is up."""
_TRIES = 10
_SOCKET_PATH_LIMIT = 107  # sun_path of unix(7), less its final zero

# Everything that the engine puts into a state folder. Other parts keep their own files beside them.
_FILES = (
    "lock",
    "lab.json",
    "faults.json",
    "faults.json.new",
    "faults.lock",
    "ready.json",
    "launcher.log",
    "console.log",
    SERVICE_FOLDER,
)
_FOLDERS = ("nodes",)
_OF_A_LAB = "of-a-lab"


def lab_dir() -> Path:
    """The state folder of the lab that commands mean when they name none."""
    return root() / "lab"


def socket_path(state_dir: Path, node: str) -> Path:
    """Where the agent of `node` is reached (GUEST: the guest's own agent).

    Raises:
        LabError: the path is longer than a unix socket's may be.
    """
    path = state_dir / "nodes" / f"{node}.sock"
    if len(os.fsencode(path)) > _SOCKET_PATH_LIMIT:
        raise LabError(
            f"{path}: longer than the {_SOCKET_PATH_LIMIT} bytes of a unix socket's name; "
            "set HEIIKI_STATE to a shorter folder"
        )
    return path


def is_running(state_dir: Path) -> bool:
    """True while a launcher lives: it holds a lock that the system drops when it dies, however it dies."""
    return launcher_pid(state_dir) is not None


def launcher_pid(state_dir: Path) -> int | None:
    """The launcher's pid; None if none lives."""
    try:
        with (state_dir / "lock").open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                text = file.read().strip()
                return int(text) if text else 0
    except FileNotFoundError:
        return None
    return None


@contextmanager
def hold(state_dir: Path) -> Iterator[None]:
    """Be the launcher of this folder.

    Raises:
        LabError: another one is.
    """
    state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (state_dir / "lock").open("a+") as file:
        _take(file, state_dir)
        file.seek(0)
        file.truncate()
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


def _take(file: IO[str], state_dir: Path) -> None:
    """Several tries, because a look whether a lab runs holds the lock for a moment too."""
    for _ in range(_TRIES):
        with suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        time.sleep(0.02)
    raise LabError(already_running(state_dir))


def already_running(state_dir: Path) -> str:
    """The message for a second `up`."""
    return f"the lab in {state_dir} is up already; use it, or run `heiiki lab down` first"


def not_up(state_dir: Path) -> str:
    """The message when a running lab is needed and none is up, with how the last one ended if known."""
    hint = f" (its guest ended unexpectedly: see {state_dir / 'console.log'})" if _crashed(state_dir) else ""
    return f"the lab in {state_dir} is not up{hint}; run `heiiki lab up`"


def _crashed(state_dir: Path) -> bool:
    return (state_dir / "console.log").exists() and not is_running(state_dir)


def mark(place: Path) -> None:
    """Note that what stands in a service's state is that of a lab: it is worth nothing without it."""
    (place / _OF_A_LAB).touch()


def is_of_a_lab(service: str) -> bool:
    """Tell whether the state of a service of that name is that of a lab."""
    return (root() / SERVICES / service / _OF_A_LAB).exists()


def forget(checkout: Path) -> tuple[Path, ...]:
    """Remove the state of every service below `checkout` that a lab was made of; returns its folders.

    What Heiiki did not put there stays, and so does the state of every service that has no lab.
    """
    within = checkout.resolve()
    mine = [place for place, owner in owners().items() if owner.is_relative_to(within)]
    gone = tuple(place for place in mine if (place / _OF_A_LAB).exists())
    for place in gone:
        for name in ("secrets", "run"):
            shutil.rmtree(place / name, ignore_errors=True)
        for name in (OWNER, _OF_A_LAB):
            (place / name).unlink(missing_ok=True)
        with suppress(OSError):
            place.rmdir()
    return gone


def clean(state_dir: Path) -> None:
    """Remove what the engine made; the folder itself only if nothing else is in it."""
    for name in _FOLDERS:
        shutil.rmtree(state_dir / name, ignore_errors=True)
    for name in _FILES:
        (state_dir / name).unlink(missing_ok=True)
    with suppress(OSError):
        state_dir.rmdir()
