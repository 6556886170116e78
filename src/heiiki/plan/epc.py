"""Closed network B: carrier B's LTE core up to its edge router (TS 23.401), and subscriptions to the APN."""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Interface

from heiiki.plan import addresses as addr
from heiiki.plan import firewall, identities, ipsec, names
from heiiki.plan.context import LAST_RESORT, Context
from heiiki.plan.model import (
    AllowedSource,
    BgpInstance,
    BgpNeighbor,
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
    MobilePlan,
    Network,
    Pgw,
    Role,
    Router,
    Sim,
    StaticRoute,
)
from heiiki.plan.site import sim
from heiiki.plan.test_equipment import test_sim

USER_PLANE = "gtp0"
_POINTS = (
    (LinkKind.S6A, 0, names.HSS, names.MME),
    (LinkKind.S11, 1, names.MME, names.SGW),
    (LinkKind.S5, 2, names.SGW, names.PGW),
    (LinkKind.S1_MME, 3, names.ENB, names.MME),
    (LinkKind.S1_U, 4, names.ENB, names.SGW),
    (LinkKind.SGI, 5, names.PGW, names.EDGE),
)
"""Reference points of TS 23.401, the /30 of each, and its two ends."""

_CORE = (
    (names.HSS, Function.HSS),
    (names.MME, Function.MME),
    (names.SGW, Function.SGW),
    (names.ENB, Function.ENB),
)


def mobile(context: Context) -> MobilePlan:
    """Return the identity of the mobile network."""
    network = context.service.networks.b
    return MobilePlan(
        plmn=network.plmn,
        tac=network.tac,
        apn=network.apn,
        hss=names.HSS,
        mme=names.MME,
        sgw=names.SGW,
        pgw=names.PGW,
        enb=names.ENB,
        sgw_address=_sgw_address(context),
    )


def devices(context: Context) -> Iterator[Device]:
    """Yield the carrier's devices: edge router, PGW, and the core that only the lab runs."""
    yield _edge(context)
    yield _pgw(context)
    for name, function in _CORE:
        yield _core(context, name, function)


def links(_context: Context) -> Iterator[Link]:
    """Yield the reference points."""
    for point, _, one, other in _POINTS:
        ends = Endpoint(one, _interface(point)), Endpoint(other, _interface(point))
        yield Link(f"{point}:{names.link(one, other)}", *ends, Network.B, point)


def subscriptions(context: Context) -> tuple[Sim, ...]:
    """Return every subscription to the APN: the sites', and that of the test SIM.

    The SIM of a revoked device has none.
    """
    sites = (sim(context, site) for site in context.sites)
    return (*(one for one in sites if one.device not in context.revoked), *test_sim(context))


def _interface(point: str) -> str:
    return point.lower()


def _ends(context: Context, device: str) -> Iterator[tuple[str, IPv4Interface, str]]:
    for point, index, one, other in _POINTS:
        if device in (one, other):
            network = context.infrastructure_b(index)
            yield (
                _interface(point),
                addr.on(network, 1 if device == one else 2),
                other if device == one else one,
            )


def _sgw_address(context: Context) -> IPv4Address:
    return addr.host(context.service.networks.b.infrastructure, 3)


def _peer(context: Context, point: str, device: str) -> IPv4Address:
    for name, index, one, _ in _POINTS:
        if name == point:
            return addr.host(context.infrastructure_b(index), 2 if device == one else 1)
    raise KeyError(point)


def _core(context: Context, name: str, function: Function) -> Device:
    points = tuple(
        Interface(interface, InterfaceKind.ETHERNET, (own,), peer)
        for interface, own, peer in _ends(context, name)
    )
    radios = tuple(_radios(context)) if name == names.ENB else ()
    return Device(
        name=name,
        role=Role.APN_GATEWAY if name == names.HSS else Role.MOBILE_CORE,
        function=function,
        platform="nextepc" if name != names.ENB else "simulator",
        networks=(Network.B,),
        managed=name == names.HSS,
        interfaces=(*points, *radios),
        subscribers=subscriptions(context) if name == names.HSS else (),
    )


def _radios(context: Context) -> Iterator[Interface]:
    for site in context.sites:
        yield Interface(names.radio(site), InterfaceKind.RADIO, (), peer=names.gateway(site, Network.B))
    if context.service.test_equipment is not None:
        yield Interface(names.TEST_UE_IF, InterfaceKind.RADIO, (), peer=names.TEST_UE)


