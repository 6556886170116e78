"""The hosts of DRAS: one, or two that keep the book of one VTN."""

from collections.abc import Iterator
from ipaddress import IPv4Address

from heiiki.errors import Problem
from heiiki.intent import taken, vault
from heiiki.intent.model import Service
from heiiki.intent.time import PLANNED_ON_HUB_LAN
from heiiki.intent.yaml_source import YamlSource

FIRST = "dras"
"""The host that direct control and enrolment are on; it has a name and an address in every service."""
MOST = 2


def second_address(service: Service) -> IPv4Address:
    """Return where the second host is on the hub's LAN: behind the addresses that Vault servers may have."""
    return service.addresses.hub_lan[PLANNED_ON_HUB_LAN + vault.MOST]


def problems(source: YamlSource, service: Service) -> Iterator[Problem]:
    """Yield what is wrong with the hosts, and what stands at the address of the second one."""
    hosts, loc = service.dras_hosts, ("dras_hosts",)
    if not hosts:
        yield source.problem(loc, "no host is named, and the VTN needs one", f"write [{FIRST}]")
        return
    if hosts[0] != FIRST:
        what = f"`{hosts[0]}` stands first, and direct control and enrolment are on `{FIRST}`"
        yield source.problem((*loc, 0), what, f"write `{FIRST}` first")
    if len(hosts) > MOST:
        what = f"{len(hosts)} hosts are named: a VTN has one that writes and one standby"
        yield source.problem(loc, what, f"name {MOST} at the most, such as [{FIRST}, {FIRST}-2]")
    elif len(set(hosts)) < len(hosts):
        what = f"`{hosts[1]}` is named twice: with that host both would be lost"
        yield source.problem((*loc, 1), what, f"give the second one a host of its own, such as {FIRST}-2")
    elif len(hosts) == MOST:
        yield from taken.problems(source, service, second_address(service), "the second host of DRAS")
        if service.openadr.transport == "xmpp":
            what = "over XMPP a VTN has one JID, which cannot be that of two hosts"
            yield source.problem(loc, what, "name one host, or write `openadr: {transport: simpleHttp}`")
