"""The way to real hosts: the OpenSSH client, one shared connection a host."""

import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from heiiki.errors import TransportError
from heiiki.transport.base import Completed

_CONNECTION_FAILED = 255
_CONNECT_S = 10


@dataclass(frozen=True, slots=True)
class SshHost:
    """How one host is reached.

    Attributes:
        address: host name or address.
        user: user to log in as.
        port: TCP port; None for what the client's configuration says.
        become: program and arguments before each program that needs root, such as ``("sudo", "-n", "--")``.
        options: further arguments of ``ssh``, such as ``("-i", "key")``.
        program: the OpenSSH client.
    """

    address: str
    user: str = "root"
    port: int | None = None
    become: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    program: str = "ssh"


def host_key_options(known_hosts: str | None) -> tuple[str, ...]:
    """Return the arguments of ``ssh`` by which it accepts known host keys only, whatever ssh_config says.

    Args:
        known_hosts: file of the keys (known_hosts(5)); None for the user's own.
    """
    options = {"StrictHostKeyChecking": "yes", "UpdateHostKeys": "no", "ForwardAgent": "no"}
    if known_hosts is not None:
        # ssh takes the value for a list of names, and blanks divide them.
        options |= {"UserKnownHostsFile": f'"{known_hosts}"', "GlobalKnownHostsFile": "none"}
    return _flags(options)


def _flags(options: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(word for name, value in options.items() for word in ("-o", f"{name}={value}"))


class SshTransport:
    """Runs programs over SSH with keys only: it never asks, and a host whose key is unknown is refused."""

    def __init__(self, hosts: Mapping[str, SshHost]) -> None:
        """Reach device NAME at ``hosts[NAME]``."""
        self._hosts = dict(hosts)
        self._sockets = Path(tempfile.mkdtemp(prefix="heiiki-ssh-"))

    def run(
        self, device: str, argv: Sequence[str], *, stdin: bytes = b"", timeout: float = 30.0
    ) -> Completed:
        """Run `argv` on `device` and wait until it ends; status 255 is taken as a failed connection."""
        try:
            done = subprocess.run(
                [*self._ssh(device), shlex.join((*self._hosts[device].become, *argv))],
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
            raise TransportError(f"{device}: no SSH connection to {self._hosts[device].address}: {said}")
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
        for device in self._hosts:
            if any(self._sockets.iterdir()):
                *command, where = self._ssh(device)
                subprocess.run([*command, "-O", "exit", where], capture_output=True, check=False)
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
        host = self._hosts[device]
        port = () if host.port is None else ("-p", str(host.port))
        # Of two values ssh takes the first: what the host's options say has precedence.
        arguments = (*_flags(options), *port, *host.options, *host_key_options(None))
        return [host.program, *arguments, f"{host.user}@{host.address}"]
