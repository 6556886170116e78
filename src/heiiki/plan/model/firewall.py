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
class InputService:
    """What a device answers itself: `protocol` tcp, udp, gre, esp, vrrp, icmp, sctp or ospf."""

    name: str
    protocol: str
    ports: tuple[int, ...]
    sources: tuple[IPv4Network, ...]


@dataclass(frozen=True, slots=True)
class Firewall:
    """Packet filter of a device: default deny in `input` and `forward` (R-ISO-*).

    Attributes:
        separated: interfaces between which nothing passes, whatever the other rules say (D2).
        encrypted: interfaces on which GRE passes, in and out, only inside of ESP (R-SEC-ACCESS); where the
            interface is itself the inside of a tunnel, that is ESP of its own.
    """

    services: tuple[InputService, ...] = ()
    pairs: tuple[ForwardPair, ...] = ()
    sources: tuple[AllowedSource, ...] = ()
    transits: tuple[Transit, ...] = ()
    separated: tuple[str, ...] = ()
    encrypted: tuple[str, ...] = ()
