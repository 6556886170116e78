"""Closed network A: carrier A's IP-VPN (RFC 4364), one VRF a site with hub-and-spoke route targets (D2)."""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from heiiki.intent import Site
from heiiki.intent.networks import CarrierRouter, CoreLink
from heiiki.plan import addresses as addr
from heiiki.plan import firewall, identities, ipsec, keys, names
from heiiki.plan.context import Context
from heiiki.plan.model import (
    AllowedSource,
    BgpInstance,
    BgpNeighbor,
    CoreNeighbor,
    Device,
    DeviceClass,
    Endpoint,
    Firewall,
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
    StaticRoute,
    Transit,
    VpnTargets,
)

HUB_TABLE, SECOND_TABLE, FIRST_SITE_TABLE = 1000, 900, 10000
_HUB_DISTINGUISHER, _SECOND_DISTINGUISHER = 60000, 60001
_HUB_TARGET, _SITES_TARGET, _SECOND_TARGET = 1, 2, 3


@dataclass(frozen=True, slots=True)
class _Customer:
    """One customer's VRF on a PE: its interfaces, session, filters, sources; a VPN's line is outside."""

    interfaces: tuple[Interface, ...]
    bgp: BgpInstance
    sets: tuple[PrefixSet, ...]
    sources: tuple[AllowedSource, ...]
    line: Interface | None = None

    @property
    def services(self) -> tuple[InputService, ...]:
        """What the customer's routers are answered: inside of a VRF its own interface is the packets'."""
        if not self.bgp.neighbors:
            return ()
        here = firewall.On(tuple(item.name for item in self.interfaces))
        return here.routing(*(neighbor.address for neighbor in self.bgp.neighbors))


def devices(context: Context) -> Iterator[Device]:
    """Yield the carrier's PE and P routers."""
    for router in context.service.networks.a.routers:
        yield _edge(context, router) if router.function == "pe" else _core(context, router)


def links(context: Context) -> Iterator[Link]:
    """Yield the core links."""
    for link in context.service.networks.a.links:
        one, other = (names.core_router(name) for name in link.between)
        yield Link(
            names.link(one, other),
            Endpoint(one, _core_if(link, one)),
            Endpoint(other, _core_if(link, other)),
            Network.A,
            LinkKind.CORE,
        )


def loopback(context: Context, router: CarrierRouter) -> IPv4Address:
    """Return the loopback of a core router."""
    return addr.host(context.service.networks.a.infrastructure, router.number)


def second_targets(context: Context) -> tuple[str, str]:
    """Return the second customer's two PE routers: the hub's, and that of the site it overlaps."""
    network = context.service.networks.a
    equipment = context.service.test_equipment
    pe = next(
        site.a.pe for site in context.sites if equipment is not None and site.name == equipment.overlaps
    )
    return network.hub_pe, pe


def _core_if(link: CoreLink, device: str) -> str:
    one, other = (names.core_router(name) for name in link.between)
    return f"core-{(other if device == one else one).removeprefix('a-')}"[:15]


def _core_network(context: Context, link: CoreLink) -> IPv4Network:
    return addr.block(context.service.networks.a.infrastructure, 16 + link.number, addr.ACCESS)


def _core_interfaces(context: Context, router: CarrierRouter) -> Iterator[Interface]:
    yield Interface(names.LOOPBACK_IF, InterfaceKind.LOOPBACK, (addr.single(loopback(context, router)),))
    for link in context.service.networks.a.links:
        if router.name in link.between:
            index = 1 + link.between.index(router.name)
            peer = link.between[1 - link.between.index(router.name)]
            yield Interface(
                _core_if(link, names.core_router(router.name)),
                InterfaceKind.ETHERNET,
                (addr.on(_core_network(context, link), index),),
                peer=names.core_router(peer),
                mpls=True,
            )


def _core_neighbors(context: Context, router: CarrierRouter) -> Iterator[CoreNeighbor]:
    others = {other.name: other for other in context.service.networks.a.routers}
    here = names.core_router(router.name)
    for link in context.service.networks.a.links:
        if router.name in link.between:
            other = others[link.between[1 - link.between.index(router.name)]]
            there = names.core_router(other.name)
            ospf, ldp = (keys.path(protocol, here, there) for protocol in (keys.OSPF, keys.LDP))
            yield CoreNeighbor(_core_if(link, here), loopback(context, other), ospf, ldp)


def _core_services(context: Context) -> tuple[InputService, ...]:
    """What core routers say to each other: OSPF, LDP, BGP, BFD, echo."""
    inside, core = context.service.networks.a.infrastructure, firewall.On((_CORE,))
    return *core.routing(inside, adjacent=False), core.ospf(inside), *core.ldp(inside)


