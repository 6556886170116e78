"""Which sessions of routing have a key of their own: those that run outside of IPsec, which needs none.

A key is a secret of both ends of one session: who knows that of one can take part in no other.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from ipaddress import IPv4Address

from heiiki.plan.model import BgpInstance, BgpNeighbor, Device, Interface, InterfaceKind, Router

FOLDER = "routing"
BGP, OSPF, LDP, NTP = "bgp", "ospf", "ldp", "ntp"
PPPOE, RADIUS = "pppoe", "radius"
PROTOCOLS = (BGP, OSPF, LDP, NTP, PPPOE, RADIUS)
LOGINS = "login"
"""Folder of the log-ins of devices that have no SSH server of ours: `password`, `admin_password`."""
FIELD = "key"
"""Name of the field of the secret."""

_PROTECTED = (InterfaceKind.GRE, InterfaceKind.XFRM)
"""What comes in there has been authenticated as ESP, from a peer with a certificate (T1, T2)."""


def path(protocol: str, one: str, other: str) -> str:
    """Return where the key of the session between two devices is kept; the same for both."""
    return f"{FOLDER}/{protocol}/{'--'.join(sorted((one, other)))}"


def keyed(devices: Iterable[Device]) -> Iterator[Device]:
    """Yield every device, each of its BGP sessions outside of IPsec with the path of its key."""
    for device in devices:
        router = device.router
        yield device if router is None else _with_router(device, router)


def _with_router(device: Device, router: Router) -> Device:
    protected = frozenset(_protected(device.interfaces))
    instances = tuple(_instance(device.name, instance, protected) for instance in router.bgp)
    return device if instances == router.bgp else replace(device, router=replace(router, bgp=instances))


def _protected(interfaces: Iterable[Interface]) -> Iterator[IPv4Address]:
    for interface in interfaces:
        if interface.kind in _PROTECTED:
            for address in interface.addresses:
                yield from address.network


def _instance(device: str, instance: BgpInstance, protected: frozenset[IPv4Address]) -> BgpInstance:
    if all(neighbor.address in protected for neighbor in instance.neighbors):
        return instance
    neighbors = tuple(_neighbor(device, neighbor, protected) for neighbor in instance.neighbors)
    return replace(instance, neighbors=neighbors)


def _neighbor(device: str, neighbor: BgpNeighbor, protected: frozenset[IPv4Address]) -> BgpNeighbor:
    if neighbor.address in protected:
        return neighbor
    return replace(neighbor, key=path(BGP, device, neighbor.device))
