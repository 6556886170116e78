"""R-COST/volume, live: no more crosses a site's line than what its bill was counted from.

Each gateway says what the kernel counted on the outer interface of its line, below the tunnel: the octets
that the carrier counts, in both directions. Twice, with a quarter of a minute between, in which nothing of
the verification crosses a site's line: it goes before everything that sends, and the readings come by the way
of management. What may fall into that time is counted as on paper (`heiiki.design.volume`), with the timers
that the devices have, for the line as it is: one that waits counts as one that carries where the primary is
down, or where that is not known.

A session that begins again, an event, an operator's order: what is rare shows as more than is counted, once.
So what was too much, or unknown, is measured a second time, and what is too much both times fails.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from time import sleep

from heiiki.design import cost
from heiiki.design.volume import BFD_PACKET, Flow, flows, megabytes, neighbors, volume
from heiiki.plan.model import ClosedNetwork, Plan, SitePlan
from heiiki.plan.sizes import in_esp
from heiiki.plan.timers import PROFILES
from heiiki.requirements import Result, Verdict
from heiiki.requirements.verdict import Evidence
from heiiki.verify import counters
from heiiki.verify.counters import Crossed, Reading
from heiiki.verify.fleet import Answer, Fleet, Parameters, UnreadableError
from heiiki.verify.network import gateway, underlay, uplink
from heiiki.verify.verdicts import Keep, live, unknown

REQUIREMENT = "R-COST/volume"
SECONDS = 15.0
"""Three times the slowest BFD: whatever its timers, a tunnel that works is heard in that time."""
_SPANS = 2
_MUCH_LESS = 0.5
_BILLED = "production"
_INSTEAD = "the standby as if it carried, for what the primary does is not known"


@dataclass(frozen=True, slots=True)
class Line:
    """A site's line to one network.

    Attributes:
        gateway: the device at its end.
        outer: the interface to the carrier.
        tunnel: the interface of the tunnel in it.
        watched: with whom BFD is spoken over it, and how large a packet of that is on the line, octets.
    """

    site: SitePlan
    network: ClosedNetwork
    gateway: str
    outer: str
    tunnel: str
    watched: Mapping[str, int]

    @property
    def subject(self) -> str:
        """Subject of its verdict."""
        return cost.line(self.site, self.network.name)

    @property
    def is_primary(self) -> bool:
        """It carries the site's traffic while both are up."""
        return self.site.primary == self.network.name


@dataclass(frozen=True, slots=True)
class Measured:
    """What crossed a line, octets of IP packets.

    Attributes:
        seconds: in which that was, at most.
        down, up: towards the site, and from it.
        inside: how much of both was its tunnel's, encrypted; about, for each packet is padded by itself.
        bfd: how much of both was BFD; None where that is not known.
    """

    seconds: float
    down: int
    up: int
    inside: int
    bfd: int | None = None

    @property
    def total(self) -> int:
        """Both directions."""
        return self.down + self.up


def subjects(plan: Plan) -> Iterator[str]:
    """Yield the subjects of the verdicts: the line of each site to each network."""
    return (cost.line(site, network.name) for site in plan.sites for network in plan.networks)


def lines(plan: Plan) -> Iterator[Line]:
    """Yield the lines that are measured: those of gateways that are not revoked."""
    for site in plan.sites:
        for network in plan.networks:
            here = gateway(plan, site, network.name)
            if here.name not in plan.revoked:
                out, tunnel = underlay(plan, here, network.name), uplink(plan, here, network.name)
                watched = {
                    str(one.address): in_esp(BFD_PACKET) if tunnelled else BFD_PACKET
                    for tunnelled, one in neighbors(plan, here, network.name)
                    if one.bfd is not None
                }
                yield Line(site, network, here.name, out.interface, tunnel.interface, watched)


