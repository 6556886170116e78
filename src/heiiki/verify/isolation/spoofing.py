"""Packets with a spoofed source address are dropped at the first router that can tell (R-ISO-MALICE).

Absence alone proves nothing, so each exit has two proofs more: its honest packet arrives in the same
probe run, and the counter of the rule that is meant to drop the false ones rises by at least their number.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Self

from heiiki.plan.model import Device, Network, Plan, SitePlan
from heiiki.requirements import Result, Verdict
from heiiki.verify.fleet import Fleet, UnreadableError, printed, reading
from heiiki.verify.isolation.packets import Outcome, ProbePacket, ProbeRun
from heiiki.verify.isolation.sites import POSITIVE, listing, origins
from heiiki.verify.network import (
    Exit,
    gateway,
    hub_ce,
    servers,
    site_devices,
    towards,
    tunnel_end,
)
from heiiki.verify.verdicts import Keep, live, not_listening, summarise, unanswered_positives, unknown, unsent

TOPIC = "spoof"
UNASSIGNED = IPv4Address("192.0.2.1")
"""TEST-NET-1 (RFC 5737): an address that no host has."""

Counters = Mapping[str, Mapping[str, int]]
"""Packets by device and counter."""
Reading = tuple[Counters, Mapping[str, str]]
"""The counters of devices at one time, and why those of a device could not be read."""


@dataclass(frozen=True, slots=True)
class Guard:
    """The device and the counter that must show the drop; with a star, every counter that begins so."""

    device: str
    counter: str

    def counts(self, name: str) -> bool:
        """Tell whether the counter called `name` is one of these."""
        return name == self.counter or (self.counter.endswith("*") and name.startswith(self.counter[:-1]))


def packets(plan: Plan) -> Iterator[ProbePacket]:
    """Yield, for every exit of every site, packets that claim to come from elsewhere."""
    for site in plan.sites:
        for origin in _ways(plan, site):
            for source in _false_sources(plan, site, origin.out):
                for protocol, port in (("icmp", 0), ("udp", 862)):
                    yield ProbePacket(
                        TOPIC, origin.out, source, origin.reachable, origin.at[0], protocol, port
                    )


def _ways(plan: Plan, site: SitePlan) -> Iterator["_Way"]:
    seen: set[Exit] = set()
    for origin in origins(plan, site):
        if origin.out not in seen:
            seen.add(origin.out)
            yield _Way(origin.out, origin.reachable, origin.at)


@dataclass(frozen=True, slots=True)
class _Way:
    out: Exit
    reachable: IPv4Address
    at: tuple[str, ...]


def _false_sources(plan: Plan, site: SitePlan, out: Exit) -> Iterator[IPv4Address]:
    """Yield a neighbour's address, one of the hub, and one that no host has."""
    other = next((item for item in plan.sites if item.name != site.name), None)
    if other is not None and _bare(plan, out):
        yield tunnel_end(plan, gateway(plan, other, out.network), out.network)
    elif other is not None:
        yield other.controller_address
    yield servers(plan)[1].addresses[0]
    yield UNASSIGNED


def _bare(plan: Plan, out: Exit) -> bool:
    """Below a tunnel: on the access line, or on the LTE bearer."""
    return out.network != "lan" and plan.device(out.device).interface(out.interface).gre is None


def guard(plan: Plan, packet: ProbePacket) -> Guard:
    """Return whose counter must show that `packet` was dropped."""
    network = packet.out.network
    if network == "lan":
        return _by_set(_owner(plan, packet.out), packet.out.interface, packet.source)
    if _bare(plan, packet.out):
        return _across_a(plan, packet) if network == "a" else Guard(plan.mobile.pgw, "spoofed*")
    site = plan.site(plan.device(packet.out.device).site or "")
    return _by_set(hub_ce(plan, network), towards(plan, site, network).interface, packet.source)


def _across_a(plan: Plan, packet: ProbePacket) -> Guard:
    there = plan.across(packet.out.device, packet.out.interface)
    if there is None:
        raise KeyError(str(packet))
    return _by_set(plan.device(there.device), there.interface, packet.source)


def _owner(plan: Plan, out: Exit) -> Device:
    """Return the gateway by which a host of a site leaves its LAN."""
    site = plan.site(plan.device(out.device).site or "")
    return next(device for device in map(plan.device, site.gateways) if out.via in device.addresses)


def _by_set(device: Device, interface: str, source: IPv4Address) -> Guard:
    """A source that the interface allows, such as the hub's on a site's LAN, falls to `forward`."""
    allowed = device.firewall.sources if device.firewall is not None else ()
    inside = any(
        item.interface == interface and any(source in one for one in item.prefixes) for item in allowed
    )
    return Guard(device.name, "refused_forward" if inside else f"spoofed_{interface.replace('-', '_')}")


def guards(plan: Plan) -> tuple[str, ...]:
    """Return the devices whose counters must be read before and after."""
    return tuple(dict.fromkeys(guard(plan, packet).device for packet in packets(plan)))


