"""No customer reaches another, no gateway another (R-ISO-SITE): every ordered pair of sites, on the wire.

From every gateway and controller of a site, out of every interface that leads away from it, packets go to
every address that the devices of the other sites own. They are sent through AF_PACKET, so the
sender's own routing cannot hide what the networks would let through, and every device of every site
listens: a packet that arrives is a leak even if it is not answered.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address

from heiiki.plan.model import Device, Plan, SitePlan
from heiiki.requirements import Result, Verdict
from heiiki.verify.fleet import Fleet
from heiiki.verify.isolation.packets import PROTOCOLS, Outcome, ProbePacket, ProbeRun, send_probes
from heiiki.verify.network import (
    Exit,
    by_gateway,
    foreign_addresses,
    hub_ce,
    lan_address,
    servers,
    site_devices,
    tunnel_end,
    underlay,
    uplink,
)
from heiiki.verify.verdicts import Keep, live, not_listening, summarise, unanswered_positives, unknown, unsent

TOPIC, POSITIVE, TRACE = "site", "site+", "trace"
_HOPS = 10


@dataclass(frozen=True, slots=True)
class Origin:
    """One way of a site's packets into the world, and the place that they do reach.

    Attributes:
        reachable: an address that the plan opens to `source` this way.
        at: the devices of which one must hear the positive.
    """

    out: Exit
    source: IPv4Address
    reachable: IPv4Address
    at: tuple[str, ...]


def origins(plan: Plan, site: SitePlan) -> Iterator[Origin]:
    """Yield every exit of the site's devices: LAN hosts by each gateway, gateways by each uplink."""
    dras = servers(plan)[0]
    for out in by_gateway(plan, site):
        yield Origin(out, site.controller_address, dras.addresses[0], (dras.name,))
    for name in site.gateways:
        yield from _of_gateway(plan, site, plan.device(name))


def _of_gateway(plan: Plan, site: SitePlan, gateway: Device) -> Iterator[Origin]:
    dras = servers(plan)[0]
    _, own = lan_address(gateway, site.lan)
    for network in gateway.networks:
        yield Origin(uplink(plan, gateway, network), own, dras.addresses[0], (dras.name,))
        end = tunnel_end(plan, gateway, network)
        yield Origin(underlay(plan, gateway, network), end, *_loopback(hub_ce(plan, network)))


def _loopback(router: Device) -> tuple[IPv4Address, tuple[str, ...]]:
    address = next(item.addresses[0].ip for item in router.interfaces if item.kind == "loopback")
    return address, (router.name,)


def packets(plan: Plan) -> Iterator[ProbePacket]:
    """Yield, for every site and exit, the positive and every packet that must not arrive."""
    for site in plan.sites:
        for origin in origins(plan, site):
            target = origin.at[0]
            yield ProbePacket(POSITIVE, origin.out, origin.source, origin.reachable, target)
            for _, device, address in foreign_addresses(plan, site):
                for protocol, port in PROTOCOLS:
                    yield ProbePacket(TOPIC, origin.out, origin.source, address, device.name, protocol, port)


def verdicts(plan: Plan, probe_run: ProbeRun, keep: Keep, fleet: Fleet) -> Iterator[Verdict]:
    """Yield one verdict for each ordered pair of sites; a failure comes with the way that the packet took."""
    home = {device.name: site.name for site in plan.sites for device in site_devices(plan, site)}
    for source in plan.sites:
        for target in plan.sites:
            if source.name != target.name:
                mine = [one for one in probe_run.of(TOPIC) if _between(one, home, source, target)]
                positives = [
                    one for one in probe_run.of(POSITIVE) if home[one.packet.out.device] == source.name
                ]
                yield _verdict(plan, (source, target), mine, positives, probe_run, _Tools(home, keep, fleet))


@dataclass(frozen=True, slots=True)
class _Tools:
    home: dict[str, str]
    keep: Keep
    fleet: Fleet


