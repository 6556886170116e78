"""One site: its gateways, LAN, controller and links."""

from collections.abc import Iterator
from dataclasses import replace

from heiiki.intent import Site
from heiiki.intent.platforms import VENDORS
from heiiki.plan import addresses as addr
from heiiki.plan import dot1x, firewall, identities, ipsec, lan, names, wlan
from heiiki.plan.context import LAST_RESORT, SITE_VRID, Context, SiteAddresses
from heiiki.plan.model import (
    AllowedSource,
    BgpNeighbor,
    Device,
    DeviceClass,
    Endpoint,
    Firewall,
    ForwardPair,
    Function,
    InputService,
    Interface,
    InterfaceKind,
    Link,
    LinkKind,
    Network,
    PrefixSet,
    Role,
    Router,
    Sim,
    SitePlan,
    StampStream,
    StaticRoute,
)

_OWN_LAN, _OWN_LOOPBACK = "SITE-LAN", "SITE-LOOPBACK"


def site_plan(context: Context, site: Site) -> SitePlan:
    """Return what the site is, resolved."""
    own = context.own(site)
    return SitePlan(
        number=site.number,
        name=site.name,
        customer=site.customer,
        redundancy=site.redundancy,
        primary=Network(site.primary),
        lan=own.lan,
        virtual_gateway=addr.host(own.lan, addr.LAN_GATEWAY),
        controller=names.controller(site),
        controller_address=own.controller,
        gateways=tuple(dict.fromkeys((names.gateway(site, Network.A), names.gateway(site, Network.B)))),
        sim_address=own.sim,
        resources=tuple((resource.kind, resource.control) for resource in site.resources),
    )


def sim(context: Context, site: Site) -> Sim:
    """Return the site's subscription to the APN."""
    return Sim(
        imsi=site.b.sim,
        apn=context.service.networks.b.apn,
        address=addr.host(context.service.addresses.sim_b, site.number),
        device=names.gateway(site, Network.B),
        keys=f"sim/{site.b.sim}",
    )


def devices(context: Context, site: Site) -> Iterator[Device]:
    """Yield the site's devices: gateways first, then the LAN, then the controller."""
    own = context.own(site)
    if names.doubled(site):
        yield _ce_a(context, site, own)
        yield _gateway_b(context, site, own)
        yield _switch(site)
    else:
        yield _gateway_both(context, site, own)
    yield _controller(context, site, own)


def links(context: Context, site: Site) -> Iterator[Link]:
    """Yield the links of the site: access line, radio, and the legs of its LAN."""
    gateway_a, gateway_b = (names.gateway(site, network) for network in Network)
    pe = names.core_router(site.a.pe)
    yield Link(
        names.link(pe, gateway_a),
        Endpoint(pe, names.attachment_port(site)),
        Endpoint(gateway_a, names.access_port(site)),
        Network.A,
        LinkKind.ACCESS,
        site.name,
        context.line_mtu(site, Network.A),
        context.line_rate(site, Network.A),
    )
    yield Link(
        names.link(names.ENB, gateway_b),
        Endpoint(names.ENB, names.radio(site)),
        Endpoint(gateway_b, names.RADIO_IF),
        Network.B,
        LinkKind.RADIO,
        site.name,
        context.line_mtu(site, Network.B),
        context.line_rate(site, Network.B),
    )
    yield from _lan_legs(site)


def _lan_legs(site: Site) -> Iterator[Link]:
    controller = names.controller(site)
    if not names.doubled(site):
        gateway = names.gateway(site, Network.A)
        ends = Endpoint(gateway, names.LAN_IF), Endpoint(controller, names.LAN_IF)
        yield Link(names.link(gateway, controller), *ends, None, wlan.leg_kind(site), site.name)
        return
    switch = names.lan_switch(site)
    for port, device in enumerate(
        (names.gateway(site, Network.A), names.gateway(site, Network.B), controller), start=1
    ):
        ends = Endpoint(switch, f"port{port}"), Endpoint(device, names.LAN_IF)
        yield Link(names.link(switch, device), *ends, None, LinkKind.LAN, site.name)


