"""HTTPS connections to one server, pinned to a CA and a name.

The server's name in its certificate is checked even when the TCP connection comes from elsewhere than name
resolution (the lab's relay into a node), and no CA but the pinned one is trusted.
"""

import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

import requests
import requests.adapters
import urllib3
import urllib3.connection

from heiiki.errors import VaultError, VaultFault

Connector = Callable[[], socket.socket]
THREADS = 12
"""Calls that may be under way at once."""
_PORT = 8200
_TOO_MANY = urllib3.Retry(
    # Nothing but 429, a rate that the server does not exceed, of which it has done nothing.
    total=6,
    connect=0,
    read=False,
    redirect=0,
    other=0,
    status=6,
    status_forcelist={429},
    allowed_methods=None,
    backoff_factor=0.2,
    raise_on_status=False,
)


@dataclass(frozen=True, slots=True)
class Server:
    """A server of the Vault API, as its clients know it.

    Attributes:
        url: ``https://host:port``; where it is, by the operator's route.
        host: name that its certificate must bear, whatever `url` says.
        ca_pem: certificates of the CA, PEM, that is trusted for it; no other is.
        connect: opens the TCP connection, where the network does not lead there by itself.
        others: the further servers of its cluster.
    """

    url: str
    host: str
    ca_pem: str
    connect: Connector | None = None
    others: tuple["Server", ...] = ()

    @property
    def every(self) -> tuple["Server", ...]:
        """It and the others, each by itself."""
        return (replace(self, others=()), *self.others)

    def __str__(self) -> str:
        """What messages call it."""
        places = ", ".join(f"{one.url} ({one.host})" for one in self.every)
        return f"the Vault server{'s' if self.others else ''} at {places}"


class Pinned(requests.adapters.HTTPAdapter):
    """Sends every request to one server: its CA and its name pinned, no proxy."""

    def __init__(self, server: Server) -> None:
        self._server = server
        super().__init__(max_retries=_TOO_MANY)

    def init_poolmanager(self, *_: Any, **__: Any) -> None:
        """Make the one pool; requests would look them up by address."""
        parts = urlsplit(self._server.url)
        if parts.scheme != "https" or not parts.hostname:
            raise VaultError(
                f"the Vault server's address {self._server.url} must be https://HOST:PORT: set VAULT_ADDR so",
                VaultFault.UNREACHABLE,
            )
        self._pool = urllib3.HTTPSConnectionPool(
            parts.hostname,
            parts.port or _PORT,
            maxsize=THREADS,
            block=True,
            ssl_context=_context(self._server),
            server_hostname=self._server.host,
        )
        if self._server.connect is not None:
            self._pool.ConnectionCls = _relayed(self._server.connect)

    def get_connection_with_tls_context(self, *_: Any, **__: Any) -> urllib3.HTTPSConnectionPool:
        """Return the one pool."""
        return self._pool

    def cert_verify(self, *_: Any, **__: Any) -> None:
        """Leave the pool's TLS context alone: requests would add the public CAs to the pinned one."""

    def close(self) -> None:
        """Let the connections go."""
        self._pool.close()


def _context(server: Server) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cadata=server.ca_pem)
    except (ssl.SSLError, ValueError) as error:
        raise VaultError(
            f"the CA kept for {server} is not a PEM certificate: correct VAULT_CACERT or the secret vault/ca",
            VaultFault.TLS,
        ) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _relayed(connect: Connector) -> type[urllib3.connection.HTTPSConnection]:
    class Relayed(urllib3.connection.HTTPSConnection):
        """A connection over a TCP stream that the caller opened."""

        def _new_conn(self) -> socket.socket:
            stream = connect()
            stream.settimeout(self.timeout)
            return stream

    return Relayed
