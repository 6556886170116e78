"""Every site reaches DRAS and XMPP server over A and over B, each forced in turn; and how long it takes.

Forced without disturbing anything: the site's gateway on network X sends echo requests with its own LAN
address out of its interface to X through AF_PACKET, whatever its routing prefers, and the hub's CE router on
X does the same towards the controller. Both together show that X carries packets of the LANs both ways.
The other end hears on which interface they come in, so that a packet that took another way does not count.
Answers return by the preferred path; a round trip is therefore an upper bound of the delay over X. No
route, rule or timer is changed.
"""

import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from heiiki.plan.model import Network, Plan, SitePlan
from heiiki.render import agent
from heiiki.requirements import Result, Verdict
from heiiki.requirements.verdict import Evidence
from heiiki.verify.fleet import Fleet
from heiiki.verify.isolation.packets import MOST, Outcome, ProbePacket, ProbeRun, send_probes
from heiiki.verify.isolation.sites import listing
from heiiki.verify.network import gateway, hub_ce, lan_address, servers, towards, uplink
from heiiki.verify.stamp import measuring
from heiiki.verify.verdicts import Keep, live, not_listening, summarise, unknown

COUNT = 40
DELAY_BOUND_S = 2.0
ENOUGH = 0.9
"""Share of the echoes that must come back; a probe lost now and then is not a path lost."""


@dataclass(frozen=True, slots=True)
class Leg:
    """One direction of one path: its packets, and where they must come in."""

    site: str
    network: str
    packet: ProbePacket
    entry: tuple[str, str]


def legs(plan: Plan) -> Iterator[Leg]:
    """Yield, for every site and network, up to DRAS and XMPP server and down to the controller."""
    for site in plan.sites:
        for network in Network:
            yield from _legs(plan, site, network)


def _legs(plan: Plan, site: SitePlan, network: str) -> Iterator[Leg]:
    here, hub = gateway(plan, site, network), hub_ce(plan, network)
    up, down = uplink(plan, here, network), towards(plan, site, network)
    topic = f"path:{site.name}:{network}"
    _, source = lan_address(here, site.lan)
    for server in servers(plan):
        packet = ProbePacket(topic, up, source, server.addresses[0], server.name)
        yield Leg(site.name, network, packet, (hub.name, down.interface))
    _, source = lan_address(hub, plan.hub_lan)
    packet = ProbePacket(topic, down, source, site.controller_address, site.controller)
    yield Leg(site.name, network, packet, (here.name, up.interface))


