"""Every failure that the service must survive: single ones for R-GAP, a network for R-DUAL/outage (D17).

Every element of every path fails as a whole. How a part of it fails, one direction, some of the packets or
one program, matters where a site's traffic is while nothing has failed: there alone it is a row.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from heiiki.plan import names
from heiiki.plan.model import Device, ElementKind, FailureMode, Fault, Link, Network, Path, Program

_CONTROL_PLANE = (names.MME, names.HSS)
"""Nodes of network B that carry no user packet, but whose loss must not interrupt one."""

_LINK_MODES = (FailureMode.SILENT, FailureMode.DOWN)
_ONE_WAY = (FailureMode.SILENT_A, FailureMode.SILENT_B)
_NODE_MODES = (FailureMode.KILL, FailureMode.POWEROFF)
_PROGRAM_MODES = (FailureMode.HUNG, FailureMode.DEAD)
_WHOLE = "network-{}"
_ONE_GATEWAY = "figure 5.18 (a): the site's one gateway stands on both paths; its loss counts in R-AVAIL"


@dataclass(frozen=True, slots=True)
class _Network:
    devices: Mapping[str, Device]
    links: Mapping[str, Link]
    carrying: frozenset[str]
    """Elements of the path that a site's traffic takes while nothing has failed."""


def faults(
    paths: Iterable[Path],
    primary: Mapping[str, Network],
    devices: Mapping[str, Device],
    links: Mapping[str, Link],
) -> Iterator[Fault]:
    """Yield every failure of every element of the paths, once, in path order, then that of each network.

    LAN switches are left out (D8).

    Args:
        paths: of every site over each network.
        primary: the network of each site that carries its traffic.
        devices: by name.
        links: by name.
    """
    known = tuple(paths)
    carrying = {element for path in known if path.network == primary[path.site] for element in path.elements}
    there = _Network(devices, links, frozenset(carrying))
    first_of_kind = _first_of_kind()
    vaults = (device.name for device in devices.values() if device.vault)
    for element, users in _users(known, (*_CONTROL_PLANE, *vaults)).items():
        if element in links:
            yield from _link_faults(there, links[element], users, first_of_kind)
        elif devices[element].managed or devices[element].networks:
            yield from _node_faults(devices[element], users)
            yield from _program_faults(there, devices[element], users, first_of_kind)
    every = tuple(dict.fromkeys(path.site for path in known))
    for network in Network:
        yield Fault(_WHOLE.format(network), ElementKind.NETWORK, FailureMode.AWAY, network, every)


def _users(paths: Iterable[Path], serving: Iterable[str]) -> Mapping[str, tuple[str, ...]]:
    """Return the sites that each element serves: every one of a path once, then those that serve all."""
    sites: dict[str, dict[str, None]] = defaultdict(dict)
    every: dict[str, None] = {}
    for path in paths:
        every[path.site] = None
        for element in path.elements:
            sites[element][path.site] = None
    for name in serving:
        sites[name] = every
    return {element: tuple(users) for element, users in sites.items()}


def _first_of_kind() -> Callable[[Hashable], bool]:
    """Return what tells whether it was not yet asked for a kind: one stands for those that are made alike."""
    seen: set[Hashable] = set()

    def first(kind: Hashable) -> bool:
        known = kind in seen
        seen.add(kind)
        return not known

    return first


def _link_faults(
    there: _Network, link: Link, sites: tuple[str, ...], first_of_kind: Callable[[Hashable], bool]
) -> Iterator[Fault]:
    modes = list(_LINK_MODES)
    if link.name in there.carrying:
        modes += _ONE_WAY
        if first_of_kind((link.kind, link.network, link.site is None)):
            modes.append(FailureMode.LOSSY)
    for mode in modes:
        yield Fault(link.name, ElementKind.LINK, mode, link.network, sites)


def _node_faults(device: Device, sites: tuple[str, ...]) -> Iterator[Fault]:
    exempt = _ONE_GATEWAY if _is_the_one_gateway(device) else ""
    for mode in _NODE_MODES:
        yield Fault(device.name, ElementKind.NODE, mode, _network(device), sites, exempt)


def _program_faults(
    there: _Network, device: Device, sites: tuple[str, ...], first_of_kind: Callable[[Hashable], bool]
) -> Iterator[Fault]:
    """Yield those of the programs of a device that carries traffic; what the one gateway loses is exempt."""
    if device.name not in there.carrying or not device.managed or _is_the_one_gateway(device):
        return
    for program in programs(device):
        if first_of_kind((program, device.function, _network(device), device.site is None)):
            for mode in _PROGRAM_MODES:
                network = _network(device)
                yield Fault(device.name, ElementKind.PROGRAM, mode, network, sites, program=program)


def programs(device: Device) -> Iterator[Program]:
    """Yield the programs of a device that keep a path, or switch from one to the other."""
    if device.router is not None:
        if device.router.bgp:
            yield Program.BGPD
        yield Program.BFDD
        yield Program.ZEBRA
    if device.vrrp is not None:
        yield Program.KEEPALIVED
    if device.lan_watch is not None:
        yield Program.LAN_WATCH
    if device.ipsec:
        yield Program.CHARON
    if device.pppoe is not None:
        yield Program.PPPD


def _is_the_one_gateway(device: Device) -> bool:
    return device.networks == tuple(Network)


def _network(device: Device) -> Network | None:
    """Return the network of a device; None for a host on the hub's LAN."""
    return device.networks[0] if device.networks else None
