"""The way to the other host of a VTN: HTTP over TLS, by the certificates that the VTN itself has."""

import http.client
import json
import socket
from http import HTTPStatus

from heiiki_agent import config
from heiiki_agent.errors import AgentError
from heiiki_agent.openadr.vtn.doubled.exchange import (
    Introduction,
    PeerError,
    Position,
    Rows,
    SupersededError,
    written,
)
from heiiki_agent.openadr.vtn.doubled.settings import PeerSettings
from heiiki_agent.tls import Credentials, client_context

EPOCH, POSITION, ROWS = "/epoch", "/position", "/rows"
CONNECT_S, _WHOLE_S = 1.0, 2.0
"""Two of both are less than a VEN waits for an answer."""
_LONGEST = 1_048_576


class HttpsLink:
    """Keeps one connection. Certificates and revocation lists are read at each new one."""

    def __init__(self, peer: PeerSettings, credentials: Credentials) -> None:
        """Speak with `peer`."""
        self._peer, self._credentials = peer, credentials
        self._connection: http.client.HTTPConnection | None = None

    def epoch(self) -> int:
        """Return the number of the last epoch that it knows; 0: none.

        Raises:
            PeerError: it does not answer.
        """
        text = self._asked("GET", EPOCH, b"")
        try:
            return int(json.loads(text))
        except (ValueError, TypeError) as error:
            raise PeerError(f"{self._peer.name}: answers with {text[:100]!r}") from error

    def introduce(self, introduction: Introduction) -> Position:
        """Begin as its writer, and return how far its book goes.

        Raises:
            PeerError: it does not answer, or cannot follow.
            SupersededError: it knows of another writer.
        """
        text = self._asked("POST", POSITION, written(introduction))
        try:
            return config.parse(Position, text, self._peer.name)
        except AgentError as error:
            raise PeerError(str(error)) from error

    def give(self, rows: Rows) -> None:
        """Return once it has committed rows.

        Raises:
            PeerError: it does not say so.
            SupersededError: it knows of another writer.
        """
        self._asked("POST", ROWS, written(rows))

    def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _asked(self, method: str, path: str, body: bytes) -> str:
        if self._connection is None:
            self._connection = self._connected()
        try:
            self._connection.request(method, path, body, {"Content-Type": "application/json"})
            answer = self._connection.getresponse()
            text = answer.read(_LONGEST).decode(errors="replace")
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise PeerError(f"{self._peer.name}: {type(error).__name__} {error}") from error
        if answer.status == HTTPStatus.OK:
            return text
        self.close()
        if answer.status == HTTPStatus.CONFLICT:
            raise SupersededError(text)
        raise PeerError(f"{self._peer.name}: {text.strip()[:1000] or f'HTTP {answer.status}'}")

    def _connected(self) -> http.client.HTTPConnection:
        peer = self._peer
        try:
            context = client_context(self._credentials)
            plain = socket.create_connection((peer.address, peer.port), CONNECT_S)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            plain.settimeout(_WHOLE_S)
            secure = context.wrap_socket(plain, server_hostname=peer.name)
        except AgentError as error:
            raise PeerError(str(error)) from error
        except OSError as error:
            raise PeerError(f"{peer.name} at {peer.address}:{peer.port}: {error}") from error
        connection = http.client.HTTPConnection(peer.name, peer.port)
        connection.sock = secure
        return connection
