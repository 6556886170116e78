"""The hub: DRAS, XMPP server, Vault server, and a CE router to each carrier, in one closed group."""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from heiiki.intent.pppoe import radius_address
from heiiki.plan import addresses as addr
from heiiki.plan import esps, firewall, hub_hosts, identities, ipsec, lan, names
from heiiki.plan.context import Context
from heiiki.plan.model import (
    AllowedSource,
    BgpNeighbor,
    CrlMirror,
    Device,
    DeviceClass,
    Endpoint,
    Firewall,
    ForwardPair,
    Function,
    Interface,
    InterfaceKind,
    Link,
    LinkKind,
    Network,
    PrefixSet,
    Role,
    Router,
    StaticRoute,
    VaultClient,
)

_OTHER_CE = {Network.A: names.HUB_CE_B, Network.B: names.HUB_CE_A}


def devices(context: Context) -> Iterator[Device]:
    """Yield the hub's devices."""
    for network in Network:
        yield _ce(_Ce.of(context, network))
    yield _switch(context)
    yield from hub_hosts.devices(context)
    yield from esps.devices(context)


def links(context: Context) -> Iterator[Link]:
    """Yield the hub's access lines and the legs of its LAN."""
    for network in Network:
        edge, ce = context.edge(network), names.ON[network].hub_ce
        ends = Endpoint(edge, names.EDGE_LINE_IF), Endpoint(ce, names.ON[network].hub_line)
        mtu, rate = context.service.hub.mtu, context.hub_rate
        yield Link(names.link(edge, ce), *ends, network, LinkKind.ACCESS, mtu=mtu, rate=rate)
    for port, device in enumerate(_at_switch(context), start=1):
        ends = Endpoint(names.HUB_LAN, f"port{port}"), Endpoint(device, names.LAN_IF)
        yield Link(names.link(names.HUB_LAN, device), *ends, None, LinkKind.LAN)


@dataclass(frozen=True, slots=True)
class _Ce:
    """The CE router to one carrier, and what the parts of its configuration share.

    Attributes:
        own: the router's end of every site's tunnel.
        outside: the edge's end of the line.
        inside: the edge's end inside of the VPN on that line.
        far: the sites' ends of their tunnels, as the carrier announces them.
        tunnels: a tunnel to each site.
    """

    context: Context
    network: Network
    leg: lan.Leg
    own: IPv4Network
    outside: IPv4Address
    inside: IPv4Address
    far: PrefixSet
    vpn: Interface
    tunnels: tuple[Interface, ...]

    @classmethod
    def of(cls, context: Context, network: Network) -> "_Ce":
        """Return the router to the carrier of `network`."""
        return cls(
            context=context,
            network=network,
            leg=lan.leg(hub_hosts.members(context), network, _OTHER_CE[network]),
            own=addr.only(context.hub_end(network)),
            outside=addr.host(context.line(network), 1),
            inside=addr.host(context.inside_esp(network), 1),
            far=context.far_set(network),
            vpn=ipsec.hub_interface(context, network, context.edge(network)),
            tunnels=tuple(ipsec.hub_tunnel(context, site, network) for site in context.sites),
        )

    @property
    def name(self) -> str:
        """Name of the router."""
        return names.ON[self.network].hub_ce

    @property
    def line(self) -> str:
        """Its interface to the carrier."""
        return names.ON[self.network].hub_line


def _ce(ce: _Ce) -> Device:
    """The CE router to one carrier: all sites' tunnels over it, inside the VPN to the carrier's edge."""
    context, network = ce.context, ce.network
    return Device(
        name=ce.name,
        role=Role.CE_ROUTER,
        function=Function.CE,
        platform="frr",
        networks=(network,),
        interfaces=_ce_interfaces(ce),
        router=_ce_router(ce),
        # By interface: the LAN's own route comes later, and each answers ARP for both its addresses.
        routes=tuple(_ce_routes(ce)),
        firewall=_ce_firewall(ce),
        vrrp=lan.vrrp(context, ce.leg, master=_is_master(ce)),
        lan_watch=lan.watch(context, ce.leg),
        identity=identities.identity(context, ce.name, DeviceClass.ROUTER),
        ipsec=(
            ipsec.to_edge(context, network, context.edge(network)),
            *(ipsec.to_site(context, site, network) for site in context.sites),
        ),
        crl_source=identities.crl_source(context, (_other_mirror(ce.leg),)),
        crl_mirror=True,
    )


