"""Routing of a device: BGP, VRFs, static routes, and the prefixes that sessions exchange."""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from heiiki.plan.model.timers import BfdProfile


@dataclass(frozen=True, slots=True)
class PrefixSet:
    """A named list of prefixes, matched exactly or, with `le`, up to that length."""

    name: str
    prefixes: tuple[IPv4Network, ...]
    le: int | None = None


@dataclass(frozen=True, slots=True)
class BgpNeighbor:
    """One BGP session (RFC 4271).

    Attributes:
        address: the peer.
        device: name of the peer in the plan.
        bfd: name of the BFD profile that decides over the session, or None.
        accept: name of the prefix set that is accepted; None: nothing but what the address family demands.
        announce: name of the prefix set that is announced.
        local_preference: preference given to what is accepted.
        vpn: the session carries VPNv4 (RFC 4364) instead of IPv4.
        key: path of the secret by which both ends know each other; None inside of IPsec, which does that.
    """

    address: IPv4Address
    remote_as: int
    device: str
    update_source: str | None = None
    bfd: str | None = None
    accept: str | None = None
    announce: str | None = None
    local_preference: int | None = None
    next_hop_self: bool = False
    vpn: bool = False
    key: str | None = None


@dataclass(frozen=True, slots=True)
class VpnTargets:
    """Route distinguisher and route targets of a VRF (RFC 4364)."""

    distinguisher: str
    imports: tuple[str, ...]
    exports: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BgpInstance:
    """BGP in one VRF of a device; `vrf` None is the device's own table."""

    asn: int
    router_id: IPv4Address
    neighbors: tuple[BgpNeighbor, ...]
    networks: tuple[IPv4Network, ...] = ()
    vrf: str | None = None
    vpn: VpnTargets | None = None
    redistribute_connected: bool = False


@dataclass(frozen=True, slots=True)
class StaticRoute:
    """A route that is written, not learned; `via` an address, an interface, or both.

    Attributes:
        distance: administrative distance; 0: before every route that is learned.
    """

    prefix: IPv4Network
    via: IPv4Address | None = None
    interface: str | None = None
    vrf: str | None = None
    distance: int = 0


@dataclass(frozen=True, slots=True)
class CoreNeighbor:
    """The router at the other end of a core link: OSPF over the link, LDP to its loopback.

    Attributes:
        router_id: its loopback, which is its LSR identifier (RFC 5036 2.2.2).
        ospf_key, ldp_key: paths of the secrets of both.
    """

    interface: str
    router_id: IPv4Address
    ospf_key: str
    ldp_key: str


@dataclass(frozen=True, slots=True)
class Router:
    """Routing of a device: BGP everywhere, OSPF and LDP inside carrier A's core.

    Attributes:
        source: what the device itself sends by routes of BGP bears this address; None: that of the interface.
        source_for: name of the prefix set for whose routes `source` counts.
    """

    router_id: IPv4Address
    bgp: tuple[BgpInstance, ...] = ()
    prefix_sets: tuple[PrefixSet, ...] = ()
    bfd_profiles: tuple[BfdProfile, ...] = ()
    core: tuple[CoreNeighbor, ...] = ()
    source: IPv4Address | None = None
    source_for: str = ""

    @property
    def keys(self) -> tuple[str, ...]:
        """Paths of the secrets of all its sessions, each once."""
        bgp = (neighbor.key for instance in self.bgp for neighbor in instance.neighbors)
        core = (path for one in self.core for path in (one.ospf_key, one.ldp_key))
        return tuple(dict.fromkeys(path for path in (*bgp, *core) if path is not None))
