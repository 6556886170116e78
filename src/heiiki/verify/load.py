"""R-DELAY/load, live: both directions of a site's line are filled, and what supervises and serves goes on.

Each end of a tunnel offers more than the line carries, for seconds. Meanwhile echo requests cross the same
tunnel as those of `heiiki.verify.paths` do, in both directions, and neither end's BFD session may have gone
down. The positive is the full line itself: nearly all that the tunnel may carry came out at the other end.

It costs what the line carries meanwhile, which a metered SIM pays for, and takes it from what else would have
used the line. So it is done only where faults are asked for.
"""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from enum import StrEnum, auto
from ipaddress import IPv4Address
from typing import Any

from heiiki.plan.model import Interface, Network, Plan, SitePlan
from heiiki.plan.sizes import in_esp
from heiiki.requirements import Result, Verdict
from heiiki.requirements.verdict import Evidence
from heiiki.verify.fleet import Answer, Fleet
from heiiki.verify.isolation.packets import START_S, ProbeRun, send_probes
from heiiki.verify.isolation.sites import listing
from heiiki.verify.network import gateway, hub_ce, towards, uplink
from heiiki.verify.paths import DELAY_BOUND_S, ENOUGH, Leg, crossings, legs, quantile
from heiiki.verify.verdicts import Keep, judged, live, summarise, unknown

REQUIREMENT = "R-DELAY/load"
NAME = "load"
"""What is asked for, among the names of faults."""
NOT_ASKED = (
    "a line is filled with the faults only: run verify.yml with -e heiiki_verify_faults=sample, or load"
)
NOT_IN_SAMPLE = (
    "of a sample the slowest line of each network is filled: for all run verify.yml with "
    "-e heiiki_verify_faults=load"
)

LOAD_S, SPAN_S = 4.0, 3.0
"""Longer than BFD of a path in use takes to give it up; and how long of that is looked at."""
OFFERED = 1.5
"""How much is offered, as a multiple of what the tunnel may carry: more than the line carries."""
FULL = 0.85
"""Share of what the tunnel may carry that must have come out of it: less is no full line."""
HELD = 1.05
"""What a tunnel that is held to its rate does not exceed: a burst, and how exactly seconds are counted."""
_ECHOES, _PACE_S = 20, 0.06
"""From a gateway, which asks two servers, they take 2.5 s: the line is full before and afterwards."""
_TIMEOUT_S = 90.0
_MEGABYTE = 1_000_000


class Fill(StrEnum):
    """Which lines are filled."""

    NONE = auto()
    SAMPLE = auto()
    """The slowest of each network."""
    ALL = auto()


@dataclass(frozen=True, slots=True)
class End:
    """One end of a tunnel, which sends to the other.

    Attributes:
        rate: what it may send, kbit/s of encrypted packets.
    """

    device: str
    interface: str
    source: IPv4Address
    mtu: int
    rate: int


def subject(site: SitePlan, network: Network) -> str:
    """Subject of the verdict on one line."""
    return f"{site.name} over {network.upper()}"


def subjects(plan: Plan) -> Iterator[str]:
    """Yield the subjects of the verdicts: each site over each network."""
    return (subject(site, network) for site in plan.sites for network in Network)


def slowest(plan: Plan) -> tuple[str, ...]:
    """Return the subject of the slowest line of each network: what stands for all in a sample."""
    rates = {
        (site, network): min(one.rate for one in ends)
        for site in plan.sites
        for network in Network
        if site.gateway(network) not in plan.revoked and (ends := _ends(plan, site, network))
    }
    each = ([line for line in rates if line[1] is network] for network in Network)
    return tuple(subject(*min(lines, key=lambda line: rates[line])) for lines in each if lines)


def not_tried(plan: Plan) -> Iterator[Verdict]:
    """Yield for each line that it was not filled."""
    return (unknown(REQUIREMENT, name, NOT_ASKED) for name in subjects(plan))


