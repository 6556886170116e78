"""Packet filter of a device."""

from dataclasses import dataclass
from ipaddress import IPv4Network


@dataclass(frozen=True, slots=True)
class ForwardPair:
    """Packets that may pass a device: from prefixes `inside` to prefixes `outside`, and back.

    Stateless on purpose: after a switch of paths a flow continues through a device that never saw its start.
    """

    name: str
    inside: tuple[IPv4Network, ...]
    outside: tuple[IPv4Network, ...]
    inside_interfaces: tuple[str, ...]
    outside_interfaces: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Transit:
    """Packets that may pass between two groups of interfaces, both ways, by no address: a carrier's own."""

    name: str
    inside: tuple[str, ...]
    outside: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AllowedSource:
    """Anti-spoofing (RFC 2827): the prefixes that may be sources on one interface."""

    interface: str
    prefixes: tuple[IPv4Network, ...]


@dataclass(frozen=True, slots=True)
class Limit:
    """How much one source may ask of a service; what is more is dropped and counted (R-ISO-MALICE).

    Attributes:
        rate: packets a second; of TCP, attempts to open a connection.
        burst: how many may come at once before the rate counts.
        connections: TCP connections that are open at a time; 0: they are not counted.
        octets: kB a second that all packets may have, headers included; 0: they are not counted.
        octets_burst: kB that may come at once before `octets` counts.
    """

    rate: int
    burst: int
    connections: int = 0
    octets: int = 0
    octets_burst: int = 0


@dataclass(frozen=True, slots=True)
class InputService:
    """What a device answers itself: `protocol` tcp, udp, gre, esp, vrrp, icmp, sctp or ospf.

    Attributes:
        interfaces: where it may come in; a name that ends with a star stands for all that begin so.
        limit: bound for each source; None: it carries the paths' own packets.
        adjacent: those of its ports whose peers are on the same link: their packets have passed no router, so
            their TTL is 255 (RFC 5082; of BFD: RFC 5881 5; of LDP: RFC 6720).
    """

    name: str
    protocol: str
    ports: tuple[int, ...]
    interfaces: tuple[str, ...]
    sources: tuple[IPv4Network, ...]
    limit: Limit | None = None
    adjacent: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class ManagementAccess:
    """How a device is reached for management, over an interface that is no part of the closed networks.

    Attributes:
        interface: its name; empty: any interface that the plan does not know.
        sources: where SSH may come from, and without a name all that may come in there.
        closed: the addresses of the closed networks, which are spoofed where they come in there.
        limit: bound of SSH for each source.
    """

    interface: str
    sources: tuple[IPv4Network, ...]
    closed: tuple[IPv4Network, ...]
    limit: Limit = Limit(10, 50)


@dataclass(frozen=True, slots=True)
class Firewall:
    """Packet filter of a device: default deny in `input` and `forward`, and by interface (R-ISO-*).

    Attributes:
        separated: interfaces between which nothing passes, whatever the other rules say (D2).
        encrypted: uplinks below the device's tunnels. A device that has any takes and sends GRE only inside
            of ESP, on whatever interface (R-SEC-ACCESS); where the uplink is itself the inside of a tunnel,
            that is ESP of its own.
        tunnels: interfaces that take smaller packets than a LAN.
        segment: largest TCP segment (RFC 9293 3.7.1) that passes every tunnel here, octets; None without.
        management: how it is reached from outside of the closed networks; None: it is not.
    """

    services: tuple[InputService, ...] = ()
    pairs: tuple[ForwardPair, ...] = ()
    sources: tuple[AllowedSource, ...] = ()
    transits: tuple[Transit, ...] = ()
    separated: tuple[str, ...] = ()
    encrypted: tuple[str, ...] = ()
    tunnels: tuple[str, ...] = ()
    segment: int | None = None
    management: ManagementAccess | None = None
