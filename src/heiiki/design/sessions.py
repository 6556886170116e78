"""What the service's programs say beside the messages of tables 5.5 to 5.8, inside of a site's tunnel.

A VEN polls and reports, a controller that is controlled directly is asked whether it is there, and each TLS
session begins again where a list or a certificate of either end is new. The sizes are bounds, each of a whole
record of TLS on TCP: `tests/service_octets.py` measures them at the programs. Over XMPP a VEN polls and
reports by iq, which are shorter than HTTP, and its stream carries blanks; DRAS's events are messages of table
5.5, which come once whichever way.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from heiiki.plan.model import Device, Lifetimes, Timers
from heiiki.plan.sizes import IP, TCP, in_esp

RECORD = 5 + 1 + 16
"""What TLS 1.3 adds to a record: head, type of its content, tag of AES-GCM (RFC 8446 5.1, 5.2)."""
_HEADERS = IP + TCP + 12
"""Of a packet of TCP with its time stamps (RFC 9293, RFC 7323)."""
REPORT_EVERY_S = 60
"""How often the VTN asks a VEN for a report."""
ALIVE_EVERY_S = 40
"""How often DRAS asks a controller under direct control for something."""
BLANK_EVERY_S = 20
"""How often a stream of XMPP carries a blank."""
_CAS = 2
"""Root and issuing CA, each with a list."""
_ENDS = 2
_HOUR_S = 3600


@dataclass(frozen=True, slots=True)
class Exchange:
    """Records of TLS, both directions, and packets with nothing but an acknowledgement or a flag of TCP."""

    records: tuple[int, ...]
    empty: int

    def octets(self, mtu: int) -> int:
        """Return what it is on the line, encrypted, where the largest packet in the tunnel has `mtu`."""
        most = mtu - _HEADERS
        whole = sum(record // most * in_esp(mtu) for record in self.records)
        rests = sum(in_esp(record % most + _HEADERS) for record in self.records if record % most)
        return whole + rests + self.empty * in_esp(_HEADERS)

    def __add__(self, other: "Exchange") -> "Exchange":
        """Return both."""
        return Exchange(self.records + other.records, self.empty + other.empty)


POLL = Exchange((200, 400, 800), empty=1)
"""oadrPoll: head and body of the request, the answer that says nothing."""
REPORT = Exchange((200, 1500, 850), empty=2)
"""oadrUpdateReport with what a resource is asked for, and its answer."""
SIGNATURE = 3000
"""What a signature adds to a message, with the certificate of who signed it."""
ALIVE = Exchange((110, 60), empty=1)
"""One object read by MMS."""
HANDSHAKE = Exchange((520, 250, 2000, 2000, 200, 200, 1600, 1600), empty=8)
"""TCP opened and closed; hellos, chains of two certificates both ways, and two tickets (RFC 8446 4)."""
ASSOCIATION = HANDSHAKE + Exchange((70, 70, 230, 210, *(20 * (110, 60)), 260, 1000), empty=2)
"""The same with MMS's association, the reports that are enabled, and the first of each."""


BLANK = Exchange((RECORD + 1,), empty=1)
"""What keeps a stream of XMPP alive."""
POLL_BY_XMPP = Exchange((500, 900), empty=1)
"""The same as an iq: request and result, as the server writes it."""
REPORT_BY_XMPP = Exchange((1900, 900), empty=2)
LOG_IN = HANDSHAKE + Exchange((200, 500, 200, 600, 150, 100, 200, 600, 200, 200), empty=6)
"""TCP and TLS with the streams before and after it, SASL EXTERNAL and the resource (RFC 6120 4.3, 6, 7)."""


@dataclass(frozen=True, slots=True)
class Repeated:
    """An exchange that comes again and again, every so many seconds on the average."""

    exchange: Exchange
    every_s: float


def openadr(controller: Device, timers: Timers, lifetimes: Lifetimes) -> Iterator[Repeated]:
    """Yield what the VEN of a controller says and hears; it has one connection."""
    if controller.ven is None:
        return
    if controller.ven.xmpp is not None:
        # HTTP is not used while the stream stands.
        yield Repeated(POLL_BY_XMPP, timers.openadr_poll_s)
        yield Repeated(REPORT_BY_XMPP, REPORT_EVERY_S)
        yield Repeated(BLANK, BLANK_EVERY_S)
        yield Repeated(LOG_IN, _begins_every_s(lifetimes))
        return
    signed = Exchange((SIGNATURE, SIGNATURE), empty=2) if controller.ven.signed else Exchange((), empty=0)
    yield Repeated(POLL + signed, timers.openadr_poll_s)
    yield Repeated(REPORT + signed, REPORT_EVERY_S)
    yield Repeated(HANDSHAKE, _begins_every_s(lifetimes))


def mms(controller: Device, lifetimes: Lifetimes) -> Iterator[Repeated]:
    """Yield what the association for the reports of a controller needs."""
    if controller.mms_server is not None:
        yield Repeated(ALIVE, ALIVE_EVERY_S)
        yield Repeated(ASSOCIATION, _begins_every_s(lifetimes))


def _begins_every_s(lifetimes: Lifetimes) -> float:
    """How often a session begins again: at a new list or a new certificate of either end.

    A list is made again after half of its life (T7), a certificate after its share of it (T8).
    """
    lists = _CAS / (lifetimes.crl_h / 2)
    certificates = _ENDS / (lifetimes.certificate_h * lifetimes.renew_share)
    return _HOUR_S / (lists + certificates)