def _session_pe(context: Context, site: Site, own: SiteAddresses) -> BgpNeighbor:
    """The PE carries the tunnel's packets: it learns where the tunnel ends, and nothing of the LAN."""
    return BgpNeighbor(
        address=own.pe,
        remote_as=context.service.networks.a.as_number,
        device=names.core_router(site.a.pe),
        bfd=context.timers.underlay.name,
        accept=context.underlay_set(Network.A).name,
        announce=_OWN_LOOPBACK,
    )


def _session_hub(context: Context, site: Site, own: SiteAddresses, network: Network) -> BgpNeighbor:
    """The session inside the tunnel decides whether the path over `network` is good (D4)."""
    return BgpNeighbor(
        address=own.tunnel_hub(network),
        remote_as=context.service.hub.as_number,
        device=names.ON[network].hub_ce,
        bfd=context.bfd(site, network).name,
        accept=context.hub_set.name,
        announce=_OWN_LAN,
        local_preference=context.preference(site, network),
    )


def _lan(context: Context, own: SiteAddresses) -> lan.Lan:
    """The LAN of a site with two gateways."""
    as_number = context.service.sites_as_number
    return lan.Lan(
        prefix=own.lan,
        as_number=as_number,
        router_id=SITE_VRID,
        exchanged=context.hub_set,
        hosts=(own.controller,),
        beyond=context.hub_lan,
    )


def _interfaces_a(context: Context, site: Site, own: SiteAddresses) -> tuple[Interface, ...]:
    return (
        Interface(names.LOOPBACK_IF, InterfaceKind.LOOPBACK, (addr.single(own.loopback),)),
        Interface(
            names.ACCESS_A_IF,
            InterfaceKind.ETHERNET,
            (addr.on(own.access, 2),),
            peer=names.core_router(site.a.pe),
            mtu=context.line_mtu(site, Network.A),
        ),
        ipsec.site_tunnel(context, site, Network.A),
    )


def _interfaces_b(context: Context, site: Site, own: SiteAddresses) -> tuple[Interface, ...]:
    return (
        Interface(names.RADIO_IF, InterfaceKind.RADIO, (), peer=names.ENB),
        Interface(names.WWAN_IF, InterfaceKind.WWAN, (addr.single(own.sim),), peer=names.PGW),
        ipsec.site_tunnel(context, site, Network.B),
    )


def _services(context: Context, own: SiteAddresses, network: Network) -> Iterator[InputService]:
    """Yield what is opened on one network: the tunnel, what protects it, and routing inside of it."""
    hub, uplink = context.hub_end(network), firewall.On((names.ON[network].uplink,))
    yield from uplink.ipsec(hub)
    yield uplink.gre(hub)
    if network is Network.A:
        yield from uplink.routing(own.pe)
    yield from firewall.On((names.ON[network].tunnel,)).routing(own.tunnel_hub(network))


def _over_wwan(context: Context, *, last_resort: bool = False) -> tuple[StaticRoute, ...]:
    """Return the routes over the bearer; where network A is there too, the servers are behind both (T15)."""
    hub = addr.only(context.hub_end(Network.B))
    distance = LAST_RESORT if last_resort else 0
    return (
        StaticRoute(hub, interface=names.WWAN_IF),
        *(StaticRoute(one, interface=names.WWAN_IF, distance=distance) for one in context.shown),
    )


def _pair(
    context: Context, own: SiteAddresses, networks: tuple[Network, ...], *, doubled: bool
) -> ForwardPair:
    """Controller to hub and back; over the LAN too, when the other gateway has the better path."""
    tunnels = tuple(names.ON[network].tunnel for network in networks)
    outside = (*tunnels, names.LAN_IF) if doubled else tunnels
    return ForwardPair("hub", (own.lan,), (context.hub_lan,), names.LAN_IFS, outside)


