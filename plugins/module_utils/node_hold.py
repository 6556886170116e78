# Copyright: Heiiki contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A change of a node that is taken back unless it is confirmed: the node's end of a line of two.

The change is that of `node_apply`, whose journal stays until the confirmation. A timer of systemd takes it
back, after a reboot too, for its units are files. What counts is the journal: a timer that fires late finds
none. Standard library only.
"""

import base64
import hashlib
import os
import pwd
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from ansible_collections.heiiki.network.plugins.module_utils.journal import Change, Journal
from ansible_collections.heiiki.network.plugins.module_utils.node_apply import HELD, Run
from ansible_collections.heiiki.network.plugins.module_utils.node_files import (
    Content,
    NodeError,
    Stat,
    install,
    ownership,
    read,
    remove,
)
from ansible_collections.heiiki.network.plugins.module_utils.node_manifest import (
    ManagedFile,
    ManagedService,
)
from ansible_collections.heiiki.network.plugins.module_utils.node_restore import restore
from ansible_collections.heiiki.network.plugins.module_utils.service_manager import (
    OWNED,
    ServiceManager,
    run,
)

UNIT = "heiiki-held"
PROGRAM = "var/lib/heiiki/take-back.py"
_UNITS = "etc/systemd/system"
_TIMER = """\
[Unit]
Description=Time in which a push of a line has to confirm its change

[Timer]
OnActiveSec={seconds}
AccuracySec=1s

[Install]
WantedBy=timers.target
"""
_SERVICE = """\
[Unit]
Description=Takes back what a push of a line has not confirmed

