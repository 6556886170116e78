"""A client of XMPP (RFC 6120) that its certificate logs in: STARTTLS, SASL EXTERNAL, bind, stanzas."""

import base64
import secrets
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Self
from xml.etree.ElementTree import Element
from xml.sax.saxutils import quoteattr

from heiiki_agent.errors import AgentError
from heiiki_agent.ready import readable
from heiiki_agent.xmpp.stream import MalformedError, Reader

CLIENT, STREAMS = "jabber:client", "http://etherx.jabber.org/streams"
TLS, SASL = "urn:ietf:params:xml:ns:xmpp-tls", "urn:ietf:params:xml:ns:xmpp-sasl"
BIND, STANZAS = "urn:ietf:params:xml:ns:xmpp-bind", "urn:ietf:params:xml:ns:xmpp-stanzas"
PROBE = "urn:heiiki:probe"
"""What a stanza holds that only tries the way."""
TIMED_OUT = "timed out"
_CHUNK = 16_384
_VERDICT_S = 0.5
"""How long a server of TLS 1.3 may take to say that it refuses: the client's handshake is over by then."""

Stage = Literal["connect", "tls", "login", "session"]


class RefusedError(AgentError):
    """The server refused, or is away.

    Attributes:
        stage: how far it got: no connection, no TLS, not logged in, or logged in and ended.
        cause: the protocol's own word for it: an alert of TLS, a condition of SASL or of the stream.
    """

    def __init__(self, stage: Stage, cause: str) -> None:
        """Say where and why."""
        super().__init__(f"{stage}: {cause}")
        self.stage = stage
        self.cause = cause


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a server is.

    Attributes:
        domain: what its JIDs end in, and the name that its certificate must bear (RFC 6120 13.7.2.1).
        address, port: where it listens.
    """

    domain: str
    address: str
    port: int


class Client:
    """One connection to a server; used as a context manager it ends with the block.

    Every wait ends `wait_s` seconds after it began.
    """

    def __init__(self, place: Place, context: ssl.SSLContext, wait_s: float = 5.0) -> None:
        """Connect and have it encrypted.

        Raises:
            RefusedError: there is no connection, or no TLS that both ends take.
        """
        self._place, self.wait_s = place, wait_s
        self._waiting: list[Element] = []
        self._stage: Stage = "connect"
        self.jid = ""
        try:
            self._socket = socket.create_connection((place.address, place.port), wait_s)
        except OSError as error:
            raise RefusedError("connect", f"{place.address}:{place.port}: {error}") from error
        try:
            self._encrypt(context)
        except BaseException:
            self._socket.close()
            raise

    def __enter__(self) -> Self:
        """Return the client."""
        return self

    def __exit__(self, *_: object) -> None:
        """Hang up."""
        self.close()

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def log_in(self, resource: str, authzid: str = "") -> str:
        """Log in by certificate, as `authzid` or as the one whom it names; return the full JID.

        Raises:
            RefusedError: the server does not take the certificate, or not for that name.
        """
        self._stage = "login"
        offered = [one.text for one in self._open().iter(_name(SASL, "mechanism"))]
        if offered != ["EXTERNAL"]:
            raise RefusedError("login", f"it offers {', '.join(map(str, offered)) or 'no mechanism'}")
        initial = base64.b64encode(authzid.encode()).decode() if authzid else "="
        self.send(f"<auth xmlns='{SASL}' mechanism='EXTERNAL'>{initial}</auth>")
        answer = self.read()
        if answer.tag != _name(SASL, "success"):
            raise RefusedError("login", _condition(answer))
        self._open()
        bound = self.ask("set", "", f"<bind xmlns='{BIND}'><resource>{resource}</resource></bind>")
        found = bound.find(f"{_name(BIND, 'bind')}/{_name(BIND, 'jid')}")
        if found is None or not found.text:
            raise RefusedError("login", error_of(bound) or "it binds no resource")
        self._stage, self.jid = "session", found.text
        return self.jid

    def ask(self, kind: Literal["get", "set"], to: str, payload: str) -> Element:
        """Send an IQ and return what answers it: a result, or an error.

        Raises:
            RefusedError: nothing does, or the stream ended.
        """
        number = secrets.token_hex(8)
        addressed = f" to={quoteattr(to)}" if to else ""
        self.send(f"<iq type='{kind}' id='{number}'{addressed}>{payload}</iq>")
        return self.read(lambda one: one.tag == _name(CLIENT, "iq") and one.get("id") == number)

    def send(self, text: str) -> None:
        """Send some XML; RefusedError where the connection is gone."""
        try:
            self._socket.sendall(text.encode())
        except OSError as error:
            raise RefusedError(self._stage, _why(error)) from error

    def read(self, wanted: Callable[[Element], bool] = lambda _: True) -> Element:
        """Return the next element that is `wanted`; others are passed over.

        Raises:
            RefusedError: none came in time, or the stream ended.
        """
        until = time.monotonic() + self.wait_s
        while True:
            while self._waiting:
                found = self._waiting.pop(0)
                if found.tag == _name(STREAMS, "error"):
                    raise RefusedError(self._stage, _condition(found))
                if wanted(found):
                    return found
            self._receive(until)

    def _receive(self, until: float) -> None:
        """Wait for some octets."""
        self._socket.settimeout(max(0.001, until - time.monotonic()))
        try:
            data = self._socket.recv(_CHUNK)
            self._waiting += self._reader.feed(data)
        except TimeoutError as error:
            raise RefusedError(self._stage, TIMED_OUT) from error
        except (OSError, MalformedError) as error:
            raise RefusedError(self._stage, _why(error)) from error
        if (not data or self._reader.closed) and not self._waiting:
            raise RefusedError(self._stage, "it closed the connection")

    def _open(self) -> Element:
        """Begin a stream and return the server's features."""
        self._reader = Reader()
        self.send(
            f"<stream:stream xmlns='{CLIENT}' xmlns:stream='{STREAMS}' version='1.0'"
            f" to={quoteattr(self._place.domain)}>"
        )
        return self.read(lambda one: one.tag == _name(STREAMS, "features"))

    def _encrypt(self, context: ssl.SSLContext) -> None:
        if self._open().find(_name(TLS, "starttls")) is None:
            raise RefusedError("tls", "it offers no TLS: the server has no certificate yet")
        self.send(f"<starttls xmlns='{TLS}'/>")
        if self.read().tag != _name(TLS, "proceed"):
            raise RefusedError("tls", "it refuses to begin")
        self._stage = "tls"
        try:
            self._socket = secured = context.wrap_socket(self._socket, server_hostname=self._place.domain)
            self._accepted(secured)
        except OSError as error:
            raise RefusedError("tls", _why(error)) from error

    @staticmethod
    def _accepted(secured: ssl.SSLSocket) -> None:
        """Await the server's word on our certificate: whatever we sent before it would hide an alert."""
        if secured.version() != "TLSv1.3" or not readable([secured], _VERDICT_S):
            return
        secured.settimeout(0)
        try:
            if not secured.recv(1):
                raise RefusedError("tls", "it closed the connection")
        except ssl.SSLWantReadError:
            return
        raise RefusedError("tls", "it spoke first")