def _allowed(context: Context, own: SiteAddresses, networks: tuple[Network, ...]) -> Iterator[AllowedSource]:
    for interface in names.LAN_IFS:
        yield AllowedSource(interface, (own.lan, context.hub_lan))
    for network in networks:
        carrier = (own.pe,) if network is Network.A else ()
        yield AllowedSource(
            names.ON[network].uplink, (*context.underlay_set(network).prefixes, *map(addr.only, carrier))
        )
        yield AllowedSource(names.ON[network].tunnel, (context.hub_lan, addr.only(own.tunnel_hub(network))))


def _filter(
    context: Context,
    site: Site,
    own: SiteAddresses,
    networks: tuple[Network, ...],
    leg: lan.Leg | None,
) -> Firewall:
    """Return the filter of a gateway; `leg` is that to a LAN with another gateway."""
    on_lan = lan.services(leg) if leg is not None else (firewall.On((names.LAN_IF,)).echo(own.lan),)
    return Firewall(
        management=context.access,
        services=(*on_lan, *(one for network in networks for one in _services(context, own, network))),
        pairs=(_pair(context, own, networks, doubled=leg is not None),),
        sources=tuple(_allowed(context, own, networks)),
        encrypted=tuple(names.ON[network].uplink for network in networks),
        tunnels=tuple(names.ON[network].tunnel for network in networks),
        segment=context.segment(site),
    )


def _router_a(context: Context, own: SiteAddresses, neighbors: tuple[BgpNeighbor, ...]) -> Router:
    """A gateway on network A has a loopback, where its tunnel ends, and tells the PE of it."""
    loopback = PrefixSet(_OWN_LOOPBACK, (own.only_loopback,))
    sets = (context.hub_set, context.underlay_set(Network.A), _lan_set(own), loopback)
    networks = (own.lan, own.only_loopback)
    return context.router(context.service.sites_as_number, own.loopback, neighbors, networks, sets)


def _lan_set(own: SiteAddresses) -> PrefixSet:
    return PrefixSet(_OWN_LAN, (own.lan,))


def _ce_a(context: Context, site: Site, own: SiteAddresses) -> Device:
    leg = lan.leg(_lan(context, own), Network.A, names.gateway(site, Network.B))
    tunnels = (ipsec.of_site(context, site, Network.A),)
    neighbors = (
        _session_pe(context, site, own),
        _session_hub(context, site, own, Network.A),
        lan.session(context, leg),
    )
    return Device(
        name=names.gateway(site, Network.A),
        role=Role.CE_ROUTER,
        function=Function.CE,
        platform=site.a.platform,
        networks=(Network.A,),
        managed=site.a.platform not in VENDORS,
        by_hand=site.a.platform in VENDORS,
        site=site.name,
        interfaces=(
            *_interfaces_a(context, site, own),
            leg.interface(),
        ),
        router=_router_a(context, own, neighbors),
        firewall=_filter(context, site, own, (Network.A,), leg),
        vrrp=lan.vrrp(context, leg, master=Network(site.primary) is Network.A),
        lan_watch=lan.watch(context, leg),
        routes=_by_lan(context, site, leg, Network.A),
        identity=identities.identity(context, names.gateway(site, Network.A), DeviceClass.GATEWAY),
        ipsec=tunnels,
        crl_source=identities.crl_source(context, ipsec.crl_mirrors(tunnels)),
    )


def _by_lan(context: Context, site: Site, leg: lan.Leg, network: Network) -> tuple[StaticRoute, ...]:
    """To the other gateway; through it, on who gives the virtual gateway alone."""
    # A vendor's router has no LAN watch, and so keeps the route of its LAN.
    watched = network is Network.B or site.a.platform not in VENDORS
    return (
        *((lan.to_other(leg),) if watched else ()),
        *((lan.last_resort(leg, context.hub_lan),) if Network(site.primary) is network else ()),
    )