def verdicts(
    plan: Plan, fleet: Fleet, keep: Keep, wait: Callable[[float], None] = sleep
) -> Iterator[Verdict]:
    """Yield one verdict for each site's line to each network; `wait` lets the time between readings go by."""
    every = tuple(lines(plan))
    asked = dict.fromkeys((line.gateway for line in every), counters.QUESTION)
    found: dict[str, Verdict] = {}
    before = _look(fleet, asked, keep, 0)
    for number in range(1, 1 + _SPANS):
        if before.tells:
            wait(SECONDS)
        after = _look(fleet, asked, keep, number)
        now = _of_span(plan, every, before, after)
        before = after
        found = {name: _with_earlier(found.get(name), one) for name, one in now.items()}
        if all(one.result is Result.PASS for one in found.values()):
            break
    for site in plan.sites:
        for network in plan.networks:
            name = cost.line(site, network.name)
            yield found[name] if name in found else _revoked(name, gateway(plan, site, network.name).name)


@dataclass(frozen=True, slots=True)
class _Look:
    """What the gateways said at one time, or why one did not, and where that is kept."""

    readings: Mapping[str, Reading | str]
    kept: Mapping[str, Evidence]

    @property
    def tells(self) -> bool:
        """Some gateway said something."""
        return any(isinstance(one, Reading) for one in self.readings.values())


def _look(fleet: Fleet, asked: Parameters, keep: Keep, number: int) -> _Look:
    answers = fleet.ask("read", asked)
    kept = {name: keep(f"volume/{name}-{number}.json", one.raw) for name, one in answers.items()}
    return _Look({name: _read(one) for name, one in answers.items()}, kept)


def _read(answer: Answer) -> Reading | str:
    try:
        return counters.read(answer)
    except UnreadableError as error:
        return str(error)


def _of_span(plan: Plan, every: Sequence[Line], before: _Look, after: _Look) -> Mapping[str, Verdict]:
    """Return the verdict on each line by what crossed it between two looks."""
    measured = {
        line.subject: _between(line, before.readings[line.gateway], after.readings[line.gateway])
        for line in every
    }
    return {
        line.subject: _of_line(plan, line, measured, (before.kept[line.gateway], after.kept[line.gateway]))
        for line in every
    }


def _revoked(name: str, device: str) -> Verdict:
    reason = f"{device} is revoked: nothing of the service is sent over this path"
    return live(REQUIREMENT, name, Result.NOT_APPLICABLE, reason)


def _with_earlier(earlier: Verdict | None, now: Verdict) -> Verdict:
    """Return what stands after a second time: a pass of either, and of a pass after more that it was more."""
    if earlier is None or (earlier.result is not Result.PASS and now.result is not Result.PASS):
        return now
    if earlier.result is Result.PASS:
        return earlier
    if earlier.result is Result.UNKNOWN or earlier.measured is None:
        return now
    before = f"before that it was {earlier.measured:,.0f} octets/s, which did not last"
    return replace(now, reason=f"{now.reason}; {before}", evidence=(*earlier.evidence, *now.evidence))


def _between(line: Line, before: Reading | str, after: Reading | str) -> Measured | str:
    if isinstance(before, str):
        return before
    return after if isinstance(after, str) else of_readings(line, before, after)


def of_readings(line: Line, before: Reading, after: Reading) -> Measured | str:
    """Return what crossed a line between two readings of its gateway's counters, or why that is not known."""
    outer = counters.crossed(line.outer, before, after)
    if isinstance(outer, str):
        return outer
    inner = counters.crossed(line.tunnel, before, after)
    if isinstance(inner, str):
        return inner
    seconds = after.latest_s - before.earliest_s
    if not inner.received.packets:
        return f"nothing came in by {line.tunnel} of {line.gateway} in {seconds:.1f} s: the line is down"
    if outer.octets < inner.octets:
        less = f"{line.outer} of {line.gateway} counted {outer.octets:,} octets, and {line.tunnel} in it"
        return f"{less} {inner.octets:,}: the tunnel takes another way, or the interface does not count all"
    bfd = _bfd(line, before, after)
    return Measured(seconds, outer.received.octets, outer.sent.octets, _encrypted(inner), bfd)


