# Copyright: Heiiki contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The whole of a role's work on one Linux node: compare, validate, install, apply, check, or restore.

Standard library only. Nothing is written before everything that can be refused has been looked at, and
whatever goes wrong after that brings the old files and the old services back.
"""

import base64
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

from ansible_collections.heiiki.network.plugins.module_utils.journal import Change, Journal
from ansible_collections.heiiki.network.plugins.module_utils.node_diff import (
    PLACEHOLDER,
    file_diff,
    secrecy,
    without,
)
from ansible_collections.heiiki.network.plugins.module_utils.node_files import (
    Content,
    NodeError,
    Stat,
    ownership,
    read,
)
from ansible_collections.heiiki.network.plugins.module_utils.node_health import (
    await_healthy,
    drift,
    running_digest,
)
from ansible_collections.heiiki.network.plugins.module_utils.node_manifest import (
    ManagedFile,
    ManagedService,
    Owned,
)
from ansible_collections.heiiki.network.plugins.module_utils.node_restore import restore
from ansible_collections.heiiki.network.plugins.module_utils.service_manager import (
    OWNED,
    ServiceError,
    ServiceManager,
    run,
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run did, or in check mode would do.

    Attributes:
        files: paths that changed.
        services: what was done with each service: started, reloaded, restarted or stopped.
        diff: one entry a file or service, as Ansible prints them; secrets stand as digests.
        recovered: an earlier run had been cut off and was rolled back first.
    """

    changed: bool
    files: tuple[str, ...] = ()
    services: Mapping[str, str] = field(default_factory=dict)
    diff: tuple[Mapping[str, str], ...] = ()
    recovered: bool = False

    def answer(self) -> dict[str, Any]:
        """Return it as modules answer it."""
        return {
            "changed": self.changed,
            "files": list(self.files),
            "services": dict(self.services),
            "recovered": self.recovered,
            "diff": [dict(entry) for entry in self.diff],
            "warnings": ["an earlier run was cut off, and is rolled back first"] if self.recovered else [],
        }


def apply(
    files: Sequence[ManagedFile],
    services: Sequence[ManagedService],
    *,
    secrets: Mapping[str, str],
    manager: ServiceManager,
    root: Path = Path("/"),
    check: bool = False,
) -> Outcome:
    """Make the node what the manifest says.

    Args:
        files: every file of the device.
        services: every service of the device, in the order in which they are started.
        secrets: value of each placeholder that stands in the files.
        manager: starts and reloads the services.
        root: where the node's files stand.
        check: say what would be done, and do nothing.

    Raises:
        NodeError: refused or failed; the node is as it was before.
    """
    journal = Journal(root)
    work = Run(tuple(files), tuple(services), secrets, manager, journal)
    try:
        recovered = work.run(check=check)
    except (NodeError, ServiceError) as error:
        raise type(error)(without(secrets.values(), str(error))) from None  # its causes hold them too
    return Outcome(
        changed=work.is_due or recovered,
        files=tuple(change.path for change in work.changes),
        services=work.due,
        diff=tuple(work.diff()),
        recovered=recovered,
    )


def first_difference(
    files: Sequence[ManagedFile],
    services: Sequence[ManagedService],
    *,
    secrets: Mapping[str, str],
    manager: ServiceManager,
    root: Path = Path("/"),
) -> str:
    """Return the first thing that `apply` would change, or an empty text; nothing is changed.

    Raises:
        NodeError: a file or its owner cannot be read.
        ServiceError: a running configuration cannot be read.
    """
    journal = Journal(root)
    if journal.found():
        return "an earlier run was cut off"
    work = Run(tuple(files), tuple(services), secrets, manager, journal)
    work.compare()
    return work.first_difference()


HELD = (
    "a push of a line has changed this node, and has not confirmed it: wait until it is done, or run "
    "`heiiki push` again, which settles it; `systemctl start heiiki-held` takes it back at once"
)
_DONE = {"start": "started", "reload": "reloaded", "restart": "restarted", "stop": "stopped"}


