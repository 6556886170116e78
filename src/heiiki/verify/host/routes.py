"""Which routes of a host are explained, and by what: who put it there, and the way that it takes.

The protocol that the kernel keeps with a route is a claim of its author, so it only says what must explain
the route: an address of the interface (``kernel``), the plan (``heiiki-links``), the LAN watch, or zebra,
which has installed it.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from ipaddress import IPv4Network
from typing import Any

from heiiki.plan.epc import USER_PLANE
from heiiki.plan.model import Device, InterfaceKind

OVERHEAD = frozenset({"local", "broadcast", "multicast", "anycast"})
_ALL = IPv4Network("0.0.0.0/0")
Route = Mapping[str, Any]
"""A route as ``ip -j route`` has it; `learned` tells whether zebra has installed it (probe ``host``)."""


def unexplained_routes(
    device: Device, known: Collection[IPv4Network], managed: Collection[str], found: Iterable[Route]
) -> Iterator[str]:
    """Yield each route that nothing explains, as text.

    Args:
        device: the host as it is planned.
        known: every prefix of the service; what is learned must lie in one.
        managed: interfaces of the host's management: their routes are its own, as long as they lead to
            nothing of the service.
        found: every route of every table.
    """
    for one in found:
        if one.get("type", "unicast") in OVERHEAD:
            continue
        prefix = _prefix(one)
        if one.get("dev") in managed:
            if prefix == _ALL or not any(prefix.overlaps(other) for other in known):
                continue
        elif _EXPLAINED.get(_protocol(one), _never)(device, one, prefix, known):
            continue
        yield _text(one, prefix)


def _text(one: Route, prefix: IPv4Network) -> str:
    kind = f"{one['type']} " if "type" in one else ""
    place = f"dev {one.get('dev', 'none')}, table {one.get('table', 'main')}"
    return f"{kind}route {prefix} {place} ({_protocol(one)})"


def _prefix(one: Route) -> IPv4Network:
    return _ALL if one["dst"] == "default" else IPv4Network(str(one["dst"]))


def _protocol(one: Route) -> str:
    return str(one.get("protocol", "boot"))


_Known = Collection[IPv4Network]


def _never(_device: Device, _one: Route, _prefix: IPv4Network, _known: _Known) -> bool:
    return False


def _connected(device: Device, one: Route, prefix: IPv4Network, _known: _Known) -> bool:
    """The kernel's own route to the network of an address that the plan gives the interface."""
    named = [item for item in device.interfaces if item.name == one.get("dev")]
    if len(named) != 1 or "gateway" in one or "type" in one:
        return False
    (interface,) = named
    by_modem = (
        interface.kind is InterfaceKind.WWAN and device.sim is not None and device.sim.address in prefix
    )
    if interface.kind is InterfaceKind.PPP:
        # A session has no network but the address at its other end.
        return any(prefix.subnet_of(address.network) for address in interface.addresses)
    return by_modem or prefix in {address.network for address in interface.addresses}


def _planned(device: Device, one: Route, prefix: IPv4Network, _known: _Known) -> bool:
    """A route of the plan by its own way, or the last resort of a VRF."""
    tables = {item.name: item.table for item in device.interfaces if item.kind is InterfaceKind.VRF}
    if one.get("type") == "unreachable":
        return prefix == _ALL and str(one.get("table")) in {str(table) for table in tables.values()}
    way = str(one.get("table", "main")), one.get("gateway")
    return "type" not in one and any(
        route.prefix == prefix
        and route.interface in {None, one.get("dev")}
        and (str(tables[route.vrf]) if route.vrf else "main", str(route.via) if route.via else None) == way
        for route in device.routes
    )


def _watched(device: Device, one: Route, prefix: IPv4Network, _known: _Known) -> bool:
    watch = device.lan_watch
    return watch is not None and (watch.prefix, watch.interface) == (prefix, one.get("dev"))


def _learned(_device: Device, one: Route, prefix: IPv4Network, known: _Known) -> bool:
    return one.get("learned") is True and any(prefix.subnet_of(other) for other in known)


def _pool(device: Device, one: Route, prefix: IPv4Network, _known: _Known) -> bool:
    """The packet gateway's route to its subscribers, which names no protocol."""
    return device.pgw is not None and (device.pgw.pool, USER_PLANE) == (prefix, one.get("dev"))


_EXPLAINED: Mapping[str, Callable[[Device, Route, IPv4Network, _Known], bool]] = {
    "kernel": _connected,
    "211": _planned,
    "210": _watched,
    "bgp": _learned,
    "ospf": _learned,
    "boot": _pool,
}
"""What can explain a route of each protocol; of any other, nothing."""
