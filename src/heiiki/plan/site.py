"""One site: its gateways, LAN, controller and links."""

from collections.abc import Iterator
from ipaddress import IPv4Address

from heiiki.intent import Site
from heiiki.plan import addresses as addr
from heiiki.plan import firewall, identities, ipsec, names
from heiiki.plan.context import SITE_VRID, Context, SiteAddresses
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
    LanWatch,
    Link,
    PrefixSet,
    Role,
    Router,
    Sim,
    SitePlan,
    StampStream,
    StaticRoute,
    Vrrp,
)

_MASTER, _BACKUP = 200, 100
_BOTH = "ab"
_UPLINKS = {"a": names.ACCESS_A_IF, "b": names.WWAN_IF}
_TUNNELS = {"a": names.TUNNEL_A_IF, "b": names.TUNNEL_B_IF}
_OWN_LAN, _OWN_LOOPBACK = "SITE-LAN", "SITE-LOOPBACK"


def site_plan(context: Context, site: Site) -> SitePlan:
    """Return what the site is, resolved."""
    own = context.own(site)
    return SitePlan(
        number=site.number,
        name=site.name,
        customer=site.customer,
        redundancy=site.redundancy,
        primary=site.primary,
        lan=own.lan,
        virtual_gateway=addr.host(own.lan, addr.LAN_GATEWAY),
        controller=names.controller(site),
        controller_address=own.controller,
        gateways=tuple(dict.fromkeys((names.gateway_a(site), names.gateway_b(site)))),
        sim_address=own.sim,
        resources=tuple((resource.kind, resource.control) for resource in site.resources),
    )


