"""Optical access of sites: what a line by PPPoE cannot have, and the address of the RADIUS server."""

from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv4Address

from heiiki.errors import Problem
from heiiki.intent import taken
from heiiki.intent.model import Service, Site
from heiiki.intent.platforms import VENDORS
from heiiki.intent.yaml_source import YamlSource

ACCESS = "pppoe"
DEFAULT_MTU = 1454
"""As NTT's FLET'S has it: 1500 octets less IP (20), UDP (8), L2TP (16) and PPP (2) inside the carrier."""
LARGEST_MTU = 1492
"""An Ethernet frame less the headers of PPPoE (6) and PPP (2) (RFC 2516 7)."""


def is_used(site: Site) -> bool:
    """Tell whether a site's line on network A is optical."""
    return site.a.access == ACCESS


def radius_address(service: Service) -> IPv4Address:
    """Return where the RADIUS server is on the hub's LAN: the last address, whatever else is there."""
    return service.addresses.hub_lan[-2]


def of_sites(sites: Iterable[tuple[YamlSource, Site]]) -> Iterator[Problem]:
    """Yield what no site with optical access can have."""
    for source, site in sites:
        if not is_used(site):
            continue
        if site.a.platform in VENDORS:
            what = f"`{site.a.platform}` is compiled for lines that carry IP by themselves, not for PPPoE"
            yield source.problem(("a", "access"), what, "write `ethernet`, or leave `platform` out")
        if site.a.mtu is not None and site.a.mtu > LARGEST_MTU:
            what = f"{site.a.mtu} octets do not fit into a frame of Ethernet beside PPPoE"
            fix = f"write {LARGEST_MTU} at the most, or leave it out: {DEFAULT_MTU}"
            yield source.problem(("a", "mtu"), what, fix)


def problems(source: YamlSource, service: Service, sites: Sequence[Site]) -> Iterator[Problem]:
    """Yield what stands at the RADIUS server's address, where a site needs one."""
    if not any(map(is_used, sites)):
        return
    whose = f"the RADIUS server, which sites with `access: {ACCESS}` need"
    yield from taken.problems(source, service, radius_address(service), whose)