def _core(context: Context, router: CarrierRouter) -> Device:
    interfaces = tuple(_core_interfaces(context, router))
    own = loopback(context, router)
    return Device(
        name=names.core_router(router.name),
        role=Role.PE_ROUTER,
        function=Function.P,
        platform="frr",
        networks=(Network.A,),
        interfaces=interfaces,
        router=Router(
            router_id=own,
            bfd_profiles=(context.timers.underlay,),
            core=tuple(_core_neighbors(context, router)),
        ),
        firewall=Firewall(
            management=context.access, services=_core_services(context), transits=(_CORE_TRANSIT,)
        ),
    )


def _edge(context: Context, router: CarrierRouter) -> Device:
    own = loopback(context, router)
    attached = context.attached(router.name)
    core = tuple(_core_interfaces(context, router))
    customers = tuple(_customers(context, router, attached))
    name, at_hub = names.core_router(router.name), router.name == context.service.networks.a.hub_pe
    at_line = firewall.On((names.EDGE_LINE_IF,))
    vpn = (ipsec.of_edge(context, Network.A, name),) if at_hub else ()
    return Device(
        name=name,
        role=Role.PE_ROUTER,
        function=Function.PE,
        platform="frr",
        networks=(Network.A,),
        interfaces=(*core, *_lines(customers), *(item for one in customers for item in one.interfaces)),
        router=Router(
            router_id=own,
            bgp=(
                BgpInstance(context.service.networks.a.as_number, own, tuple(_other_edges(context, router))),
                *(customer.bgp for customer in customers),
            ),
            prefix_sets=tuple(dict.fromkeys(item for customer in customers for item in customer.sets)),
            bfd_profiles=(context.timers.underlay,),
            core=tuple(_core_neighbors(context, router)),
        ),
        firewall=Firewall(
            management=context.access,
            services=(
                *_core_services(context),
                *(service for customer in customers for service in customer.services),
                *(at_line.ipsec(addr.host(context.line(Network.A), 2)) if at_hub else ()),
            ),
            sources=tuple(source for customer in customers for source in customer.sources),
            transits=(_CORE_TRANSIT, *_customer_transits(customers, attached)),
            separated=tuple(name for site in attached for name in (names.vrf(site), names.attachment(site))),
        ),
        routes=tuple(_to_shown(context)) if at_hub else (),
        identity=identities.identity(context, name, DeviceClass.ROUTER) if at_hub else None,
        ipsec=vpn,
        crl_source=identities.crl_source(context, ipsec.crl_mirrors(vpn)) if at_hub else None,
    )


def _lines(customers: tuple[_Customer, ...]) -> Iterator[Interface]:
    return (customer.line for customer in customers if customer.line is not None)


def _to_shown(context: Context) -> Iterator[StaticRoute]:
    """The hub's PE asks Vault and time servers from its own table, outside of every VRF."""
    for shown in context.shown_to_edge(Network.A):
        yield StaticRoute(shown, via=addr.host(context.line(Network.A), 2))


_CORE = "core-*"
"""Every interface to the core, in the words of a packet filter."""
_CORE_TRANSIT = Transit("core", (_CORE,), (_CORE,))


def _customer_transits(customers: tuple[_Customer, ...], attached: list[Site]) -> Iterator[Transit]:
    """Each customer to the core; the hub to the sites on the same PE, where no core lies between."""
    every = tuple(dict.fromkeys(item.name for customer in customers for item in customer.interfaces))
    if not every:
        return
    yield Transit("customers", every, (_CORE,))
    if attached and names.EDGE_ESP_IF in every:
        sites = tuple(name for site in attached for name in (names.vrf(site), names.attachment(site)))
        yield Transit("hub", (names.HUB_VRF, names.EDGE_ESP_IF), sites)


def _other_edges(context: Context, router: CarrierRouter) -> Iterator[BgpNeighbor]:
    network = context.service.networks.a
    for other in network.routers:
        if other.function == "pe" and other.name != router.name:
            yield BgpNeighbor(
                address=loopback(context, other),
                remote_as=network.as_number,
                device=names.core_router(other.name),
                update_source="lo",
                bfd=context.timers.underlay.name,
                vpn=True,
            )


