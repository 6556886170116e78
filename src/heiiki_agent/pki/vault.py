"""The Vault API as a device speaks it: HTTP over TLS, from a given address, trusting given anchors alone."""

import errno
import http.client
import json
import logging
import socket
import ssl
import time
import urllib.parse
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self, TypeVar

from heiiki_agent.errors import ServerError
from heiiki_agent.pki.settings import Anchors, Source

UNWRAP = "sys/wrapping/unwrap"
CONNECT_S = 5.0
# Longer: a token is good for one request, so a client that gives up while a busy server works has lost it.
ANSWER_S = 20.0
ANSWER_LIMIT = 8 << 20
REACH_POLL_S = 0.5
FLAP_S = 30.0
NO_ROUTE = (errno.ENETUNREACH, errno.EHOSTUNREACH)

_log = logging.getLogger("credentials")
_Socket = TypeVar("_Socket", bound=socket.socket)


class _Connection(http.client.HTTPConnection):
    """HTTP over TLS from a given address; the certificate is checked for a name, not for the address."""

    def __init__(self, netloc: str, name: str, context: ssl.SSLContext, sources: Sequence[Source]) -> None:
        super().__init__(netloc, timeout=CONNECT_S)
        self._name, self._context = name, context
        self._sources = tuple(sources) or (None,)

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
        self._first(lambda source, _limit: self._plain(source)).close()

    def _first(self, connect: Callable[[Source | None, float], _Socket]) -> _Socket:
        """Return what `connect` makes from the first source that leads there, and how long it may take.

        The last has the time that a busy server needs: where none is left to try, patience costs nothing.
        """
        *others, last = self._sources
        for source in others:
            try:
                return connect(source, CONNECT_S)
            except OSError as error:
                _log.info("%s: from %s: %s", self.host, _named(source), error)
        return connect(last, ANSWER_S)

    def _secured(self, source: Source | None, limit_s: float) -> ssl.SSLSocket:
        """Return a TLS connection: a network that carries a handshake carries a request too."""
        plain = self._plain(source)
        try:
            plain.settimeout(limit_s)
            secured = self._context.wrap_socket(plain, server_hostname=self._name)
        except BaseException:
            plain.close()
            raise
        secured.settimeout(ANSWER_S)
        return secured

    def _plain(self, source: Source | None) -> socket.socket:
        """Return a TCP connection."""
        return connected(self.host, self.port, source)


def connected(host: str, port: int, source: Source | None) -> socket.socket:
    """Return a TCP connection from `source`; OSError when nothing answers within `CONNECT_S`."""
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    plain = socket.socket(family, kind, protocol)
    try:
        plain.settimeout(CONNECT_S)
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


def reach(url: str, wait_s: int, sources: Sequence[Source] = ()) -> dict[str, Any]:
    """Wait until something answers at `url`: a network that was just configured takes its time.

    Raises:
        ServerError: nothing did within `wait_s` seconds.
    """
    began = time.monotonic()
    netloc = urllib.parse.urlsplit(url).netloc
    way = _Connection(netloc, "", ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), sources)
    while True:
        try:
            way.probe()
        except OSError as error:
            if time.monotonic() - began > wait_s:
                raise ServerError(
                    f"{url}: no way to it within {wait_s} s: {error}; start Vault or mend the way to it, "
                    "then run again"
                ) from error
            time.sleep(REACH_POLL_S)
        else:
            return {"waited_s": round(time.monotonic() - began, 1)}


class Server:
    """The Vault API over one connection; a context manager, which closes it."""

    def __init__(self, url: str, host: str, anchors: Anchors, sources: Sequence[Source] = ()) -> None:
        """Speak to `url`, whose certificate must bear `host` and come from `anchors`."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # empty: the machine's own CAs have no say
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_verify_locations(cadata="".join((*anchors.anchors, *anchors.server_anchors)))
        self._url, self._host = url, host
        netloc = urllib.parse.urlsplit(url).netloc
        self._connection = _Connection(netloc, host, context, sources)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def call(self, method: str, path: str, token: str = "", body: Mapping[str, Any] | None = None) -> bytes:
        """Return the body of the answer.

        Raises:
            ServerError: no answer, no good certificate, or another status than 200.
        """
        headers = {"X-Vault-Token": token} if token else {}
        data = None if body is None else json.dumps(body)
        try:
            self._connection.request(method, f"/v1/{path}", data, headers)
            answer = self._connection.getresponse()
            text = _whole_body(answer)
        except ssl.SSLCertVerificationError as error:
            self._connection.close()
            raise ServerError(
                f"{self._url}: its certificate is not good for {self._host}: {error.verify_message}; "
                "nothing was sent. Check who answers there, and the trust anchors that the device has"
            ) from error
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            why = str(error) or type(error).__name__
            raise ServerError(
                f"{self._url}: no answer to {method} {path}: {why}; start Vault or mend the way to it, "
                "then run again"
            ) from error
        if len(text) > ANSWER_LIMIT:
            self._connection.close()
            raise ServerError(f"{self._url}: {path}: the answer is longer than {ANSWER_LIMIT} octets")
        if answer.status != http.client.OK:
            raise ServerError(self._refusal(path, answer.status, text), answer.status)
        return text

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


def _whole_body(answer: http.client.HTTPResponse) -> bytes:
    """Return the body, or one octet more than is allowed; IncompleteRead when it is cut off."""
    text = answer.read(ANSWER_LIMIT + 1)
    if answer.length and len(text) <= ANSWER_LIMIT:
        raise http.client.IncompleteRead(text)
    return text
