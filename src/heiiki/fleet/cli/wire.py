"""The connection below a command line: asyncssh, a pinned host key, and reading up to what is waited for."""

import asyncio
import re
from collections.abc import Callable
from typing import Any

import asyncssh

from heiiki.fleet.errors import HostKeyError, LoginError, SessionLostError, UnreachableError
from heiiki.fleet.host_keys import HostKeys
from heiiki.fleet.model import Target

_TAIL = 512
"""Characters at the end of what came in which a prompt is looked for."""

_KEY_EXCHANGE = (
    "curve25519-sha256",
    "curve25519-sha256@libssh.org",
    "ecdh-sha2-nistp256",
    "ecdh-sha2-nistp384",
    "ecdh-sha2-nistp521",
    "diffie-hellman-group16-sha512",
    "diffie-hellman-group14-sha256",
)
_CIPHERS = ("aes256-gcm@openssh.com", "aes128-gcm@openssh.com", "aes256-ctr", "aes192-ctr", "aes128-ctr")
_MACS = ("hmac-sha2-256-etm@openssh.com", "hmac-sha2-512-etm@openssh.com", "hmac-sha2-256", "hmac-sha2-512")
_HOST_KEYS = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "rsa-sha2-256",
    "rsa-sha2-512",
)
"""What is agreed on: nothing with SHA-1, CBC or groups below 2048 bits."""

Accept = Callable[[re.Match[str]], bool]


class Wire(asyncssh.SSHClientSession[str]):
    """The text that a device sends, and what is typed to it."""

    def __init__(self) -> None:
        """Begin with nothing read: a first prompt stands at the beginning of a line too."""
        self._chunks: list[str] = ["\n"]
        self._tail = "\n"
        self._waiting: tuple[re.Pattern[str], Accept, asyncio.Future[re.Match[str]]] | None = None
        self._channel: asyncssh.SSHClientChannel[str] | None = None
        self._lost = False

    def connection_made(self, chan: asyncssh.SSHClientChannel[str]) -> None:
        """Keep the channel."""
        self._channel = chan

    def data_received(self, data: str, datatype: asyncssh.DataType) -> None:
        """Take what came, and see whether it is waited for."""
        del datatype
        self._chunks.append(data)
        self._tail = (self._tail + data)[-_TAIL:]
        if self._waiting is not None:
            self._look(*self._waiting)

    def eof_received(self) -> bool:
        """End with the device."""
        self.connection_lost(None)
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail what waits."""
        del exc
        self._lost = True
        self._fail("the session broke")

    def write(self, text: str) -> None:
        """Type.

        Raises:
            SessionLostError: the session broke.
        """
        if self._lost or self._channel is None or self._channel.is_closing():
            raise SessionLostError("the session broke")
        self._chunks, self._tail = [], ""
        self._channel.write(text)

    def more(self, key: str, question: str) -> None:
        """Answer the question at the end of a page, and forget it."""
        kept = "".join(self._chunks)
        self.write(key)
        self._chunks = [kept[: len(kept) - len(question)]]

    async def until(self, pattern: re.Pattern[str], accept: Accept, seconds: float) -> re.Match[str]:
        """Wait for `pattern` at the end of what came.

        Raises:
            SessionLostError: the session broke, or it did not come in time.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[re.Match[str]] = loop.create_future()
        self._waiting = pattern, accept, future
        timer = loop.call_later(seconds, self._fail, f"no prompt within {seconds:g} s")
        try:
            self._look(*self._waiting)
            if self._lost:
                self._fail("the session broke")
            return await future
        finally:
            timer.cancel()
            self._waiting = None

    def text(self) -> str:
        """Return all that came since something was typed."""
        return "".join(self._chunks)

    def _fail(self, why: str) -> None:
        """Let what waits know that nothing comes."""
        if self._waiting is not None and not self._waiting[2].done():
            self._waiting[2].set_exception(SessionLostError(why))

    def _look(self, pattern: re.Pattern[str], accept: Accept, future: asyncio.Future[re.Match[str]]) -> None:
        match = pattern.search(self._tail)
        if match is not None and not future.done() and accept(match):
            future.set_result(match)


