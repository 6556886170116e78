# Copyright: Heiiki contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Starting, reloading and stopping a node's services by systemd. Standard library only."""

import shlex
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from typing import IO, Protocol

from ansible_collections.heiiki.network.plugins.module_utils.forked_program import is_forkable, run_forked

OWNED = "var/lib/heiiki/owned.json"
START_S = 150.0
"""Longer than the longest time-out of a unit, so that systemd ends a start that hangs, and says why."""
LOOK_S = 0.5
"""How long a look at all services may be answered from; every action makes it void."""


class ServiceError(Exception):
    """A service could not be started, reloaded or stopped; the message says which and why."""


class ServiceManager(Protocol):
    """What a node needs of whatever runs its services."""

    def prepare(self, names: Sequence[str], starting: Sequence[str]) -> None:
        """Take up changed unit files of `names`, and have `starting` started at every boot from now on."""

    def start(self, *names: str) -> None:
        """Start services now, in the order that they ask for; one that is active already stays as it is."""

    def reload(self, name: str) -> None:
        """Have `name` read its configuration again without a break in its work."""

    def restart(self, name: str) -> None:
        """Stop `name` and start it again."""

    def stop(self, name: str) -> None:
        """Stop `name`, now and for later boots; one that does not run, or does not exist, is no error."""

    def is_active(self, name: str) -> bool:
        """Tell whether `name` runs, or, when its work is done in one go, whether that was done."""


def run(argv: Sequence[str], *, timeout: float = START_S, env: Mapping[str, str] | None = None) -> str:
    """Run `argv` and return what it printed, both streams in one; ServiceError when it does not exit 0."""
    code, text = _ended(argv, timeout, env)
    if code:
        told = text[-2000:] or "it printed nothing"
        raise ServiceError(f"`{shlex.join(argv)}` exited {code}: {told}")
    return text


def _ended(
    argv: Sequence[str], timeout: float = START_S, env: Mapping[str, str] | None = None
) -> tuple[int, str]:
    """Run `argv`; return its exit code and what it printed."""
    with tempfile.TemporaryFile() as output:  # not a pipe: a daemon left behind would hold it open
        try:
            code = _exit_code(argv, output, timeout, env)
        except OSError as error:
            raise ServiceError(f"`{shlex.join(argv)}` cannot be run: {error}") from error
        except subprocess.TimeoutExpired as error:
            raise ServiceError(f"`{shlex.join(argv)}` was not done within {timeout:g} s") from error
        output.seek(0)
        return code, output.read().decode(errors="replace").strip()


def _exit_code(argv: Sequence[str], output: IO[bytes], timeout: float, env: Mapping[str, str] | None) -> int:
    if env is None and is_forkable(argv):
        return run_forked(argv, output.fileno(), timeout)
    done = subprocess.run(
        list(argv),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        timeout=timeout,
        env=env,
        check=False,
    )
    return done.returncode


def _unit(name: str) -> str:
    return f"{name}.service"


class SystemdManager:
    """Services of a host on which systemd is process 1."""

    def __init__(self, systemctl: Sequence[str] = ("systemctl",)) -> None:
        """Use `systemctl`, an argument vector, for every call."""
        self._systemctl = tuple(systemctl)
        self._active: frozenset[str] = frozenset()
        self._looked_at = float("-inf")

    def prepare(self, names: Sequence[str], starting: Sequence[str]) -> None:
        """See ServiceManager."""
        if starting:
            # One reload after it reads what it links as well; systemd would complain of every unit otherwise.
            self._call("enable", "--no-reload", *map(_unit, starting))
        if names:
            shown = self._call("show", "--property=LoadState,NeedDaemonReload", *map(_unit, names))
            lines = shown.splitlines()
            loaded = lines.count("LoadState=loaded")
            if "NeedDaemonReload=yes" in lines or loaded < len(names):
                self._call("daemon-reload")

    def start(self, *names: str) -> None:
        """See ServiceManager."""
        if names:
            self._act(names, "start")

    def reload(self, name: str) -> None:
        """See ServiceManager."""
        self._act((name,), "reload")

    def restart(self, name: str) -> None:
        """See ServiceManager."""
        self._act((name,), "restart")

    def stop(self, name: str) -> None:
        """See ServiceManager."""
        if self._call("show", "--property=LoadState", _unit(name)) == "LoadState=loaded":
            self._act((name,), "disable", "--now")

    def is_active(self, name: str) -> bool:
        """See ServiceManager."""
        if time.monotonic() - self._looked_at > LOOK_S:
            listed = self._call(
                "list-units", "--type=service", "--state=active,reloading", "--plain", "--no-legend"
            )
            self._active = frozenset(line.split()[0] for line in listed.splitlines() if line.strip())
            self._looked_at = time.monotonic()
        return _unit(name) in self._active

    def _act(self, names: Sequence[str], verb: str, *options: str) -> None:
        """Change services; what systemd knows of those that do not run is part of the error."""
        self._looked_at = float("-inf")
        try:
            self._call(verb, *options, *map(_unit, names))
        except ServiceError as error:
            failed = [name for name in names if len(names) == 1 or not self.is_active(name)] or names
            shown = (*self._systemctl, "status", "--no-pager", "--full", "--lines=20", *map(_unit, failed))
            raise ServiceError(f"{error}\n{_ended(shown)[1][-2000:]}") from error

    def _call(self, *words: str) -> str:
        return run((*self._systemctl, *words))


def find() -> ServiceManager:
    """Return the manager of this node's services."""
    return SystemdManager()
