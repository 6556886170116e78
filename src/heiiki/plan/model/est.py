"""Enrolment over Secure Transport (RFC 7030): the service's registration authority."""

from dataclasses import dataclass
from ipaddress import IPv4Address

from heiiki.plan.model.pki import Identity


@dataclass(frozen=True, slots=True)
class EstClient:
    """A device that may enrol.

    Attributes:
        identity: the names that its certificate bears.
        source: where it asks from.
        server: which address of the server it asks.
    """

    identity: Identity
    source: IPv4Address
    server: IPv4Address


@dataclass(frozen=True, slots=True)
class Est:
    """What a registration authority serves.

    Attributes:
        addresses: where it listens: on the hub's LAN, and outside of tunnels.
        port: TCP.
        clients: whom it serves; one that is revoked is not among them.
    """

    addresses: tuple[IPv4Address, ...]
    port: int
    clients: tuple[EstClient, ...]
