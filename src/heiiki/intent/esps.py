"""Systems of energy service providers: sites that exist, and addresses on the hub's LAN that are free."""

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address

from heiiki.errors import Problem
from heiiki.intent import time
from heiiki.intent.model import Service
from heiiki.intent.yaml_source import YamlSource

ALL = "all"
"""Stands for every site; none may be called so."""


def problems(source: YamlSource, service: Service, sites: Sequence[str] | None) -> Iterator[Problem]:
    """Yield every ESP that is named twice, addresses no site, or stands where another host does.

    Args:
        source: the service's file.
        service: what it says.
        sites: names of all sites; None when they are not known.
    """
    yield from _twice(source, service)
    yield from _addresses(source, service)
    if sites is None:
        return
    for index, one in enumerate(service.esps):
        for number, name in enumerate(one.sites if one.sites != (ALL,) else ()):
            loc = ("esps", index, "sites", number)
            if name == ALL:
                yield source.problem(loc, f"`{ALL}` stands beside sites", f"write [{ALL}], or names alone")
            elif name not in sites:
                known = ", ".join(f"`{site}`" for site in sorted(set(sites))[:12])
                yield source.problem(loc, f"there is no site `{name}`", f"write [{ALL}], or some of {known}")
            elif name in one.sites[:number]:
                yield source.problem(loc, f"site `{name}` is named twice", "leave one of them out")


def _twice(source: YamlSource, service: Service) -> Iterator[Problem]:
    named = [one.name for one in service.esps]
    for index, name in enumerate(named):
        if name in named[:index]:
            what = f"ESP `{name}` is named twice"
            yield source.problem(("esps", index, "name"), what, "give each ESP a name of its own")


def _addresses(source: YamlSource, service: Service) -> Iterator[Problem]:
    lan, free = service.addresses.hub_lan, time.free(service)
    taken = list(service.time.sources)
    for index, one in enumerate(service.esps):
        loc = ("esps", index, "address")
        if int(one.address) not in free:
            what = f"{one.address} is not a free address of addresses.hub_lan {lan}"
            fix = f"give the ESP's system one from {IPv4Address(free.start)} to {lan[-2]}"
            yield source.problem(loc, what, fix)
        elif one.address in taken:
            what = f"{one.address} is the address of another ESP or of a source of time"
            yield source.problem(loc, what, "give the ESP's system an address of its own")
        taken.append(one.address)
