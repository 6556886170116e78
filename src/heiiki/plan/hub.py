"""The hub: DRAS, XMPP server, and a CE router to each carrier, in one closed group."""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from heiiki.plan import addresses as addr
from heiiki.plan import firewall, identities, ipsec, names
from heiiki.plan.context import HUB_VRID, Context
from heiiki.plan.model import (
    AllowedSource,
    BgpNeighbor,
    Device,
    DeviceClass,
    Endpoint,
    Firewall,
    ForwardPair,
    Function,
    Interface,
    LanWatch,
    Link,
    PrefixSet,
    Role,
    StampStream,
    StaticRoute,
    VaultServer,
    Vrrp,
)

CONTROL_STREAM = ""
"""Site of the stream between the hub's own hosts: it crosses nothing that is failed (D19)."""

_MASTER, _BACKUP = 200, 100
_PORTS = (names.HUB_CE_A, names.HUB_CE_B, names.DRAS, names.XMPP, names.VAULT)
"""Who hangs on the hub's switch, in the order of its ports."""
_HOSTS = ((names.DRAS, addr.HUB_DRAS, Function.DRAS), (names.XMPP, addr.HUB_XMPP, Function.XMPP))


@dataclass(frozen=True, slots=True)
class _Line:
    """The hub's line to one carrier, and the CE router on it."""

    network: str
    device: str
    other: str
    interface: str
    index: int
    other_index: int

    def edge(self, context: Context) -> str:
        """The carrier's device at the other end."""
        hub_pe = context.service.networks.a.hub_pe
        return names.carrier_a(hub_pe) if self.network == "a" else names.EDGE

    def as_number(self, context: Context) -> int:
        """The carrier's AS."""
        networks = context.service.networks
        return networks.a.as_number if self.network == "a" else networks.b.as_number

    def underlay(self, context: Context) -> PrefixSet:
        """Where the sites' tunnels end, as the carrier announces it."""
        return context.loopback_set if self.network == "a" else context.sim_set


_LINES = (
    _Line("a", names.HUB_CE_A, names.HUB_CE_B, names.ACCESS_A_IF, addr.LAN_FIRST, addr.LAN_SECOND),
    _Line("b", names.HUB_CE_B, names.HUB_CE_A, names.ACCESS_B_IF, addr.LAN_SECOND, addr.LAN_FIRST),
)


def devices(context: Context) -> Iterator[Device]:
    """Yield the hub's devices."""
    for line in _LINES:
        yield _ce(context, line)
    yield _switch()
    for name, index, function in _HOSTS:
        yield _host(context, name, index, function)
    yield _vault(context)


def links(context: Context) -> Iterator[Link]:
    """Yield the hub's access lines and the legs of its LAN."""
    for line in _LINES:
        edge = line.edge(context)
        yield Link(
            names.link(edge, line.device),
            Endpoint(edge, names.EDGE_LINE_IF),
            Endpoint(line.device, line.interface),
            line.network,
            "access",
        )
    for port, device in enumerate(_PORTS, start=1):
        ends = Endpoint(names.HUB_LAN, f"port{port}"), Endpoint(device, names.LAN_IF)
        yield Link(names.link(names.HUB_LAN, device), *ends, "lan", "lan")


def _ce_address(context: Context, index: int) -> IPv4Address:
    return addr.host(context.hub_lan, index)


def _site_sets(context: Context) -> tuple[PrefixSet, ...]:
    """One set a site, so that no site can announce the addresses of another."""
    return tuple(PrefixSet(f"SITE-{site.number:04d}", (context.own(site).lan,)) for site in context.sites)


