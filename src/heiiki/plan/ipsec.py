"""IPsec: a tunnel of every site to the hub over each network, and the hub's VPN to each carrier's edge.

A site's tunnel is GRE in transport-mode ESP (RFC 2784, RFC 4303) from gateway to hub, so it protects the
traffic in the carrier's core too (R-SEC-ACCESS). The hub's line to a carrier is a VPN of its own: everything
on it travels in tunnel-mode ESP (R-SEC-ESP).
"""

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, IPv4Network

from heiiki.intent import Site
from heiiki.plan import addresses as addr
from heiiki.plan import identities, names
from heiiki.plan.context import Context
from heiiki.plan.model import (
    CrlMirror,
    EspMode,
    Gre,
    Interface,
    InterfaceKind,
    IpsecConnection,
    Network,
    TrafficSelector,
    VaultClient,
    Xfrm,
)
from heiiki.plan.rates import tunnel_kbps

EDGE_IF_ID = 1
ACCESS, VPN = "R-SEC-ACCESS", "R-SEC-ESP"
_ANY = IPv4Network("0.0.0.0/0")


def site_end(context: Context, site: Site, network: Network) -> IPv4Address:
    """Return the address on which the site's tunnel over `network` ends."""
    own = context.own(site)
    return own.loopback if network is Network.A else own.sim


def site_tunnel(context: Context, site: Site, network: Network) -> Interface:
    """Return the site's end of its tunnel."""
    return Interface(
        names.ON[network].tunnel,
        InterfaceKind.GRE,
        (addr.on(context.own(site).tunnel(network), 2),),
        peer=names.ON[network].hub_ce,
        mtu=context.tunnel_mtu(site, network),
        gre=Gre(site_end(context, site, network), context.hub_end(network)),
        rate=tunnel_kbps(rate.up) if (rate := context.line_rate(site, network)) else None,
    )


def hub_tunnel(context: Context, site: Site, network: Network) -> Interface:
    """Return the hub's end of the tunnel of `site`."""
    return Interface(
        names.tunnel(site, network),
        InterfaceKind.GRE,
        (addr.on(context.own(site).tunnel(network), 1),),
        peer=names.gateway(site, network),
        mtu=context.tunnel_mtu(site, network),
        gre=Gre(context.hub_end(network), site_end(context, site, network)),
        rate=tunnel_kbps(rate.down) if (rate := context.line_rate(site, network)) else None,
    )


def of_site(context: Context, site: Site, network: Network) -> IpsecConnection:
    """Return the connection that protects the site's tunnel, as the site has it."""
    local, remote = site_end(context, site, network), context.hub_end(network)
    return IpsecConnection(
        name=f"hub-{network}",
        peer=names.ON[network].hub_ce,
        protects=ACCESS,
        network=network,
        local=local,
        remote=remote,
        local_id=identities.host(context, names.gateway(site, network)),
        remote_id=identities.host(context, names.ON[network].hub_ce),
        mode=EspMode.TRANSPORT,
        selector=TrafficSelector(addr.only(local), addr.only(remote), "gre"),
        initiates=True,
        uplink=names.ON[network].uplink,
    )


def to_site(context: Context, site: Site, network: Network) -> IpsecConnection:
    """Return the same connection as the hub has it."""
    local, remote = context.hub_end(network), site_end(context, site, network)
    return IpsecConnection(
        name=names.connection(site),
        peer=names.gateway(site, network),
        protects=ACCESS,
        network=network,
        local=local,
        remote=remote,
        local_id=identities.host(context, names.ON[network].hub_ce),
        remote_id=identities.host(context, names.gateway(site, network)),
        mode=EspMode.TRANSPORT,
        selector=TrafficSelector(addr.only(local), addr.only(remote), "gre"),
    )


def hub_interface(context: Context, network: Network, edge: str) -> Interface:
    """Return the hub's end of its VPN to the carrier's edge."""
    inside = addr.on(context.inside_esp(network), 2)
    xfrm = Xfrm(EDGE_IF_ID, names.ON[network].hub_line)
    return Interface(
        names.ON[network].hub_esp, InterfaceKind.XFRM, (inside,), peer=edge, mtu=context.vpn_mtu, xfrm=xfrm
    )


def edge_interface(context: Context, network: Network, vrf: str | None = None) -> Interface:
    """Return the edge's end of that VPN; on a PE the line is outside the VRF, and this end inside of it."""
    inside = addr.on(context.inside_esp(network), 1)
    xfrm = Xfrm(EDGE_IF_ID, names.EDGE_LINE_IF)
    return Interface(
        names.EDGE_ESP_IF,
        InterfaceKind.XFRM,
        (inside,),
        peer=names.ON[network].hub_ce,
        vrf=vrf,
        mtu=context.vpn_mtu,
        xfrm=xfrm,
    )


def to_edge(context: Context, network: Network, edge: str) -> IpsecConnection:
    """Return the hub's connection to the carrier's edge."""
    line = context.line(network)
    return _vpn(context, network, names.ON[network].hub_ce, edge, addr.host(line, 2), addr.host(line, 1))


def of_edge(context: Context, network: Network, edge: str) -> IpsecConnection:
    """Return the same connection as the edge has it."""
    line = context.line(network)
    return _vpn(context, network, edge, names.ON[network].hub_ce, addr.host(line, 1), addr.host(line, 2))


def _vpn(
    context: Context, network: Network, device: str, peer: str, local: IPv4Address, remote: IPv4Address
) -> IpsecConnection:
    at_hub = device == names.ON[network].hub_ce
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


def crl_mirrors(connections: Sequence[IpsecConnection]) -> Iterator[CrlMirror]:
    """Yield the mirrors of a device whose connections all lead to the hub: who ends them there.

    They are asked below the tunnels, which need the lists (T18), and from the same ends.
    """
    several = len({one.network for one in connections}) > 1
    for one in connections:
        yield CrlMirror(one.peer, one.remote, VaultClient(one.local, one.uplink if several else ""))
