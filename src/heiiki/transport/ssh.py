"""The way to real hosts: the OpenSSH client, one shared connection a host."""

import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from heiiki.errors import TransportError
from heiiki.transport.base import Completed

_CONNECTION_FAILED = 255
_CONNECT_S = 10


class SshTransport:
    """Runs programs over SSH with keys only: it never asks, and a host whose key is unknown is refused."""

    def __init__(
        self,
        hosts: Mapping[str, str],
        *,
        user: str = "root",
        become: bool = False,
        options: Sequence[str] = (),
    ) -> None:
        """Reach device NAME at ``hosts[NAME]``.

        Args:
            hosts: host name or address of each device.
            user: user to log in as.
            become: run programs as root by ``sudo``, which must ask for no password.
            options: further arguments of ``ssh``, such as ``("-F", "ssh_config")``.
        """
        self._hosts = dict(hosts)
        self._user = user
        self._root = ("sudo", "--non-interactive", "--") if become else ()
        self._options = tuple(options)
        self._sockets = Path(tempfile.mkdtemp(prefix="heiiki-ssh-"))

    def run(
        self, device: str, argv: Sequence[str], *, stdin: bytes = b"", timeout: float = 30.0
    ) -> Completed:
        """Run `argv` on `device` and wait until it ends; status 255 is taken as a failed connection."""
        try:
            done = subprocess.run(
                [*self._ssh(device), shlex.join((*self._root, *argv))],
                input=stdin,
                capture_output=True,
                timeout=timeout + _CONNECT_S,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise TransportError(f"{device}: {argv[0]} did not end within {timeout:g} s") from error
        except OSError as error:
            raise TransportError(f"{device}: ssh cannot be started: {error.strerror}") from error
        if done.returncode == _CONNECTION_FAILED:
            said = done.stderr.decode(errors="replace").strip()
            raise TransportError(f"{device}: no SSH connection to {self._hosts[device]}: {said}")
        return Completed(done.returncode, done.stdout, done.stderr)

    def spawn(self, device: str, argv: Sequence[str]) -> None:
        """Start `argv` on `device` in a session of its own."""
        script = f"setsid {shlex.join(argv)} </dev/null >/dev/null 2>&1 &"
        done = self.run(device, ("sh", "-c", script))
        if done.rc:
            raise TransportError(
                f"{device}: {argv[0]} was not started: {done.stderr.decode(errors='replace')}"
            )

    def close(self) -> None:
        """End the shared connections."""
        for host in dict.fromkeys(self._hosts.values()):
            if any(self._sockets.iterdir()):
                path = ("-o", f"ControlPath={self._sockets}/%C")
                ask = ["ssh", *path, *self._options, "-O", "exit", f"{self._user}@{host}"]
                subprocess.run(ask, capture_output=True, check=False)
        shutil.rmtree(self._sockets, ignore_errors=True)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the shared connections."""
        self.close()

    def _ssh(self, device: str) -> list[str]:
        if device not in self._hosts:
            raise TransportError(f"{device}: no host is known for it; give its address")
        options = {
            "BatchMode": "yes",
            "ConnectTimeout": str(_CONNECT_S),
            "ControlMaster": "auto",
            "ControlPath": f"{self._sockets}/%C",
            "ControlPersist": "60",
            "ServerAliveInterval": "5",
        }
        flags = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        return ["ssh", *flags, *self._options, f"{self._user}@{self._hosts[device]}"]
