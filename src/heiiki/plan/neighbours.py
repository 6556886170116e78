"""Addresses on a LAN's link, so that no device has to believe what another one says of itself by ARP.

Each planned device of a LAN has a link address that follows from its address there, so it is the same after
the device was replaced, and every other device of the LAN knows it beforehand.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from ipaddress import IPv4Address

from heiiki.plan import names
from heiiki.plan.model import Device, Interface, InterfaceKind, Neighbour

_HUB = ""
_LOCAL = b"\x02\x00"
"""Unicast, administered locally (IEEE 802, RFC 9542 2.1); four octets of address follow."""


def link_address(address: IPv4Address) -> str:
    """Return the link address of the device that owns `address` on its LAN."""
    return (_LOCAL + address.packed).hex(":")


def bound(devices: Iterable[Device]) -> Iterator[Device]:
    """Yield every device; one on a LAN with its link address there, and those of its neighbours."""
    found = tuple(devices)
    members: dict[str, list[Device]] = defaultdict(list)
    for device in found:
        if _leg(device) is not None:
            members[device.site or _HUB].append(device)
    by_lan = {lan: {one.name: tuple(owned(one)) for one in own} for lan, own in members.items()}
    for device in found:
        leg = _leg(device)
        yield device if leg is None else _on_lan(device, leg, by_lan[device.site or _HUB])


def _leg(device: Device) -> Interface | None:
    return next((one for one in device.interfaces if one.name == names.LAN_IF and one.addresses), None)


def owned(device: Device) -> Iterator[Neighbour]:
    """Yield the addresses that a device answers for on its LAN; hosts of the hub have two (T5)."""
    leg = _leg(device)
    if leg is None:
        return
    own = link_address(leg.addresses[0].ip)
    yield Neighbour(leg.addresses[0].ip, own)
    if device.router is None:
        shown = (one for one in device.interfaces if one.kind is InterfaceKind.LOOPBACK)
        yield from (Neighbour(address.ip, own) for one in shown for address in one.addresses)
    if device.vrrp is not None:
        yield Neighbour(device.vrrp.address, device.vrrp.link_address)


def _on_lan(device: Device, leg: Interface, answered: Mapping[str, tuple[Neighbour, ...]]) -> Device:
    """Both gateways answer for the virtual address, by the same link address: it is listed once."""
    others = (one for name, theirs in answered.items() if name != device.name for one in theirs)
    mine = {one.address for one in answered[device.name]}
    neighbours = tuple(dict.fromkeys(one for one in others if one.address not in mine))
    named = replace(leg, link_address=link_address(leg.addresses[0].ip))
    interfaces = tuple(named if one is leg else one for one in device.interfaces)
    return replace(device, interfaces=interfaces, neighbours=neighbours)


def claims(device: Device) -> tuple[Neighbour, ...]:
    """Return every planned address of the device's LAN with its only link address, those of its own too."""
    return tuple(dict.fromkeys((*owned(device), *device.neighbours)))
