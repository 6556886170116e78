"""What a site sends to the control plane of gateway, hub and carrier is refused (R-ISO-MALICE/control).

Packets for the ports of BGP, LDP, BFD, OSPF, VRRP, IKE, GTP and SSH leave each exit of a site, in the site's
own name and in that of a neighbour, for addresses where the plan opens them to somebody else. Silence proves
nothing: the device that has to drop them must have counted as many, in a run that sends nothing else.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv4Address
from random import Random

from heiiki.plan.model import Device, Plan, SitePlan
from heiiki.requirements import Result, Verdict
from heiiki.requirements.verdict import Evidence
from heiiki.verify.isolation.group import opened
from heiiki.verify.isolation.packets import Outcome, ProbePacket, ProbeRun
from heiiki.verify.isolation.sample import Population, figure, told
from heiiki.verify.isolation.sites import listing
from heiiki.verify.isolation.spoofing import Readings
from heiiki.verify.network import (
    Exit,
    across,
    by_gateway,
    first_router,
    gateway,
    hub_ce,
    lan_address,
    tunnel_end,
    underlay,
    uplink,
)
from heiiki.verify.verdicts import Keep, live, not_listening, summarise, unknown, unsent

REQUIREMENT, TOPIC = "R-ISO-MALICE/control", "control"
SPEAKERS: tuple[tuple[str, int], ...] = (
    ("tcp", 22),
    ("tcp", 179),
    ("tcp", 646),
    ("udp", 500),
    ("udp", 646),
    ("udp", 2123),
    ("udp", 2152),
    ("udp", 3784),
    ("udp", 4500),
    ("udp", 4784),
    ("ospf", 0),
    ("vrrp", 0),
)
"""SSH, BGP, LDP, IKE, GTP-C, GTP-U and BFD by their ports; OSPF and VRRP are protocols of IP."""

_FAR = 254
"""TTL of what has passed one router; a peer on the link sends with 255 (RFC 5082)."""

_DROPS = ("refused_", "spoofed", "between_sites", "unknown_interface", "clear_in")
"""Beginnings of the names of the counters by which a filter drops what it does not open."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One packet, and the device that has to drop it."""

    packet: ProbePacket
    guard: str


def trials(plan: Plan, random: Random) -> Iterator[Trial]:
    """Yield every packet of every exit of the sites that are tried, and who has to drop it."""
    for site in Population(plan).some_sites(random):
        for one in _trials(plan, site):
            firewall = plan.device(one.packet.target).firewall
            if firewall is None or not opened(firewall.services, one.packet):
                yield one
        yield from _far(plan, site)


def _far(plan: Plan, site: SitePlan) -> Iterator[Trial]:
    """What is opened to a peer on the link, in the peer's own name, but as if a router lay between."""
    for out in by_gateway(plan, site):
        near = next(device for device in map(plan.device, site.gateways) if out.via in device.addresses)
        for name in site.gateways:
            if name != near.name:
                yield from _each_far(out, _own(plan.device(name), site), near, _own(near, site))
    for name in site.gateways:
        device = plan.device(name)
        for network in device.networks:
            inside = uplink(plan, device, network)
            own = device.interface(inside.interface).addresses[0]
            far = next(address for address in own.network.hosts() if address != own.ip)
            yield from _each_far(inside, own.ip, hub_ce(plan, network), far)
            below = underlay(plan, device, network)
            if below.via is not None:
                source = device.interface(below.interface).addresses[0].ip
                yield from _each_far(below, source, first_router(plan, below), below.via)


def _each_far(out: Exit, source: IPv4Address, device: Device, address: IPv4Address) -> Iterator[Trial]:
    """One packet for each service of the device's that is opened to `source` as a peer on the link."""
    for service in device.firewall.services if device.firewall else ():
        for port in service.adjacent:
            packet = ProbePacket(TOPIC, out, source, address, device.name, service.protocol, port, ttl=_FAR)
            if opened((service,), packet):
                yield Trial(packet, device.name)


