"""What may cross a site's wired LAN by the plan, and by what each of it is protected.

Frames are not encrypted there (L12), so what carries data of the service must be TLS from end to end. Which
services there are is what packet filters open: the controller's own, its gateways' on the LAN, and those of
the hub's hosts for sites. A service that is new is held to TLS until it is named here as one without data.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Any

from heiiki.plan.model import Device, Endpoint, InputService, LinkKind, Plan, SitePlan
from heiiki.plan.names import LAN_IF, LAN_IFS

APPLICATION = ("openadr", "mms", "xmpp")
"""Services whose messages are the data of demand response."""

_NTP, _XMPP, _NO_TEXT = "ntp", "xmpp", "no text"
_WITHOUT_DATA = frozenset({"bgp", "bfd", "vrrp", "stamp", "crl_mirror"})
"""Routing and supervision between the gateways, test packets while something is measured, and revocation
lists, which are for everybody to read and signed (RFC 5280 8)."""
_LINK_LOCAL, _NONE = "224.0.0.0/24", "0.0.0.0/32"

Rule = list[Any]
"""As probe ``capture`` takes it."""


@dataclass(frozen=True, slots=True)
class WiredLan:
    """A site's LAN on a wire.

    Attributes:
        ends: where it is looked at: ports of ours, in service.
        in_service: its controller is.
        rules: what may be seen.
    """

    site: str
    ends: tuple[Endpoint, ...]
    in_service: bool
    rules: tuple[Rule, ...]

    @property
    def subject(self) -> str:
        """Subject of its verdict."""
        return f"LAN of {self.site}"


def lans(plan: Plan) -> Iterator[WiredLan]:
    """Yield the wired LANs, in the order of the sites."""
    wired = {link.site for link in plan.links if link.kind is LinkKind.LAN}
    hub = tuple(device for device in plan.devices if device.site is None)
    for site in plan.sites:
        if site.name in wired:
            yield _lan(plan, site, hub)


def _lan(plan: Plan, site: SitePlan, hub: Iterable[Device]) -> WiredLan:
    asked = [plan.device(name) for name in (*site.gateways, site.controller)]
    here = [one.name for one in asked if one.managed and one.name not in plan.out_of_service]
    ends = tuple(Endpoint(name, LAN_IF) for name in here)
    return WiredLan(site.name, ends, site.controller in here, tuple(_rules(plan, site, hub)))


def _rules(plan: Plan, site: SitePlan, hub: Iterable[Device]) -> Iterator[Rule]:
    gateways, controller = [plan.device(name) for name in site.gateways], plan.device(site.controller)
    yield from _of_the_link(plan, site, gateways)
    keys = [controller.clock.key.number] if controller.clock and controller.clock.key else []
    own = [f"{site.controller_address}/32"]
    for service in _services(controller):
        yield from _rule(service, keys, own, service.sources)
    for gateway in gateways:
        for service in _on_lan(gateway):
            here = [*_on(gateway, site.lan), f"{site.virtual_gateway}/32"]
            yield from _rule(service, keys, here, service.sources)
    for device in hub:
        for service in _services(device):
            if any(site.lan.overlaps(source) for source in service.sources):
                yield from _rule(service, keys, _on(device, plan.hub_lan), own)


def _on_lan(gateway: Device) -> Iterator[InputService]:
    return (one for one in _services(gateway) if not {*one.interfaces}.isdisjoint(LAN_IFS))


def _of_the_link(plan: Plan, site: SitePlan, gateways: Iterable[Device]) -> Iterator[Rule]:
    """Yield what a LAN needs itself, and the echoes and errors of IP between what may talk over it."""
    yield ["arp", "arp", [], [], []]
    yield ["icmp", "icmp", [], [str(site.lan)], [str(site.lan), str(plan.hub_lan)], _NO_TEXT]
    if any(gateway.authenticator is not None for gateway in gateways):
        yield ["eapol", "eapol", [], [], []]
    # What a switch says of itself, which may stand between any two ends of a cable.
    yield from ([name, name, [], [], []] for name in ("stp", "lldp"))
    if len(site.gateways) > 1:
        # Without an address, as the interface of VRRP is, one joins a group by none (RFC 3376 4.2.13).
        yield ["igmp", "igmp", [], [str(site.lan), _NONE], [_LINK_LOCAL]]


def _services(device: Device) -> tuple[InputService, ...]:
    return device.firewall.services if device.firewall is not None else ()


def _on(device: Device, network: IPv4Network) -> list[str]:
    return [f"{address}/32" for address in device.addresses if address in network]


def _rule(service: InputService, keys: list[int], here: list[str], there: Iterable[object]) -> Iterator[Rule]:
    """Yield what a service looks like between its host and who may ask it.

    Nothing protects one that is neither TCP nor named here: none of its packets may be there.
    """
    if service.name == _NTP:
        how = [_NTP, *keys]
    elif service.name == _XMPP:
        how = ["starttls"]
    elif service.name in _WITHOUT_DATA:
        how = [_NO_TEXT] if service.protocol == "udp" else []
    elif service.protocol == "tcp":
        how = ["tls"]
    else:
        return
    at = [*here, _LINK_LOCAL] if service.protocol == "vrrp" else here
    yield [service.name, service.protocol, list(service.ports), at, [str(one) for one in there], *how]
