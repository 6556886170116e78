"""Optical access: a router logs in on its line by PPPoE, and the hub's RADIUS server decides (TR-1072 6).

What is routed keeps name and address, so that sessions, tunnels and filters are those of any other line; the
port below has a name of its own. pppd signs no request (no Message-Authenticator, RFC 2869 5.14): so each PE
with such lines has a proxy of its own, which does. The hub's PE forwards for all by RadSec, because it alone
has a certificate and a way to the hub outside of every VRF.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from ipaddress import IPv4Address

from heiiki.intent import Site
from heiiki.intent.pppoe import radius_address
from heiiki.plan import addresses as addr
from heiiki.plan import closed_group, firewall, hub_host, identities, ip_vpn, keys, lan, names
from heiiki.plan.context import Context
from heiiki.plan.model import (
    Device,
    Firewall,
    Function,
    Interface,
    InterfaceKind,
    Network,
    PppoeClient,
    PppoeLine,
    RadiusHome,
    RadiusPeer,
    RadiusProxy,
    RadiusServer,
    RadiusUser,
    Role,
    StaticRoute,
)

_CORE = firewall.On(("core-*",))
_ON_LAN = firewall.On((names.LAN_IF,))


def attached(devices: Iterable[Device], context: Context) -> Iterator[Device]:
    """Yield every device, those at both ends of an optical line with the session on it."""
    at_site = {names.gateway(site, Network.A): site for site in context.optical}
    for device in devices:
        if (site := at_site.get(device.name)) is not None:
            yield _client(device, context, site)
        elif device.function is Function.PE and context.optical:
            yield _concentrator(device, context)
        else:
            yield device


def user(context: Context, site: Site) -> str:
    """Return by which name a site's router logs in; the realm is the service's domain."""
    return f"{names.gateway(site, Network.A)}@{identities.domain(context)}"


def _password(site: Site) -> str:
    return f"{keys.FOLDER}/{keys.PPPOE}/{names.gateway(site, Network.A)}"


def _client(device: Device, context: Context, site: Site) -> Device:
    own, mtu = context.own(site), context.line_mtu(site, Network.A)
    session = PppoeClient(
        names.ACCESS_A_IF, names.LINE_A_IF, user(context, site), _password(site), own.ce, own.pe, mtu
    )
    return replace(
        device,
        interfaces=tuple(_over_port(device.interfaces, {session.interface: session.port})),
        pppoe=session,
    )


def _over_port(interfaces: Iterable[Interface], ports: dict[str, str]) -> Iterator[Interface]:
    """Yield the interfaces, each session's with the port below before it."""
    for one in interfaces:
        if one.name in ports:
            port = ports[one.name]
            yield Interface(port, InterfaceKind.ETHERNET, peer=one.peer)
            yield replace(one, kind=InterfaceKind.PPP, port=port)
        else:
            yield one


def _concentrator(device: Device, context: Context) -> Device:
    router = device.name.removeprefix("a-")
    lines = tuple(_line(context, site) for site in context.attached(router) if site in context.optical)
    proxy = _proxy(context, router)
    if proxy is None:
        return device
    filtered = device.firewall or Firewall()
    opened = (_CORE.radius(*(one.address for one in proxy.clients)),) if proxy.clients else ()
    return replace(
        device,
        interfaces=tuple(_over_port(device.interfaces, {one.interface: one.port for one in lines})),
        firewall=replace(filtered, services=(*filtered.services, *opened)),
        pppoe_lines=lines,
        radius_proxy=proxy,
    )


def _line(context: Context, site: Site) -> PppoeLine:
    own = context.own(site)
    return PppoeLine(
        interface=names.attachment(site),
        port=names.attachment_port(site),
        vrf=names.vrf(site),
        client=names.gateway(site, Network.A),
        user=user(context, site),
        address=own.pe,
        peer=own.ce,
        mtu=context.line_mtu(site, Network.A),
    )


def _proxy(context: Context, router: str) -> RadiusProxy | None:
    """Return the proxy on a PE; None where no session needs it."""
    name, hub_pe = names.core_router(router), context.service.networks.a.hub_pe
    concentrators = {site.a.pe for site in context.optical}
    if router not in {*concentrators, hub_pe}:
        return None
    realm, secret = identities.domain(context), _secret(name, "pppd")
    own = _loopback(context, router)
    if router != hub_pe:
        to_hub = RadiusPeer(
            names.core_router(hub_pe), _loopback(context, hub_pe), _secret(name, names.core_router(hub_pe))
        )
        return RadiusProxy(name, realm, own, secret, upstream=to_hub)
    home = RadiusHome(
        names.RADIUS,
        identities.host(context, names.RADIUS),
        context.radius_service,
        addr.host(context.line(Network.A), 1),
    )
    others = tuple(
        RadiusPeer(names.core_router(one), _loopback(context, one), _secret(names.core_router(one), name))
        for one in sorted(concentrators - {hub_pe})
    )
    return RadiusProxy(name, realm, own, secret, home=home, clients=others)


def _loopback(context: Context, router: str) -> IPv4Address:
    found = next(one for one in context.service.networks.a.routers if one.name == router)
    return ip_vpn.loopback(context, found)


def _secret(one: str, other: str) -> str:
    return keys.path(keys.RADIUS, one, other)


def server(context: Context) -> Device:
    """Return the host of the RADIUS server: one of the closed group, with an address for carrier A."""
    edge = context.edge(Network.A)
    asks = addr.host(context.line(Network.A), 1)
    host = hub_host.device(
        context,
        names.RADIUS,
        Role.RADIUS_SERVER,
        Function.RADIUS,
        address=radius_address(context.service),
        shown=context.radius_service,
        routes=(StaticRoute(context.line(Network.A), via=lan.gateway_address(context.hub_lan, Network.A)),),
        services=(_ON_LAN.radsec(asks), _ON_LAN.echo(context.hub_lan)),
    )
    radius = RadiusServer(
        realm=identities.domain(context),
        address=context.radius_service,
        client=identities.host(context, edge),
        client_address=asks,
        users=tuple(_users(context)),
    )
    return replace(host, crl_source=closed_group.crl_source(host, context), radius=radius)


def _users(context: Context) -> Iterator[RadiusUser]:
    """Yield who may log in: the routers in service; one that is revoked is not among them."""
    for site in context.optical:
        if names.gateway(site, Network.A) not in context.revoked:
            yield RadiusUser(
                name=user(context, site),
                password=_password(site),
                nas=names.core_router(site.a.pe),
                port=names.attachment(site),
                address=context.own(site).ce,
                mtu=context.line_mtu(site, Network.A),
            )
