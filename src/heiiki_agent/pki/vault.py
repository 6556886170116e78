"""The Vault API as a device speaks it: HTTP over TLS, from a given address, trusting given anchors alone.

Of several servers each is as good as another: one that follows asks the one that leads for its clients. One
that is away, sealed or knows no leader is left for the next.
"""

import errno
import http.client
import json
import logging
import socket
import ssl
import time
import urllib.parse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self, TypeVar

from heiiki_agent.errors import ServerError
from heiiki_agent.pki.settings import Anchors, Endpoint, Source

UNWRAP = "sys/wrapping/unwrap"
PORT = 8200
CONNECT_S = 5.0
# Longer: a token is good for one request, so a client that gives up while a busy server works has lost it.
ANSWER_S = 20.0
ANSWER_LIMIT = 8 << 20
# For each way to each of several servers but the last: six of them end within the 20 s of one answer.
TRY_S = 2.5
REACH_POLL_S = 0.5
FLAP_S = 30.0
NO_ROUTE = (errno.ENETUNREACH, errno.EHOSTUNREACH)

_log = logging.getLogger("credentials")
_Socket = TypeVar("_Socket", bound=socket.socket)
_Way = tuple[Endpoint, Source | None]


class _Connection(http.client.HTTPConnection):
    """HTTP over TLS from a given address; the certificate is checked for a name, not for the address.

    Attributes:
        endpoint: the server that it is connected to, or was tried last.
    """

    def __init__(
        self, endpoints: Sequence[Endpoint], context: ssl.SSLContext, sources: Sequence[Source]
    ) -> None:
        self.endpoint = endpoints[0]
        super().__init__(_netloc(self.endpoint), timeout=CONNECT_S)
        self._context = context
        # Every server by the first source, which costs least, before any by the next.
        self._ways: list[_Way] = [(one, source) for source in sources or (None,) for one in endpoints]
        self._limit_s = CONNECT_S if len(endpoints) == 1 else TRY_S

    def connect(self) -> None:
        """Connect, as http.client asks; a network that was just configured may have no route for a moment."""
        until = time.monotonic() + FLAP_S
        while True:
            try:
                self.sock = self._first(self._secured)
            except OSError as error:
                if error.errno not in NO_ROUTE or time.monotonic() > until:
                    raise
                time.sleep(REACH_POLL_S)
            else:
                return

    def probe(self) -> None:
        """Connect, and say nothing; OSError when nothing answers."""
        self._first(lambda way, _limit: self._plain(way)).close()

    def leave(self) -> bool:
        """Close the connection, and try its server no more; False where there is no other."""
        self.close()
        others = [way for way in self._ways if way[0] != self.endpoint]
        self._ways = others or self._ways
        return bool(others)

    def _first(self, connect: Callable[[_Way, float], _Socket]) -> _Socket:
        """Return what `connect` makes of the first way that leads there, and how long it may take.

        The last has the time that a busy server needs: where none is left to try, patience costs nothing.
        """
        *others, last = self._ways
        for way in others:
            self.endpoint, source = way
            try:
                return connect(way, self._limit_s)
            except ssl.SSLCertVerificationError as error:
                # Nothing was sent. A server that is being set up has no certificate of the service yet.
                _log.warning("%s: its certificate is not good: %s", self.endpoint.url, error.verify_message)
            except OSError as error:
                _log.info("%s: from %s: %s", self.endpoint.url, _named(source), error)
        self.endpoint = last[0]
        return connect(last, ANSWER_S)

    def _secured(self, way: _Way, limit_s: float) -> ssl.SSLSocket:
        """Return a TLS connection: a network that carries a handshake carries a request too."""
        plain = self._plain(way)
        try:
            plain.settimeout(limit_s)
            secured = self._context.wrap_socket(plain, server_hostname=way[0].host)
        except BaseException:
            plain.close()
            raise
        secured.settimeout(ANSWER_S)
        return secured

    def _plain(self, way: _Way) -> socket.socket:
        """Return a TCP connection."""
        endpoint, source = way
        parts = urllib.parse.urlsplit(endpoint.url)
        return connected(parts.hostname or "", parts.port or PORT, source, self._limit_s)


def _netloc(endpoint: Endpoint) -> str:
    return urllib.parse.urlsplit(endpoint.url).netloc


def connected(host: str, port: int, source: Source | None, limit_s: float = CONNECT_S) -> socket.socket:
    """Return a TCP connection from `source`; OSError when nothing answers within `limit_s`."""
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    plain = socket.socket(family, kind, protocol)
    try:
        plain.settimeout(limit_s)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # head and body leave apart
        if source:
            _leave_by(plain, source)
        plain.connect(address)
    except BaseException:
        plain.close()
        raise
    return plain


def _leave_by(plain: socket.socket, source: Source) -> None:
    """Bind a socket, to its interface too: the best route may be another one (socket(7), SO_BINDTODEVICE)."""
    if source.interface:
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, source.interface.encode())
    plain.bind((source.address, 0))


def _named(source: Source | None) -> str:
    if source is None:
        return "where it is routed"
    return f"{source.address} by {source.interface}" if source.interface else source.address