def _between(outcome: Outcome, home: dict[str, str], source: SitePlan, target: SitePlan) -> bool:
    packet = outcome.packet
    return home[packet.out.device] == source.name and home[packet.target] == target.name


def leaks(outcomes: Iterable[Outcome], home: dict[str, str]) -> list[Outcome]:
    """Return the outcomes that arrived at a device of another site than their source's, or were answered."""
    return [
        outcome
        for outcome in outcomes
        if outcome.answered
        or any(
            home.get(device, home[outcome.packet.out.device]) != home[outcome.packet.out.device]
            for device in outcome.heard
        )
    ]


def _verdict(
    plan: Plan,
    pair: tuple[SitePlan, SitePlan],
    mine: list[Outcome],
    positives: list[Outcome],
    probe_run: ProbeRun,
    tools: _Tools,
) -> Verdict:
    source, target = pair
    subject = f"{source.name} to {target.name}"
    evidence = (tools.keep(f"isolation/{source.name}-{target.name}.txt", listing(mine, positives)),)
    through = leaks(mine, tools.home)
    if through:
        return live("R-ISO-SITE", subject, Result.FAIL, _example(through, tools.fleet), evidence)
    devices = [device.name for site in pair for device in site_devices(plan, site)]
    doubts = [
        *not_listening(probe_run, devices),
        *unsent(mine),
        *unanswered_positives(positives, lambda one: _places(plan, source, one)),
    ]
    if doubts or not mine:
        return unknown("R-ISO-SITE", subject, summarise(doubts) or "no packet was sent", evidence)
    return live("R-ISO-SITE", subject, Result.PASS, _scope(mine, positives), evidence)


def _places(plan: Plan, site: SitePlan, outcome: Outcome) -> tuple[str, ...]:
    for origin in origins(plan, site):
        if (origin.out, origin.source) == (outcome.packet.out, outcome.packet.source):
            return origin.at
    return ()


def _scope(mine: list[Outcome], positives: list[Outcome]) -> str:
    kinds = ", ".join(dict.fromkeys(f"{protocol} {port or ''}".strip() for protocol, port in PROTOCOLS))
    addresses = len({outcome.packet.destination for outcome in mine})
    return (
        f"{len(mine)} packets ({kinds}) to {addresses} addresses: none arrived; "
        f"{len(positives)} of the same sources reached their own server"
    )


def listing(*groups: Iterable[Outcome]) -> bytes:
    """Return one line an outcome, as evidence."""
    lines = [
        f"{outcome.packet} | unsent: {outcome.unsent or '-'} | heard: {dict(outcome.heard) or '-'} | "
        f"answers: {[(reply.how, reply.origin, round(reply.seconds, 4)) for reply in outcome.replies] or '-'}"
        for group in groups
        for outcome in group
    ]
    return "\n".join(lines).encode() + b"\n"


def _example(through: list[Outcome], fleet: Fleet) -> str:
    first = next((outcome for outcome in through if outcome.answered), through[0])
    heard = (
        ", ".join(f"{device} on {'/'.join(where)}" for device, where in first.heard.items())
        or "no device that listened"
    )
    answered = "answered" if first.answered else "not answered"
    such = f"{len(through)} packets got through, such as {first.packet}"
    return f"{such}: heard by {heard}, {answered}; {way(first, fleet)}"


def way(outcome: Outcome, fleet: Fleet) -> str:
    """Return the hops between source and destination of `outcome`, found with increasing TTLs."""
    packet = outcome.packet
    steps = [
        ProbePacket(
            TRACE,
            packet.out,
            packet.source,
            packet.destination,
            packet.target,
            packet.protocol,
            packet.port,
            ttl,
        )
        for ttl in range(1, _HOPS)
    ]
    hops: list[str] = []
    for step in send_probes(fleet, steps, ()).outcomes:
        hops.append(next((reply.origin for reply in step.replies), "*"))
        if step.answered:
            break
    return f"hop by hop: {packet.out.device} {' '.join(hops)}"