def measure(
    fleet: Fleet, over: Collection[Leg], patience: int = 1, more: Iterable[ProbePacket] = ()
) -> ProbeRun:
    """Send echo requests on each leg, all at once, and `more` after them; `patience` as in `send_probes`.

    There are `COUNT` on a leg, or as many as the router with the most legs can tell apart in one run.
    """
    busiest = max(Counter(leg.packet.out.device for leg in over).values(), default=1)
    count = min(COUNT, MOST // busiest)
    every = [replace(leg.packet, repeat=index) for index in range(count) for leg in over]
    every += more
    return send_probes(fleet, every, dict.fromkeys(leg.entry[0] for leg in over), patience=patience)


def verdicts(plan: Plan, probe_run: ProbeRun, keep: Keep) -> Iterator[Verdict]:
    """Yield R-DUAL and R-DELAY for every site and network."""
    for site in plan.sites:
        for network in Network:
            mine = list(_legs(plan, site, network))
            outcomes = probe_run.of(f"path:{site.name}:{network}")
            evidence = (keep(f"paths/{site.name}-{network}.txt", listing(outcomes)),)
            subject = f"{site.name} over {network.upper()}"
            yield _reach(subject, mine, probe_run, evidence)
            yield delay(subject, [_round_trip(outcome) for outcome in outcomes], evidence)


def _reach(subject: str, mine: list[Leg], probe_run: ProbeRun, evidence: tuple[Evidence, ...]) -> Verdict:
    found = crossings(mine, probe_run, ENOUGH)
    return found.verdict("R-DUAL", subject, "echoes answered", evidence)


@dataclass(frozen=True, slots=True)
class Crossings:
    """The legs of a path, each as text: those with too few echoes, those with enough, and those unknown."""

    wrong: tuple[str, ...]
    good: tuple[str, ...]
    doubts: tuple[str, ...]

    def verdict(
        self, requirement: str, subject: str, passed: str, evidence: tuple[Evidence, ...] = ()
    ) -> Verdict:
        """Return the verdict over all legs; `passed` stands before those of a pass."""
        if self.wrong and not self.doubts:
            return live(requirement, subject, Result.FAIL, summarise([*self.wrong]), evidence)
        if self.doubts or not self.good:
            reason = summarise([*self.doubts, *self.wrong]) or "no leg of this path is in the plan"
            return unknown(requirement, subject, reason, evidence)
        return live(requirement, subject, Result.PASS, f"{passed}: {', '.join(self.good)}", evidence)


def crossings(mine: Collection[Leg], probe_run: ProbeRun, share: float) -> Crossings:
    """Return on which legs at least `share` of the echoes came in where they must, and were answered."""
    doubts = not_listening(
        probe_run, (name for leg in mine for name in (leg.packet.out.device, leg.entry[0]))
    )
    wrong, good = [], []
    for leg in mine:
        sent = [one for one in probe_run.of(leg.packet.topic) if replace(one.packet, repeat=0) == leg.packet]
        came = sum(one.answered and leg.entry[1] in one.heard.get(leg.entry[0], ()) for one in sent)
        size = f"{leg.packet.size} octets from " if leg.packet.size else ""
        text = f"{size}{leg.packet.out.device} to {leg.packet.target} {came} of {len(sent)}"
        if not sent or all(one.unsent for one in sent):
            doubts.append(f"{text}: {sent[0].unsent if sent else 'nothing sent'}")
        elif came < share * len(sent):
            wrong.append(f"{text} came in on {leg.entry[1]} of {leg.entry[0]} and were answered")
        else:
            good.append(text)
    return Crossings(tuple(wrong), tuple(good), tuple(doubts))


def _round_trip(outcome: Outcome) -> float | None:
    return next((reply.seconds for reply in outcome.replies if reply.how == "echo"), None)


def quantile(ordered: list[float], share: float) -> float:
    """Return the smallest of the ascending samples that `share` of all do not exceed."""
    return ordered[max(0, -(-len(ordered) * round(share * 1000) // 1000) - 1)]


def delay(subject: str, samples: list[float | None], evidence: tuple[Evidence, ...]) -> Verdict:
    """Return R-DELAY of one path from its round-trip times, seconds; None is a probe without an answer."""
    times = sorted(sample for sample in samples if sample is not None)
    if not times:
        return unknown("R-DELAY", subject, f"none of {len(samples)} probes was answered", evidence)
    p50, p99, longest = quantile(times, 0.5), round(quantile(times, 0.99), 6), times[-1]
    reason = (
        f"round trip of {len(times)} of {len(samples)} probes: p50 {p50 * 1000:.1f} ms, "
        f"p99 {p99 * 1000:.1f} ms, longest {longest * 1000:.1f} ms"
    )
    result = Result.PASS if p99 <= DELAY_BOUND_S else Result.FAIL
    return live("R-DELAY", subject, result, reason, evidence, figure=(p99, DELAY_BOUND_S, "s"))


def in_service(plan: Plan, fleet: Fleet, keep: Keep) -> Iterator[Verdict]:
    """Yield R-DELAY of each controller to DRAS over the path in use, by STAMP (RFC 8762)."""
    dras = servers(plan)[0]
    rtt = ("stamp", "rtt", "--peer", str(dras.addresses[0]), "--count", "50", "--interval-ms", "10")
    argv = list(agent.command(*rtt))
    asked = {site.controller: {"commands": {"rtt": argv}} for site in plan.sites}
    with measuring(plan, fleet, (dras.name,)) as session:
        answers = fleet.ask("read", asked)
    for site in plan.sites:
        answer = answers[site.controller]
        evidence = (keep(f"paths/{site.name}-in-service.json", answer.raw),)
        said = answer.data.get("commands", {}).get("rtt", {})
        error = session.failures.get(dras.name) or answer.error or said.get("err", "")
        yield _stamp_delay(f"{site.name} in service", error, said, evidence)


def _stamp_delay(
    subject: str, error: str, said: Mapping[str, Any], evidence: tuple[Evidence, ...]
) -> Verdict:
    if said.get("rc") != 0:
        return unknown("R-DELAY", subject, error or "the STAMP program did not run", evidence)
    figures = json.loads(said["out"])
    if figures["p99"] is None:
        lost = f"none of {figures['sent']} STAMP packets came back"
        return unknown("R-DELAY", subject, f"{lost}: {error}" if error else lost, evidence)
    reason = (
        f"STAMP round trip of {figures['sent'] - figures['lost']} of {figures['sent']} packets: "
        f"p50 {figures['p50'] * 1000:.1f} ms, p99 {figures['p99'] * 1000:.1f} ms, "
        f"longest {figures['max'] * 1000:.1f} ms"
    )
    result = Result.PASS if figures["p99"] <= DELAY_BOUND_S else Result.FAIL
    return live("R-DELAY", subject, result, reason, evidence, figure=(figures["p99"], DELAY_BOUND_S, "s"))
