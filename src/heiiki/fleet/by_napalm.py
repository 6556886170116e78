"""Platforms by NAPALM's drivers: a candidate, a difference, a commit with a timer where the driver has one.

NAPALM's defaults are not used where they would hide something: the host key is the pinned one, no key of the
user's is offered, and a change that the driver would have to make to the device first (`file prompt quiet`)
is asked of a person. What NAPALM cannot say stays unknown: which line was refused, and what a device holds
after its session was lost.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import napalm
from jnpr.junos.exception import ConnectError, RpcError
from napalm.base import NetworkDriver
from napalm.base.exceptions import (
    CommitConfirmException,
    CommitError,
    ConnectAuthError,
    LockError,
    MergeConfigException,
    NapalmException,
    ReplaceConfigException,
)
from netmiko.exceptions import NetmikoAuthenticationException, NetmikoBaseException
from paramiko.ssh_exception import SSHException

from heiiki.fleet.blocking import examined, in_thread
from heiiki.fleet.cli.drivers import DRIVERS
from heiiki.fleet.errors import (
    BusyError,
    ConsentError,
    LoginError,
    NotPendingError,
    RefusedError,
    SessionLostError,
    UnreachableError,
)
from heiiki.fleet.host_keys import HostKeys
from heiiki.fleet.junos_driver import JunosDriver
from heiiki.fleet.masking import Mask, mask
from heiiki.fleet.model import Change, ConfirmFrom, Pending, Safety, Staged, Target, deadline
from heiiki.fleet.safety import NAPALM_JUNOS

CONNECT_S = 30.0
_REFUSED = (MergeConfigException, ReplaceConfigException, CommitError)
_BROKEN = (
    NapalmException,
    NetmikoBaseException,
    SSHException,
    ConnectError,
    RpcError,
    OSError,
    EOFError,
    ValueError,
)
_PINNED = {
    "ssh_strict": True,
    "system_host_keys": False,
    "alt_host_keys": True,
    "allow_agent": False,
}
"""What netmiko, below NAPALM's driver of IOS, must be told: by itself it accepts any host key."""

# Their levels below show what is typed.
logging.getLogger("napalm").setLevel(logging.WARNING)
logging.getLogger("netmiko").setLevel(logging.WARNING)
logging.getLogger("paramiko").setLevel(logging.CRITICAL)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class NapalmPlatform:
    """How NAPALM is used for a platform.

    Attributes:
        driver: NAPALM's name of it, or a driver that NAPALM does not find by name.
        safety: how safe a push is by this driver.
        options: optional arguments of the driver; with `known_hosts` in them its file is named there.
        netmiko: netmiko is below the driver, and has the host key checked.
        shown: the format in which a configuration is read, of those that the driver knows.
        whole: the device itself takes a change whole or not at all.
        answer_s: how long the device may take for an answer, seconds.
    """

    driver: str | type[NetworkDriver]
    safety: Safety
    options: Mapping[str, Any] = field(default_factory=dict)
    netmiko: bool = False
    shown: str = "text"
    whole: bool = False
    answer_s: int = 60


IOS_XE = NapalmPlatform(
    "ios",
    Safety(
        arms="configure terminal revert timer",
        unit_s=60,
        least_s=60,
        most_s=7200,
        confirms="configure confirm",
        confirm_from=ConfirmFrom.ANY,
        reverts="configure replace of a copy",
        lost_session="the timer goes on; the session's files stay on the device",
        needs="`archive` with a `path`; `file prompt quiet`; `ip scp server enable`",
        source="NAPALM 5.2, driver ios",
    ),
    # Otherwise the driver configures the device by itself, and leaves that there when a session is lost.
    {"auto_file_prompt": False},
    netmiko=True,
)
"""Read and refused keys were tried on a simulated device; a commit by this driver was tried nowhere."""

JUNOS = NapalmPlatform(
    JunosDriver,
    NAPALM_JUNOS,
    {"known_hosts": "", "connect_s": CONNECT_S},
    shown="set",
    whole=True,
    answer_s=300,
)
"""Tried on a simulated device alone (`heiiki_lab.devices`)."""

PUSHED: Mapping[str, NapalmPlatform] = {"juniper_junos": JUNOS}
"""By platform of a plan what a push may go by; the driver of IOS committed nothing anywhere yet."""

FRR = NapalmPlatform(
    "frr",
    Safety(
        arms="systemd-run --on-active",
        unit_s=1,
        least_s=1,
        most_s=86_400,
        confirms="systemctl stop",
        confirm_from=ConfirmFrom.ANY,
        reverts="frr-reload.py with the configuration of before",
        checks="vtysh --dryrun",
        saves="write memory, at the confirmation",
        lost_session="the timer goes on",
        needs="systemd, `frr-pythontools`, root",
        source="heiiki.fleet.frr_driver",
    ),
    {"known_hosts": ""},
)