def _pgw(context: Context) -> Device:
    edge = _peer(context, LinkKind.SGI, names.PGW)
    pool, sgw = context.service.addresses.sim_b, _sgw_address(context)
    points = tuple(
        Interface(interface, InterfaceKind.ETHERNET, (own,), peer)
        for interface, own, peer in _ends(context, names.PGW)
    )
    underlay = context.underlay_set(Network.B).prefixes
    s5 = next(item for item in points if item.name == "s5")
    return Device(
        name=names.PGW,
        role=Role.APN_GATEWAY,
        function=Function.PGW,
        platform="linux_pgw",
        networks=(Network.B,),
        interfaces=points,
        routes=(
            *(StaticRoute(prefix, via=edge) for prefix in underlay),
            StaticRoute(addr.only(sgw), via=_peer(context, LinkKind.S5, names.PGW)),
        ),
        firewall=Firewall(
            management=context.access,
            services=(
                *firewall.On(("s5",)).gtp(
                    len(subscriptions(context)), addr.only(sgw), context.infrastructure_b(2)
                ),
                firewall.On(("s5",)).echo(context.infrastructure_b(2)),
                firewall.On(("sgi",)).echo(context.infrastructure_b(5)),
            ),
            pairs=(ForwardPair("subscribers", (pool,), underlay, (USER_PLANE,), ("sgi",)),),
            sources=(
                AllowedSource("s5", (addr.only(sgw), context.infrastructure_b(2))),
                AllowedSource("sgi", (*underlay, context.infrastructure_b(5))),
            ),
        ),
        pgw=Pgw(
            apn=context.service.networks.b.apn,
            pool=pool,
            mtu=context.service.networks.b.mtu,
            gtp_address=s5.addresses[0].ip,
            sims=subscriptions(context),
        ),
    )


def _edge(context: Context) -> Device:
    line = context.line(Network.B)
    ((interface, own, peer),) = _ends(context, names.EDGE)
    vpn = (ipsec.of_edge(context, Network.B, names.EDGE),)
    return Device(
        name=names.EDGE,
        role=Role.PE_ROUTER,
        function=Function.EDGE,
        platform="frr",
        networks=(Network.B,),
        interfaces=(
            Interface(names.LOOPBACK_IF, InterfaceKind.LOOPBACK, (addr.single(_edge_id(context)),)),
            Interface(interface, InterfaceKind.ETHERNET, (own,), peer),
            Interface(
                names.EDGE_LINE_IF,
                InterfaceKind.ETHERNET,
                (addr.on(line, 1),),
                peer=names.HUB_CE_B,
                mtu=context.service.hub.mtu,
            ),
            ipsec.edge_interface(context, Network.B),
        ),
        router=_edge_router(context),
        routes=(
            StaticRoute(context.service.addresses.sim_b, via=_peer(context, LinkKind.SGI, names.EDGE)),
            # Until the VPN is up, and BGP knows a better one.
            *(StaticRoute(one, via=addr.host(line, 2), distance=LAST_RESORT) for one in context.shown),
        ),
        firewall=_edge_firewall(context, interface),
        identity=identities.identity(context, names.EDGE, DeviceClass.ROUTER),
        ipsec=vpn,
        crl_source=identities.crl_source(context, ipsec.crl_mirrors(vpn)),
    )


def _edge_id(context: Context) -> IPv4Address:
    return addr.host(context.service.networks.b.infrastructure, 2)


def _edge_router(context: Context) -> Router:
    router_id, underlay = _edge_id(context), context.underlay_set(Network.B)
    neighbor = BgpNeighbor(
        address=addr.host(context.inside_esp(Network.B), 2),
        remote_as=context.service.hub.as_number,
        device=names.HUB_CE_B,
        bfd=context.timers.underlay.name,
        accept=underlay.name,
        announce=context.sim_set.name,
    )
    as_number, pool = context.carrier_as(Network.B), context.service.addresses.sim_b
    return Router(
        router_id=router_id,
        bgp=(BgpInstance(as_number, router_id, (neighbor,), (pool,)),),
        prefix_sets=(underlay, context.sim_set),
        bfd_profiles=(context.timers.underlay,),
    )


def _edge_firewall(context: Context, sgi: str) -> Firewall:
    """Subscribers to the hub and back, and the IPsec VPN on the hub's line; `sgi` leads to the PGW."""
    outside, ce = addr.host(context.line(Network.B), 2), addr.host(context.inside_esp(Network.B), 2)
    pool, underlay = context.service.addresses.sim_b, context.underlay_set(Network.B).prefixes
    return Firewall(
        management=context.access,
        services=(
            firewall.On((sgi,)).echo(context.infrastructure_b(5)),
            *firewall.On((names.EDGE_LINE_IF,)).ipsec(outside),
            *firewall.On((names.EDGE_ESP_IF,)).routing(ce),
        ),
        pairs=(ForwardPair("subscribers", (pool,), underlay, (sgi,), (names.EDGE_ESP_IF,)),),
        sources=(
            AllowedSource(sgi, (pool, context.infrastructure_b(5))),
            AllowedSource(names.EDGE_LINE_IF, (addr.only(outside), *context.shown)),
            AllowedSource(names.EDGE_ESP_IF, (*underlay, addr.only(ce))),
        ),
    )
