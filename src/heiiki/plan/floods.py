"""Floods from one site to what all sites share, and to its own gateway's neighbours (R-ISO-MALICE/flood).

One site stands for all, because their rules are made alike: the first with two gateways, where there is one.
"""

from collections.abc import Iterator, Sequence

from heiiki.plan.model import ElementKind, FailureMode, Fault, Network, SitePlan

SERVICES = ("vault", "echo", "stamp")
"""What every controller may ask of the hub, by the names of the packet filters' budgets."""
NEIGHBOURS = ("bgp", "vrrp")
"""What a gateway hears on its LAN from the other gateway, in whose name any host there can write."""
TUNNEL_ENDS = ("ike", "bgp")
"""What the hub's router hears from a gateway: below the tunnel, and inside of it."""


def floods(sites: Sequence[SitePlan]) -> Iterator[Fault]:
    """Yield one flood for each service that a site can reach and that others share."""
    if not sites:
        return
    site = next((one for one in sites if len(one.gateways) > 1), sites[0])
    for service in SERVICES:
        yield _flood(site, site.controller, service, site.primary)
    if len(site.gateways) == 1:
        yield from (_flood(site, site.gateways[0], service, site.primary) for service in TUNNEL_ENDS)
        return
    yield from (_flood(site, site.controller, service, None) for service in NEIGHBOURS)
    for gateway, network in zip(site.gateways, Network, strict=True):
        yield from (_flood(site, gateway, service, network) for service in TUNNEL_ENDS)


def _flood(site: SitePlan, sender: str, service: str, network: Network | None) -> Fault:
    return Fault(sender, ElementKind.FLOOD, FailureMode.FLOOD, network, (site.name,), service=service)
