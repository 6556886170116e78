"""IPsec: a tunnel of every site to the hub over each network, and the hub's VPN to each carrier's edge.

A site's tunnel is GRE in transport-mode ESP (RFC 2784, RFC 4303) from gateway to hub, so it protects the
traffic in the carrier's core too (R-SEC-ACCESS). The hub's line to a carrier is a VPN of its own: everything
on it travels in tunnel-mode ESP (R-SEC-ESP).
"""

from ipaddress import IPv4Address, IPv4Network

from heiiki.intent import Site
from heiiki.plan import addresses as addr
from heiiki.plan import identities, names
from heiiki.plan.context import GRE_MTU, Context
from heiiki.plan.model import EspMode, Gre, Interface, IpsecConnection, TrafficSelector, Xfrm

EDGE_IF_ID = 1
ESP_MTU = 1446
ACCESS, VPN = "R-SEC-ACCESS", "R-SEC-ESP"
_ANY = IPv4Network("0.0.0.0/0")
_TUNNEL_IF = {"a": names.TUNNEL_A_IF, "b": names.TUNNEL_B_IF}
_ESP_IF = {"a": names.ESP_A_IF, "b": names.ESP_B_IF}
_LINE_IF = {"a": names.ACCESS_A_IF, "b": names.ACCESS_B_IF}
_HUB_CE = {"a": names.HUB_CE_A, "b": names.HUB_CE_B}


def site_end(context: Context, site: Site, network: str) -> IPv4Address:
    """Return the address on which the site's tunnel over `network` ends."""
    own = context.own(site)
    return own.loopback if network == "a" else own.sim


def gateway(site: Site, network: str) -> str:
    """Return the site's gateway on `network`."""
    return names.gateway_a(site) if network == "a" else names.gateway_b(site)


def site_tunnel(context: Context, site: Site, network: str) -> Interface:
    """Return the site's end of its tunnel."""
    return Interface(
        _TUNNEL_IF[network],
        "gre",
        (addr.on(context.own(site).tunnel(network), 2),),
        peer=_HUB_CE[network],
        mtu=GRE_MTU,
        gre=Gre(site_end(context, site, network), context.hub_end(network)),
    )


def hub_tunnel(context: Context, site: Site, network: str) -> Interface:
    """Return the hub's end of the tunnel of `site`."""
    return Interface(
        names.tunnel(site, network),
        "gre",
        (addr.on(context.own(site).tunnel(network), 1),),
        peer=gateway(site, network),
        mtu=GRE_MTU,
        gre=Gre(context.hub_end(network), site_end(context, site, network)),
    )


def of_site(context: Context, site: Site, network: str) -> IpsecConnection:
    """Return the connection that protects the site's tunnel, as the site has it."""
    local, remote = site_end(context, site, network), context.hub_end(network)
    return IpsecConnection(
        name=f"hub-{network}",
        peer=_HUB_CE[network],
        protects=ACCESS,
        network=network,
        local=local,
        remote=remote,
        local_id=identities.host(context, gateway(site, network)),
        remote_id=identities.host(context, _HUB_CE[network]),
        mode=EspMode.TRANSPORT,
        selector=TrafficSelector(addr.only(local), addr.only(remote), "gre"),
        initiates=True,
    )


def to_site(context: Context, site: Site, network: str) -> IpsecConnection:
    """Return the same connection as the hub has it."""
    local, remote = context.hub_end(network), site_end(context, site, network)
    return IpsecConnection(
        name=names.connection(site),
        peer=gateway(site, network),
        protects=ACCESS,
        network=network,
        local=local,
        remote=remote,
        local_id=identities.host(context, _HUB_CE[network]),
        remote_id=identities.host(context, gateway(site, network)),
        mode=EspMode.TRANSPORT,
        selector=TrafficSelector(addr.only(local), addr.only(remote), "gre"),
    )


def hub_interface(context: Context, network: str, edge: str) -> Interface:
    """Return the hub's end of its VPN to the carrier's edge."""
    inside = addr.on(context.inside_esp(network), 2)
    xfrm = Xfrm(EDGE_IF_ID, _LINE_IF[network])
    return Interface(_ESP_IF[network], "xfrm", (inside,), peer=edge, mtu=ESP_MTU, xfrm=xfrm)


def edge_interface(context: Context, network: str, vrf: str | None = None) -> Interface:
    """Return the edge's end of that VPN; on a PE the line is outside the VRF, and this end inside of it."""
    inside = addr.on(context.inside_esp(network), 1)
    xfrm = Xfrm(EDGE_IF_ID, names.EDGE_LINE_IF)
    return Interface(
        names.EDGE_ESP_IF, "xfrm", (inside,), peer=_HUB_CE[network], vrf=vrf, mtu=ESP_MTU, xfrm=xfrm
    )


def to_edge(context: Context, network: str, edge: str) -> IpsecConnection:
    """Return the hub's connection to the carrier's edge."""
    line = context.line(network)
    return _vpn(context, network, _HUB_CE[network], edge, addr.host(line, 2), addr.host(line, 1))


def of_edge(context: Context, network: str, edge: str) -> IpsecConnection:
    """Return the same connection as the edge has it."""
    line = context.line(network)
    return _vpn(context, network, edge, _HUB_CE[network], addr.host(line, 1), addr.host(line, 2))


def _vpn(
    context: Context, network: str, device: str, peer: str, local: IPv4Address, remote: IPv4Address
) -> IpsecConnection:
    at_hub = device == _HUB_CE[network]
    return IpsecConnection(
        name="edge" if at_hub else "hub",
        peer=peer,
        protects=VPN,
        network=network,
        local=local,
        remote=remote,
        local_id=identities.host(context, device),
        remote_id=identities.host(context, peer),
        mode=EspMode.TUNNEL,
        selector=TrafficSelector(_ANY, _ANY),
        if_id=EDGE_IF_ID,
        initiates=at_hub,
    )