def _other_mirror(leg: lan.Leg) -> CrlMirror:
    """The hub's routers ask each other, on their LAN."""
    return CrlMirror(leg.other, leg.peer, VaultClient(leg.here))


def _is_master(ce: _Ce) -> bool:
    return ce.network is Network.A


def _ce_routes(ce: _Ce) -> Iterator[StaticRoute]:
    shown = ce.context.shown_to_edge(ce.network)
    yield from (StaticRoute(one, interface=names.LAN_IF) for one in shown)
    yield lan.to_other(ce.leg)
    if _is_master(ce):
        yield lan.last_resort(ce.leg, ce.context.service.addresses.site_lan)


def _ce_interfaces(ce: _Ce) -> tuple[Interface, ...]:
    line = addr.on(ce.context.line(ce.network), 2)
    return (
        Interface(names.LOOPBACK_IF, InterfaceKind.LOOPBACK, (addr.single(ce.own.network_address),)),
        Interface(
            ce.line,
            InterfaceKind.ETHERNET,
            (line,),
            peer=ce.context.edge(ce.network),
            mtu=ce.context.service.hub.mtu,
        ),
        ce.vpn,
        ce.leg.interface(),
        *ce.tunnels,
    )


def _ce_router(ce: _Ce) -> Router:
    context, shown = ce.context, ce.context.underlay_set(ce.network)
    return context.router(
        context.service.hub.as_number,
        ce.own.network_address,
        (_session_edge(ce, shown), lan.session(context, ce.leg), *_overlay(context, ce.network)),
        (context.hub_lan, ce.own, *context.shown),
        (context.hub_set, context.sites_set, ce.far, shown, *_site_sets(context)),
    )


def _session_edge(ce: _Ce, shown: PrefixSet) -> BgpNeighbor:
    """The carrier announces the sites' ends of their tunnels; it is shown the hub's, and nothing behind."""
    return BgpNeighbor(
        address=ce.inside,
        remote_as=ce.context.carrier_as(ce.network),
        device=ce.context.edge(ce.network),
        bfd=ce.context.timers.underlay.name,
        accept=ce.far.name,
        announce=shown.name,
    )


def _overlay(context: Context, network: Network) -> Iterator[BgpNeighbor]:
    """One session a site, inside its tunnel: it decides whether the path over `network` is good (D4)."""
    for site in context.sites:
        yield BgpNeighbor(
            address=context.own(site).tunnel_site(network),
            remote_as=context.service.sites_as_number,
            device=names.gateway(site, network),
            bfd=context.bfd(site, network).name,
            accept=f"SITE-{site.number:04d}",
            announce=context.hub_set.name,
            local_preference=context.preference(site, network),
        )


def _site_sets(context: Context) -> tuple[PrefixSet, ...]:
    """One set a site, so that no site can announce the addresses of another."""
    return tuple(PrefixSet(f"SITE-{site.number:04d}", (context.own(site).lan,)) for site in context.sites)