def _trials(plan: Plan, site: SitePlan) -> Iterator[Trial]:
    for out in by_gateway(plan, site):
        yield from _from_lan(plan, site, out)
    for name in site.gateways:
        device = plan.device(name)
        for network in device.networks:
            yield from _from_tunnel(plan, site, uplink(plan, device, network))
            yield from _from_underlay(plan, site, device, underlay(plan, device, network))


def _from_lan(plan: Plan, site: SitePlan, out: Exit) -> Iterator[Trial]:
    """Of a host: to its gateway, to the hub's routers, and to the carrier's end of the gateway's line."""
    near = next(device for device in map(plan.device, site.gateways) if out.via in device.addresses)
    source = site.controller_address
    yield from _each(out, source, near, _own(near, site), near.name)
    for network in near.networks:
        hub = hub_ce(plan, network)
        address = lan_address(hub, plan.hub_lan)[1]
        yield from _each(out, source, hub, address, hub.name)
        there = plan.across(near.name, underlay(plan, near, network).interface)
        beyond = across(plan, near, underlay(plan, near, network).interface)
        if there is not None and beyond is not None:
            yield from _each(out, source, plan.device(there.device), beyond, near.name)


def _own(device: Device, site: SitePlan) -> IPv4Address:
    return lan_address(device, site.lan)[1]


def _from_tunnel(plan: Plan, site: SitePlan, out: Exit) -> Iterator[Trial]:
    """Of a gateway, inside of its tunnel: to the hub's end of it, in its own name and a neighbour's."""
    own = plan.device(out.device).interface(out.interface).addresses[0]
    hub = hub_ce(plan, out.network)
    far = next(address for address in own.network.hosts() if address != own.ip)
    yield from _each(out, own.ip, hub, far, hub.name)
    if (other := _another(plan, site, out.network)) is not None:
        theirs = other.interface(uplink(plan, other, out.network).interface).addresses[0].ip
        yield from _each(out, theirs, hub, far, hub.name)


def _from_underlay(plan: Plan, site: SitePlan, device: Device, out: Exit) -> Iterator[Trial]:
    """Of a gateway, below its tunnel: to the carrier's first router, and to the hub's end of the tunnel."""
    own = tunnel_end(plan, device, out.network)
    hub = hub_ce(plan, out.network)
    gre = device.interface(uplink(plan, device, out.network).interface).gre
    first = first_router(plan, out)
    if out.via is not None:
        yield from _each(out, own, first, out.via, first.name)
    if gre is not None:
        yield from _each(out, own, hub, gre.remote, hub.name)
        if (other := _another(plan, site, out.network)) is not None:
            yield from _each(out, tunnel_end(plan, other, out.network), hub, gre.remote, first.name)


def _another(plan: Plan, site: SitePlan, network: str) -> Device | None:
    other = next((item for item in plan.sites if item.name != site.name), None)
    return None if other is None else gateway(plan, other, network)


def _each(
    out: Exit, source: IPv4Address, device: Device, address: IPv4Address, guard: str
) -> Iterator[Trial]:
    for protocol, port in SPEAKERS:
        yield Trial(ProbePacket(TOPIC, out, source, address, device.name, protocol, port), guard)


def subjects(plan: Plan) -> tuple[str, ...]:
    """Return the subjects: every site, or in a large service every figure of redundancy."""
    return tuple(dict.fromkeys(subject(plan, site) for site in plan.sites))


def subject(plan: Plan, site: SitePlan) -> str:
    """Return the subject of the verdict on what one site sends."""
    return f"from {site.name}" if Population(plan).whole else f"from sites {figure(site)}"


