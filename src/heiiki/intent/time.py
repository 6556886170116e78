"""Sources of time: NTP servers on the hub's LAN, beside the hosts that the plan has there."""

from collections.abc import Iterator
from ipaddress import IPv4Address

from heiiki.errors import Problem
from heiiki.intent.model import Service
from heiiki.intent.yaml_source import YamlSource

PLANNED_ON_HUB_LAN = 6
"""Gateways, DRAS, XMPP server and a Vault server have the first addresses of the hub's LAN."""


def free(service: Service) -> range:
    """Return the addresses of the hub's LAN that no host of the plan has, as numbers."""
    lan = service.addresses.hub_lan
    first = PLANNED_ON_HUB_LAN + len(service.vault_hosts[1:]) + 1
    return range(int(lan.network_address) + first, int(lan.broadcast_address))


def problems(source: YamlSource, service: Service) -> Iterator[Problem]:
    """Yield every source of time that the hub's hosts could not ask, or that is a host of the plan."""
    lan, unused = service.addresses.hub_lan, free(service)
    for index, address in enumerate(service.time.sources):
        loc = ("time", "sources", index)
        if int(address) not in unused:
            what = f"{address} is not a free address of addresses.hub_lan {lan}"
            fix = f"give the time server one from {IPv4Address(unused.start)} to {lan[-2]}"
            yield source.problem(loc, what, fix)
        if address in service.time.sources[:index]:
            yield source.problem(loc, f"{address} is named twice", "leave one of them out")
