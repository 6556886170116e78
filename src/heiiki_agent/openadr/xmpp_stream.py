"""A stream of XMPP at a server, from the client's end.

The protocol is slixmpp's (Debian: python3-slixmpp). What it would leave open is shut here: TLS is a must, by
the certificates and lists of the device, EXTERNAL is the one mechanism, and a declaration ends the stream.
"""

import logging
import re
import socket
import ssl
from typing import Any
from xml.etree.ElementTree import Element

from slixmpp import ClientXMPP

from heiiki_agent.xmpp.stream import LIMIT

log = logging.getLogger(__name__)
logging.getLogger("slixmpp").setLevel(logging.WARNING)

KEEP_ALIVE_S = 20
"""How often a stream carries a blank: so a line that is gone is noticed where nothing is said."""
_GONE_MS = 10_000
"""How long what was sent may remain without an acknowledgement (RFC 5482)."""
_FORBIDDEN = re.compile(rb"<![^\[]|\x00")
"""A declaration, or a comment: no stream of XMPP has one (RFC 6120 11.1). A zero: UTF-16 hides either."""
_DEEPEST = 100
"""How deeply elements may be nested: what is done with them recurs, and a message of OpenADR needs 20."""


class Stream(ClientXMPP):
    """slixmpp's client, shut where it is open.

    Attributes:
        tls: what the next connection is secured by.
    """

    tls: ssl.SSLContext

    def __init__(self, jid: str) -> None:
        """Be ready to log in as `jid`, a full one."""
        super().__init__(jid, "", sasl_mech="EXTERNAL")
        self.credentials["authzid"] = self.requested_jid.bare
        self.enable_direct_tls = self.enable_plaintext = False
        self.whitespace_keepalive_interval = KEEP_ALIVE_S
        self.auto_authorize = self.auto_subscribe = False
        self._tail, self._octets = b"", 0

    @property
    def is_secure(self) -> bool:
        """What is said is encrypted."""
        return self.transport is not None and self.transport.get_extra_info("ssl_object") is not None

    def get_ssl_context(self) -> ssl.SSLContext:
        """Return the context by which the device verifies; slixmpp has it verify the domain's name."""
        return self.tls

    def connection_made(self, transport: Any, send_event: bool = True) -> None:
        """Have the line noticed when it is gone."""
        line = transport.get_extra_info("socket")
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _GONE_MS)
        self._tail, self._octets = b"", 0
        super().connection_made(transport, send_event)

    def data_received(self, data: Any) -> None:
        """Give the parser what a stream of XMPP may hold, of bounded size, and nothing else."""
        seen, self._octets = self._tail + data, self._octets + len(data)
        self._tail = seen[-2:]
        if _FORBIDDEN.search(seen) or self._octets > LIMIT:
            self.event("stream_refused", "sent a declaration, what is no UTF-8, or an element without an end")
            self.abort()
            return
        super().data_received(data)

    def _spawn_event(self, xml: Element) -> None:
        """Deal with an element of the stream.

        One that is nested too deeply is dropped. An error on it would end the stream, which is that of all
        others who speak with this end, and any of them can send such a one.
        """
        self._octets = 0
        if _is_deeper(xml, _DEEPEST):
            log.warning("%s: a stanza is nested more deeply than %s", xml.get("from"), _DEEPEST)
            return
        super()._spawn_event(xml)


def _is_deeper(element: Element, most: int) -> bool:
    level = [element]
    for _ in range(most):
        level = [child for one in level for child in one]
        if not level:
            return False
    return True