def reach(urls: Sequence[str], wait_s: int, sources: Sequence[Source] = ()) -> dict[str, Any]:
    """Wait until something answers at one of `urls`: a network that was just configured takes its time.

    Raises:
        ServerError: nothing did within `wait_s` seconds.
    """
    began = time.monotonic()
    endpoints = [Endpoint(url, "") for url in urls]
    way = _Connection(endpoints, ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), sources)
    while True:
        try:
            way.probe()
        except OSError as error:
            if time.monotonic() - began > wait_s:
                raise ServerError(
                    f"{', '.join(urls)}: no way to it within {wait_s} s: {error}; start Vault or mend "
                    "the way to it, then run again"
                ) from error
            time.sleep(REACH_POLL_S)
        else:
            return {"waited_s": round(time.monotonic() - began, 1)}


class Server:
    """The Vault API over one connection; a context manager, which closes it."""

    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        anchors: Anchors,
        sources: Sequence[Source] = (),
        shown: tuple[Path, Path] | None = None,
    ) -> None:
        """Speak to the first of `endpoints` that serves; their certificates must come from `anchors`.

        With `shown` (a certificate and its key) this end shows a certificate: a log-in where it is known.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # empty: the machine's own CAs have no say
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_verify_locations(cadata="".join((*anchors.anchors, *anchors.server_anchors)))
        if shown is not None:
            context.load_cert_chain(*shown)
        self._connection = _Connection(endpoints, context, sources)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    @property
    def _url(self) -> str:
        return self._connection.endpoint.url

    def call(self, method: str, path: str, token: str = "", body: Mapping[str, Any] | None = None) -> bytes:
        """Return the body of the answer.

        Raises:
            ServerError: no answer, no good certificate, or another status than 200.
        """
        status, text = self._answer(method, path, token, body)
        while _serves_not(status, text) and self._connection.leave():
            status, text = self._answer(method, path, token, body)
        if len(text) > ANSWER_LIMIT:
            self._connection.close()
            raise ServerError(f"{self._url}: {path}: the answer is longer than {ANSWER_LIMIT} octets")
        if status != http.client.OK:
            raise ServerError(self._refusal(path, status, text), status)
        return text

    def _answer(
        self, method: str, path: str, token: str, body: Mapping[str, Any] | None
    ) -> tuple[int, bytes]:
        """Return status and body of one server's answer; ServerError where there is none."""
        headers = {"X-Vault-Token": token} if token else {}
        data = None if body is None else json.dumps(body)
        try:
            self._connection.request(method, f"/v1/{path}", data, headers)
            answer = self._connection.getresponse()
            text = _whole_body(answer)
        except ssl.SSLCertVerificationError as error:
            self._connection.close()
            host = self._connection.endpoint.host
            raise ServerError(
                f"{self._url}: its certificate is not good for {host}: {error.verify_message}; "
                "nothing was sent. Check who answers there, and the trust anchors that the device has"
            ) from error
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            why = str(error) or type(error).__name__
            raise ServerError(
                f"{self._url}: no answer to {method} {path}: {why}; start Vault or mend the way to it, "
                "then run again"
            ) from error
        return answer.status, text

    def document(self, method: str, path: str, token: str = "", body: Mapping[str, Any] | None = None) -> Any:
        """Return the answer's JSON; ServerError when it is none."""
        text = self.call(method, path, token, body)
        try:
            return json.loads(text)
        except ValueError as error:
            raise ServerError(f"{self._url}: {path}: the answer is not JSON: is this Vault?") from error

    def _refusal(self, path: str, status: int, text: bytes) -> str:
        try:
            reasons = "; ".join(str(item).strip() for item in json.loads(text)["errors"])
        except (ValueError, KeyError, TypeError):
            reasons = ""
        told = f": {reasons}" if reasons else ""
        where = f"{self._url}: {path}: status {status}{told}"
        if status == http.client.SERVICE_UNAVAILABLE:
            return f"{where}: Vault is sealed or not ready: unseal it, then run again"
        if path == UNWRAP and status == http.client.BAD_REQUEST:
            return (
                f"{where}: the wrapped token is spent or too old. Run again for a new one; if no run was "
                "cut off or slow, somebody else has used it: read Vault's audit log"
            )
        if status == http.client.FORBIDDEN:
            return f"{where}: the token may not do this: apply role pki so that the policy fits the plan"
        return where


def _serves_not(status: int, text: bytes) -> bool:
    """Tell whether a server did nothing that it was asked: it is sealed, or follows and knows no leader."""
    if status == http.client.INTERNAL_SERVER_ERROR:
        return b"not active" in text
    return status in (http.client.TEMPORARY_REDIRECT, http.client.SERVICE_UNAVAILABLE)


def _whole_body(answer: http.client.HTTPResponse) -> bytes:
    """Return the body, or one octet more than is allowed; IncompleteRead when it is cut off."""
    text = answer.read(ANSWER_LIMIT + 1)
    if answer.length and len(text) <= ANSWER_LIMIT:
        raise http.client.IncompleteRead(text)
    return text
