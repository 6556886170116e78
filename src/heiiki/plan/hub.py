"""The hub: DRAS, XMPP server, and a CE router to each carrier, in one closed group."""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network

from heiiki.plan import addresses as addr
from heiiki.plan import firewall, names
from heiiki.plan.context import GRE_MTU, HUB_VRID, OVERLAY_HOPS, Context
from heiiki.plan.model import (
    AllowedSource,
    BgpInstance,
    BgpNeighbor,
    Device,
    Endpoint,
    Firewall,
    ForwardPair,
    Function,
    Gre,
    Interface,
    LanWatch,
    Link,
    PrefixSet,
    Role,
    Router,
    StampStream,
    StaticRoute,
    Vrrp,
)

EDGE_LINK = 6
CONTROL_STREAM = ""
"""Site of the stream between the hub's own hosts: it crosses nothing that is failed (D19)."""

_MASTER, _BACKUP = 200, 100
_HOSTS = ((names.DRAS, addr.HUB_DRAS, Function.DRAS), (names.XMPP, addr.HUB_XMPP, Function.XMPP))


def devices(context: Context) -> Iterator[Device]:
    """Yield the hub's devices."""
    yield _ce_a(context)
    yield _ce_b(context)
    yield _switch()
    for name, index, function in _HOSTS:
        yield _host(context, name, index, function)


def links(context: Context) -> Iterator[Link]:
    """Yield the hub's access lines and the legs of its LAN."""
    pe = names.carrier_a(context.service.networks.a.hub_pe)
    yield Link(
        names.link(pe, names.HUB_CE_A),
        Endpoint(pe, "ac-hub"),
        Endpoint(names.HUB_CE_A, names.ACCESS_A_IF),
        "a",
        "access",
    )
    yield Link(
        names.link(names.EDGE, names.HUB_CE_B),
        Endpoint(names.EDGE, "ac-hub"),
        Endpoint(names.HUB_CE_B, names.ACCESS_B_IF),
        "b",
        "access",
    )
    for port, device in enumerate((names.HUB_CE_A, names.HUB_CE_B, names.DRAS, names.XMPP), start=1):
        ends = Endpoint(names.HUB_LAN, f"port{port}"), Endpoint(device, names.LAN_IF)
        yield Link(names.link(names.HUB_LAN, device), *ends, "lan", "lan")


def _ce_address(context: Context, index: int) -> IPv4Address:
    return addr.host(context.hub_lan, index)


def _site_sets(context: Context) -> tuple[PrefixSet, ...]:
    """One set a site, so that no site can announce the addresses of another."""
    return tuple(PrefixSet(f"SITE-{site.number:04d}", (context.own(site).lan,)) for site in context.sites)


def _overlay(context: Context, network: str) -> Iterator[BgpNeighbor]:
    """One session a site: over network A from loopback to loopback, over network B inside the tunnel."""
    for site in context.sites:
        own = context.own(site)
        on_a = network == "a"
        yield BgpNeighbor(
            address=own.loopback if on_a else own.tunnel_site,
            remote_as=context.service.sites_as_number,
            device=names.gateway_a(site) if on_a else names.gateway_b(site),
            update_source=str(context.hub_loopback) if on_a else None,
            bfd=context.bfd(site, network).name,
            multihop=OVERLAY_HOPS if on_a else 0,
            accept=f"SITE-{site.number:04d}",
            announce=context.hub_set.name,
            local_preference=context.preference(site, network),
        )


def _session_lan(context: Context, here: IPv4Address, peer: IPv4Address, device: str) -> BgpNeighbor:
    """Session to the other CE router; its source is named, or BFD and BGP of a restarted one deadlock."""
    return BgpNeighbor(
        address=peer,
        update_source=str(here),
        remote_as=context.service.hub.as_number,
        device=device,
        bfd=context.timers.active.name,
        accept=context.sites_set.name,
        announce=context.sites_set.name,
        next_hop_self=True,
    )