def _bfd(line: Line, before: Reading, after: Reading) -> int | None:
    if not line.watched or not line.watched.keys() <= before.bfd.keys() & after.bfd.keys():
        return None
    packets = {peer: after.bfd[peer] - before.bfd[peer] for peer in line.watched}
    if min(packets.values()) < 0:
        return None
    return sum(count * line.watched[peer] for peer, count in packets.items())


def _encrypted(inner: Crossed) -> int:
    return inner.packets * in_esp(round(inner.octets / inner.packets))


def _of_line(
    plan: Plan, line: Line, measured: Mapping[str, Measured | str], evidence: tuple[Evidence, ...]
) -> Verdict:
    found = measured[line.subject]
    if isinstance(found, str):
        return unknown(REQUIREMENT, line.subject, found, evidence)
    primary = measured.get(cost.line(line.site, line.site.primary))
    instead = not line.is_primary and not isinstance(primary, Measured)
    return of_line(plan, line, found, evidence, instead=instead)


def of_line(
    plan: Plan, line: Line, found: Measured, evidence: tuple[Evidence, ...] = (), *, instead: bool = False
) -> Verdict:
    """Return the verdict on one line; `instead`: it may carry what the primary should."""
    carries = line.is_primary or instead
    counted = tuple(flows(plan, line.site, line.network.name, plan.timers, carries=carries))
    crossed = round(found.total / found.seconds, 1)
    most = round(sum(one.most(found.seconds) for one in counted) / found.seconds, 1)
    state = _INSTEAD if instead else "the primary" if line.is_primary else "the standby"
    told = f"{_compared(counted, found)} for {state} with timers {plan.timers.profile}"
    result = Result.PASS if crossed <= most else Result.FAIL
    if result is Result.FAIL:
        told = f"more than may fall into {found.seconds:.1f} s by what the bill was counted from: {told}"
    reason = f"{told}; {_split(counted, found)}; {_month(plan, line, crossed, carries=carries)}"
    return live(REQUIREMENT, line.subject, result, reason, evidence, figure=(crossed, most, "octets/s"))


def _compared(counted: Sequence[Flow], found: Measured) -> str:
    average = sum(one.a_second for one in counted)
    share = found.total / found.seconds / average
    less = "much less than is counted: " if share < _MUCH_LESS else ""
    return f"{less}{share:.2f} times the {average:,.0f} octets/s that are counted on the average"


def _split(counted: Sequence[Flow], found: Measured) -> str:
    inside, outside = (sum(one.a_second for one in counted if one.inside is there) for there in (True, False))
    each = [
        octets / found.seconds for octets in (found.down, found.up, found.inside, found.total - found.inside)
    ]
    ways = f"{each[0]:,.0f} octets/s came down and {each[1]:,.0f} went up"
    return (
        f"{ways}; about {each[2]:,.0f} of {inside:,.0f} in the tunnel, "
        f"{max(0.0, each[3]):,.0f} of {outside:,.0f} outside of it{_of_bfd(counted, found)}"
    )


def _of_bfd(counted: Sequence[Flow], found: Measured) -> str:
    if found.bfd is None:
        return ""
    supervision = sum(one.a_second for one in counted if one.part == "supervision")
    return f", and of all that {found.bfd / found.seconds:,.0f} of {supervision:,.0f} by BFD"


def _month(plan: Plan, line: Line, a_second: float, *, carries: bool) -> str:
    """Return what a month like that would be, beside the month that is billed, whose timers may be others."""
    network = line.network
    limit = "no limit" if network.included_mb is None else f"{network.included_mb:,} included"
    like_that = f"a month like that is {_priced(network, megabytes(a_second))} ({limit})"
    billed = volume(plan, line.site, network.name, PROFILES[_BILLED], carries=carries).total
    paper = f"{_priced(network, billed)} are counted"
    if plan.timers.profile == _BILLED:
        return f"{like_that}; {paper}"
    return f"{like_that}; timers {plan.timers.profile} make no bill: with timers {_BILLED} {paper}"


def _priced(network: ClosedNetwork, volume_mb: float) -> str:
    return f"{volume_mb:,.0f} MB and {cost.yen(network, volume_mb):,.0f} yen"