def _customers(context: Context, router: CarrierRouter, attached: list[Site]) -> Iterator[_Customer]:
    if router.name == context.service.networks.a.hub_pe:
        yield _hub(context, router)
    for site in attached:
        yield _spoke(context, router, site)
    if context.service.test_equipment is not None:
        hub_pe, site_pe = second_targets(context)
        if router.name == hub_pe:
            yield _second(context, router, names.SECOND_HQ_IF, context.hub_lan)
        if router.name == site_pe:
            overlapped = next(
                site for site in context.sites if site.name == context.service.test_equipment.overlaps
            )
            yield _second(context, router, names.SECOND_BRANCH_IF, context.own(overlapped).lan)


def _targets(context: Context, number: int, imports: int, exports: int) -> VpnTargets:
    asn = context.service.networks.a.as_number
    return VpnTargets(f"{asn}:{number}", (f"{asn}:{imports}",), (f"{asn}:{exports}",))


def _hub(context: Context, router: CarrierRouter) -> _Customer:
    """The hub's line is a VPN: it stands in the router's own table, what comes out of it in the VRF."""
    line, own = context.line(Network.A), context.underlay_set(Network.A)
    ce = addr.host(context.inside_esp(Network.A), 2)
    neighbor = BgpNeighbor(
        address=ce,
        remote_as=context.service.hub.as_number,
        device=names.HUB_CE_A,
        bfd=context.timers.underlay.name,
        accept=own.name,
        announce=context.loopback_set.name,
    )
    return _Customer(
        (
            Interface(names.HUB_VRF, InterfaceKind.VRF, table=HUB_TABLE),
            ipsec.edge_interface(context, Network.A, names.HUB_VRF),
        ),
        BgpInstance(
            context.service.networks.a.as_number,
            loopback(context, router),
            (neighbor,),
            vrf=names.HUB_VRF,
            vpn=_targets(context, _HUB_DISTINGUISHER, _SITES_TARGET, _HUB_TARGET),
        ),
        (own, context.loopback_set),
        (
            AllowedSource(names.EDGE_ESP_IF, (*own.prefixes, addr.only(ce))),
            AllowedSource(
                names.EDGE_LINE_IF, (addr.only(addr.host(line, 2)), *context.shown_to_edge(Network.A))
            ),
        ),
        Interface(
            names.EDGE_LINE_IF,
            InterfaceKind.ETHERNET,
            (addr.on(line, 1),),
            peer=names.HUB_CE_A,
            mtu=context.service.hub.mtu,
        ),
    )


def _spoke(context: Context, router: CarrierRouter, site: Site) -> _Customer:
    own = context.own(site)
    vrf, underlay = names.vrf(site), context.underlay_set(Network.A)
    neighbor = BgpNeighbor(
        address=own.ce,
        remote_as=context.service.sites_as_number,
        device=names.gateway(site, Network.A),
        bfd=context.timers.underlay.name,
        accept=f"FROM-{vrf.upper()}",
        announce=underlay.name,
    )
    sets = (PrefixSet(f"FROM-{vrf.upper()}", (own.only_loopback,)), underlay)
    return _Customer(
        (
            Interface(vrf, InterfaceKind.VRF, table=FIRST_SITE_TABLE + site.number),
            Interface(
                names.attachment(site),
                InterfaceKind.ETHERNET,
                (addr.on(own.access, 1),),
                peer=names.gateway(site, Network.A),
                vrf=vrf,
                mtu=context.line_mtu(site, Network.A),
            ),
        ),
        BgpInstance(
            context.service.networks.a.as_number,
            loopback(context, router),
            (neighbor,),
            vrf=vrf,
            vpn=_targets(context, site.number, _HUB_TARGET, _SITES_TARGET),
        ),
        sets,
        (AllowedSource(names.attachment(site), (own.only_loopback, own.only_ce)),),
    )


def _second(context: Context, router: CarrierRouter, interface: str, lan: IPv4Network) -> _Customer:
    """The second customer: addresses like ours, its own VRF on both PE routers, any to any inside it."""
    here = (
        Interface(names.SECOND_VRF, InterfaceKind.VRF, table=SECOND_TABLE),
        Interface(interface, InterfaceKind.ETHERNET, (addr.on(lan, addr.LAN_GATEWAY),), vrf=names.SECOND_VRF),
    )
    return _Customer(
        here,
        BgpInstance(
            context.service.networks.a.as_number,
            loopback(context, router),
            (),
            vrf=names.SECOND_VRF,
            vpn=_targets(
                context,
                _SECOND_DISTINGUISHER + (interface == names.SECOND_BRANCH_IF),
                _SECOND_TARGET,
                _SECOND_TARGET,
            ),
            redistribute_connected=True,
        ),
        (),
        (AllowedSource(interface, (lan,)),),
    )