def _vrrp(context: Context, peer: IPv4Address, priority: int) -> Vrrp:
    return Vrrp(
        interface=names.LAN_IF,
        virtual_interface=names.LAN_VIRTUAL_IF,
        router_id=HUB_VRID,
        priority=priority,
        address=context.hub_gateway,
        peer=peer,
        advert_ms=context.timers.vrrp_advert_ms,
        preempt_delay_s=context.timers.vrrp_preempt_delay_s,
    )


def _watch(context: Context, source: IPv4Address, peer: IPv4Address) -> LanWatch:
    hosts = tuple(addr.host(context.hub_lan, index) for _, index, _ in _HOSTS)
    return LanWatch(
        interface=names.LAN_IF,
        prefix=context.hub_lan,
        source=source,
        targets=(peer, *hosts),
        probe_ms=context.timers.lan_probe_ms,
        lost=context.timers.lan_probe_lost,
    )


def _lan_sources(context: Context) -> Iterator[AllowedSource]:
    """The LAN's own hosts, and sites whose packets the other CE router hands over."""
    for interface in names.LAN_IFS:
        yield AllowedSource(interface, (context.hub_lan, context.service.addresses.site_lan))


def _ce_a(context: Context) -> Device:
    here, peer = _ce_address(context, addr.LAN_FIRST), _ce_address(context, addr.LAN_SECOND)
    pools = context.service.addresses
    pe = addr.host(context.hub_access_a, 1)
    to_pe = BgpNeighbor(
        address=pe,
        remote_as=context.service.networks.a.as_number,
        device=names.carrier_a(context.service.networks.a.hub_pe),
        bfd=context.timers.active.name,
        accept="SITE-LOOPBACKS",
        announce="HUB-OWN",
    )
    sets = (
        context.hub_set,
        context.sites_set,
        PrefixSet("SITE-LOOPBACKS", (pools.loopback_a,), le=addr.HOST),
        PrefixSet("HUB-OWN", (context.hub_lan, context.only_hub_loopback)),
        *_site_sets(context),
    )
    neighbors = (to_pe, _session_lan(context, here, peer, names.HUB_CE_B), *_overlay(context, "a"))
    return Device(
        name=names.HUB_CE_A,
        role=Role.CE_ROUTER,
        function=Function.CE,
        platform="frr",
        networks=("a",),
        interfaces=(
            Interface("lo", "loopback", (addr.single(context.hub_loopback),)),
            Interface(names.ACCESS_A_IF, "ethernet", (addr.on(context.hub_access_a, 2),), peer=to_pe.device),
            Interface(names.LAN_IF, "ethernet", (addr.single(here),)),
        ),
        router=_router(
            context,
            context.hub_loopback,
            neighbors,
            (context.hub_lan, context.only_hub_loopback),
            sets,
        ),
        firewall=Firewall(
            services=(
                *firewall.routing_from(pe, pools.loopback_a, peer),
                firewall.vrrp_from(peer),
                firewall.echo_from(context.hub_lan),
            ),
            pairs=(_pair(context, (names.ACCESS_A_IF,)),),
            sources=(
                *_lan_sources(context),
                AllowedSource(names.ACCESS_A_IF, (pools.site_lan, pools.loopback_a, addr.only(pe))),
            ),
        ),
        vrrp=_vrrp(context, peer, _MASTER),
        lan_watch=_watch(context, here, peer),
    )