def _gateway_b(context: Context, site: Site, own: SiteAddresses) -> Device:
    leg = lan.leg(_lan(context, own), Network.B, names.gateway(site, Network.A))
    tunnels = (ipsec.of_site(context, site, Network.B),)
    neighbors = (
        _session_hub(context, site, own, Network.B),
        lan.session(context, leg),
    )
    return Device(
        name=names.gateway(site, Network.B),
        role=Role.LTE_GATEWAY,
        function=Function.GATEWAY,
        platform=site.b.platform,
        networks=(Network.B,),
        site=site.name,
        interfaces=(
            *_interfaces_b(context, site, own),
            leg.interface(),
        ),
        router=context.router(
            context.service.sites_as_number,
            own.sim,
            neighbors,
            (own.lan,),
            (context.hub_set, _lan_set(own)),
        ),
        firewall=_filter(context, site, own, (Network.B,), leg),
        vrrp=lan.vrrp(context, leg, master=Network(site.primary) is Network.B),
        lan_watch=lan.watch(context, leg),
        routes=(*_over_wwan(context), *_by_lan(context, site, leg, Network.B)),
        sim=sim(context, site),
        identity=identities.identity(context, names.gateway(site, Network.B), DeviceClass.GATEWAY),
        ipsec=tunnels,
        crl_source=identities.crl_source(context, ipsec.crl_mirrors(tunnels)),
    )


def _gateway_both(context: Context, site: Site, own: SiteAddresses) -> Device:
    leg = Interface(names.LAN_IF, InterfaceKind.ETHERNET, (addr.on(own.lan, addr.LAN_GATEWAY),))
    tunnels = tuple(ipsec.of_site(context, site, network) for network in Network)
    neighbors = (
        _session_pe(context, site, own),
        *(_session_hub(context, site, own, network) for network in Network),
    )
    return Device(
        name=names.gateway(site, Network.B),
        role=Role.LTE_GATEWAY,
        function=Function.GATEWAY,
        platform=site.b.platform,
        networks=tuple(Network),
        site=site.name,
        interfaces=(*_interfaces_a(context, site, own), *_interfaces_b(context, site, own), leg),
        router=replace(
            _router_a(context, own, neighbors),
            source=own.loopback,
            source_for=context.underlay_set(Network.A).name,
        ),
        firewall=_filter(context, site, own, tuple(Network), None),
        routes=_over_wwan(context, last_resort=True),
        sim=sim(context, site),
        identity=identities.one_gateway(context, site),
        ipsec=tunnels,
        crl_source=identities.crl_source(context, ipsec.crl_mirrors(tunnels)),
        access_point=wlan.access_point(context, site),
        authenticator=dot1x.authenticator(context, site),
    )


def _switch(site: Site) -> Device:
    ports = tuple(Interface(f"port{port}", InterfaceKind.ETHERNET) for port in (1, 2, 3))
    return Device(
        name=names.lan_switch(site),
        role=Role.LAN_SWITCH,
        function=Function.SWITCH,
        platform="bridge",
        networks=(),
        managed=False,
        site=site.name,
        interfaces=ports,
    )


def _controller(context: Context, site: Site, own: SiteAddresses) -> Device:
    gateway, here = addr.host(own.lan, addr.LAN_GATEWAY), firewall.On((names.LAN_IF,))
    return Device(
        name=names.controller(site),
        role=Role.EMS,
        function=Function[site.controller.upper()],
        platform="linux_host",
        networks=(),
        site=site.name,
        interfaces=(
            Interface(names.LAN_IF, InterfaceKind.ETHERNET, (addr.on(own.lan, addr.LAN_CONTROLLER),)),
        ),
        routes=(StaticRoute(context.hub_lan, via=gateway),),
        firewall=Firewall(
            management=context.access,
            services=(here.echo(own.lan, context.hub_lan), here.stamp(context.hub_lan)),
        ),
        stamp=tuple(StampStream(site.name, addr.host(context.hub_lan, index)) for index in addr.HUB_HOSTS),
        identity=identities.identity(context, names.controller(site), DeviceClass.EMS),
        station=wlan.station(context, site),
        supplicant=dot1x.supplicant(context, site),
    )
