"""NAPALM's driver of Junos (PyEZ, over NETCONF), made safe for devices that others work on too.

By itself that driver accepts any host key, and offers the user's own keys and settings; it confirms and rolls
back without a lock, so that what another operator has in the candidate is committed with it; and it leaves a
candidate that a commit refused, with its lock. Errors of PyEZ come out of it as they are.
"""

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from jnpr.junos import Device
from jnpr.junos import exception as pyez
from napalm.base.exceptions import CommitError, ConnectAuthError, ConnectionException, MergeConfigException
from napalm.junos import JunOSDriver
from ncclient.transport import SSHUnknownHostError
from ncclient.transport import session as transport_session

from heiiki.fleet.errors import HostKeyError

# It looks for something to send every 0.1 s, which each request waits for; no parameter says how often.
transport_session.TICK = 0.01
# They log what is sent, with the secrets in it.
logging.getLogger("ncclient").setLevel(logging.WARNING)
logging.getLogger("jnpr").setLevel(logging.WARNING)


class JunosDriver(JunOSDriver):  # type: ignore[misc]  # not annotated
    """The driver; optional arguments beside NAPALM's are `known_hosts`, a file, and `connect_s`, seconds."""

    def __init__(
        self,
        hostname: str,
        username: str,
        password: str,
        timeout: int = 60,
        optional_args: Mapping[str, Any] | None = None,
    ) -> None:
        """Prepare it; `open` connects."""
        options = dict(optional_args or {})
        self._known_hosts, self._connect_s = options.pop("known_hosts"), options.pop("connect_s", 30)
        # An empty file: without one the user's own settings would count.
        super().__init__(hostname, username, password, timeout, {**options, "ssh_config_file": os.devnull})

    def open(self) -> None:
        """Connect to a device that has the pinned host key.

        Raises:
            HostKeyError: it has another one.
            ConnectAuthError: the user is not let in.
            ConnectionException: there is no session.
        """
        with TemporaryDirectory(prefix="heiiki-") as folder:
            self.device = self._pinned(Path(folder) / "ssh_config")
            try:
                super().open()
            except pyez.ConnectAuthError as error:
                raise ConnectAuthError(str(error)) from error
            except pyez.ConnectError as error:
                if isinstance(error.__context__, SSHUnknownHostError):
                    raise HostKeyError(f"{self.hostname}: the host key is not the pinned one") from error
                raise ConnectionException(str(error)) from error

    def abort(self) -> None:
        """Break the connection without a word; the lock goes with it."""
        if self.device._conn is not None:  # noqa: SLF001 - PyEZ and NAPALM have no public name for it
            self.device._conn._session.close()  # noqa: SLF001
        self.device.connected = False

    def load_merge_candidate(self, filename: str | None = None, config: str | None = None) -> None:
        """Lock the candidate, load into it, and have it examined as a commit would.

        Raises:
            LockError: another operator has the configuration.
            MergeConfigException: it is refused; the candidate is as it was, and unlocked.
        """
        super().load_merge_candidate(filename, config)
        try:
            self.device.cu.commit_check()
        except pyez.CommitError as error:
            self.discard_config()
            raise MergeConfigException(error.errs) from error

    def commit_config(self, message: str = "", revert_in: int | None = None) -> None:
        """Commit what is locked.

        Raises:
            CommitError: it is refused; the candidate is as it was, and unlocked.
        """
        try:
            super().commit_config(message, revert_in)
        except pyez.CommitError as error:
            self.discard_config()
            raise CommitError(str(error)) from error

    def confirm_commit(self) -> None:
        """Confirm under the lock: a commit takes every change in the candidate.

        Raises:
            CommitError: nothing waits to be confirmed.
            LockError: another operator has the configuration.
        """
        with self._pending():
            super().confirm_commit()
            self._unlock()

    def rollback(self) -> None:
        """Take back at once what waits to be confirmed.

        Raises:
            CommitError: nothing does.
            LockError: another operator has the configuration.
        """
        with self._pending():
            super().rollback()

    @contextmanager
    def _pending(self) -> Iterator[None]:
        """Lock the candidate for the end of a commit that waits."""
        if not self.has_pending_commit():
            raise CommitError("nothing waits to be confirmed")
        self._lock()
        try:
            yield
        except pyez.CommitError as error:
            self.discard_config()
            raise CommitError(str(error)) from error

    def _pinned(self, settings: Path) -> Device:
        """Return PyEZ's device, which takes the keys of our file alone, and nothing of the user's."""
        settings.write_text(f"Host *\n    UserKnownHostsFile {self._known_hosts}\n", encoding="utf-8")
        return Device(
            self.hostname,
            user=self.username,
            password=self.password,
            port=self.port,
            ssh_private_key_file=self.key_file,
            ssh_config=str(settings),
            hostkey_verify=True,
            look_for_keys=False,
            allow_agent=False,
            huge_tree=self.huge_tree,
            conn_open_timeout=self._connect_s,
        )