def _ce_b(context: Context) -> Device:
    here, peer = _ce_address(context, addr.LAN_SECOND), _ce_address(context, addr.LAN_FIRST)
    pools = context.service.addresses
    line = context.infrastructure_b(EDGE_LINK)
    edge = addr.host(line, 1)
    to_edge = BgpNeighbor(
        address=edge,
        remote_as=context.service.networks.b.as_number,
        device=names.EDGE,
        bfd=context.timers.active.name,
        accept=context.sim_set.name,
        announce=context.endpoint_set.name,
    )
    sets = (context.hub_set, context.sites_set, context.sim_set, context.endpoint_set, *_site_sets(context))
    neighbors = (to_edge, _session_lan(context, here, peer, names.HUB_CE_A), *_overlay(context, "b"))
    tunnels = tuple(_tunnels(context))
    return Device(
        name=names.HUB_CE_B,
        role=Role.CE_ROUTER,
        function=Function.CE,
        platform="frr",
        networks=("b",),
        interfaces=(
            Interface("lo", "loopback", (addr.single(context.tunnel_endpoint),)),
            Interface(names.ACCESS_B_IF, "ethernet", (addr.on(line, 2),), peer=names.EDGE),
            Interface(names.LAN_IF, "ethernet", (addr.single(here),)),
            *tunnels,
        ),
        router=_router(
            context,
            context.tunnel_endpoint,
            neighbors,
            (context.hub_lan, context.only_endpoint),
            sets,
        ),
        firewall=Firewall(
            services=(
                *firewall.routing_from(edge, pools.tunnel_b, peer),
                firewall.gre_from(pools.sim_b),
                firewall.vrrp_from(peer),
                firewall.echo_from(context.hub_lan),
            ),
            pairs=(_pair(context, tuple(tunnel.name for tunnel in tunnels)),),
            sources=(
                *_lan_sources(context),
                AllowedSource(names.ACCESS_B_IF, (pools.sim_b, addr.only(edge))),
                *_tunnel_sources(context),
            ),
        ),
        vrrp=_vrrp(context, peer, _BACKUP),
        lan_watch=_watch(context, here, peer),
    )


def _tunnels(context: Context) -> Iterator[Interface]:
    for site in context.sites:
        own = context.own(site)
        yield Interface(
            names.tunnel(site),
            "gre",
            (addr.on(own.tunnel, 1),),
            peer=names.gateway_b(site),
            mtu=GRE_MTU,
            gre=Gre(context.tunnel_endpoint, own.sim),
        )


def _tunnel_sources(context: Context) -> Iterator[AllowedSource]:
    for site in context.sites:
        own = context.own(site)
        yield AllowedSource(names.tunnel(site), (own.lan, addr.only(own.tunnel_site)))


def _router(
    context: Context,
    router_id: IPv4Address,
    neighbors: tuple[BgpNeighbor, ...],
    networks: tuple[IPv4Network, ...],
    sets: tuple[PrefixSet, ...],
) -> Router:
    return Router(
        router_id=router_id,
        bgp=(BgpInstance(context.service.hub.as_number, router_id, neighbors, networks),),
        prefix_sets=sets,
        bfd_profiles=(context.timers.active, context.timers.standby),
    )


def _pair(context: Context, uplinks: tuple[str, ...]) -> ForwardPair:
    """The hub LAN to any site; the pair never names two sites, so the hub is no bridge between them (D2)."""
    outside = (*uplinks, names.LAN_IF)
    sites = (context.service.addresses.site_lan,)
    return ForwardPair("sites", (context.hub_lan,), sites, names.LAN_IFS, outside)


def _switch() -> Device:
    return Device(
        name=names.HUB_LAN,
        role=Role.LAN_SWITCH,
        function=Function.SWITCH,
        platform="bridge",
        networks=(),
        managed=False,
        interfaces=tuple(Interface(f"port{port}", "ethernet") for port in (1, 2, 3, 4)),
    )


def _host(context: Context, name: str, index: int, function: Function) -> Device:
    pool = context.service.addresses.site_lan
    control = next(
        StampStream(CONTROL_STREAM, addr.host(context.hub_lan, other))
        for _, other, _ in _HOSTS
        if other != index
    )
    streams = tuple(StampStream(site.name, context.own(site).controller) for site in context.sites)
    return Device(
        name=name,
        role=Role.CLOSED_GROUP_HOST,
        function=function,
        platform="linux_host",
        networks=(),
        interfaces=(Interface(names.LAN_IF, "ethernet", (addr.on(context.hub_lan, index),)),),
        routes=(StaticRoute(pool, via=context.hub_gateway),),
        firewall=Firewall(
            services=(firewall.echo_from(context.hub_lan, pool), firewall.stamp_from(context.hub_lan, pool))
        ),
        stamp=(control, *streams),
    )
