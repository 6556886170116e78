"""A Linux device as one end of a line: changed by the program that provisions it, until that is confirmed.

What it has is the answer of that program: files by their digests, services, and what would bring it all back.
What it shall have is its build. Either is JSON. The lines of a change are one document, that of the program's
step; so a change, and its inverse by what was noted, go the way of every other device.
"""

import base64
import difflib
import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

from heiiki.errors import TransportError
from heiiki.fleet.blocking import in_thread
from heiiki.fleet.errors import (
    BusyError,
    FleetError,
    HostKeyError,
    NotPendingError,
    RefusedError,
    SessionLostError,
    UnreachableError,
)
from heiiki.fleet.masking import mask
from heiiki.fleet.model import (
    Change,
    Comparison,
    ConfirmFrom,
    Pending,
    Safety,
    Staged,
    Target,
    deadline,
)
from heiiki.render.placeholders import filled

LINUX = "linux"
"""The platform of such an end."""

SAFETY = Safety(
    arms="a timer of systemd",
    unit_s=1,
    least_s=10,
    most_s=86_400,
    confirms="the end of the journal",
    confirm_from=ConfirmFrom.ANY,
    reverts="the journal",
    checks="the checks of its files",
    lost_session="the timer goes on, after a reboot from its beginning",
    needs="systemd; `site.yml` has provisioned it once",
    source="heiiki.fleet.linux",
)
"""How safe a push is at the Linux end of a line."""

_LOOK_S = 120.0
_CHANGE_S = 600.0
_STRANGER = "Host key verification failed"

Ask = Callable[[Mapping[str, Any], float], Mapping[str, Any]]
"""Has the device's program take one step, in so many seconds, and returns its answer; it blocks.

Raises `TransportError` where there is none."""


