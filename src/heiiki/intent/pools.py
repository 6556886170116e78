"""Addresses of one service: pools, carriers' infrastructure and where SSH comes from, none inside another."""

from collections.abc import Iterator, Mapping
from ipaddress import IPv4Network
from itertools import combinations

from heiiki.errors import Problem
from heiiki.intent.model import AddressPools, Service, SshManagement
from heiiki.intent.yaml_source import YamlSource, dotted

_Place = tuple[str | int, ...]

_UNUSABLE = tuple(
    IPv4Network(text) for text in ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4")
)
"""This network, loopback, link local, multicast, reserved (RFC 6890)."""
_PRIVATE = tuple(
    IPv4Network(text)
    for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "198.18.0.0/15")
)
"""Of private networks, carriers and benchmarks (RFC 1918, 6598, 2544)."""

_INFRASTRUCTURE = 24
_SMALLEST = {
    "hub_lan": 28,
    "site_lan": 27,
    "access_a": 29,
    "loopback_a": 29,
    "sim_b": 29,
    "tunnel_a": 29,
    "tunnel_b": 29,
}
"""Longest prefix of each pool that holds a hub and a site."""
_WIDEST_SOURCE = 16
_SHOWN = 2


def problems(source: YamlSource, service: Service) -> Iterator[Problem]:
    """Yield every pool and every source of SSH that the service cannot use."""
    used = pools(service)
    for (one, first), (other, second) in combinations(used.items(), 2):
        if first.overlaps(second):
            what = f"{second} overlaps {first} of {dotted(one)}"
            yield source.problem(other, what, "give each pool addresses of its own")
    for loc, pool in used.items():
        yield from _pool(source, loc, pool)
    if isinstance(service.management, SshManagement):
        for index, prefix in enumerate(service.management.sources):
            yield from _ssh(source, ("management", "sources", index), prefix, used)
        for index, prefix in enumerate(service.management.controllers):
            yield from _controllers(source, ("management", "controllers", index), prefix)


def pools(service: Service) -> dict[_Place, IPv4Network]:
    """Return every pool of the closed networks, by its place in the file."""
    named: dict[_Place, IPv4Network] = {
        ("addresses", name): getattr(service.addresses, name) for name in AddressPools.model_fields
    }
    named["networks", "a", "infrastructure"] = service.networks.a.infrastructure
    named["networks", "b", "infrastructure"] = service.networks.b.infrastructure
    return named


def _unusable(prefix: IPv4Network) -> bool:
    return any(prefix.overlaps(network) for network in _UNUSABLE)


def _pool(source: YamlSource, loc: _Place, pool: IPv4Network) -> Iterator[Problem]:
    fix = "take private addresses, such as a part of 10.0.0.0/8"
    if _unusable(pool):
        yield source.problem(loc, f"{pool} holds addresses that no device may own", fix)
    elif not any(pool.subnet_of(network) for network in _PRIVATE):
        yield source.problem(loc, f"{pool} holds public addresses, which others on the Internet own", fix)
    if loc[-1] == "infrastructure":
        if pool.prefixlen != _INFRASTRUCTURE:
            what = f"{pool} is not a /{_INFRASTRUCTURE}"
            yield source.problem(loc, what, f"give the carrier's infrastructure a /{_INFRASTRUCTURE}")
    elif pool.prefixlen > _SMALLEST[str(loc[-1])]:
        yield source.problem(
            loc, f"the pool {pool} is too small", f"give it at least a /{_SMALLEST[str(loc[-1])]}"
        )


def _ssh(
    source: YamlSource, loc: _Place, prefix: IPv4Network, used: Mapping[_Place, IPv4Network]
) -> Iterator[Problem]:
    """Port 22 of every device is open to these: to a management network alone, not to a customer."""
    fix = "name the management network, such as 192.168.200.0/24: it is neither of the closed networks"
    shared = [f"{dotted(place)} {pool}" for place, pool in used.items() if prefix.overlaps(pool)]
    if _unusable(prefix):
        yield source.problem(loc, f"{prefix} holds addresses from which no host may send", fix)
    elif shared:
        more = f" and {len(shared) - _SHOWN} more" if len(shared) > _SHOWN else ""
        what = (
            f"{prefix} overlaps {', '.join(shared[:_SHOWN])}{more}: SSH would be open to the closed networks"
        )
        yield source.problem(loc, what, fix)
    elif prefix.prefixlen < _WIDEST_SOURCE:
        what = f"{prefix} is wider than a /{_WIDEST_SOURCE}: SSH would be open to too many addresses"
        yield source.problem(loc, what, fix)


def _controllers(source: YamlSource, loc: _Place, prefix: IPv4Network) -> Iterator[Problem]:
    """The Vault server's log-ins work from these: a bound that holds everybody is none."""
    fix = "name the addresses of the controllers, such as 192.168.200.10/32"
    if _unusable(prefix):
        yield source.problem(loc, f"{prefix} holds addresses from which no host may send", fix)
    elif prefix.prefixlen < _WIDEST_SOURCE:
        what = f"{prefix} is wider than a /{_WIDEST_SOURCE}: a stolen log-in would work from anywhere"
        yield source.problem(loc, what, fix)