class _Client(asyncssh.SSHClient):
    """Examines the host key; what is wrong with it is raised where the connection was asked for."""

    def __init__(self, target: Target, keys: HostKeys) -> None:
        self._target, self._keys = target, keys
        self.notice = ""
        self.wrong: HostKeyError | None = None

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        del host, addr, port
        target = self._target
        try:
            self.notice = self._keys.examine(target.name, target.host, target.port, key)
        except HostKeyError as error:
            self.wrong = error
            return False
        return True


async def opened(
    target: Target, keys: HostKeys, seconds: float
) -> tuple[asyncssh.SSHClientConnection, Wire, str]:
    """Connect and log in; return connection, wire, and what first contact has to say.

    Raises:
        UnreachableError: there is no SSH at the other end, in time.
        HostKeyError: it has another host key.
        LoginError: it does not let the user in.
    """
    client = _Client(target, keys)
    where = f"{target.name}: {target.host} port {target.port}"
    try:
        async with asyncio.timeout(seconds):
            connection, _ = await asyncssh.create_connection(
                lambda: client, target.host, target.port, **_options(target, keys)
            )
            wire = Wire()
            await connection.create_session(lambda: wire, term_type="vt100", term_size=(511, 24))
    except asyncssh.HostKeyNotVerifiable as error:
        raise client.wrong or HostKeyError(f"{where}: the host key cannot be read") from error
    except asyncssh.PermissionDenied as error:
        raise LoginError(f"{where}: user {target.login.user} is not let in; check the log-in") from error
    except asyncssh.KeyExchangeFailed as error:
        raise LoginError(f"{where}: no algorithm in common: {error.reason}; update the device") from error
    except (OSError, TimeoutError, asyncssh.Error) as error:
        raise UnreachableError(f"{where}: no SSH session: {_said(error, seconds)}") from error
    return connection, wire, client.notice


async def host_key(target: Target, keys: HostKeys, seconds: float) -> asyncssh.SSHKey:
    """Return the host key that a device shows, of a pinned type where any is; nothing is accepted by it.

    Raises:
        UnreachableError: there is no SSH at the other end, in time.
    """
    where = f"{target.name}: {target.host} port {target.port}"
    try:
        async with asyncio.timeout(seconds):
            key = await asyncssh.get_server_host_key(
                target.host,
                target.port,
                config=None,
                kex_algs=_KEY_EXCHANGE,
                server_host_key_algs=_algorithms(target, keys),
            )
    except (OSError, TimeoutError, asyncssh.Error) as error:
        raise UnreachableError(f"{where}: no SSH: {_said(error, seconds)}") from error
    if key is None:
        raise UnreachableError(f"{where}: the host shows no key")
    return key


def _algorithms(target: Target, keys: HostKeys) -> tuple[str, ...]:
    """Return the algorithms of the pinned keys, or all where none is pinned or none fits."""
    pinned = keys.types(target.host, target.port)
    return tuple(one for one in _HOST_KEYS if _type(one) in pinned) or _HOST_KEYS


def _options(target: Target, keys: HostKeys) -> dict[str, Any]:
    """Return what a connection is made with: nothing of the user's own settings, agent or keys.

    asyncssh makes its own object of them for each connection, so one that was made here would be made twice.
    """
    login = target.login
    return {
        "config": None,
        "known_hosts": ((), (), ()),
        "username": login.user,
        "password": login.password or None,
        "client_keys": [login.key_file] if login.key_file else None,
        "agent_path": None,
        "preferred_auth": "publickey,password,keyboard-interactive"
        if login.key_file
        else "password,keyboard-interactive",
        "kex_algs": _KEY_EXCHANGE,
        "encryption_algs": _CIPHERS,
        "mac_algs": _MACS,
        "server_host_key_algs": _algorithms(target, keys),
        "compression_algs": None,
        "gss_kex": False,
        "gss_auth": False,
        "x509_trusted_certs": None,
        "keepalive_interval": 30,
    }


def _type(algorithm: str) -> str:
    return "ssh-rsa" if algorithm.startswith("rsa-") else algorithm


def _said(error: Exception, seconds: float) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {seconds:g} s"
    if isinstance(error, asyncssh.Error):
        return error.reason or type(error).__name__
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
