"""Only DRAS and XMPP server answer a site, and nothing answers what the plan does not open (R-ISO-GROUP)."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv4Address
from random import Random

from heiiki.plan.model import Device, Function, InputService, Network, Plan, SitePlan
from heiiki.requirements import Result, Verdict
from heiiki.verify.isolation.packets import PROTOCOLS, Outcome, ProbePacket, ProbeRun
from heiiki.verify.isolation.sample import LEAST, Population, told
from heiiki.verify.isolation.sites import listing
from heiiki.verify.network import (
    Exit,
    by_gateway,
    gateways,
    host,
    hub_ce,
    lan_address,
    servers,
)
from heiiki.verify.verdicts import Keep, live, not_listening, summarise, unknown

TOPIC = "group"


def packets(plan: Plan, random: Random) -> Iterator[ProbePacket]:
    """Yield packets from every controller to the hub and its own gateways, and from DRAS to the gateways.

    In a large service, to some of the other sites' tunnels at the hub, and to some gateways of each kind.
    """
    hub = _Hub(plan)
    for site in plan.sites:
        out = next(by_gateway(plan, site))
        for device, address in (*hub.drawn(site, random), *_own(plan, site)):
            yield from _each(out, site.controller_address, device, address)
    dras = host(plan, Function.DRAS)
    interface, source = lan_address(dras, plan.hub_lan)
    out = Exit(dras.name, "lan", interface.name, plan.hub_virtual_gateway)
    for gateway in _some(plan, random):
        for address in gateway.addresses:
            yield from _each(out, source, gateway, address)


def _some(plan: Plan, random: Random) -> Iterator[Device]:
    """Yield every gateway, or of a large service `LEAST` of each kind."""
    if Population(plan).whole:
        yield from gateways(plan)
        return
    kinds: dict[tuple[object, ...], list[Device]] = defaultdict(list)
    for device in gateways(plan):
        kinds[device.function, device.networks].append(device)
    for found in kinds.values():
        yield from random.sample(found, min(LEAST, len(found)))


@dataclass(frozen=True)
class _Hub:
    """The hub's addresses as a site's controller sees them."""

    plan: Plan

    @cached_property
    def _everyone(self) -> tuple[tuple[Device, IPv4Address, str], ...]:
        """Device, address, and the gateway at the other end where the address is a tunnel's."""
        routers = [hub_ce(self.plan, network) for network in Network]
        of_routers = (
            (router, address.ip, interface.peer if interface.gre is not None else "")
            for router in routers
            for interface in router.interfaces
            for address in interface.addresses
        )
        of_servers = ((server, address, "") for server in servers(self.plan) for address in server.addresses)
        virtual = (routers[0], self.plan.hub_virtual_gateway, "")
        return (*of_servers, *of_routers, virtual)

    def drawn(self, site: SitePlan, random: Random) -> Iterator[tuple[Device, IPv4Address]]:
        """Yield what the site's controller asks."""
        others = [one for one in self._everyone if one[2] and one[2] not in site.gateways]
        tried = others if Population(self.plan).whole else random.sample(others, min(LEAST, len(others)))
        near = (one for one in self._everyone if not one[2] or one[2] in site.gateways)
        return ((device, address) for device, address, _ in (*near, *tried))


def _each(out: Exit, source: IPv4Address, device: Device, address: IPv4Address) -> Iterator[ProbePacket]:
    for protocol, port in PROTOCOLS:
        yield ProbePacket(TOPIC, out, source, address, device.name, protocol, port)


def _own(plan: Plan, site: SitePlan) -> Iterator[tuple[Device, IPv4Address]]:
    for name in site.gateways:
        for address in plan.device(name).addresses:
            yield plan.device(name), address


def opened(services: Iterable[InputService], packet: ProbePacket) -> bool:
    """Tell whether the plan opens what `packet` asks for: protocol, port and source."""
    return any(
        service.protocol == packet.protocol
        and (not service.ports or packet.port in service.ports)
        and any(packet.source in network for network in service.sources)
        for service in services
    )


def surprises(plan: Plan, outcomes: Iterable[Outcome]) -> list[str]:
    """Return the answers that the plan does not open, as human-readable text."""
    found = []
    for outcome in outcomes:
        firewall = plan.device(outcome.packet.target).firewall
        if outcome.answered and (firewall is None or not opened(firewall.services, outcome.packet)):
            found.append(
                f"answered though the plan does not open it: {outcome.packet} ({outcome.replies[0].how})"
            )
    return found


def verdicts(plan: Plan, probe_run: ProbeRun, keep: Keep) -> Iterator[Verdict]:
    """Yield one verdict a site, and one for what DRAS sees of the gateways."""
    mine: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in probe_run.of(TOPIC):
        mine[outcome.packet.out.device].append(outcome)
    answering = tuple(server.name for server in servers(plan))
    at_hub = sum(1 for server in answering for _ in plan.device(server).addresses) + sum(
        len(hub_ce(plan, network).addresses) for network in Network
    )
    for site in plan.sites:
        everything = {address for _, address in _own(plan, site)}
        seen = _View(site.controller, answering, at_hub + 1 + len(everything))
        yield seen.verdict(plan, probe_run, keep, mine[site.controller])
    dras = host(plan, Function.DRAS).name
    every = sum(len(gateway.addresses) for gateway in gateways(plan))
    yield _View(dras, (), every).verdict(plan, probe_run, keep, mine[dras])


@dataclass(frozen=True, slots=True)
class _View:
    """What one host sees of the closed group.

    Attributes:
        must_answer: hosts that it must reach.
        addresses: how many addresses there are to ask.
    """

    source: str
    must_answer: tuple[str, ...]
    addresses: int

    def verdict(self, plan: Plan, probe_run: ProbeRun, keep: Keep, mine: list[Outcome]) -> Verdict:
        """Return the verdict on what was asked and answered."""
        evidence = (keep(f"group/{self.source}.txt", listing(mine)),)
        subject = f"seen from {self.source}"
        wrong = surprises(plan, mine)
        if wrong:
            return live("R-ISO-GROUP", subject, Result.FAIL, summarise(wrong), evidence)
        doubts = [*not_listening(probe_run, [self.source]), *self._silent(mine)]
        if doubts or not mine:
            reason = summarise(doubts) or "no packet was sent"
            return unknown("R-ISO-GROUP", subject, reason, evidence)
        asked = len({outcome.packet.destination for outcome in mine})
        answered = sum(outcome.answered for outcome in mine)
        scope = f"{len(mine)} packets, {answered} answered, each of them opened by the plan"
        tried = told(asked, self.addresses, "addresses")
        return live("R-ISO-GROUP", subject, Result.PASS, f"{scope}; {tried}", evidence)

    def _silent(self, mine: list[Outcome]) -> Iterator[str]:
        for name in self.must_answer:
            if not any(one.answered and one.packet.target == name for one in mine):
                yield f"{name} did not answer, so silence proves nothing"
        if not self.must_answer and not any(outcome.heard for outcome in mine):
            yield "no packet arrived at any gateway, so silence proves nothing"
