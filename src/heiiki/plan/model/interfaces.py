"""Interfaces of a device, and the tunnels that end there."""

from dataclasses import dataclass
from enum import StrEnum
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


class InterfaceKind(StrEnum):
    """What an interface is.

    A link of the plan ends at `ETHERNET`. The modem makes `WWAN`, and owns `RADIO`, which is never routed.
    pppd makes `PPP` when a session is up.
    """

    ETHERNET = "ethernet"
    LOOPBACK = "loopback"
    VRF = "vrf"
    GRE = "gre"
    XFRM = "xfrm"
    WWAN = "wwan"
    RADIO = "radio"
    PPP = "ppp"


@dataclass(frozen=True, slots=True)
class Interface:
    """One interface of a device.

    Attributes:
        name: name on the device, at most 15 characters.
        addresses: addresses the device owns there.
        peer: what stands at the other end, for descriptions.
        vrf: the VRF the interface is in.
        table: routing table, for kind ``vrf``.
        mpls: labelled packets are accepted here.
        rate: of a tunnel: how much may leave by it, kbit/s of encrypted packets; None: no bound.
        link_address: the link address (MAC) that it has on its LAN; None: the hardware's own.
        port: of kind ``ppp``: the Ethernet port whose frames carry its packets, and that carries no others.
    """

    name: str
    kind: InterfaceKind
    addresses: tuple[IPv4Interface, ...] = ()
    peer: str = ""
    vrf: str | None = None
    table: int | None = None
    mtu: int | None = None
    mpls: bool = False
    gre: Gre | None = None
    xfrm: Xfrm | None = None
    rate: int | None = None
    link_address: str | None = None
    port: str = ""