def _overlay(context: Context, network: str) -> Iterator[BgpNeighbor]:
    """One session a site, inside its tunnel: it decides whether the path over `network` is good (D4)."""
    for site in context.sites:
        yield BgpNeighbor(
            address=context.own(site).tunnel_site(network),
            remote_as=context.service.sites_as_number,
            device=ipsec.gateway(site, network),
            bfd=context.bfd(site, network).name,
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
        yield AllowedSource(
            interface, (context.hub_lan, context.service.addresses.site_lan, context.only_vault_service)
        )


def _ce(context: Context, line: _Line) -> Device:
    """The CE router to one carrier: all sites' tunnels over it, inside the VPN to the carrier's edge."""
    here, peer = _ce_address(context, line.index), _ce_address(context, line.other_index)
    network = line.network
    end, vault = addr.only(context.hub_end(network)), context.only_vault_service
    outside, inside = (addr.host(net, 1) for net in (context.line(network), context.inside_esp(network)))
    underlay, shown = line.underlay(context), context.underlay_set(network)
    to_edge = BgpNeighbor(
        address=inside,
        remote_as=line.as_number(context),
        device=line.edge(context),
        bfd=context.timers.active.name,
        accept=underlay.name,
        announce=shown.name,
    )
    tunnels = tuple(ipsec.hub_tunnel(context, site, network) for site in context.sites)
    vpn = ipsec.hub_interface(context, network, to_edge.device)
    far = underlay.prefixes[0]
    return Device(
        name=line.device,
        role=Role.CE_ROUTER,
        function=Function.CE,
        platform="frr",
        networks=(network,),
        interfaces=(
            Interface("lo", "loopback", (addr.single(end.network_address),)),
            Interface(line.interface, "ethernet", (addr.on(context.line(network), 2),), peer=to_edge.device),
            vpn,
            Interface(names.LAN_IF, "ethernet", (addr.single(here),)),
            *tunnels,
        ),
        router=context.router(
            context.service.hub.as_number,
            end.network_address,
            (to_edge, _session_lan(context, here, peer, line.other), *_overlay(context, network)),
            (context.hub_lan, end, vault),
            (context.hub_set, context.sites_set, underlay, shown, *_site_sets(context)),
        ),
        # By interface: the LAN's own route comes later, and the server answers ARP for both of its addresses.
        routes=(StaticRoute(vault, interface=names.LAN_IF),),
        firewall=Firewall(
            services=(
                *firewall.routing_from(inside, context.tunnel_pool(network), peer),
                *firewall.ipsec_from(outside, far),
                firewall.gre_from(far),
                firewall.vrrp_from(peer),
                firewall.echo_from(context.hub_lan, outside),
            ),
            pairs=(
                _pair(context, tuple(tunnel.name for tunnel in tunnels)),
                _vault_pair(context, (far, addr.only(outside)), (vpn.name, line.interface)),
            ),
            sources=(
                *_lan_sources(context),
                AllowedSource(line.interface, (addr.only(outside),)),
                AllowedSource(vpn.name, (far, addr.only(inside), addr.only(outside))),
                *_tunnel_sources(context, network),
            ),
            encrypted=(line.interface, vpn.name),
        ),
        vrrp=_vrrp(context, peer, _MASTER if network == "a" else _BACKUP),
        lan_watch=_watch(context, here, peer),
        identity=identities.identity(context, line.device, DeviceClass.ROUTER),
        ipsec=(
            ipsec.to_edge(context, network, to_edge.device),
            *(ipsec.to_site(context, site, network) for site in context.sites),
        ),
        crl_source=identities.crl_source(context),
    )


def _tunnel_sources(context: Context, network: str) -> Iterator[AllowedSource]:
    for site in context.sites:
        own = context.own(site)
        yield AllowedSource(names.tunnel(site, network), (own.lan, addr.only(own.tunnel_site(network))))


def _vault_pair(
    context: Context, outside: tuple[IPv4Network, ...], interfaces: tuple[str, ...]
) -> ForwardPair:
    """Gateways and the carrier's edge to the Vault server, outside of their tunnels, and to no other host."""
    return ForwardPair("vault", (context.only_vault_service,), outside, names.LAN_IFS, interfaces)


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
        interfaces=tuple(Interface(f"port{port}", "ethernet") for port, _ in enumerate(_PORTS, start=1)),
    )


def _vault(context: Context) -> Device:
    """One more host of the closed group; its service address is for those that have no tunnel yet."""
    pools = context.service.addresses
    sites = [context.own(site) for site in context.sites]
    lines = tuple(context.line(network) for network in "ab")
    ways = ((_LINES[0], pools.loopback_a), (_LINES[1], pools.sim_b))
    return Device(
        name=names.VAULT,
        role=Role.VAULT_SERVER,
        function=Function.VAULT,
        platform="linux_host",
        networks=(),
        interfaces=(
            Interface(names.LAN_IF, "ethernet", (addr.on(context.hub_lan, addr.HUB_VAULT),)),
            Interface("lo", "loopback", (addr.single(context.vault_service),)),
        ),
        routes=(
            StaticRoute(pools.site_lan, via=context.hub_gateway),
            *(
                StaticRoute(prefix, via=_ce_address(context, line.index))
                for line, pool in ways
                for prefix in (pool, context.line(line.network))
            ),
        ),
        firewall=Firewall(
            services=(
                firewall.vault_from(
                    context.hub_lan,
                    pools.site_lan,
                    *lines,
                    *(prefix for own in sites for prefix in (own.only_loopback, own.only_sim)),
                ),
                firewall.echo_from(context.hub_lan),
            )
        ),
        identity=identities.identity(context, names.VAULT, DeviceClass.SERVER),
        vault=VaultServer(context.vault, context.vault_service, identities.PORT, names.VAULT),
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
        identity=identities.identity(context, name, DeviceClass.SERVER),
    )