class NapalmSession:
    """One session; see `heiiki.fleet.model.DeviceSession`."""

    def __init__(self, platform: NapalmPlatform, target: Target, driver: Any, notice: str) -> None:
        """Use a driver that is open; `connect` makes one."""
        self._platform, self._target, self._driver, self._notice = platform, target, driver, notice
        self._mask = self._masking(())

    @property
    def safety(self) -> Safety:
        """How safe a push is by this driver."""
        return self._platform.safety

    @property
    def notice(self) -> str:
        """What first contact had to say."""
        return self._notice

    async def running(self) -> str:
        """Return the running configuration."""
        shown = self._platform.shown
        found = await self._call(lambda: self._driver.get_config(retrieve="running", format=shown))
        if not (text := str(found["running"])).strip():
            raise SessionLostError(f"{self._target.name}: the session by NAPALM: the configuration is empty")
        return text

    async def stage(self, change: Change) -> Staged:
        """Hand the lines over as a candidate that is merged."""
        self._mask = self._masking(change.secrets)
        text = "".join(f"{line}\n" for line in change.lines)
        await self._step(lambda: self._driver.load_merge_candidate(config=text))
        return Staged(change, checked=bool(self.safety.checks))

    async def apply(self, staged: Staged, *, revert_in_s: float, without_rollback: bool = False) -> Pending:
        """Commit the candidate; NAPALM does not say which line a device refused."""
        del staged
        if without_rollback:
            await self._step(self._driver.commit_config)
            return Pending(None)
        seconds = self.safety.units(revert_in_s) * self.safety.unit_s
        try:
            await self._step(lambda: self._driver.commit_config(revert_in=seconds))
        except CommitConfirmException as error:
            raise ConsentError(f"{self._target.name}: {self._mask(str(error))}") from None
        return Pending(deadline(seconds))

    async def armed(self) -> bool | None:
        """Tell whether a commit waits to be confirmed, where the driver finds out."""
        try:
            return bool(await self._call(self._driver.has_pending_commit))
        except CommitConfirmException:
            return None

    async def confirm(self) -> None:
        """Confirm; the driver saves what runs."""
        await self._ended(self._driver.confirm_commit)

    async def revert(self) -> bool:
        """Put back what the driver kept before the commit."""
        await self._ended(self._driver.rollback)
        return True

    async def save(self) -> None:
        """Do nothing: a commit without a timer, and a confirmation, save by themselves."""

    async def close(self) -> None:
        """Break the connection: below netmiko, a driver's own `close` types words and leaves by `exit`."""
        device = getattr(self._driver, "device", None)
        below = getattr(device, "remote_conn_pre", None)
        breaks = below.close if below is not None else getattr(self._driver, "abort", self._driver.close)
        await in_thread(breaks)

    async def _step(self, call: Callable[[], Any]) -> None:
        try:
            await self._call(call)
        except _REFUSED as error:
            words, whole = self._words(error), self._platform.whole
            raise RefusedError(
                f"{self._target.name}: the change was refused: {words}", 0, words, reverted=whole
            ) from None

    async def _ended(self, call: Callable[[], Any]) -> None:
        """End a commit that waits."""
        try:
            await self._call(call)
        except CommitError as error:
            raise NotPendingError(f"{self._target.name}: {self._words(error)}") from None

    async def _call(self, call: Callable[[], T]) -> T:
        try:
            return await in_thread(call)
        except LockError as error:
            raise BusyError(
                f"{self._target.name}: another operator has the configuration: {self._words(error)}"
            ) from None
        except (CommitConfirmException, *_REFUSED):
            raise
        except _BROKEN as error:
            # Its text quotes what was typed.
            raise SessionLostError(
                f"{self._target.name}: the session by NAPALM: {type(error).__name__}"
            ) from None

    def _masking(self, secrets: tuple[str, ...]) -> Mask:
        """Return what hides known secrets, and those that the platform's own lines show."""
        known = DRIVERS.get(self._target.platform)
        named = (*self._target.secrets, *self._target.login.secrets, *secrets)
        return mask(named, known.secrets if known is not None else ())

    def _words(self, error: Exception) -> str:
        return self._mask(" ".join(str(error).split())[:300])


async def connect(
    platform: NapalmPlatform, target: Target, keys: HostKeys, seconds: float = CONNECT_S
) -> NapalmSession:
    """Open a session.

    The host key is examined first, by our own check; the driver is given the file with it, and no other.

    Raises:
        UnreachableError: there is no session, in time.
        HostKeyError: the device has another host key.
        LoginError: it does not let the user in.
    """
    device = await examined(target, keys, seconds)
    driver = _driver(platform, target, keys, seconds)
    try:
        await in_thread(driver.open)
    except (NetmikoAuthenticationException, ConnectAuthError) as error:
        raise LoginError(
            f"{device.where}: user {target.login.user} is not let in; check the log-in"
        ) from error
    except _BROKEN as error:
        raise UnreachableError(f"{device.where}: no session by NAPALM: {type(error).__name__}") from None
    return NapalmSession(platform, target, driver, device.notice)


def _driver(platform: NapalmPlatform, target: Target, keys: HostKeys, seconds: float) -> Any:
    options: dict[str, Any] = {"port": target.port, **platform.options}
    if "known_hosts" in options:
        options["known_hosts"] = str(keys.path.resolve())
    if platform.netmiko:
        options |= {**_PINNED, "alt_key_file": str(keys.path), "secret": target.login.admin_password}
        options |= {"use_keys": bool(target.login.key_file), "conn_timeout": seconds}
    if target.login.key_file:
        options["key_file"] = target.login.key_file
    driver = platform.driver
    made = napalm.get_network_driver(driver) if isinstance(driver, str) else driver
    return made(target.host, target.login.user, target.login.password, platform.answer_s, options)
