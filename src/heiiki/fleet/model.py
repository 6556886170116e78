"""Devices, changes and results as the fleet engine passes them around."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Login:
    """Who logs in.

    Attributes:
        user: the name.
        password: of the log-in; empty where a key is used.
        admin_password: of the administrator's mode (Yamaha), or the enable secret (IOS-XE); empty without.
        key_file: a private key in OpenSSH's format; empty where a password is used.
    """

    user: str
    password: str = field(default="", repr=False)
    admin_password: str = field(default="", repr=False)
    key_file: str = ""

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no text may show."""
        return tuple(one for one in (self.password, self.admin_password) if one)


@dataclass(frozen=True, slots=True)
class Target:
    """A device of a run.

    Attributes:
        name: the device, as the plan names it.
        platform: whose command line it has, such as `cisco_iosxe`.
        host: address or name that it is reached by.
        port: of SSH.
        login: who logs in.
        intended: the configuration that it shall have.
        secrets: values in `intended` that no text may show.
    """

    name: str
    platform: str
    host: str
    login: Login
    intended: str = field(repr=False)
    port: int = 22
    secrets: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Change:
    """Lines for a device, in order.

    Attributes:
        lines: as they are typed in configuration mode.
        secrets: values in them that no text may show.
    """

    lines: tuple[str, ...] = field(repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Staged:
    """A change that can be applied.

    Attributes:
        change: the lines.
        checked: the device has examined them without applying any.
    """

    change: Change
    checked: bool


@dataclass(frozen=True, slots=True)
class Pending:
    """An applied change.

    Attributes:
        until: when the device takes it back by itself, as `time.time()`; None where it does not.
        notices: what the device said of the lines that it took, secrets masked.
    """

    until: float | None
    notices: tuple[str, ...] = ()


class ConfirmFrom(StrEnum):
    """From where a change can be confirmed."""

    ANY = "any session"
    ARMING = "the session that armed the timer"
    NOWHERE = "nothing to confirm"


@dataclass(frozen=True, slots=True)
class Safety:
    """How safe a push is on a platform, as its vendor's reference has it.

    Attributes:
        arms: what arms the rollback; empty where there is none.
        unit_s: its unit, seconds.
        least_s: shortest time, seconds.
        most_s: longest time, seconds.
        confirms: what confirms.
        confirm_from: in which session.
        reverts: what takes a change back at once; empty where there is nothing.
        checks: what examines a change before it is applied; empty where there is nothing.
        saves: what lets a change outlive a reload; empty where it does by itself.
        lost_session: what a lost session does.
        needs: what must be there first.
        source: where this was read.
    """

    arms: str = ""
    unit_s: int = 1
    least_s: int = 1
    most_s: int = 1
    confirms: str = ""
    confirm_from: ConfirmFrom = ConfirmFrom.NOWHERE
    reverts: str = ""
    checks: str = ""
    saves: str = ""
    lost_session: str = ""
    needs: str = ""
    source: str = ""

    def units(self, seconds: float) -> int:
        """Return a time in the unit of the timer, rounded up into its range."""
        bounded = min(max(seconds, self.least_s), self.most_s)
        return -int(-bounded // self.unit_s)


def deadline(seconds: float) -> float:
    """Return the time in so many seconds, as `time.time()`."""
    return time.time() + seconds


class DeviceSession(Protocol):
    """One session with a device, whatever protocol it speaks.

    Every method raises `SessionLostError` when the session breaks, which says nothing of what the device did.
    """

    @property
    def safety(self) -> Safety:
        """How safe a push is here."""

    @property
    def notice(self) -> str:
        """What first contact has to say; empty where the device is known."""

    async def running(self) -> str:
        """Return the running configuration, without what changes from one reading to the next."""

    async def stage(self, change: Change) -> Staged:
        """Hand over a change; nothing is applied.

        Raises:
            RefusedError: the device examines changes, and does not accept this one.
            BusyError: another operator has the configuration.
        """

    async def apply(self, staged: Staged, *, revert_in_s: float, without_rollback: bool = False) -> Pending:
        """Apply a staged change with a timed rollback.

        Args:
            staged: the change.
            revert_in_s: after which the device takes it back unless it is confirmed; rounded up to its unit.
            without_rollback: consent to apply it where the device has no timed rollback.

        Raises:
            ConsentError: there is no timed rollback, and no consent. Nothing was applied.
            RefusedError: a line was refused; `reverted` says whether the earlier ones are gone again.
            BusyError: another operator has the configuration. Nothing was applied.
        """

    async def armed(self) -> bool | None:
        """Tell whether a rollback timer runs; None where the device cannot be asked."""

    async def confirm(self) -> None:
        """Confirm the change, in a session that `safety.confirm_from` allows.

        Raises:
            NotPendingError: there is nothing to confirm.
        """

    async def revert(self) -> bool:
        """Take the change back at once; False where there is no word for it.

        Raises:
            NotPendingError: the device has taken it back already.
        """

    async def save(self) -> None:
        """Let what runs outlive a reload."""

    async def close(self) -> None:
        """End the session without a word that could confirm anything."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What leads from one configuration to another.

    Attributes:
        lines: to be typed; none where the two are equal.
        diff: for people, secrets masked.
    """

    lines: tuple[str, ...] = field(repr=False)
    diff: str


class Comparer(Protocol):
    """Normalises and compares configurations of one platform."""

    def compare(self, running: str, intended: str) -> Comparison:
        """Return what leads from `running` to `intended`; either may be what a device has shown."""


class Outcome(StrEnum):
    """What became of a device."""

    CHANGED = "changed"
    UNCHANGED = "unchanged"
    FAILED = "failed"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one device.

    Attributes:
        device: its name.
        outcome: changed (in check mode: would be), unchanged, failed, unreachable.
        diff: what changed, secrets masked.
        reason: why it failed; empty where it did not.
        notices: what the device said, and what this run found out, in order.
        seconds: how long it took.
    """

    device: str
    outcome: Outcome
    diff: str = ""
    reason: str = ""
    notices: tuple[str, ...] = ()
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is.

    Attributes:
        done: devices that have a result.
        changed: of them.
        failed: of them, unreachable ones included.
        total: devices of the run.
        per_s: devices a second until now.
        left_s: seconds that the rest takes at this rate.
    """

    done: int
    changed: int
    failed: int
    total: int
    per_s: float
    left_s: float


Watch = Callable[[Progress], None]