def read_counters(fleet: Fleet, devices: Iterable[str]) -> Reading:
    """Return the named nftables counters of each device, and why those of a device could not be read."""
    commands = {"commands": {"counters": ["nft", "-j", "list", "counters"]}}
    counters: dict[str, Mapping[str, int]] = {}
    failures: dict[str, str] = {}
    for device, answer in fleet.ask("read", dict.fromkeys(devices, commands)).items():
        try:
            with reading(device):
                counters[device] = parse_counters(printed(answer, "counters"))
        except UnreadableError as error:
            failures[device] = str(error)
    return counters, failures


def parse_counters(text: str) -> dict[str, int]:
    """Return packets by counter name from ``nft -j list counters``; counters of one name are summed."""
    found: dict[str, int] = defaultdict(int)
    for item in json.loads(text).get("nftables", ()):
        if "counter" in item:
            found[item["counter"]["name"]] += int(item["counter"]["packets"])
    return dict(found)


def risen(before: Counters, after: Counters, guard: Guard) -> int:
    """Return by how many packets the guard's counters rose."""
    older, newer = before.get(guard.device, {}), after.get(guard.device, {})
    return sum(count - older.get(name, 0) for name, count in newer.items() if guard.counts(name))


@dataclass(frozen=True, slots=True)
class Readings:
    """Counters on both sides of the probe run, and the devices that could not be read."""

    before: Counters
    after: Counters
    failures: Mapping[str, str]

    @classmethod
    def of(cls, before: Reading, after: Reading) -> Self:
        """Return what two readings tell."""
        return cls(before[0], after[0], {**before[1], **after[1]})


def verdicts(plan: Plan, probe_run: ProbeRun, keep: Keep, readings: Readings) -> Iterator[Verdict]:
    """Yield one verdict for each exit of each site."""
    closed = {server.name for server in servers(plan)}
    by_exit: dict[Exit, list[Outcome]] = defaultdict(list)
    for outcome in probe_run.of(TOPIC):
        by_exit[outcome.packet.out].append(outcome)
    for out, mine in by_exit.items():
        yield _verdict(plan, probe_run, keep, readings, mine, closed, out)


def exit_subject(plan: Plan, out: Exit) -> str:
    """Subject of the verdict on the false packets that leave a site by one of its exits."""
    via = _owner(plan, out).name if out.network == "lan" else out.interface
    return f"{out.device} by {via}"


def _verdict(
    plan: Plan,
    probe_run: ProbeRun,
    keep: Keep,
    readings: Readings,
    mine: list[Outcome],
    closed: set[str],
    out: Exit,
) -> Verdict:
    subject = exit_subject(plan, out)
    positives = [one for one in probe_run.of(POSITIVE) if one.packet.out == out]
    drops, evidence = (
        _drops(plan, mine, readings),
        keep(f"spoofing/{subject.replace(' by ', '-')}.txt", listing(mine, positives)),
    )
    arrived = [one for one in mine if _reached(plan, one, closed)]
    if arrived:
        such = f"{len(arrived)} false packets arrived, such as {arrived[0].packet}"
        reason = f"{such}: heard by {', '.join(arrived[0].heard)}"
        return live("R-ISO-MALICE", subject, Result.FAIL, reason, (evidence,))
    doubts = [
        *not_listening(probe_run, [out.device, *closed]),
        *unsent(mine),
        *unanswered_positives(positives, lambda one: (one.packet.target,)),
        *drops.doubts,
    ]
    if doubts or not positives:
        return unknown("R-ISO-MALICE", subject, summarise(doubts) or "no honest packet was sent", (evidence,))
    scope = f"{len(mine)} false packets, none arrived; dropped and counted: {drops.text}"
    return live("R-ISO-MALICE", subject, Result.PASS, scope, (evidence,))


def _reached(plan: Plan, outcome: Outcome, closed: set[str]) -> bool:
    """The hub's host heard it; of what leaves below a tunnel, and ends at the hub's router, that router."""
    out = outcome.packet.out
    routers = {hub_ce(plan, out.network).name} if _bare(plan, out) else set()
    return bool((closed | routers) & set(outcome.heard))


@dataclass(frozen=True, slots=True)
class _Drops:
    text: str
    doubts: list[str]


def _drops(plan: Plan, mine: list[Outcome], readings: Readings) -> _Drops:
    expected: dict[Guard, int] = defaultdict(int)
    for outcome in mine:
        expected[guard(plan, outcome.packet)] += not outcome.unsent
    doubts = [readings.failures[one.device] for one in expected if one.device in readings.failures]
    shown = []
    for one, count in expected.items():
        rise = risen(readings.before, readings.after, one)
        shown.append(f"{one.device} {one.counter} +{rise}")
        if rise < count and one.device not in readings.failures:
            doubts.append(
                f"{one.device} counted {rise} at {one.counter}, {count} were sent: who dropped the rest?"
            )
    return _Drops(", ".join(shown), doubts)


def listeners(plan: Plan) -> tuple[str, ...]:
    """Return the devices that must listen while the probe run goes on."""
    routers = tuple(hub_ce(plan, network).name for network in Network)
    sites = tuple(device.name for site in plan.sites for device in site_devices(plan, site))
    return (*(server.name for server in servers(plan)), *routers, *sites)