def verdicts(plan: Plan, fleet: Fleet, keep: Keep, fill: Fill = Fill.ALL) -> Iterator[Verdict]:
    """Yield one verdict for each site over each network, those that are filled one after the other."""
    every = tuple(legs(plan))
    chosen = slowest(plan) if fill is Fill.SAMPLE else tuple(subjects(plan))
    for site in plan.sites:
        for network in Network:
            name = subject(site, network)
            if site.gateway(network) in plan.revoked:
                reason = f"{site.gateway(network)} is revoked: nothing of the service is sent over this path"
                yield live(REQUIREMENT, name, Result.NOT_APPLICABLE, reason)
                continue
            ends = _ends(plan, site, network)
            if ends is None:
                yield unknown(REQUIREMENT, name, "the intent does not say how fast the line is")
                continue
            if name not in chosen:
                yield unknown(REQUIREMENT, name, NOT_IN_SAMPLE)
                continue
            mine = [leg for leg in every if (leg.site, leg.network) == (site.name, network)]
            yield _filled(plan, network, name, _Trial(ends, tuple(mine)), fleet, keep)


@dataclass(frozen=True, slots=True)
class _Trial:
    """The hub's end and the site's of one tunnel, and the echo requests that cross it meanwhile."""

    ends: tuple[End, End]
    legs: tuple[Leg, ...]


def _ends(plan: Plan, site: SitePlan, network: Network) -> tuple[End, End] | None:
    """The hub's end first: what it sends goes down."""
    hub, here = hub_ce(plan, network), gateway(plan, site, network)
    down = _end(hub.name, hub.interface(towards(plan, site, network).interface))
    up = _end(here.name, here.interface(uplink(plan, here, network).interface))
    return (down, up) if down and up else None


def _end(device: str, tunnel: Interface) -> End | None:
    if tunnel.rate is None or tunnel.mtu is None:
        return None
    return End(device, tunnel.name, tunnel.addresses[0].ip, tunnel.mtu, tunnel.rate)


def _filled(plan: Plan, network: Network, name: str, trial: _Trial, fleet: Fleet, keep: Keep) -> Verdict:
    with ThreadPoolExecutor(1) as side:
        running = side.submit(fleet.ask, "load", dict(_orders(trial.ends)), _TIMEOUT_S)
        echoes = [replace(leg.packet, repeat=one) for one in range(_ECHOES) for leg in trial.legs]
        probe_run = send_probes(
            fleet, echoes, dict.fromkeys(leg.entry[0] for leg in trial.legs), pace_s=_PACE_S
        )
        answers = running.result()
    raw = b"".join(answer.raw for answer in answers.values())
    outcomes = listing(probe_run.of(*(leg.packet.topic for leg in trial.legs)))
    stem = f"load/{name.replace(' ', '-')}"
    evidence = (keep(f"{stem}.json", raw), keep(f"{stem}-echoes.txt", outcomes))
    return judged(
        name,
        lambda: of_line(plan, network, name, Seen(trial.ends, trial.legs, answers, probe_run), evidence),
        lambda reason: unknown(REQUIREMENT, name, reason, evidence),
    )


