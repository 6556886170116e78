"""The hosts at the hub: of DRAS, XMPP server, Vault servers, and a RADIUS server where a site needs one."""

from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network

from heiiki.plan import addresses as addr
from heiiki.plan import firewall, hub_host, identities, lan, names, pppoe
from heiiki.plan.context import HUB_VRID, Context
from heiiki.plan.model import (
    AuditLog,
    Device,
    Function,
    Network,
    Role,
    StampStream,
    StaticRoute,
    VaultHost,
    VaultServer,
)

CONTROL_STREAM = ""
"""Site of the stream between the hub's own hosts: it crosses nothing that is failed (D19)."""

_HOSTS = (
    (names.DRAS, addr.HUB_DRAS, Role.DRAS_SERVER, Function.DRAS),
    (names.XMPP, addr.HUB_XMPP, Role.XMPP_SERVER, Function.XMPP),
)
_ON_LAN = firewall.On((names.LAN_IF,))
_REQUEST = 65536
"""Octets that a request to the Vault server may have: of any, and for the names of a site's devices."""
_AUDIT_LOGS = (
    AuditLog("file", "/var/log/heiiki-vault", rotate_mib=50, kept=100),
    # In memory: no disk that is full or broken takes both.
    AuditLog("memory", "/var/log/heiiki/audit", rotate_mib=32, kept=1, memory_mib=256),
)


def devices(context: Context) -> Iterator[Device]:
    """Yield the hosts."""
    for name, index, role, function in _HOSTS:
        yield _host(context, name, index, role, function)
    servers = identities.vault_servers(context)
    for server in servers:
        yield _vault(context, server, tuple(one for one in servers if one != server))
    for name, address in tuple(context.dras_hosts.items())[1:]:
        yield _second_dras(context, name, address)
    if context.optical:
        yield pppoe.server(context)


def members(context: Context) -> lan.Lan:
    """Return the hub's LAN as its routers see it."""
    hosts = tuple(addr.host(context.hub_lan, index) for _, index, _, _ in _HOSTS)
    return lan.Lan(
        prefix=context.hub_lan,
        as_number=context.service.hub.as_number,
        router_id=HUB_VRID,
        exchanged=context.sites_set,
        hosts=hosts,
        beyond=context.service.addresses.site_lan,
    )


def _second_dras(context: Context, name: str, address: IPv4Address) -> Device:
    """The second host of the VTN: one of the closed group, without the other tasks of the first one."""
    pool = context.service.addresses.site_lan
    return hub_host.device(
        context,
        name,
        Role.DRAS_SERVER,
        Function.DRAS_STANDBY,
        address=address,
        routes=(StaticRoute(pool, via=context.hub_gateway),),
        services=(_ON_LAN.echo(context.hub_lan, pool),),
    )


def _vault(context: Context, server: VaultHost, others: tuple[VaultHost, ...]) -> Device:
    """One more host of the closed group; its service address is for those that have no tunnel yet."""
    cluster = (_ON_LAN.vault_cluster(*(one.address for one in others)),) if others else ()
    host = hub_host.device(
        context,
        server.device,
        Role.VAULT_SERVER,
        Function.VAULT,
        address=server.address,
        shown=server.service_address,
        routes=_shown_routes(context),
        services=(*_ON_LAN.vault(*_everybody(context)), *cluster, _ON_LAN.echo(context.hub_lan)),
    )
    vault = VaultServer(
        address=server.address,
        service_address=server.service_address,
        port=firewall.VAULT,
        cluster_port=firewall.VAULT_CLUSTER,
        node_id=server.device,
        peers=others,
        request_limit=_REQUEST,
        audit_logs=_AUDIT_LOGS,
    )
    return replace(host, vault=vault)


def _shown_routes(context: Context) -> Iterator[StaticRoute]:
    """What a carrier's addresses ask goes back through the CE router on that carrier's line."""
    yield StaticRoute(context.service.addresses.site_lan, via=context.hub_gateway)
    routers = members(context)
    for network in Network:
        for prefix in (context.far_pool(network), context.line(network)):
            yield StaticRoute(prefix, via=routers.address(network))


def _everybody(context: Context) -> tuple[IPv4Network, ...]:
    """Return where devices ask from: through the tunnels, and outside of them."""
    sites = (context.own(site) for site in context.sites)
    return (
        context.hub_lan,
        context.service.addresses.site_lan,
        *(context.line(network) for network in Network),
        *(prefix for own in sites for prefix in (own.only_loopback, own.only_sim)),
    )


def _host(context: Context, name: str, index: int, role: Role, function: Function) -> Device:
    """A host of the closed group, which hands the time on; its service address is as the Vault server's."""
    pool = context.service.addresses.site_lan
    shown = next(one.service_address for one in context.time_servers if one.device == name)
    other = next(other for _, other, _, _ in _HOSTS if other != index)
    control = StampStream(CONTROL_STREAM, addr.host(context.hub_lan, other))
    streams = tuple(StampStream(site.name, context.own(site).controller) for site in context.sites)
    host = hub_host.device(
        context,
        name,
        role,
        function,
        address=addr.host(context.hub_lan, index),
        shown=shown,
        routes=_shown_routes(context),
        services=(
            _ON_LAN.echo(context.hub_lan, pool),
            _ON_LAN.stamp(context.hub_lan, pool),
            _ON_LAN.ntp(*_everybody(context)),
        ),
    )
    return replace(host, stamp=(control, *streams))
