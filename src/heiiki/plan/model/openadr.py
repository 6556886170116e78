"""OpenADR 2.0b (IEC 62746-10-1): the aggregator's VTN, and a VEN at each site's controller."""

from dataclasses import dataclass
from ipaddress import IPv4Address


@dataclass(frozen=True, slots=True)
class XmppLogin:
    """By what an end speaks OpenADR over XMPP.

    Attributes:
        domain: of every JID; each server's certificate bears it.
        servers: address and port of each.
        jid: of the end.
        vtn: JID of the VTN.
    """

    domain: str
    servers: tuple[tuple[IPv4Address, int], ...]
    jid: str
    vtn: str


@dataclass(frozen=True, slots=True)
class ServedVen:
    """A VEN as its VTN knows it.

    Attributes:
        ven_id: its name in messages.
        certificate_name: the DNS name in its certificate.
        jid: the XMPP address in it.
    """

    ven_id: str
    certificate_name: str
    jid: str


@dataclass(frozen=True, slots=True)
class ServedEsp:
    """An energy service provider as the REST API knows it.

    Attributes:
        name: whose events they are.
        device: its system.
        certificate_name: the DNS name in its certificate.
        sites: the sites that it may address.
    """

    name: str
    device: str
    certificate_name: str
    sites: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RestApi:
    """By what systems of energy service providers order events (TR-1072 8.3).

    Attributes:
        port: where it listens, at the VTN's address.
        sites: each site with the VEN at it.
        esps: whom it serves; one that is revoked is not among them.
    """

    port: int
    sites: tuple[tuple[str, str], ...]
    esps: tuple[ServedEsp, ...]


@dataclass(frozen=True, slots=True)
class VtnHost:
    """A host of a VTN, as who speaks to it knows it.

    Attributes:
        name: the DNS name in its certificate.
        address, port: where it listens.
    """

    name: str
    address: IPv4Address
    port: int


@dataclass(frozen=True, slots=True)
class Doubled:
    """One of the two hosts that keep the book of a VTN; which of them writes, their books say.

    Attributes:
        name: the DNS name in this host's certificate.
        port: where it takes the book, at the VTN's address.
        device: the other host.
        peer: the same of the other host, and where it takes the book.
    """

    name: str
    port: int
    device: str
    peer: VtnHost


@dataclass(frozen=True, slots=True)
class Vtn:
    """What a device serves as a VTN.

    Attributes:
        vtn_id: its name in messages.
        address, port: where it listens.
        vens: whom it serves; a revoked one is not among them.
        poll_every_s: how often they are to ask for events.
        rest: its REST API; None where no ESP has a system of its own.
        signed: each message has a signature besides TLS (security level high).
        xmpp: by what it reaches VENs at once; None: they poll.
        doubled: how it keeps its book with a second host; None: it has none.
    """

    vtn_id: str
    address: IPv4Address
    port: int
    vens: tuple[ServedVen, ...]
    poll_every_s: int
    rest: RestApi | None = None
    signed: bool = False
    xmpp: XmppLogin | None = None
    doubled: Doubled | None = None


@dataclass(frozen=True, slots=True)
class Ven:
    """What a device asks as a VEN.

    Attributes:
        name: oadrVenName.
        vtn_name, vtn_address, vtn_port: the DNS name in the VTN's certificate, and where it listens.
        signed, xmpp: as at the VTN.
        others: the VTN's other hosts, which are asked where that one does not answer.
    """

    name: str
    vtn_name: str
    vtn_address: IPv4Address
    vtn_port: int
    signed: bool = False
    xmpp: XmppLogin | None = None
    others: tuple[VtnHost, ...] = ()
