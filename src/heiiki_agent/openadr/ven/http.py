"""The way to a VTN: simple HTTP, pull, TLS with client certificates (OpenADR 2.0b, simpleHttp)."""

import http.client
import logging
import socket
import urllib.parse
from dataclasses import dataclass
from http import HTTPStatus

from heiiki_agent.errors import AgentError
from heiiki_agent.openadr.codec import LIMIT
from heiiki_agent.openadr.envelope import Bare, Envelope
from heiiki_agent.openadr.errors import Malformed
from heiiki_agent.openadr.places import CONTENT_TYPE, PATH
from heiiki_agent.openadr.ven.model import NotServing, NotTaken, Unreachable
from heiiki_agent.tls import Credentials, client_context

log = logging.getLogger(__name__)

CONNECT_S = 2.0
WHOLE_S = 5.0
_SENTENCE = 500
_TAKEN = frozenset((HTTPStatus.OK, HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE))
"""What comes with a message of OpenADR: that the VTN has an opinion."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a VTN is.

    Attributes:
        name: the DNS name that its certificate must bear.
        address, port: where it listens.
    """

    name: str
    address: str
    port: int


class HttpTransport:
    """Keeps one connection. Certificates and revocation lists are read at each new one."""

    def __init__(self, place: Place, credentials: Credentials, envelope: Envelope | None = None) -> None:
        """Speak with the VTN at `place`, in an envelope where one is given."""
        self._place, self._credentials, self._envelope = place, credentials, envelope or Bare()
        self._connection: http.client.HTTPConnection | None = None
        self._certificate = b""

    def exchange(self, service: str, body: bytes) -> bytes:
        """Post a message and return what answers it.

        Raises:
            Unreachable: there is no answer, or not one of a VTN. A connection that was kept may have been
                closed in the meantime, so a new one is tried at once: a message may arrive twice.
        """
        if self._connection is not None:
            try:
                return self._post(self._connection, service, body)
            except (NotTaken, NotServing):
                raise
            except Unreachable:
                log.debug("the connection that was kept has gone")
        self._connection = self._connected()
        return self._post(self._connection, service, body)

    def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connected(self) -> http.client.HTTPConnection:
        place = self._place
        try:
            context = client_context(self._credentials)
            self._envelope.renew(self._credentials)
            plain = socket.create_connection((place.address, place.port), CONNECT_S)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(WHOLE_S * 1000))
            plain.settimeout(WHOLE_S)
            secure = context.wrap_socket(plain, server_hostname=place.name)
        except AgentError as error:
            raise Unreachable(str(error)) from error
        except OSError as error:
            raise Unreachable(f"{place.name} at {place.address}:{place.port}: {error}") from error
        self._certificate = secure.getpeercert(binary_form=True) or b""
        connection = http.client.HTTPConnection(place.name, place.port)
        connection.sock = secure
        return connection

    def _post(self, connection: http.client.HTTPConnection, service: str, body: bytes) -> bytes:
        where = f"{self._place.name}: {service}"
        path = PATH + urllib.parse.quote(service)
        try:
            sealed = self._envelope.sealed(body)
            connection.request("POST", path, sealed, {"Content-Type": CONTENT_TYPE, "Host": self._place.name})
            response = connection.getresponse()
            answer = response.read(LIMIT + 1)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Unreachable(f"{where}: {type(error).__name__} {error}") from error
        if response.status == HTTPStatus.SERVICE_UNAVAILABLE:
            raise NotServing(f"{where}: {answer[:_SENTENCE].decode(errors='replace')}")
        if response.status not in _TAKEN:
            self.close()
            raise NotTaken(f"{where}: HTTP {response.status}")
        if len(answer) > LIMIT:
            self.close()
            raise Unreachable(f"{where}: the answer is above {LIMIT} bytes")
        try:
            return self._envelope.opened(answer, self._certificate)
        except Malformed as error:
            self.close()
            raise Unreachable(f"{where}: the answer: {error.description}") from error
