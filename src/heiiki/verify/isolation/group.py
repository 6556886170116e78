"""Only DRAS and XMPP server answer a site, and nothing answers what the plan does not open (R-ISO-GROUP)."""

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address

from heiiki.plan.model import Device, Function, InputService, Network, Plan, SitePlan
from heiiki.requirements import Result, Verdict
from heiiki.verify.isolation.packets import PROTOCOLS, Outcome, ProbePacket, ProbeRun
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


def packets(plan: Plan) -> Iterator[ProbePacket]:
    """Yield packets from every controller to the hub and its own gateways, and from DRAS to every gateway."""
    for site in plan.sites:
        out = next(by_gateway(plan, site))
        for device, address in (*_hub(plan), *_own(plan, site)):
            yield from _each(out, site.controller_address, device, address)
    dras = host(plan, Function.DRAS)
    interface, source = lan_address(dras, plan.hub_lan)
    out = Exit(dras.name, "lan", interface.name, plan.hub_virtual_gateway)
    for gateway in gateways(plan):
        for address in gateway.addresses:
            yield from _each(out, source, gateway, address)


def _each(out: Exit, source: IPv4Address, device: Device, address: IPv4Address) -> Iterator[ProbePacket]:
    for protocol, port in PROTOCOLS:
        yield ProbePacket(TOPIC, out, source, address, device.name, protocol, port)


def _hub(plan: Plan) -> Iterator[tuple[Device, IPv4Address]]:
    for device in (*servers(plan), *(hub_ce(plan, network) for network in Network)):
        for address in device.addresses:
            yield device, address
    yield hub_ce(plan, "a"), plan.hub_virtual_gateway


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
    for site in plan.sites:
        yield _of_source(
            plan, probe_run, keep, site.controller, tuple(server.name for server in servers(plan))
        )
    dras = host(plan, Function.DRAS)
    yield _of_source(plan, probe_run, keep, dras.name, ())


def _of_source(
    plan: Plan, probe_run: ProbeRun, keep: Keep, source: str, must_answer: tuple[str, ...]
) -> Verdict:
    mine = [outcome for outcome in probe_run.of(TOPIC) if outcome.packet.out.device == source]
    evidence = (keep(f"group/{source}.txt", listing(mine)),)
    subject = f"seen from {source}"
    wrong = surprises(plan, mine)
    if wrong:
        return live("R-ISO-GROUP", subject, Result.FAIL, summarise(wrong), evidence)
    silent = [
        name for name in must_answer if not any(one.answered and one.packet.target == name for one in mine)
    ]
    doubts = [
        *not_listening(probe_run, [source]),
        *(f"{name} did not answer, so silence proves nothing" for name in silent),
    ]
    if not must_answer and not any(outcome.heard for outcome in mine):
        doubts.append("no packet arrived at any gateway, so silence proves nothing")
    if doubts or not mine:
        return unknown("R-ISO-GROUP", subject, summarise(doubts) or "no packet was sent", evidence)
    answered = sum(outcome.answered for outcome in mine)
    scope = f"{len(mine)} packets, {answered} answered, each of them opened by the plan"
    return live("R-ISO-GROUP", subject, Result.PASS, scope, evidence)
