"""Has what uses key, certificate and CRLs find and load them."""

import pwd
import shlex
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from heiiki_agent import files
from heiiki_agent.errors import AgentError
from heiiki_agent.pki import newer_lists
from heiiki_agent.pki.settings import Copies, Settings
from heiiki_agent.pki.store import Store
from heiiki_agent.pki.x509 import RevocationList

USER_S = 30.0


def reload(settings: Settings, *, unless_loaded: bool = False) -> dict[str, Any]:
    """Publish what is there and have every user load it.

    Args:
        settings: of the device.
        unless_loaded: what is at it meanwhile, such as the watch with new lists, is waited for, and no
            user is told again of what it was told then.

    Returns:
        told: whether users were told; users: their commands, none where they were not.

    Raises:
        AgentError: a user did not; the next run tells it again.
    """
    with _told(settings) as store:
        told = not unless_loaded or store.read("loaded") != store.digest()
        if told:
            _tell_all(settings)
    commands = (*settings.users, *settings.listeners) if told else ()
    return {"told": told, "users": [shlex.join(command) for command in commands]}


def renew_lists(settings: Settings) -> None:
    """Publish what is there and have every user load it; strongSwan, where only CRLs are new, these alone.

    Raises:
        AgentError: a user did not; the next run tells it again.
    """
    with _told(settings) as store:
        if settings.associations and store.differs_in_lists() and newer_lists.taken(store.lists()):
            _tell(settings.listeners)
        else:
            _tell_all(settings)


@contextmanager
def _told(settings: Settings) -> Iterator[Store]:
    """Publish what is there, and keep, if the block ends well, that users were told of it."""
    store = Store(settings.folder)
    # A lock of its own: an installation that waits for Vault holds no pull up.
    with store.alone("reload.lock"):
        digest = store.digest()
        publish(settings, store)
        yield store
        if store.read("loaded") != digest:
            files.write(store.folder / "loaded", digest)


def _tell_all(settings: Settings) -> None:
    _tell((*settings.users, *settings.listeners))


def _tell(commands: Iterable[Sequence[str]]) -> None:
    for command in commands:
        _tell_one(command)


def _tell_one(command: Sequence[str]) -> None:
    try:
        done = subprocess.run(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=USER_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise AgentError(f"`{shlex.join(command)}` cannot be run: {error}") from error
    if done.returncode:
        said = done.stdout.strip()[-500:] or "it printed nothing"
        raise AgentError(
            f"`{shlex.join(command)}` exited {done.returncode}: {said}. What it uses is in place; "
            "mend it and run again"
        )


def publish(settings: Settings, store: Store) -> None:
    """Give each CA and each CRL a file of its own, and key and certificate the paths that programs want.

    Raises:
        AgentError: there is no such user as is to have copies.
    """
    for path, name in settings.links.items() if store.current() is not None else ():
        _link(path, store.folder / "current" / name)
    if settings.ca_folder:
        _fill(settings.ca_folder, {item.sha256: item.pem for item in store.authorities()})
    if settings.crl_folder:
        _fill(settings.crl_folder, {item.authority: item.pem for item in store.lists()})
    for copies in settings.copies if store.current() is not None else ():
        _copy(copies, store)


def _copy(copies: Copies, store: Store) -> None:
    """Write what differs, the key first: a program that reads a new key with the old certificate says so.

    The key is root's, and its group may read it: this program can then compare it without further rights.
    """
    try:
        group = pwd.getpwnam(copies.user).pw_gid
    except KeyError as error:
        raise AgentError(f"there is no account {copies.user}: apply the device's role") from error
    copies.folder.mkdir(parents=True, exist_ok=True)
    copies.folder.chmod(0o755)
    _replace(copies.folder / "key.pem", store.read("current/key.pem"), 0o440, group)
    texts = {
        "certificate.pem": store.read("current/certificate.pem") + store.read("current/chain.pem"),
        "trust.pem": "".join(item.pem for item in store.authorities()),
        "crl.pem": store.read("crl.pem"),
    }
    if copies.plain:
        texts["verify.pem"] = texts["trust.pem"] + texts["crl.pem"]
        texts["revoked.txt"] = revoked_serials(store.lists())
    for name, text in texts.items():
        _replace(copies.folder / name, text)


def revoked_serials(lists: Iterable[RevocationList]) -> str:
    """Return the serial numbers of all `lists` in hexadecimal, without leading zeros, a line each."""
    serials = {serial.replace(":", "").lstrip("0") for one in lists for serial in one.serials}
    return "\n".join(("# serial numbers of revoked certificates", *sorted(serials), ""))


def _replace(path: Path, text: str, mode: int = 0o644, gid: int = -1) -> None:
    """Write a file that has another text, other permissions or another group."""
    if path.is_file():
        found = path.stat()
        kept = found.st_mode & 0o777 == mode and gid in {-1, found.st_gid}
        if kept and path.read_text(encoding="utf-8") == text:
            return
    files.write(path, text, mode, gid=gid)


def _link(path: Path, target: Path) -> None:
    if path.is_symlink() and path.readlink() == target:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    files.link(path, target)


def _fill(folder: Path, texts: Mapping[str, str]) -> None:
    """Bring our files in `folder` to `texts`, by digest; those of others are left alone."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = {f"heiiki-{digest[:16]}.pem": text for digest, text in texts.items()}
    for name, text in wanted.items():
        _replace(folder / name, text)
    for path in folder.glob("heiiki-*.pem"):
        if path.name not in wanted:
            path.unlink()
