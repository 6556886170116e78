"""Addresses of the hub's LAN that belong to hosts of the plan, whatever else is there."""

from collections.abc import Iterator
from ipaddress import IPv4Address

from heiiki.errors import Problem
from heiiki.intent.model import Service
from heiiki.intent.yaml_source import YamlSource


def problems(source: YamlSource, service: Service, address: IPv4Address, whose: str) -> Iterator[Problem]:
    """Yield each ESP and source of time that stands at `address`, which is `whose`."""
    what, fix = f"{address} is that of {whose}", "give it another address"
    for index, one in enumerate(service.esps):
        if one.address == address:
            yield source.problem(("esps", index, "address"), what, fix)
    for index, taken in enumerate(service.time.sources):
        if taken == address:
            yield source.problem(("time", "sources", index), what, fix)
