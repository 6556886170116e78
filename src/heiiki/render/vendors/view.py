"""A site's CE router as every vendor's template reads it: ports, sessions, filters, in the plan's order.

Linux has its own words for some of this (sets of nftables, a LAN's address of /32); here are none of them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

from heiiki.plan import names
from heiiki.plan.model import (
    BfdProfile,
    BgpNeighbor,
    Device,
    Gre,
    IpsecConnection,
    ManagementAccess,
    Network,
    Plan,
    PrefixSet,
    StaticRoute,
)
from heiiki.plan.vendors import PLATFORMS, Platform
from heiiki.render.templates import most_prefixes
from heiiki.render.vendors.filters import Rule, rules

_MINUTE_S = 60


@dataclass(frozen=True, slots=True)
class Port:
    """An interface, by the platform's name.

    Attributes:
        bfd: of the session on it.
        rules: what may come in, first match first; nothing else may.
    """

    name: str
    address: IPv4Interface
    peer: str
    mtu: int | None
    bfd: BfdProfile
    rules: tuple[Rule, ...]
    link_address: str = ""


@dataclass(frozen=True, slots=True)
class Session:
    """A BGP session, and the port by which its peer is reached."""

    neighbor: BgpNeighbor
    port: Port
    internal: bool
    most_prefixes: int
    accept: PrefixSet
    announce: PrefixSet


@dataclass(frozen=True, slots=True)
class Ce:
    """Everything that a template of a CE router says.

    Attributes:
        lan_prefix: the site's LAN, which the hub hears of while `watched` addresses answer.
        ike, esp: the platform's words for the first proposal of the plan that it has; empty: it has none.
        crl_minutes: how long a revocation list is kept at most.
        management: how it is reached from outside of the closed networks; None: it is not.
    """

    platform: Platform
    as_number: int
    loopback: IPv4Address
    access: Port
    tunnel: Port
    lan: Port
    gre: Gre
    tunnel_kbps: int | None
    segment: int
    connection: IpsecConnection
    ike: tuple[str, ...]
    esp: tuple[str, ...]
    sessions: tuple[Session, ...]
    prefix_sets: tuple[PrefixSet, ...]
    lan_prefix: IPv4Network
    beyond: IPv4Network
    watched: tuple[IPv4Address, ...]
    routes: tuple[StaticRoute, ...]
    time_servers: tuple[IPv4Address, ...]
    crl_minutes: int
    management: ManagementAccess | None

    @classmethod
    def of(cls, plan: Plan, device: Device) -> "Ce":
        """Return the view of a site's CE router on network A.

        Raises:
            ValueError: the device is none: a part that each of them has is missing.
        """
        parts = device.router, device.firewall, device.lan_watch, device.vrrp, device.crl_source
        router, firewall, watch, vrrp, lists = parts
        gre = device.interface(names.ON[Network.A].tunnel).gre
        if not (router and firewall and watch and vrrp and lists and gre and device.site):
            raise ValueError(f"{device.name} is no CE router of a site")
        platform, (instance,), (connection,) = PLATFORMS[device.platform], router.bgp, device.ipsec
        ports = {name: _port(plan, device, name) for name in _names(platform)}
        tunnel = device.interface(names.ON[Network.A].tunnel)
        return cls(
            platform=platform,
            as_number=instance.asn,
            loopback=router.router_id,
            access=ports[names.ACCESS_A_IF],
            tunnel=ports[tunnel.name],
            lan=ports[names.LAN_IF],
            gre=gre,
            tunnel_kbps=tunnel.rate,
            segment=firewall.segment or 0,
            connection=connection,
            ike=_known(platform, plan.pki.suite.ike),
            esp=_known(platform, plan.pki.suite.esp),
            sessions=tuple(_sessions(plan, device, ports)),
            prefix_sets=router.prefix_sets,
            lan_prefix=watch.prefix,
            beyond=watch.beyond,
            watched=watch.targets,
            routes=device.routes,
            time_servers=device.clock.servers if device.clock else (),
            crl_minutes=max(1, lists.every_s // _MINUTE_S),
            management=firewall.management,
        )


def _names(platform: Platform) -> dict[str, str]:
    """Return the platform's name of each port, by the plan's."""
    ports = platform.ports
    return {
        names.ACCESS_A_IF: ports.access,
        names.ON[Network.A].tunnel: ports.tunnel,
        names.LAN_IF: ports.lan,
    }


def _port(plan: Plan, device: Device, name: str) -> Port:
    item, prefix = device.interface(name), plan.site(device.site or "").lan
    own = item.addresses[0]
    # A host of the LAN is on the link: there is no route that a watch of ours would make.
    address = IPv4Interface((int(own.ip), prefix.prefixlen)) if name == names.LAN_IF else own
    profiles = {profile.name: profile for profile in plan.timers.bfd}
    bfd = next(profiles[one.bfd] for one in _neighbors(device) if one.bfd and one.address in address.network)
    return Port(
        name=_names(PLATFORMS[device.platform])[name],
        address=address,
        peer=item.peer or device.site or "",
        mtu=item.mtu,
        bfd=bfd,
        rules=tuple(rules(device, name, address)),
        link_address=item.link_address or "",
    )


def _neighbors(device: Device) -> Iterator[BgpNeighbor]:
    return (one for instance in (device.router.bgp if device.router else ()) for one in instance.neighbors)


def _sessions(plan: Plan, device: Device, ports: dict[str, Port]) -> Iterator[Session]:
    router = device.router
    for instance in router.bgp if router else ():
        sets = {item.name: item for item in router.prefix_sets} if router else {}
        for neighbor in instance.neighbors:
            port = next(one for one in ports.values() if neighbor.address in one.address.network)
            yield Session(
                neighbor=neighbor,
                port=port,
                internal=neighbor.remote_as == instance.asn,
                most_prefixes=most_prefixes(neighbor, plan, router) if router else 0,
                accept=sets[neighbor.accept or ""],
                announce=sets[neighbor.announce or ""],
            )


def _known(platform: Platform, proposals: str) -> tuple[str, ...]:
    """Return the platform's words for the first proposal of which it has every algorithm."""
    offers = (offer.strip().split("-") for offer in proposals.split(","))
    known = (offer for offer in offers if all(word in platform.algorithms for word in offer))
    return tuple(platform.algorithms[word] for word in next(known, ()))