class LinuxSession:
    """One session; see `heiiki.fleet.model.DeviceSession`."""

    def __init__(self, target: Target, ask: Ask, take_back: str, end: Callable[[], None]) -> None:
        """Ask a device that was reached; `connect` makes a session.

        Args:
            target: the device.
            ask: has its program take a step.
            take_back: text of the program that the device's timer runs.
            end: lets go of the connection.
        """
        self._target, self._ask, self._take_back, self._end = target, ask, take_back, end
        self._mask = mask((*target.secrets, *target.login.secrets))

    @property
    def safety(self) -> Safety:
        """How safe a push is here."""
        return SAFETY

    @property
    def notice(self) -> str:
        """Nothing: OpenSSH has examined the host key."""
        return ""

    async def running(self) -> str:
        """Return what the device has, beside what would change for its build."""
        seen = await self._step({"step": "look", "build": json.loads(self._target.intended)}, _LOOK_S)
        return json.dumps(seen, sort_keys=True)

    async def stage(self, change: Change) -> Staged:
        """Keep the document; the device examines its files before it installs the first."""
        return Staged(change, checked=False)

    async def apply(self, staged: Staged, *, revert_in_s: float, without_rollback: bool = False) -> Pending:
        """Have the device take the step; what is refused there was taken back there."""
        (document,) = staged.change.lines
        step = json.loads(document)
        if without_rollback:
            await self._step(step, _CHANGE_S)
            return Pending(None)
        seconds = SAFETY.units(revert_in_s)
        until = deadline(seconds)
        try:
            await self._step({**step, "seconds": seconds, "program": self._take_back}, _CHANGE_S)
        except (BusyError, SessionLostError):
            raise
        except FleetError as error:
            raise RefusedError(str(error), 0, str(error), reverted=True) from None
        return Pending(until)

    async def armed(self) -> bool | None:
        """Tell whether a change waits to be confirmed."""
        return bool((await self._step({"step": "held"}, _LOOK_S))["held"])

    async def confirm(self) -> None:
        """Let what is held stay."""
        await self._settle("confirm")

    async def revert(self) -> bool:
        """Take back what is held."""
        await self._settle("take_back")
        return True

    async def save(self) -> None:
        """Do nothing: files are what outlives a reboot."""

    async def close(self) -> None:
        """Let go of the connection."""
        await in_thread(self._end)

    async def _settle(self, step: str) -> None:
        if not (await self._step({"step": step}, _CHANGE_S))["held"]:
            raise NotPendingError(f"{self._target.name}: no change waits to be confirmed")

    async def _step(self, step: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        try:
            answer = dict(await in_thread(lambda: self._ask(step, seconds)))
        except TransportError as error:
            raise SessionLostError(self._mask(str(error))) from None
        if told := answer.pop("error"):
            text = f"{self._target.name}: {self._mask(told)}"
            raise BusyError(text) if answer["busy"] else FleetError(text)
        answer.pop("busy")
        return answer


async def connect(
    target: Target, opened: Callable[[], tuple[Ask, Callable[[], None]]], take_back: str
) -> LinuxSession:
    """Open a session of its own, so that a second one shows that the device lets one in.

    Args:
        target: the device.
        opened: opens a connection; returns what asks, and what lets go of it. It blocks.
        take_back: text of the program that the device's timer runs.

    Raises:
        UnreachableError: the device is not reached.
        HostKeyError: it has another host key than the known one.
    """
    try:
        ask, end = await in_thread(opened)
    except TransportError as error:
        raise UnreachableError(str(error)) from None
    session = LinuxSession(target, ask, take_back, end)
    try:
        await session.armed()
    except SessionLostError as error:
        await session.close()
        if _STRANGER in str(error):
            raise HostKeyError(str(error)) from None
        raise UnreachableError(str(error)) from None
    except FleetError:
        await session.close()
        raise
    return session


class LinuxComparer:
    """Compares what a Linux device has with its build, or with what it had."""

    def compare(self, running: str, intended: str) -> Comparison:
        """Return the one document that leads from `running` to `intended`, if they differ."""
        has, wanted = json.loads(running), json.loads(intended)
        if "undo" in wanted:  # what it had: a service that had drifted then runs by what was applied now
            files = _differing(has["files"], wanted["files"])
            services = _differing(dict.fromkeys(has["services"]), dict.fromkeys(wanted["services"]))
            step: dict[str, Any] = {"step": "undo", "before": wanted["undo"]}
            diff = "".join(f"{name} is not what it was\n" for name in (*files, *services))
        else:
            services = _differing(has["services"], _services(wanted))
            files = _differing(has["files"], _files(wanted))
            step = {"step": "hold", "build": wanted}
            diff = "\n".join(_told(entry) for entry in has["diff"])
        return Comparison((json.dumps(step),) if files or services else (), diff)


def identity(running: str) -> str:
    """Return what a device has, without what depends on its build, and without any secret."""
    seen = json.loads(running)
    return json.dumps({"files": seen["files"], "services": seen["services"]}, sort_keys=True)


def _files(build: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return owner, mode and digest of each file of a build, as a device tells them."""
    return {file["path"]: [file["owner"], file["mode"], _digest(file, build)] for file in build["files"]}


def _digest(file: Mapping[str, Any], build: Mapping[str, Any]) -> str:
    content = str(file["content"])
    if file["encoding"] == "base64":
        return hashlib.sha256(base64.b64decode(content)).hexdigest()
    return hashlib.sha256(filled(content, build["secrets"]).encode()).hexdigest()


def _services(build: Mapping[str, Any]) -> dict[str, str]:
    return {service["name"]: "active" for service in build["services"]}


def _differing(has: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    return sorted(name for name in {*has, *wanted} if has.get(name, 0) != wanted.get(name, 0))


def _told(entry: Mapping[str, str]) -> str:
    """Return one difference for people, as its device has told it: secrets stand as digests."""
    if "prepared" in entry:
        return entry["prepared"].rstrip("\n")
    sides = (entry["before"].splitlines(), entry["after"].splitlines())
    heads = (entry["before_header"], entry["after_header"])
    return "\n".join(difflib.unified_diff(*sides, *heads, n=1, lineterm=""))
