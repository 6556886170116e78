"""No customer reaches another, no gateway another (R-ISO-SITE): every ordered pair of sites, on the wire.

From every gateway and controller of a site, out of every interface that leads away from it, packets go to
every address that the devices of the other sites own; in a large service, of a sample of them. They are sent
through AF_PACKET, so the sender's own routing cannot hide what the networks would let through, and every
device of every site listens: a packet that arrives is a leak even if it is not answered.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv4Address
from itertools import permutations

from heiiki.plan.model import Device, Plan, SitePlan
from heiiki.requirements import Result, Verdict
from heiiki.verify.fleet import Fleet
from heiiki.verify.isolation.packets import PROTOCOLS, Outcome, ProbePacket, ProbeRun, send_probes
from heiiki.verify.isolation.sample import LEAST, Pair, PairClass, Population, told
from heiiki.verify.network import (
    Exit,
    addresses_of,
    by_gateway,
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


def packets(plan: Plan, pairs: Iterable[Pair]) -> Iterator[ProbePacket]:
    """Yield, for every site and exit, the positive and every packet that must not arrive.

    Args:
        plan: the service.
        pairs: source and target of each pair of sites that is tried.
    """
    targets: dict[str, list[str]] = defaultdict(list)
    for source, target in pairs:
        targets[source].append(target)
    for site in plan.sites:
        foreign = [one for name in targets[site.name] for one in addresses_of(plan, plan.site(name))]
        for origin in origins(plan, site):
            target = origin.at[0]
            yield ProbePacket(POSITIVE, origin.out, origin.source, origin.reachable, target)
            for device, address in foreign:
                for protocol, port in PROTOCOLS:
                    yield ProbePacket(TOPIC, origin.out, origin.source, address, device.name, protocol, port)


def subjects(plan: Plan) -> Iterator[str]:
    """Yield the subjects: every ordered pair of sites, or in a large service every class of pairs."""
    population = Population(plan)
    if not population.whole:
        yield from (one.subject for one in population.classes)
        return
    for source, target in permutations((site.name for site in plan.sites), 2):
        yield f"{source} to {target}"


def verdicts(plan: Plan, probe_run: ProbeRun, keep: Keep, fleet: Fleet) -> Iterator[Verdict]:
    """Yield one verdict a subject; a failure comes with the way that the packet took."""
    seen = _Seen(plan, probe_run, keep, fleet)
    population = Population(plan)
    if population.whole:
        for pair in permutations((site.name for site in plan.sites), 2):
            yield seen.verdict(f"{pair[0]} to {pair[1]}", (pair,), listing)
        return
    tried: dict[PairClass, list[Pair]] = defaultdict(list)
    for pair in seen.tried:
        tried[population.class_of(pair)].append(pair)
    for one, size in population.classes.items():
        yield seen.of_class(one, tried[one], size)


@dataclass(frozen=True)
class _Seen:
    """What a probe run tells of pairs of sites."""

    plan: Plan
    probe_run: ProbeRun
    keep: Keep
    fleet: Fleet

    @cached_property
    def home(self) -> dict[str, str]:
        """The site of each of the sites' devices."""
        plan = self.plan
        return {device.name: site.name for site in plan.sites for device in site_devices(plan, site)}

    @cached_property
    def tried(self) -> Mapping[Pair, list[Outcome]]:
        """The packets of each pair that was tried."""
        found: dict[Pair, list[Outcome]] = defaultdict(list)
        for one in self.probe_run.of(TOPIC):
            found[self.home[one.packet.out.device], self.home[one.packet.target]].append(one)
        return found

    @cached_property
    def positives(self) -> Mapping[str, list[Outcome]]:
        """The positives of each source."""
        found: dict[str, list[Outcome]] = defaultdict(list)
        for one in self.probe_run.of(POSITIVE):
            found[self.home[one.packet.out.device]].append(one)
        return found

    def verdict(
        self, subject: str, pairs: Sequence[Pair], told: Callable[..., bytes], scope: str = ""
    ) -> Verdict:
        """Return the verdict on some pairs; `told` makes their evidence."""
        mine = [one for pair in pairs for one in self.tried.get(pair, ())]
        sources = dict.fromkeys(source for source, _ in pairs)
        positives = [one for source in sources for one in self.positives.get(source, ())]
        name = subject.replace(" to ", "-").replace(" ", "_")
        evidence = (self.keep(f"isolation/{name}.txt", told(mine, positives)),)
        through = leaks(mine, self.home)
        if through:
            return live("R-ISO-SITE", subject, Result.FAIL, _example(through, self.fleet), evidence)
        doubts = [*self._doubts(pairs, mine), *self._unanswered(sources, positives)]
        if doubts or not mine:
            return unknown("R-ISO-SITE", subject, summarise(doubts) or "no packet was sent", evidence)
        return live("R-ISO-SITE", subject, Result.PASS, f"{scope}{_scope(mine, positives)}", evidence)

    def of_class(self, one: PairClass, pairs: Sequence[Pair], size: int) -> Verdict:
        """Return the verdict on a class of pairs, of which some were tried."""
        if len(pairs) < min(LEAST, size):
            reason = f"{len(pairs)} of {size:,} pairs were tried, and {min(LEAST, size)} are the least"
            return unknown("R-ISO-SITE", one.subject, reason)
        return self.verdict(one.subject, pairs, in_short, f"{told(len(pairs), size, 'pairs')}; ")

    def _doubts(self, pairs: Iterable[Pair], mine: Iterable[Outcome]) -> Iterator[str]:
        names = dict.fromkeys(name for pair in pairs for name in pair)
        devices = [one.name for name in names for one in site_devices(self.plan, self.plan.site(name))]
        yield from not_listening(self.probe_run, devices)
        yield from unsent(mine)
        yield from (f"no packet from {a} to {b} was sent" for a, b in pairs if not self.tried.get((a, b)))

    def _unanswered(self, sources: Iterable[str], positives: Iterable[Outcome]) -> list[str]:
        places = {
            (origin.out, origin.source): origin.at
            for name in sources
            for origin in origins(self.plan, self.plan.site(name))
        }
        return unanswered_positives(
            positives, lambda one: places.get((one.packet.out, one.packet.source), ())
        )


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


def in_short(mine: Iterable[Outcome], positives: Iterable[Outcome]) -> bytes:
    """Return as evidence of many pairs one line for each source and target, and the rest packet by packet."""
    counts: dict[tuple[str, str], int] = defaultdict(int)
    odd = []
    for outcome in mine:
        counts[outcome.packet.out.device, outcome.packet.target] += 1
        if outcome.unsent or outcome.heard or outcome.replies:
            odd.append(outcome)
    lines = [f"{source} to {target}: {count} packets" for (source, target), count in counts.items()]
    return "\n".join(lines).encode() + b"\n" + listing(odd, positives)


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