def _ce_firewall(ce: _Ce) -> Firewall:
    context, far = ce.context, ce.far.prefixes[0]
    inside = firewall.On((ce.vpn.name,))
    return Firewall(
        management=context.access,
        services=(
            *lan.services(ce.leg),
            firewall.On(names.LAN_IFS).crl_mirror(*_who_asks_on_the_lan(ce)),
            *firewall.On((ce.line,)).ipsec(ce.outside),
            firewall.On((ce.line,)).echo(ce.outside),
            firewall.On((ce.line,)).crl_mirror(ce.outside),
            *inside.routing(ce.inside),
            *inside.ipsec(far),
            inside.gre(far),
            inside.crl_mirror(far),
            # Each tunnel's own source is known to `sources`.
            *firewall.On((names.tunnels(ce.network),)).routing(context.tunnel_pool(ce.network)),
            firewall.On((names.tunnels(ce.network),)).crl_mirror(context.service.addresses.site_lan),
        ),
        pairs=(
            _pair(context, tuple(tunnel.name for tunnel in ce.tunnels)),
            _shown_pair(context, (far, addr.only(ce.outside)), (ce.vpn.name, ce.line)),
            *_radius_pair(ce),
        ),
        sources=(
            *_lan_sources(ce),
            AllowedSource(ce.line, (addr.only(ce.outside),)),
            AllowedSource(ce.vpn.name, (far, addr.only(ce.inside), addr.only(ce.outside))),
            *_tunnel_sources(context, ce.network),
        ),
        encrypted=(ce.line, ce.vpn.name),
        tunnels=(names.tunnels(ce.network),),
        segment=min(map(context.segment, context.sites), default=None),
    )


def _who_asks_on_the_lan(ce: _Ce) -> Iterator[IPv4Address | IPv4Network]:
    """The other CE router, hosts of VTN, XMPP and RADIUS, and sites that come by the other one's tunnels."""
    yield ce.leg.peer
    yield from (addr.host(ce.context.hub_lan, index) for index in addr.HUB_HOSTS)
    yield from tuple(ce.context.dras_hosts.values())[1:]
    if ce.context.optical:
        yield radius_address(ce.context.service)
    yield ce.context.service.addresses.site_lan


def _lan_sources(ce: _Ce) -> Iterator[AllowedSource]:
    """The LAN's own hosts, and sites whose packets the other CE router hands over."""
    for interface in names.LAN_IFS:
        sites, shown = ce.context.service.addresses.site_lan, ce.context.shown_to_edge(ce.network)
        yield AllowedSource(interface, (ce.context.hub_lan, sites, *shown))


def _tunnel_sources(context: Context, network: Network) -> Iterator[AllowedSource]:
    for site in context.sites:
        own = context.own(site)
        yield AllowedSource(names.tunnel(site, network), (own.lan, addr.only(own.tunnel_site(network))))


def _shown_pair(
    context: Context, outside: tuple[IPv4Network, ...], interfaces: tuple[str, ...]
) -> ForwardPair:
    """Gateways and the carrier's edge to Vault and time servers by their service addresses, in no tunnel."""
    return ForwardPair("shown", context.shown, outside, names.LAN_IFS, interfaces)


def _radius_pair(ce: _Ce) -> Iterator[ForwardPair]:
    """Carrier A's edge to the RADIUS server; no site has a way there."""
    if ce.context.optical and ce.network is Network.A:
        server, edge = addr.only(ce.context.radius_service), addr.only(ce.outside)
        yield ForwardPair("radius", (server,), (edge,), names.LAN_IFS, (ce.line,))


def _pair(context: Context, uplinks: tuple[str, ...]) -> ForwardPair:
    """The hub LAN to any site; the pair never names two sites, so the hub is no bridge between them (D2)."""
    outside = (*uplinks, names.LAN_IF)
    sites = (context.service.addresses.site_lan,)
    return ForwardPair("sites", (context.hub_lan,), sites, names.LAN_IFS, outside)


def _at_switch(context: Context) -> tuple[str, ...]:
    """Return the devices at the hub's switch, in the order of its ports."""
    systems = (names.esp(one.name) for one in context.service.esps)
    radius = (names.RADIUS,) if context.optical else ()
    # What may come later stands last, so that no other port moves.
    others = (*systems, *radius, *tuple(context.dras_hosts)[1:])
    return (names.HUB_CE_A, names.HUB_CE_B, *names.HUB_HOSTS, *context.vaults, *others)


def _switch(context: Context) -> Device:
    ports = range(1, len(_at_switch(context)) + 1)
    return Device(
        name=names.HUB_LAN,
        role=Role.LAN_SWITCH,
        function=Function.SWITCH,
        platform="bridge",
        networks=(),
        managed=False,
        interfaces=tuple(Interface(f"port{port}", InterfaceKind.ETHERNET) for port in ports),
    )
