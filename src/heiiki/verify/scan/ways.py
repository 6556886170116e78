"""From where a site scans, what it can address from there, and how fast it may."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from ipaddress import IPv4Address

from heiiki.plan.model import Device, InputService, InterfaceKind, Plan, Role, SitePlan
from heiiki.plan.names import LAN_IF
from heiiki.plan.sizes import IP, TCP, in_esp
from heiiki.verify.network import (
    Exit,
    by_gateway,
    first_router,
    gateway,
    hub_ce,
    lan_address,
    tunnel_end,
    underlay,
    uplink,
)

LAN = "lan"
RATE = 250
"""SYNs a second of one way at most: what a small router does beside its work."""
SHARE = 0.125
"""What a way may take of its line: a line carries two, of a controller and of its gateway."""
AT_HUB = 5000
"""SYNs a second of all ways together: what the hub's routers and servers hear of a scan."""
_UNSAID_KBPS = 900
"""Taken for a line of which the intent does not say how fast it is."""


@dataclass(frozen=True, slots=True)
class Target:
    """An address, and the devices that have it: of a virtual one either does."""

    address: IPv4Address
    owners: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Way:
    """One source of a site, an exit of its device, and the addresses that can be reached so.

    Attributes:
        kind: ways of one kind reach the same addresses: they can divide what is tried there.
        rate: SYNs a second.
    """

    site: str
    kind: str
    out: Exit
    source: IPv4Address
    targets: tuple[Target, ...]
    rate: float

    def __str__(self) -> str:
        """Device, exit and source, as human-readable text."""
        via = f" by {self.out.via}" if self.out.via else ""
        return f"{self.out.device} out of {self.out.interface}{via}, {self.source}"


def ways(plan: Plan, site: SitePlan) -> Iterator[Way]:
    """Yield every way of a site: its controller by each gateway, and each gateway below its tunnels.

    A gateway that is revoked is none.
    """
    hub = tuple(_on_hub_lan(plan))
    for out in by_gateway(plan, site):
        near = next(device for device in map(plan.device, site.gateways) if out.via in device.addresses)
        if near.name not in plan.revoked:
            rate = min(_rate(plan, near, network) for network in near.networks)
            yield Way(site.name, LAN, out, site.controller_address, hub, rate)
    for name in site.gateways:
        device = plan.device(name)
        for network in device.networks if name not in plan.revoked else ():
            yield from _below(plan, site, device, underlay(plan, device, network))


def held(those: Iterable[Way]) -> tuple[Way, ...]:
    """Return ways that are so slow that all together do not exceed `AT_HUB`."""
    every = tuple(those)
    slower = max(1.0, sum(way.rate for way in every) / AT_HUB)
    return tuple(replace(way, rate=way.rate / slower) for way in every)


def _below(plan: Plan, site: SitePlan, device: Device, out: Exit) -> Iterator[Way]:
    """Below a tunnel: to the carrier's first router, the tunnel's other end, and what is shown there."""
    rate, end, first = (
        _rate(plan, device, out.network),
        tunnel_end(plan, device, out.network),
        first_router(plan, out),
    )
    beyond = tuple(_shown(plan, out.network, end))
    if out.via is None:
        near = tuple(Target(address, (first.name,)) for address in first.addresses)
        yield Way(site.name, str(out.network), out, end, (*near, *beyond), rate)
        return
    line = device.interface(out.interface).addresses[0].ip
    # Two sources of one line share its rate.
    yield Way(site.name, f"{out.network} line", out, line, (Target(out.via, (first.name,)),), rate / 2)
    yield Way(site.name, str(out.network), out, end, beyond, rate / 2)


def _rate(plan: Plan, device: Device, network: str) -> float:
    kbps = device.interface(uplink(plan, device, network).interface).rate or _UNSAID_KBPS
    return min(RATE, SHARE * kbps * 1000 / 8 / in_esp(IP + TCP))


def _on_hub_lan(plan: Plan) -> Iterator[Target]:
    """Yield what a site's LAN may address: the hub's LAN."""
    routers: list[str] = []
    for device in _of_hub(plan):
        yield Target(lan_address(device, plan.hub_lan)[1], (device.name,))
        if device.role is Role.CE_ROUTER:
            routers.append(device.name)
    yield Target(plan.hub_virtual_gateway, tuple(routers))


def _of_hub(plan: Plan) -> Iterator[Device]:
    for device in plan.managed():
        legs = (one for one in device.interfaces if one.name == LAN_IF)
        if any(address.ip in plan.hub_lan for leg in legs for address in leg.addresses):
            yield device


def _shown(plan: Plan, network: str, end: IPv4Address) -> Iterator[Target]:
    """Yield the tunnels' end at the hub, and the hosts' addresses that the hub's router forwards to `end`."""
    hub = hub_ce(plan, network)
    far = hub.firewall.pairs if hub.firewall else ()
    shown = [one for pair in far if any(end in there for there in pair.outside) for one in pair.inside]
    yield Target(_hub_end(plan, network), (hub.name,))
    for device in _of_hub(plan):
        for interface in device.interfaces if device.role is not Role.CE_ROUTER else ():
            for address in interface.addresses if interface.kind is InterfaceKind.LOOPBACK else ():
                if any(address.ip in one for one in shown):
                    yield Target(address.ip, (device.name,))


def _hub_end(plan: Plan, network: str) -> IPv4Address:
    device = gateway(plan, plan.sites[0], network)
    gre = device.interface(uplink(plan, device, network).interface).gre
    if gre is None:
        raise KeyError(f"tunnel of {device.name} over {network}")
    return gre.remote


def opens(plan: Plan, target: Target, source: IPv4Address) -> Iterator[InputService]:
    """Yield the services of a target that the plan opens to a source."""
    for name in target.owners:
        firewall = plan.device(name).firewall
        for service in firewall.services if firewall else ():
            if any(source in network for network in service.sources):
                yield service


def must_answer(plan: Plan, target: Target, source: IPv4Address) -> frozenset[int]:
    """Return the TCP ports of which an answer is the positive of all that is silent there.

    Not those of routing between neighbours: their sessions run by key, and without it a SYN has no answer.
    """
    services = opens(plan, target, source)
    return frozenset(
        port for one in services if one.protocol == "tcp" for port in one.ports if port not in one.adjacent
    )
