"""Optical access: sessions of PPP over Ethernet (RFC 2516), which RADIUS admits (RFC 2865, RFC 6614)."""

from dataclasses import dataclass
from ipaddress import IPv4Address


@dataclass(frozen=True, slots=True)
class PppoeClient:
    """How a site's router logs in on its line.

    Attributes:
        interface: what is routed, by its name while a session is up.
        port: the Ethernet port below.
        user: ``user@realm``.
        password: path of its secret.
        mtu: the largest IP packet, octets; either end asks for it as MRU (RFC 1661 6.1).
    """

    interface: str
    port: str
    user: str
    password: str
    address: IPv4Address
    peer: IPv4Address
    mtu: int


@dataclass(frozen=True, slots=True)
class PppoeLine:
    """A line at the carrier's end, where one session at a time is let in.

    Attributes:
        interface: what is routed in `vrf` while a session is up.
        port: the Ethernet port below.
        client: the device at the other end.
        user: who may log in here, and nowhere else.
        address, peer: of this end, and of the client.
    """

    interface: str
    port: str
    vrf: str
    client: str
    user: str
    address: IPv4Address
    peer: IPv4Address
    mtu: int


@dataclass(frozen=True, slots=True)
class RadiusPeer:
    """Another speaker of RADIUS over UDP, and the path of the secret that both share."""

    device: str
    address: IPv4Address
    secret: str


@dataclass(frozen=True, slots=True)
class RadiusHome:
    """The server that decides about a realm, as RadSec reaches it (RFC 6614).

    Attributes:
        host: the name in its certificate.
        client: where connections to it come from.
    """

    device: str
    host: str
    address: IPv4Address
    client: IPv4Address


@dataclass(frozen=True, slots=True)
class RadiusProxy:
    """What a PE asks about a session: a proxy of its own, since pppd does not sign what it asks.

    Attributes:
        name: by which the PE is known to who decides (NAS-Identifier).
        realm: the only one that it forwards.
        address: its own, for other PEs.
        secret: path of the secret between it and its own pppd.
        home: where it forwards to by RadSec; None where `upstream` does that.
        upstream: the PE that forwards for it.
        clients: the PEs for which it forwards.
    """

    name: str
    realm: str
    address: IPv4Address
    secret: str
    home: RadiusHome | None = None
    upstream: RadiusPeer | None = None
    clients: tuple[RadiusPeer, ...] = ()


@dataclass(frozen=True, slots=True)
class RadiusUser:
    """Who may log in, on one line alone, and what the session gets.

    Attributes:
        password: path of its secret.
        nas, port: the PE and its line (NAS-Identifier, NAS-Port-Id).
        address: the session's (Framed-IP-Address).
    """

    name: str
    password: str
    nas: str
    port: str
    address: IPv4Address
    mtu: int


@dataclass(frozen=True, slots=True)
class RadiusServer:
    """The server that decides about the service's realm.

    Attributes:
        address: where it answers, by RadSec alone.
        client: name in the certificate of the one proxy that it answers; `client_address`: its address.
    """

    realm: str
    address: IPv4Address
    client: str
    client_address: IPv4Address
    users: tuple[RadiusUser, ...]