class Run:
    """One run: its comparison, and the steps that follow from it."""

    def __init__(
        self,
        files: tuple[ManagedFile, ...],
        services: tuple[ManagedService, ...],
        secrets: Mapping[str, str],
        manager: ServiceManager,
        journal: Journal,
    ) -> None:
        self._files = {file.path: file for file in files}
        self._services = services
        self._secrets = secrets
        self._manager = manager
        self._journal = journal
        self._record = f"/{OWNED}"
        self.owned = Owned()
        self._drift: dict[str, str] = {}
        self.changes: tuple[Change, ...] = ()
        self.due: dict[str, str] = {}

    @property
    def is_due(self) -> bool:
        """Whether anything is to be done."""
        return bool(self.changes or self.due)

    def run(self, *, check: bool) -> bool:
        """Compare, and change unless `check`; tells whether an earlier run was cut off."""
        if check:
            self.compare()
            return self._journal.found() and not self._journal.held()
        with self._journal.alone():
            recovered = self.recover()
            self.compare()
            self.change()
        return recovered

    def recover(self) -> bool:
        """Roll back a run that was cut off; tells whether there was one."""
        if not self._journal.found():
            self._journal.close()
            return False
        if self._journal.held():
            raise NodeError(HELD)
        troubles = restore(self._journal, self._manager)
        if troubles:
            raise NodeError(f"an earlier run was cut off; its files are restored, but {'; '.join(troubles)}")
        return True

    def compare(self) -> None:
        """Find what differs, files first: what is due for the services follows from it."""
        record = read(self._journal.at(self._record))
        self.owned = Owned.parse(record.data) if record else Owned()
        self.changes = (*self._wanted(), *self._leftover())
        self._drift = dict(self._drifted())
        self.due = dict(self._due())

    def first_difference(self) -> str:
        """Return the first thing that is due, or that the record of the last run does not say yet."""
        for change in self.changes:
            return f"{change.path} differs"
        for name, verb in self.due.items():
            return f"service {name} is to be {verb}"
        same = self._new_record().render() == self.owned.render()
        return "" if same else "the record of the last run names other files or services"

    def running(self) -> dict[str, str]:
        """Return the services that run, of this manifest and of the last, and whether by what was applied."""
        names = (*(service.name for service in self._services), *(one["name"] for one in self.owned.services))
        return {
            name: "drifted" if name in self._drift else "active"
            for name in dict.fromkeys(names)
            if self._manager.is_active(name)
        }

    def change(self) -> None:
        """Do what is due; on any failure bring the old state back and say so."""
        if not self.is_due:
            self._keep_record()
            return
        try:
            self._journal.stage(self.changes)
            self._validate()
            self._journal.open(self.covered(), self.states())
            self._leave()
            self._journal.install(self.changes)
            self._work()
            self._write_record(self._new_record())
        except (NodeError, ServiceError, OSError) as error:
            troubles = restore(self._journal, self._manager)
            restored = "the node is as it was" if not troubles else f"restored, but {'; '.join(troubles)}"
            raise NodeError(f"{error} ({restored})") from error
        if not self._journal.holds:
            self._journal.close()

    def diff(self) -> Iterator[dict[str, str]]:
        """Yield what differs, for Ansible to print."""
        for change in self.changes:
            yield file_diff(change, self._files.get(change.path), self.owned.files.get(change.path, {}))
        for name, verb in self.due.items():
            why = f": {self._drift[name]}" if name in self._drift else ""
            yield {"prepared": f"service {name}: {verb}{why}\n"}

    # -- comparison

    def _wanted(self) -> Iterator[Change]:
        for path, file in self._files.items():
            stat, before = self._ownership(file), read(self._journal.at(path))
            after = Content(self._resolved(file), stat)
            if before != after:
                yield Change(path, before, after)

    def _leftover(self) -> Iterator[Change]:
        for path in self.owned.files:
            before = None if path in self._files else read(self._journal.at(path))
            if before:
                yield Change(path, before, None)

    def _resolved(self, file: ManagedFile) -> bytes:
        """Return what a file has to hold."""
        if file.encoding == "base64":
            return base64.b64decode(file.content)
        try:
            return PLACEHOLDER.sub(lambda found: self._secrets[found.group()], file.content).encode()
        except KeyError as error:
            raise NodeError(f"{file.path}: no value was sent for {error.args[0]}") from error

    def _ownership(self, file: ManagedFile) -> Stat:
        try:
            return ownership(file.owner, file.mode)
        except NodeError as error:
            raise NodeError(f"{file.path}: {error}") from error

    def _drifted(self) -> Iterator[tuple[str, str]]:
        """Yield the services whose running configuration is not that of their files, or of the last run."""
        for service in self._services:
            if service.running and self._manager.is_active(service.name):
                changing = any(self._touches(change.path, service) for change in self.changes)
                told = drift(service, self.owned.running.get(service.name, ""), changing=changing)
                if told:
                    yield service.name, f"its running configuration is not what was applied{told}"

    def _due(self) -> Iterator[tuple[str, str]]:
        names = {service.name for service in self._services}
        for left in reversed(self.owned.services):
            if left["name"] not in names:
                yield left["name"], _DONE["stop"]
        for service in self._services:
            verb = self._verb(service)
            if verb:
                yield service.name, _DONE[verb]

    def _verb(self, service: ManagedService) -> str:
        touched = [change.path for change in self.changes if self._touches(change.path, service)]
        if not self._manager.is_active(service.name):
            return "start"
        if any(path in service.restart_on or path.endswith(f"/{service.name}.service") for path in touched):
            return "restart"
        if touched:
            return service.on_change
        return "reload" if service.name in self._drift else ""

    def _touches(self, path: str, service: ManagedService) -> bool:
        return path in service.restart_on or self._service_of(path) == service.name

    def _service_of(self, path: str) -> str:
        if path in self._files:
            return self._files[path].service
        return str(self.owned.files[path]["service"])

    # -- change

    def covered(self) -> tuple[Change, ...]:
        """Return what changes, and the record of the last run, which changes with it."""
        return (*self.changes, Change(self._record, read(self._journal.at(self._record)), None))

    def states(self) -> dict[str, str]:
        """Return what each service that is due is, so that it can become that again."""
        return {name: self._state(name) for name in self.due}

    def _state(self, name: str) -> str:
        if not self._manager.is_active(name):
            return "inactive"
        return "reload" if self.due[name] == _DONE["reload"] else "restart"

    def _validate(self) -> None:
        for change in self.changes:
            file = self._files.get(change.path)
            if file and file.validate:
                candidate = str(self._journal.candidate(change.path))
                argv = [word.replace("{path}", candidate) for word in file.validate]
                try:
                    run(argv)
                except ServiceError as error:
                    raise NodeError(f"{change.path} is refused, nothing was changed: {error}") from error

    def _leave(self) -> None:
        """Stop the services that are no longer wanted, while their unit files are still there."""
        for name, verb in self.due.items():
            if verb == _DONE["stop"]:
                self._manager.stop(name)

    def _work(self) -> None:
        acted = [service for service in self._services if service.name in self.due]
        starting = [service.name for service in acted if self.due[service.name] == _DONE["start"]]
        self._manager.prepare([service.name for service in acted], starting)
        for verb, services in groupby(acted, key=lambda service: self.due[service.name]):
            self._act(verb, [*services])

    def _act(self, verb: str, services: Sequence[ManagedService]) -> None:
        """Start services together, which costs one call of systemd; change others one by one."""
        self._manager.start(*(service.name for service in services if verb == _DONE["start"]))
        for service in services:
            if verb == _DONE["reload"]:
                self._manager.reload(service.name)
            elif verb == _DONE["restart"]:
                self._manager.restart(service.name)
            await_healthy(service)

    def _keep_record(self) -> None:
        """Note what belongs to the manifest now, although nothing else had to be changed."""
        record = self._new_record()
        if record.render() != self.owned.render():
            self._write_record(record)

    def _new_record(self) -> Owned:
        running = {name: digest for name, digest in self.owned.running.items() if name not in self.due}
        recorded = [service for service in self._services if service.running and not service.wanted]
        for service in recorded:
            if service.name not in running:
                running[service.name] = running_digest(service)
        return Owned(
            files={path: {"service": file.service, **secrecy(file)} for path, file in self._files.items()},
            services=tuple(
                {"name": service.name, "on_change": service.on_change} for service in self._services
            ),
            running={service.name: running[service.name] for service in recorded},
        )

    def _write_record(self, record: Owned) -> None:
        self._journal.at(self._record).parent.mkdir(parents=True, exist_ok=True)
        after = Content(record.render(), Stat(0o600, os.geteuid(), os.getegid()))
        self._journal.install((Change(self._record, None, after),))