[Service]
Type=oneshot
ExecStart={python} {program}
"""


class Watchdog(Protocol):
    """What takes a change back that is not confirmed in time."""

    def arm(self, seconds: int, program: str) -> None:
        """Have the Python text `program` run in so many seconds, and again after a reboot."""

    def disarm(self) -> None:
        """Have nothing run any more."""


class SystemdWatchdog:
    """A timer of systemd, whose units are files until it is disarmed."""

    def __init__(self, root: Path = Path("/"), systemctl: Sequence[str] = ("systemctl",)) -> None:
        """Use `systemctl`, an argument vector, for every call."""
        self._root, self._systemctl = root, tuple(systemctl)

    def arm(self, seconds: int, program: str) -> None:
        """See Watchdog."""
        place = self._root / PROGRAM
        service = _SERVICE.format(python=sys.executable, program=place)
        self._put(place, program, 0o600)
        self._put(self._root / _UNITS / f"{UNIT}.service", service, 0o644)
        self._put(self._root / _UNITS / f"{UNIT}.timer", _TIMER.format(seconds=seconds), 0o644)
        self._call("daemon-reload")
        self._call("enable", f"{UNIT}.timer")
        self._call("restart", f"{UNIT}.timer")

    def disarm(self) -> None:
        """See Watchdog."""
        timer = self._root / _UNITS / f"{UNIT}.timer"
        if not timer.exists():
            return
        self._call("disable", "--now", f"{UNIT}.timer")
        for path in (timer, timer.with_suffix(".service"), self._root / PROGRAM):
            remove(path)
        self._call("daemon-reload")

    def _put(self, path: Path, text: str, mode: int) -> None:
        install(path, Content(text.encode(), Stat(mode, os.geteuid(), os.getegid())))

    def _call(self, *words: str) -> None:
        run((*self._systemctl, *words))


@dataclass(frozen=True, slots=True)
class Build:
    """What a node is to have.

    Attributes:
        files: every file of the device.
        services: every service of the device, in the order in which they are started.
        secrets: value of each placeholder that stands in the files.
    """

    files: Sequence[ManagedFile]
    services: Sequence[ManagedService]
    secrets: Mapping[str, str]


class Holder:
    """Looks at a node, changes it, and confirms or takes back."""

    def __init__(self, manager: ServiceManager, watchdog: Watchdog, root: Path = Path("/")) -> None:
        """Work on the files below `root`."""
        self._manager, self._watchdog, self._root = manager, watchdog, root
        self._journal = Journal(root, holds=True)

    def look(self, build: Build) -> dict[str, Any]:
        """Return what the node has; secrets are in `undo` alone.

        Returns:
            `files`: owner, mode and SHA-256 of each, by path; `services`: those that run, and whether by what
            was applied; `diff`: how that is not what `build` says; `undo`: what brings the node back after a
            change to `build`.

        Raises:
            NodeError: the node was never provisioned, or a provisioning of it was cut off.
        """
        with self._journal.alone():
            work = self._compared(build)
            paths = dict.fromkeys((*(file.path for file in build.files), *work.owned.files))
            found = {path: read(self._journal.at(path)) for path in paths}
            return {
                "files": {path: _told(content) for path, content in found.items() if content},
                "services": work.running(),
                "diff": [dict(entry) for entry in work.diff()],
                "undo": self._undo(work),
            }

    def held(self) -> bool:
        """Tell whether a change waits to be confirmed."""
        return self._journal.held()

    def hold(self, build: Build, seconds: int, program: str) -> None:
        """Make the node what `build` says, for so many seconds unless that is confirmed.

        Args:
            build: what it is to have.
            seconds: after which it is taken back.
            program: text of the Python program that takes it back.

        Raises:
            NodeError: it was refused or failed; the node is as it was before.
        """
        with self._journal.alone():
            if self._journal.held():
                raise NodeError(HELD)
            work = self._compared(build)
            if not work.is_due:
                raise NodeError("nothing is to be changed any more: look again")
            self._watchdog.arm(seconds, program)
            try:
                work.change()
            finally:
                if not self._journal.found():
                    self._watchdog.disarm()

    def confirm(self) -> bool:
        """Let what is held stay; False where nothing is held any more."""
        with self._journal.alone():
            if not self._journal.held():
                return False
            self._journal.close()
            self._watchdog.disarm()
            return True

    def take_back(self, *, patient: bool = False) -> bool:
        """Bring back what was before what is held; False where nothing is held any more.

        Args:
            patient: wait until another run is done.

        Raises:
            NodeError: files are back, and a service is not.
        """
        with self._journal.alone(patient=patient):
            held = self._journal.held()
            if held:
                self._restore()
            self._watchdog.disarm()
            return held

    def undo(self, before: Mapping[str, Any]) -> None:
        """Bring back what the node had, after it was confirmed.

        Args:
            before: `undo` of a `look` before the change.

        Raises:
            NodeError: another change is held, or something is not back.
        """
        changes = [Change(path, _content(had), None) for path, had in before["files"].items()]
        with self._journal.alone():
            if self._journal.found():
                raise NodeError(HELD)
            self._journal.adopt(changes, before["folders"], before["services"])
            self._restore()

    def _compared(self, build: Build) -> Run:
        if self._journal.found() and not self._journal.held():
            raise NodeError("a provisioning of this node was cut off: run site.yml for it first")
        if read(self._root / OWNED) is None:
            raise NodeError("this node was never provisioned: run site.yml for it first")
        work = Run(tuple(build.files), tuple(build.services), build.secrets, self._manager, self._journal)
        work.compare()
        return work

    def _undo(self, work: Run) -> dict[str, Any]:
        return {
            "files": {change.path: _kept(change.before) for change in work.covered()},
            "folders": [self._journal.name_of(folder) for folder in self._journal.missing(work.changes)],
            "services": work.states(),
        }

    def _restore(self) -> None:
        if troubles := restore(self._journal, self._manager):
            raise NodeError(f"the files are as they were, but {'; '.join(troubles)}")


def _told(content: Content) -> tuple[str, str, str]:
    """Return owner, mode and digest of a file; the group is told where it is not the owner's."""
    stat = content.stat
    mode = f"{stat.mode:04o}"
    owner = str(stat).split()[0]
    user = owner.partition(":")[0]
    try:
        usual = ownership(pwd.getpwuid(stat.uid).pw_name, mode) == stat
    except (KeyError, NodeError):
        usual = False
    return user if usual else owner, mode, hashlib.sha256(content.data).hexdigest()


def _kept(content: Content | None) -> dict[str, Any] | None:
    if content is None:
        return None
    return {"data": base64.b64encode(content.data).decode(), "stat": asdict(content.stat)}


def _content(had: Mapping[str, Any] | None) -> Content | None:
    return Content(base64.b64decode(had["data"]), Stat(**had["stat"])) if had else None
