"""What a device does for its LAN: the virtual gateway, the watch over the LAN's route, and its neighbours."""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network


@dataclass(frozen=True, slots=True)
class Vrrp:
    """The virtual gateway of a LAN (RFC 9568).

    Attributes:
        link_address: the virtual router's own link address (RFC 9568 7.3), from which it also advertises.
        peer_priority: what the other gateway advertises, besides 0 when it resigns.
        tracked_file: while it holds another number than 0, the gateway takes no part.
    """

    interface: str
    virtual_interface: str
    router_id: int
    priority: int
    address: IPv4Address
    link_address: str
    peer: IPv4Address
    peer_priority: int
    advert_ms: int
    preempt_delay_s: int
    tracked_file: str


@dataclass(frozen=True, slots=True)
class LanWatch:
    """The LAN route exists only while a host on the LAN answers ARP (D4).

    The gateway holds the virtual address only while it has a route to the network `beyond` it, too.
    """

    interface: str
    prefix: IPv4Network
    source: IPv4Address
    targets: tuple[IPv4Address, ...]
    beyond: IPv4Network
    probe_ms: int
    lost: int


@dataclass(frozen=True, slots=True)
class Neighbour:
    """An address on a LAN, and the link address (MAC) of the one device that answers for it."""

    address: IPv4Address
    link_address: str
