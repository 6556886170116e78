"""Programs on a Linux host, run over SSH for NAPALM's driver of FRRouting."""

import contextlib
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import paramiko
from napalm.base.exceptions import (
    CommandTimeoutException,
    ConnectAuthError,
    ConnectionClosedException,
    ConnectionException,
)

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Ran:
    """What a program did.

    Attributes:
        code: its exit code.
        out: its standard output.
        errors: its standard error.
    """

    code: int
    out: str
    errors: str


@dataclass(frozen=True, slots=True)
class Way:
    """How a host is reached.

    Attributes:
        host: address or name.
        user: who logs in.
        password: of the log-in; empty where a key is used.
        port: of SSH.
        key_file: a private key; empty where a password is used.
        known_hosts: the file with the host's key; empty for that of the user.
        become: `sudo` makes the user root, and asks for no password.
        timeout_s: how long a program may take.
    """

    host: str
    user: str
    password: str = ""
    port: int = 22
    key_file: str = ""
    known_hosts: str = ""
    become: bool = False
    timeout_s: float = 60.0


class Shell:
    """One connection; a host whose key is not in the file of known hosts is not talked to."""

    def __init__(self, way: Way) -> None:
        """Say how; nothing is sent yet."""
        self._way = way
        self._client: Any = None

    def open(self) -> None:
        """Connect and log in.

        Raises:
            ConnectAuthError: the user is not let in.
            ConnectionException: the host is not reached, or its key is not the known one.
        """
        way, client = self._way, paramiko.SSHClient()
        where = f"{way.host} port {way.port}"
        try:
            if way.known_hosts:
                client.load_host_keys(way.known_hosts)
            else:
                client.load_system_host_keys()
            client.set_missing_host_key_policy(paramiko.RejectPolicy())
            client.connect(
                way.host,
                port=way.port,
                username=way.user,
                password=way.password or None,
                key_filename=way.key_file or None,
                allow_agent=False,
                look_for_keys=False,
                timeout=way.timeout_s,
            )
        except paramiko.AuthenticationException as error:
            client.close()
            raise ConnectAuthError(f"{where}: user {way.user} is not let in") from error
        except (paramiko.SSHException, OSError) as error:
            client.close()
            raise ConnectionException(f"{where}: {error}") from error
        self._client = client

    def close(self) -> None:
        """End the connection."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def is_alive(self) -> bool:
        """Tell whether the connection is there."""
        transport = self._client.get_transport() if self._client is not None else None
        return bool(transport is not None and transport.is_active())

    def run(self, *words: str, given: str = "") -> Ran:
        """Run a program.

        Args:
            words: the program and its arguments; no shell reads them otherwise.
            given: its standard input.

        Raises:
            ConnectionClosedException: the connection broke; what the program did is not known.
            CommandTimeoutException: it took too long; likewise.
        """
        if self._client is None:
            raise ConnectionClosedException("the connection is not open")
        command = shlex.join(("sudo", "-n", "--", *words) if self._way.become else words)
        try:
            return self._ran(command, given)
        except TimeoutError as error:
            raise CommandTimeoutException(f"`{words[0]}` took more than {self._way.timeout_s:g} s") from error
        except (paramiko.SSHException, OSError, EOFError) as error:
            raise ConnectionClosedException(f"the connection broke in `{words[0]}`: {error}") from error

    def _ran(self, command: str, given: str) -> Ran:
        stdin, stdout, stderr = self._client.exec_command(command, timeout=self._way.timeout_s)
        with contextlib.closing(stdout), contextlib.closing(stderr):
            stdin.write(given)
            stdin.channel.shutdown_write()
            out, errors = stdout.read(), stderr.read()
            code = stdout.channel.recv_exit_status()
        if code < 0:
            raise EOFError("it ended without an exit code")
        return Ran(code, out.decode("utf-8", "replace"), errors.decode("utf-8", "replace"))


def lines(ran: Ran, least: str = "") -> str:
    """Return the last words of a program that failed, on one line."""
    told: Sequence[str] = [line.strip() for line in (ran.out + "\n" + ran.errors).splitlines()]
    return "; ".join([line for line in told if line][-3:]) or least
