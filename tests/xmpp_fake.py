"""An XMPP server of a few lines, that a test makes say whatever it likes: the other end of our own client."""

import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from xml.etree.ElementTree import Element

from xmpp_world import DOMAIN, Issued, jid

from heiiki_agent.xmpp.client import BIND, CLIENT, SASL, STREAMS, TLS, Place
from heiiki_agent.xmpp.stream import MalformedError, Reader

_HEADER = f"<stream:stream xmlns='{CLIENT}' xmlns:stream='{STREAMS}' version='1.0' from='{DOMAIN}'>"
STARTTLS = f"<stream:features><starttls xmlns='{TLS}'/></stream:features>"
EXTERNAL = (
    f"<stream:features><mechanisms xmlns='{SASL}'><mechanism>EXTERNAL</mechanism></mechanisms>"
    "</stream:features>"
)
_BOUND = f"<stream:features><bind xmlns='{BIND}'/></stream:features>"
Rule = Callable[[Element], str]


def refused(stanza: Element, condition: str = "policy-violation") -> str:
    """Return what refuses a stanza."""
    name = stanza.tag.rpartition("}")[2]
    error = f"<error type='cancel'><{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
    return f"<{name} type='error' id='{stanza.get('id')}'>{error}</{name}>"


class FakeServer:
    """Serves one client after the other; `rule` says what answers a stanza of one that is logged in."""

    def __init__(
        self,
        own: Issued,
        rule: Rule = refused,
        *,
        offers: str = STARTTLS,
        features: str = EXTERNAL,
        success: str = f"<success xmlns='{SASL}'/>",
        plain: bool = False,
    ) -> None:
        self.rule, self.offers, self.features, self.success = rule, offers, features, success
        self._plain = plain
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(own.file, own.key)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.asked: list[str] = []
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    @property
    def place(self) -> Place:
        return Place(domain=DOMAIN, address="127.0.0.1", port=self._listener.getsockname()[1])

    def stop(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            client.settimeout(10)
            # A client that has seen enough hangs up in the middle.
            with client, suppress(OSError, MalformedError):
                self._speak(client)

    def _speak(self, client: socket.socket) -> None:
        if self._plain:
            self._log_in(client)
            return
        _Stream(client, self.offers).next()
        client.sendall(f"<proceed xmlns='{TLS}'/>".encode())
        with self._context.wrap_socket(client, server_side=True) as secure:
            self._log_in(secure)

    def _log_in(self, peer: socket.socket) -> None:
        self.asked.append(_Stream(peer, self.features).next().text or "")
        peer.sendall(self.success.encode())
        stream = _Stream(peer, _BOUND)
        bound = f"<bind xmlns='{BIND}'><jid>{jid('umeda')}/test</jid></bind>"
        stream.send(f"<iq type='result' id='{stream.next().get('id')}'>{bound}</iq>")
        while True:
            stream.send(self.rule(stream.next()))


class _Stream:
    """One stream, from its header on."""

    def __init__(self, peer: socket.socket, features: str) -> None:
        self._peer, self._reader, self._found = peer, Reader(), list[Element]()
        self._receive()
        self.send(_HEADER + features)

    def send(self, text: str) -> None:
        self._peer.sendall(text.encode())

    def next(self) -> Element:
        while not self._found:
            self._receive()
        return self._found.pop(0)

    def _receive(self) -> None:
        if not (data := self._peer.recv(4096)):
            raise ConnectionError("the client hung up")
        self._found += self._reader.feed(data)