def sim(context: Context, site: Site) -> Sim:
    """Return the site's subscription to the APN."""
    return Sim(
        imsi=site.b.sim,
        apn=context.service.networks.b.apn,
        address=addr.host(context.service.addresses.sim_b, site.number),
        device=names.gateway_b(site),
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


def links(site: Site) -> Iterator[Link]:
    """Yield the links of the site: access line, radio, and the legs of its LAN."""
    pe, gateway_a, gateway_b = names.carrier_a(site.a.pe), names.gateway_a(site), names.gateway_b(site)
    yield Link(
        names.link(pe, gateway_a),
        Endpoint(pe, names.attachment(site)),
        Endpoint(gateway_a, names.ACCESS_A_IF),
        "a",
        "access",
        site.name,
    )
    yield Link(
        names.link(names.ENB, gateway_b),
        Endpoint(names.ENB, names.radio(site)),
        Endpoint(gateway_b, names.RADIO_IF),
        "b",
        "radio",
        site.name,
    )
    yield from _lan_legs(site)


def _lan_legs(site: Site) -> Iterator[Link]:
    controller = names.controller(site)
    if not names.doubled(site):
        gateway = names.gateway_a(site)
        ends = Endpoint(gateway, names.LAN_IF), Endpoint(controller, names.LAN_IF)
        yield Link(names.link(gateway, controller), *ends, "lan", "lan", site.name)
        return
    switch = names.lan_switch(site)
    for port, device in enumerate((names.gateway_a(site), names.gateway_b(site), controller), start=1):
        ends = Endpoint(switch, f"port{port}"), Endpoint(device, names.LAN_IF)
        yield Link(names.link(switch, device), *ends, "lan", "lan", site.name)


def _session_pe(context: Context, site: Site, own: SiteAddresses) -> BgpNeighbor:
    """The PE carries the tunnel's packets: it learns where the tunnel ends, and nothing of the LAN."""
    return BgpNeighbor(
        address=own.pe,
        remote_as=context.service.networks.a.as_number,
        device=names.carrier_a(site.a.pe),
        bfd=context.timers.active.name,
        accept=context.underlay_set("a").name,
        announce=_OWN_LOOPBACK,
    )


def _session_hub(context: Context, site: Site, own: SiteAddresses, network: str) -> BgpNeighbor:
    """The session inside the tunnel decides whether the path over `network` is good (D4)."""
    return BgpNeighbor(
        address=own.tunnel_hub(network),
        remote_as=context.service.hub.as_number,
        device=names.HUB_CE_A if network == "a" else names.HUB_CE_B,
        bfd=context.bfd(site, network).name,
        accept=context.hub_set.name,
        announce=_OWN_LAN,
        local_preference=context.preference(site, network),
    )


def _session_lan(context: Context, here: IPv4Address, peer: IPv4Address, device: str) -> BgpNeighbor:
    """Session to the other gateway; its source is named, or BFD and BGP of a restarted one deadlock."""
    return BgpNeighbor(
        address=peer,
        remote_as=context.service.sites_as_number,
        device=device,
        update_source=str(here),
        bfd=context.timers.active.name,
        accept=context.hub_set.name,
        announce=context.hub_set.name,
        next_hop_self=True,
    )


def _interfaces_a(context: Context, site: Site, own: SiteAddresses) -> tuple[Interface, ...]:
    return (
        Interface("lo", "loopback", (addr.single(own.loopback),)),
        Interface(names.ACCESS_A_IF, "ethernet", (addr.on(own.access, 2),), peer=names.carrier_a(site.a.pe)),
        ipsec.site_tunnel(context, site, "a"),
    )


def _interfaces_b(context: Context, site: Site, own: SiteAddresses) -> tuple[Interface, ...]:
    return (
        Interface(names.RADIO_IF, "radio", (addr.on(own.radio, 2),), peer=names.ENB),
        Interface(names.WWAN_IF, "wwan", (addr.single(own.sim),), peer=names.PGW),
        ipsec.site_tunnel(context, site, "b"),
    )


def _services(context: Context, own: SiteAddresses, network: str) -> tuple[InputService, ...]:
    """The tunnel and what protects it; on B in the lab also the modem's leg, which silicon would not show."""
    hub = context.hub_end(network)
    tunnel = (*firewall.ipsec_from(hub), firewall.gre_from(hub))
    if network == "a" or context.service.management.kind != "lab":
        return tunnel
    return *tunnel, firewall.radio_from(addr.host(own.radio, 1))


def _over_wwan(context: Context) -> tuple[StaticRoute, ...]:
    prefixes = context.underlay_set("b").prefixes
    return tuple(StaticRoute(prefix, interface=names.WWAN_IF) for prefix in prefixes)


def _pair(context: Context, own: SiteAddresses, networks: str, *, doubled: bool) -> ForwardPair:
    """Controller to hub and back; over the LAN too, when the other gateway has the better path."""
    tunnels = tuple(_TUNNELS[network] for network in networks)
    outside = (*tunnels, names.LAN_IF) if doubled else tunnels
    return ForwardPair("hub", (own.lan,), (context.hub_lan,), names.LAN_IFS, outside)


def _allowed(context: Context, own: SiteAddresses, networks: str) -> Iterator[AllowedSource]:
    for interface in names.LAN_IFS:
        yield AllowedSource(interface, (own.lan, context.hub_lan))
    for network in networks:
        # The hub's PE says from inside of its VPN that a packet is too long for it (RFC 1191).
        carrier = (own.pe, addr.host(context.inside_esp(network), 1)) if network == "a" else ()
        yield AllowedSource(
            _UPLINKS[network], (*context.underlay_set(network).prefixes, *map(addr.only, carrier))
        )
        yield AllowedSource(_TUNNELS[network], (context.hub_lan, addr.only(own.tunnel_hub(network))))


def _filter(
    context: Context,
    own: SiteAddresses,
    networks: str,
    services: tuple[InputService, ...],
    *,
    doubled: bool,
) -> Firewall:
    tunnels = (service for network in networks for service in _services(context, own, network))
    return Firewall(
        services=(*services, *tunnels, firewall.echo_from(own.lan)),
        pairs=(_pair(context, own, networks, doubled=doubled),),
        sources=tuple(_allowed(context, own, networks)),
        encrypted=tuple(_UPLINKS[network] for network in networks),
    )


def _vrrp(context: Context, own: SiteAddresses, peer: IPv4Address, *, master: bool) -> Vrrp:
    return Vrrp(
        interface=names.LAN_IF,
        virtual_interface=names.LAN_VIRTUAL_IF,
        router_id=SITE_VRID,
        priority=_MASTER if master else _BACKUP,
        address=addr.host(own.lan, addr.LAN_GATEWAY),
        peer=peer,
        advert_ms=context.timers.vrrp_advert_ms,
        preempt_delay_s=context.timers.vrrp_preempt_delay_s,
    )


def _watch(context: Context, own: SiteAddresses, source: IPv4Address, peer: IPv4Address) -> LanWatch:
    return LanWatch(
        interface=names.LAN_IF,
        prefix=own.lan,
        source=source,
        targets=(peer, own.controller),
        probe_ms=context.timers.lan_probe_ms,
        lost=context.timers.lan_probe_lost,
    )


def _router_a(context: Context, own: SiteAddresses, neighbors: tuple[BgpNeighbor, ...]) -> Router:
    """A gateway on network A has a loopback, where its tunnel ends, and tells the PE of it."""
    loopback = PrefixSet(_OWN_LOOPBACK, (own.only_loopback,))
    sets = (context.hub_set, context.underlay_set("a"), _lan_set(own), loopback)
    networks = (own.lan, own.only_loopback)
    return context.router(context.service.sites_as_number, own.loopback, neighbors, networks, sets)


def _lan_set(own: SiteAddresses) -> PrefixSet:
    return PrefixSet(_OWN_LAN, (own.lan,))


def _ce_a(context: Context, site: Site, own: SiteAddresses) -> Device:
    here, peer = addr.host(own.lan, addr.LAN_FIRST), addr.host(own.lan, addr.LAN_SECOND)
    neighbors = (
        _session_pe(context, site, own),
        _session_hub(context, site, own, "a"),
        _session_lan(context, here, peer, names.gateway_b(site)),
    )
    services = (
        *firewall.routing_from(own.pe, own.tunnel_hub("a"), peer),
        firewall.vrrp_from(peer),
    )
    return Device(
        name=names.gateway_a(site),
        role=Role.CE_ROUTER,
        function=Function.CE,
        platform=site.a.platform,
        networks=("a",),
        site=site.name,
        interfaces=(
            *_interfaces_a(context, site, own),
            Interface(names.LAN_IF, "ethernet", (addr.single(here),)),
        ),
        router=_router_a(context, own, neighbors),
        firewall=_filter(context, own, "a", services, doubled=True),
        vrrp=_vrrp(context, own, peer, master=site.primary == "a"),
        lan_watch=_watch(context, own, here, peer),
        identity=identities.identity(context, names.gateway_a(site), DeviceClass.GATEWAY),
        ipsec=(ipsec.of_site(context, site, "a"),),
        crl_source=identities.crl_source(context),
    )


def _gateway_b(context: Context, site: Site, own: SiteAddresses) -> Device:
    here, peer = addr.host(own.lan, addr.LAN_SECOND), addr.host(own.lan, addr.LAN_FIRST)
    neighbors = (
        _session_hub(context, site, own, "b"),
        _session_lan(context, here, peer, names.gateway_a(site)),
    )
    services = (*firewall.routing_from(own.tunnel_hub("b"), peer), firewall.vrrp_from(peer))
    return Device(
        name=names.gateway_b(site),
        role=Role.LTE_GATEWAY,
        function=Function.GATEWAY,
        platform=site.b.platform,
        networks=("b",),
        site=site.name,
        interfaces=(
            *_interfaces_b(context, site, own),
            Interface(names.LAN_IF, "ethernet", (addr.single(here),)),
        ),
        router=context.router(
            context.service.sites_as_number,
            own.sim,
            neighbors,
            (own.lan,),
            (context.hub_set, _lan_set(own)),
        ),
        firewall=_filter(context, own, "b", services, doubled=True),
        vrrp=_vrrp(context, own, peer, master=site.primary == "b"),
        lan_watch=_watch(context, own, here, peer),
        routes=_over_wwan(context),
        sim=sim(context, site),
        identity=identities.identity(context, names.gateway_b(site), DeviceClass.GATEWAY),
        ipsec=(ipsec.of_site(context, site, "b"),),
        crl_source=identities.crl_source(context),
    )


def _gateway_both(context: Context, site: Site, own: SiteAddresses) -> Device:
    lan = Interface(names.LAN_IF, "ethernet", (addr.on(own.lan, addr.LAN_GATEWAY),))
    neighbors = (
        _session_pe(context, site, own),
        *(_session_hub(context, site, own, network) for network in _BOTH),
    )
    services = firewall.routing_from(own.pe, *(own.tunnel_hub(network) for network in _BOTH))
    return Device(
        name=names.gateway_b(site),
        role=Role.LTE_GATEWAY,
        function=Function.GATEWAY,
        platform=site.b.platform,
        networks=("a", "b"),
        site=site.name,
        interfaces=(*_interfaces_a(context, site, own), *_interfaces_b(context, site, own), lan),
        router=_router_a(context, own, neighbors),
        firewall=_filter(context, own, _BOTH, services, doubled=False),
        routes=_over_wwan(context),
        sim=sim(context, site),
        identity=identities.identity(context, names.gateway_b(site), DeviceClass.GATEWAY),
        ipsec=tuple(ipsec.of_site(context, site, network) for network in _BOTH),
        crl_source=identities.crl_source(context),
    )


def _switch(site: Site) -> Device:
    ports = tuple(Interface(f"port{port}", "ethernet") for port in (1, 2, 3))
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
    gateway = addr.host(own.lan, addr.LAN_GATEWAY)
    return Device(
        name=names.controller(site),
        role=Role.EMS,
        function=Function[site.controller.upper()],
        platform="linux_host",
        networks=(),
        site=site.name,
        interfaces=(Interface(names.LAN_IF, "ethernet", (addr.on(own.lan, addr.LAN_CONTROLLER),)),),
        routes=(StaticRoute(context.hub_lan, via=gateway),),
        firewall=Firewall(
            services=(firewall.echo_from(own.lan, context.hub_lan), firewall.stamp_from(context.hub_lan))
        ),
        stamp=tuple(StampStream(site.name, addr.host(context.hub_lan, index)) for index in addr.HUB_HOSTS),
        identity=identities.identity(context, names.controller(site), DeviceClass.EMS),
    )