def verdicts(
    plan: Plan, tried: Sequence[Trial], probe_run: ProbeRun, keep: Keep, readings: Readings
) -> Iterator[Verdict]:
    """Yield one verdict a subject."""
    guard_of = {one.packet: one.guard for one in tried}
    at_guards = _AtGuards(guard_of, probe_run, readings)
    mine: dict[str, list[Outcome]] = {name: [] for name in subjects(plan)}
    for outcome in probe_run.of(TOPIC):
        mine[subject(plan, _site(plan, outcome))].append(outcome)
    for name, outcomes in mine.items():
        evidence = keep(f"control/{name.replace(' ', '-')}.txt", listing(outcomes, ()))
        yield _verdict(plan, name, outcomes, at_guards, evidence)


def _site(plan: Plan, outcome: Outcome) -> SitePlan:
    return plan.site(plan.device(outcome.packet.out.device).site or "")


@dataclass(frozen=True)
class _AtGuards:
    """What every device that has to drop packets heard of them, and counted as dropped."""

    guard_of: Mapping[ProbePacket, str]
    probe_run: ProbeRun
    readings: Readings

    @cached_property
    def sent(self) -> Mapping[str, int]:
        """Packets that each device has to drop."""
        return Counter(self.guard_of[one.packet] for one in self.probe_run.of(TOPIC) if not one.unsent)

    @cached_property
    def heard(self) -> Mapping[str, int]:
        """Those that it heard before its filter; it cannot tell those of OSPF and VRRP from others."""
        guards = ((self.guard_of[one.packet], one) for one in self.probe_run.of(TOPIC))
        return Counter(guard for guard, one in guards if guard in one.heard)

    def dropped(self, device: str) -> int:
        """Return how many packets a device counted as dropped meanwhile."""
        before, after = (found.get(device, {}) for found in (self.readings.before, self.readings.after))
        return sum(count - before.get(name, 0) for name, count in after.items() if name.startswith(_DROPS))

    def let_in(self, devices: Iterable[str]) -> Iterator[str]:
        """Yield the devices that more packets reached than they dropped, as human-readable text."""
        for device in devices:
            dropped, heard = self.dropped(device), self.heard[device]
            if device not in self.readings.failures and dropped < heard:
                yield f"{device} dropped {dropped} of {heard} packets that reached it"

    def doubts(self, devices: Iterable[str]) -> Iterator[str]:
        """Yield why it is not known what became of packets."""
        for device in devices:
            if device in self.readings.failures:
                yield self.readings.failures[device]
            elif self.dropped(device) < self.sent[device]:
                counts = f"{device} dropped {self.dropped(device)}, {self.sent[device]} were sent"
                yield f"{counts}: who dropped the rest?"


def _verdict(
    plan: Plan, name: str, mine: Sequence[Outcome], at_guards: _AtGuards, evidence: Evidence
) -> Verdict:
    guards = dict.fromkeys(at_guards.guard_of[one.packet] for one in mine)
    answered = [f"answered: {one.packet} ({one.replies[0].how})" for one in mine if one.answered]
    passed = [
        f"not dropped by {guard}: {one.packet}"
        for one in mine
        if (guard := at_guards.guard_of[one.packet]) != one.packet.target and one.packet.target in one.heard
    ]
    if wrong := [*answered, *passed, *at_guards.let_in(guards)]:
        return live(REQUIREMENT, name, Result.FAIL, summarise(wrong), (evidence,))
    silent = not_listening(at_guards.probe_run, [*guards, *(one.packet.out.device for one in mine)])
    doubts = [*silent, *unsent(mine), *at_guards.doubts(guards)]
    if doubts or not mine:
        return unknown(REQUIREMENT, name, summarise(doubts) or "no packet was sent", (evidence,))
    tried = len({_site(plan, one).name for one in mine})
    every = sum(subject(plan, site) == name for site in plan.sites)
    extent = "" if Population(plan).whole else f"; {told(tried, every, 'sites')}"
    scope = f"{len(mine)} packets, none answered; dropped and counted: {', '.join(guards)}{extent}"
    return live(REQUIREMENT, name, Result.PASS, scope, (evidence,))
