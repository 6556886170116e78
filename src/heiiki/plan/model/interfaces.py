"""Interfaces of a device, and the tunnels that end there."""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface


@dataclass(frozen=True, slots=True)
class Gre:
    """A GRE tunnel (RFC 2784) between two addresses of a closed network."""

    local: IPv4Address
    remote: IPv4Address


@dataclass(frozen=True, slots=True)
class Xfrm:
    """An IPsec interface: what is routed there leaves in the ESP tunnel whose policies carry `if_id`."""

    if_id: int
    underlay: str


@dataclass(frozen=True, slots=True)
class Interface:
    """One interface of a device.

    Attributes:
        name: name on the device, at most 15 characters.
        kind: ``ethernet`` (a link of the plan ends here), ``loopback``, ``vrf``, ``gre``, ``xfrm``, ``wwan``
            (made by the modem), ``radio`` (the lab's stand-in for radio; the modem's own, never routed).
        addresses: addresses the device owns there.
        peer: what stands at the other end, for descriptions.
        vrf: the VRF the interface is in.
        table: routing table, for kind ``vrf``.
        mpls: labelled packets are accepted here.
    """

    name: str
    kind: str
    addresses: tuple[IPv4Interface, ...] = ()
    peer: str = ""
    vrf: str | None = None
    table: int | None = None
    mtu: int | None = None
    mpls: bool = False
    gre: Gre | None = None
    xfrm: Xfrm | None = None