def _orders(ends: tuple[End, End]) -> Iterator[tuple[str, dict[str, Any]]]:
    for end, other in (ends, ends[::-1]):
        packets = OFFERED * LOAD_S * end.rate * 1000 / 8 / in_esp(end.mtu)
        yield (
            end.device,
            {
                "interface": end.interface,
                "source": str(end.source),
                "destination": str(other.source),
                "peer": str(other.source),
                "size": end.mtu,
                "octets": round(packets) * end.mtu,
                "seconds": LOAD_S,
                "before_s": START_S / 2,
            },
        )


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen while a line was filled."""

    ends: tuple[End, End]
    legs: tuple[Leg, ...]
    answers: Mapping[str, Answer]
    probe_run: ProbeRun


def of_line(plan: Plan, network: Network, name: str, seen: Seen, evidence: tuple[Evidence, ...]) -> Verdict:
    """Return the verdict on one line from what its two ends, and the echoes, say."""
    errors = [answer.error for answer in seen.answers.values() if answer.error]
    if errors:
        return unknown(REQUIREMENT, name, summarise(errors), evidence)
    carried = {end.device: _carried(end, other, seen) for end, other in (seen.ends, seen.ends[::-1])}
    crossed = crossings(seen.legs, seen.probe_run, ENOUGH)
    wrong = [*_fallen(seen), *_exceeded(seen.ends, carried)]
    doubts = [*_not_full(seen.ends, carried), *crossed.doubts]
    # What a device missed that did not listen all the time speaks for nothing.
    (doubts if crossed.doubts else wrong).extend(crossed.wrong)
    if wrong or doubts:
        result = Result.FAIL if wrong else Result.UNKNOWN
        return live(REQUIREMENT, name, result, summarise([*wrong, *doubts]), evidence)
    p99 = quantile(sorted(_round_trips(seen.probe_run)), 0.99)
    told = ", ".join(
        f"{end.device} sent {carried[end.device]:,.0f} of {end.rate:,} kbit/s" for end in seen.ends
    )
    reason = (
        f"{told}; BFD stayed up; p99 of {len(seen.probe_run.outcomes)} round trips {p99 * 1000:.0f} ms; "
        f"{_cost(plan, network, seen)}"
    )
    result = Result.PASS if p99 <= DELAY_BOUND_S else Result.FAIL
    return live(REQUIREMENT, name, result, reason, evidence, figure=(p99, DELAY_BOUND_S, "s"))


def _carried(end: End, other: End, seen: Seen) -> float:
    """What came out at the other end in its busiest seconds, kbit/s of encrypted packets."""
    looks = [(float(at), int(octets)) for at, octets in seen.answers[other.device].data["received"]]
    spans = (
        (later[1] - first[1]) / (later[0] - first[0])
        for number, first in enumerate(looks)
        for later in looks[number:]
        if later[0] - first[0] >= SPAN_S
    )
    return max(spans, default=0.0) / end.mtu * in_esp(end.mtu) * 8 / 1000


def _not_full(ends: tuple[End, End], carried: Mapping[str, float]) -> Iterator[str]:
    for end in ends:
        if carried[end.device] < FULL * end.rate:
            yield f"that is no full line: {end.device} sent {carried[end.device]:,.0f} kbit/s of {end.rate:,}"


def _exceeded(ends: tuple[End, End], carried: Mapping[str, float]) -> Iterator[str]:
    for end in ends:
        if carried[end.device] > HELD * end.rate:
            sent = f"{carried[end.device]:,.0f} kbit/s, and {end.rate:,} are its share"
            yield f"{end.device} is not held back: {sent}"


def _fallen(seen: Seen) -> Iterator[str]:
    """Yield the ends whose BFD session was down meanwhile, however shortly."""
    for end in seen.ends:
        before, after = seen.answers[end.device].data["bfd"]
        if after["status"] != "up" or after["uptime"] < before.get("uptime", 0):
            yield f"BFD of {end.device} did not last: {before['status']} before, {after['status']} after"


def _round_trips(probe_run: ProbeRun) -> Iterator[float]:
    for one in probe_run.outcomes:
        yield from (reply.seconds for reply in one.replies[:1] if reply.how == "echo")


def _cost(plan: Plan, network: Network, seen: Seen) -> str:
    """What crossed the line, and its price beyond the volume that is included."""
    octets = sum(
        (looks[-1][1] - looks[0][1]) / end.mtu * in_esp(end.mtu)
        for end, other in (seen.ends, seen.ends[::-1])
        if (looks := seen.answers[other.device].data["received"])
    )
    tariff = next(one for one in plan.networks if one.name == network)
    yen = octets / _MEGABYTE * tariff.yen_per_extra_mb
    priced = f", {yen:.2f} yen beyond what is included" if tariff.included_mb is not None else ""
    return f"{octets / _MEGABYTE:.1f} MB of the line{priced}"
