"""Hosts of the closed group that verify certificates: where their revocation lists come from."""

from collections.abc import Iterator

from heiiki.plan import identities, lan, names
from heiiki.plan.context import Context
from heiiki.plan.model import CrlMirror, CrlSource, Device, Network, VaultClient


def crl_source(device: Device, context: Context) -> CrlSource:
    """Return the Vault server, through the tunnels from a site, and the hub's routers on their LAN."""
    return identities.crl_source_inside(context, _mirrors(device, context))


def _mirrors(device: Device, context: Context) -> Iterator[CrlMirror]:
    client = VaultClient(device.interface(names.LAN_IF).addresses[0].ip)
    for network in Network:
        address = lan.gateway_address(context.hub_lan, network)
        yield CrlMirror(names.ON[network].hub_ce, address, client)
