"""Platforms without a driver of ours, by netmiko: read and changed, without a timed rollback.

netmiko's defaults are not used where they would hide something: the host key is the pinned one, a refused
line is an error, and a connection is broken instead of left by `exit`.
"""

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from netmiko import ConnectHandler
from netmiko.exceptions import (
    NetmikoAuthenticationException,
    NetmikoBaseException,
)
from paramiko.ssh_exception import BadHostKeyException, SSHException

from heiiki.fleet.blocking import examined, in_thread
from heiiki.fleet.errors import (
    ConsentError,
    HostKeyError,
    LoginError,
    NotPendingError,
    RefusedError,
    SessionLostError,
    UnreachableError,
)
from heiiki.fleet.host_keys import HostKeys
from heiiki.fleet.masking import mask
from heiiki.fleet.model import Change, Pending, Safety, Staged, Target

CONNECT_S = 15.0
_READ_S = 120.0

_BROKEN = (NetmikoBaseException, SSHException, OSError, EOFError, ValueError)

# It logs what it types, at level DEBUG.
logging.getLogger("netmiko").setLevel(logging.WARNING)
logging.getLogger("paramiko").setLevel(logging.CRITICAL)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class NetmikoPlatform:
    """How netmiko is used for a platform.

    Attributes:
        device_type: netmiko's name of it.
        read: shows the running configuration.
        errors: an expression for lines by which a command is refused.
        elevates: the configuration is shown in the administrator's mode only.
        saves: netmiko knows how to save.
    """

    device_type: str
    read: str
    errors: str
    elevates: bool = False
    saves: bool = True


class NetmikoSession:
    """One session; see `heiiki.fleet.model.DeviceSession`."""

    def __init__(self, platform: NetmikoPlatform, target: Target, client: Any, notice: str) -> None:
        """Use a session that is open; `connect` makes one."""
        self._platform, self._target, self._client, self._notice = platform, target, client, notice

    @property
    def safety(self) -> Safety:
        """Return that there is no timed rollback here."""
        return Safety(
            saves="netmiko's `save_config`" if self._platform.saves else "",
            lost_session="every line that was taken stays until a reload",
            needs="a person's yes: nothing takes a change back",
            source="netmiko has none in common for its platforms",
        )

    @property
    def notice(self) -> str:
        """What first contact had to say."""
        return self._notice

    async def running(self) -> str:
        """Return what the platform's command shows."""
        return str(
            await self._call(lambda: self._client.send_command(self._platform.read, read_timeout=_READ_S))
        )

    async def stage(self, change: Change) -> Staged:
        """Keep the lines; the device has not seen them."""
        return Staged(change, checked=False)

    async def apply(self, staged: Staged, *, revert_in_s: float, without_rollback: bool = False) -> Pending:
        """Type the lines one by one; the first that is refused ends it."""
        del revert_in_s
        if not without_rollback:
            raise ConsentError(f"{self._target.name}: nothing takes a change back here by itself")
        await self._call(self._client.config_mode)
        masked = mask((*self._target.secrets, *self._target.login.secrets, *staged.change.secrets))
        for number, line in enumerate(staged.change.lines, start=1):
            text = await self._call(lambda: self._typed(line))  # noqa: B023 - awaited in this turn
            if re.search(self._platform.errors, text, re.MULTILINE):
                await self._call(self._client.exit_config_mode)
                words, shown = masked(" ".join(text.split())[:300]), masked(line.strip())
                raise RefusedError(
                    f"{self._target.name}: line {number} of the change was refused, `{shown}`: {words}",
                    number,
                    words,
                    line=shown,
                )
        await self._call(self._client.exit_config_mode)
        return Pending(None)

    async def armed(self) -> bool | None:
        """Return False: there is no timer."""
        return False

    async def confirm(self) -> None:
        """Raise: there is nothing to confirm."""
        raise NotPendingError(f"{self._target.name}: there is nothing to confirm without a timed rollback")

    async def revert(self) -> bool:
        """Return False: there is no word for it."""
        return False

    async def save(self) -> None:
        """Save, where netmiko knows how."""
        if self._platform.saves:
            await self._call(self._client.save_config)

    async def close(self) -> None:
        """Break the connection: netmiko's own `disconnect` leaves by `exit`, and says yes to questions."""
        await in_thread(self._client.remote_conn_pre.close)

    def _typed(self, line: str) -> str:
        # Verified, netmiko reads up to echo and prompt; unverified, until nothing came for 2 s.
        client = self._client
        return str(
            client.send_config_set([line], enter_config_mode=False, exit_config_mode=False, cmd_verify=True)
        )

    async def _call(self, call: Callable[[], T]) -> T:
        try:
            return await in_thread(call)
        except _BROKEN as error:
            # Its text quotes what was typed.
            raise SessionLostError(
                f"{self._target.name}: the session by netmiko: {type(error).__name__}"
            ) from None


async def connect(
    platform: NetmikoPlatform, target: Target, keys: HostKeys, seconds: float = CONNECT_S
) -> NetmikoSession:
    """Open a session.

    The host key is examined first, by our own check; netmiko is given the file with it, and takes no other.

    Raises:
        UnreachableError: there is no session, in time.
        HostKeyError: the device has another host key.
        LoginError: it does not let the user in.
    """
    device = await examined(target, keys, seconds)
    try:
        client = await in_thread(lambda: _client(platform, target, keys, seconds))
    except NetmikoAuthenticationException as error:
        raise LoginError(
            f"{device.where}: user {target.login.user} is not let in; check the log-in"
        ) from error
    except BadHostKeyException as error:
        raise HostKeyError(f"{device.where}: the host key is not the pinned one") from error
    except _BROKEN as error:
        raise UnreachableError(f"{device.where}: no session by netmiko: {type(error).__name__}") from None
    return NetmikoSession(platform, target, client, device.notice)


def _client(platform: NetmikoPlatform, target: Target, keys: HostKeys, seconds: float) -> Any:
    login = target.login
    client = ConnectHandler(
        device_type=platform.device_type,
        host=target.host,
        port=target.port,
        username=login.user,
        password=login.password or None,
        secret=login.admin_password,
        use_keys=bool(login.key_file),
        key_file=login.key_file or None,
        allow_agent=False,
        ssh_strict=True,
        system_host_keys=False,
        alt_host_keys=True,
        alt_key_file=str(keys.path),
        conn_timeout=seconds,
    )
    if platform.elevates:
        client.enable()
    return client