KINDS = ("message", "presence", "iq")


def refusals(client: Client, to: str) -> dict[str, str]:
    """Send one of each kind of stanza to `to`; return for each the error that came back, or what else did.

    Raises:
        RefusedError: the stream ended.
    """
    return {kind: _answer(client, kind, to) for kind in KINDS}


def _answer(client: Client, kind: str, to: str) -> str:
    number = secrets.token_hex(8)
    extra, payload = ("", "<body>probe</body>") if kind == "message" else ("", "")
    if kind == "iq":
        extra, payload = " type='set'", f"<probe xmlns='{PROBE}'/>"
    client.send(f"<{kind} id='{number}'{extra} to={quoteattr(to)}>{payload}</{kind}>")
    try:
        answer = client.read(lambda one: one.get("id") == number)
    except RefusedError as error:
        if error.cause != TIMED_OUT:
            raise
        return "no answer"
    return error_of(answer) or f"answered: {answer.get('type')}"


def error_of(stanza: Element) -> str:
    """Return the condition of a stanza's error (RFC 6120 8.3), or nothing."""
    error = stanza.find(_name(CLIENT, "error"))
    return _condition(error) if stanza.get("type") == "error" and error is not None else ""


def _condition(element: Element) -> str:
    """Return the name of the first child, which is the condition; a text is no condition."""
    names = (child.tag.rpartition("}")[2] for child in element)
    return next((name for name in names if name != "text"), element.tag.rpartition("}")[2])


def _name(namespace: str, name: str) -> str:
    return f"{{{namespace}}}{name}"


def _why(error: Exception) -> str:
    if isinstance(error, ssl.SSLError) and error.reason:
        return error.reason.lower().replace("_", " ")
    return str(error) or type(error).__name__
