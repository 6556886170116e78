"""Has what uses key, certificate and CRLs find and load them."""

import shlex
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from heiiki_agent import files
from heiiki_agent.errors import AgentError
from heiiki_agent.pki.settings import Settings
from heiiki_agent.pki.store import Store

USER_S = 30.0


def reload(settings: Settings) -> dict[str, Any]:
    """Publish what is there and have every user load it.

    Raises:
        AgentError: a user did not; the next run tells it again.
    """
    store = Store(settings.folder)
    # A lock of its own: an installation that waits for Vault holds no pull up.
    with store.alone("reload.lock"):
        digest = store.digest()
        publish(settings, store)
        for command in settings.users:
            _tell(command)
        if store.read("loaded") != digest:
            files.write(store.folder / "loaded", digest)
    return {"users": [shlex.join(command) for command in settings.users]}


def _tell(command: Sequence[str]) -> None:
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
    """Give each CA and each CRL a file of its own, and key and certificate the paths that programs want."""
    for path, name in settings.links.items() if store.current() is not None else ():
        _link(path, store.folder / "current" / name)
    if settings.ca_folder:
        _fill(settings.ca_folder, {item.sha256: item.pem for item in store.authorities()})
    if settings.crl_folder:
        _fill(settings.crl_folder, {item.authority: item.pem for item in store.lists()})


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
        path = folder / name
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            files.write(path, text)
    for path in folder.glob("heiiki-*.pem"):
        if path.name not in wanted:
            path.unlink()
