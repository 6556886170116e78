"""Only DRAS and XMPP server answer a site, and nothing answers what the plan does not open (R-ISO-GROUP)."""

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address

from heiiki.plan.model import Device, Function, InputService, Plan, SitePlan
from heiiki.requirements import Result, Verdict
from heiiki.verify.answers import Keep, brief, deaf, live, unknown
from heiiki.verify.isolation.packets import PROTOCOLS, Outcome, Shot, Volley
from heiiki.verify.isolation.sites import listing
from heiiki.verify.network import (
    NETWORKS,
    Exit,
    by_gateway,
    gateways,
    host,
    hub_ce,
    lan_address,
    owned,
    servers,
)

TOPIC = "group"


def shots(plan: Plan) -> Iterator[Shot]:
    """Yield packets from every controller to the hub and its own gateways, and from DRAS to every gateway."""
    for site in plan.sites:
        out = next(by_gateway(plan, site))
        for device, address in (*_hub(plan), *_own(plan, site)):
            yield from _each(out, site.controller_address, device, address)
    dras = host(plan, Function.DRAS)
    interface, source = lan_address(dras, plan.hub_lan)
    out = Exit(dras.name, "lan", interface.name, plan.hub_virtual_gateway)
    for gateway in gateways(plan):
        for address in owned(gateway):
            yield from _each(out, source, gateway, address)


def _each(out: Exit, source: IPv4Address, device: Device, address: IPv4Address) -> Iterator[Shot]:
    for protocol, port in PROTOCOLS:
        yield Shot(TOPIC, out, source, address, device.name, protocol, port)


def _hub(plan: Plan) -> Iterator[tuple[Device, IPv4Address]]:
    for device in (*servers(plan), *(hub_ce(plan, network) for network in NETWORKS)):
        for address in owned(device):
            yield device, address
    yield hub_ce(plan, "a"), plan.hub_virtual_gateway


def _own(plan: Plan, site: SitePlan) -> Iterator[tuple[Device, IPv4Address]]:
    for name in site.gateways:
        for address in owned(plan.device(name)):
            yield plan.device(name), address


def opened(services: Iterable[InputService], shot: Shot) -> bool:
    """Tell whether the plan opens what `shot` asks for: protocol, port and source."""
    return any(
        service.protocol == shot.protocol
        and (not service.ports or shot.port in service.ports)
        and any(shot.source in network for network in service.sources)
        for service in services
    )


def surprises(plan: Plan, outcomes: Iterable[Outcome]) -> list[str]:
    """Return the answers that the plan does not open, in words."""
    found = []
    for outcome in outcomes:
        firewall = plan.device(outcome.shot.target).firewall
        if outcome.answered and (firewall is None or not opened(firewall.services, outcome.shot)):
            found.append(
                f"answered though the plan does not open it: {outcome.shot} ({outcome.replies[0].how})"
            )
    return found


def verdicts(plan: Plan, volley: Volley, keep: Keep) -> Iterator[Verdict]:
    """Yield one verdict a site, and one for what DRAS sees of the gateways."""
    for site in plan.sites:
        yield _of_source(plan, volley, keep, site.controller, tuple(server.name for server in servers(plan)))
    dras = host(plan, Function.DRAS)
    yield _of_source(plan, volley, keep, dras.name, ())


def _of_source(plan: Plan, volley: Volley, keep: Keep, source: str, must_answer: tuple[str, ...]) -> Verdict:
    mine = [outcome for outcome in volley.of(TOPIC) if outcome.shot.out.device == source]
    evidence = (keep(f"group/{source}.txt", listing(mine)),)
    subject = f"seen from {source}"
    wrong = surprises(plan, mine)
    if wrong:
        return live("R-ISO-GROUP", subject, Result.FAIL, brief(wrong), evidence)
    silent = [
        name for name in must_answer if not any(one.answered and one.shot.target == name for one in mine)
    ]
    doubts = [
        *deaf(volley, [source]),
        *(f"{name} did not answer, so silence proves nothing" for name in silent),
    ]
    if not must_answer and not any(outcome.heard for outcome in mine):
        doubts.append("no packet arrived at any gateway, so silence proves nothing")
    if doubts or not mine:
        return unknown("R-ISO-GROUP", subject, brief(doubts) or "no packet was sent", evidence)
    answered = sum(outcome.answered for outcome in mine)
    scope = f"{len(mine)} packets, {answered} answered, each of them opened by the plan"
    return live("R-ISO-GROUP", subject, Result.PASS, scope, evidence)
