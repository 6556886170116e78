"""A site's port scan of hub and carrier finds planned services alone (R-ISO-MALICE/scan).

Default deny drops: so what answers, were it to refuse, has let a packet through, and the plan must open its
port to this source. What is silent may not have been asked at all. So each device counts what came to it
before its filter, and each service that the plan opens to the source must answer in the same scan.
"""

import secrets
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from heiiki.plan.model import Plan
from heiiki.requirements import Result, Verdict
from heiiki.verify.fleet import Answer, Fleet
from heiiki.verify.isolation import control
from heiiki.verify.isolation.sample import Population, told
from heiiki.verify.scan.ports import HIGHEST, NAMES, TCP, Dealt, Order, Tried, deal, likely
from heiiki.verify.scan.ways import Target, Way, held, must_answer, opens, ways
from heiiki.verify.verdicts import Keep, live, summarise, unknown

REQUIREMENT = "R-ISO-MALICE/scan"
NAME = "scan"
"""What is asked for, among the names of faults: every port, however long that takes."""

ARRIVED = 0.95
"""Share of what was sent that must have come to the filter: of what is lost on the way nothing is known."""
_START_S, _AFTER_S, _SLOWER, _TIMEOUT_S = 1.5, 1.5, 1.5, 60.0
"""Before it all listen; an answer takes so long; a busy device takes so many times as long to send."""
_SOURCE_PORTS = (20000, 30000)
"""A connection of the device's own has another: the kernel takes them from 32768 on."""


def subjects(plan: Plan) -> tuple[str, ...]:
    """Return the subjects: every site, or in a large service every figure of redundancy."""
    return control.subjects(plan)


def verdicts(
    plan: Plan, fleet: Fleet, keep: Keep, random: Random, patience: int = 1, *, every: bool = False
) -> Iterator[Verdict]:
    """Scan from every site, or in a large service from some, and yield one verdict a subject."""
    chosen = held(way for site in Population(plan).some_sites(random) for way in ways(plan, site))
    owners = tuple(dict.fromkeys(name for way in chosen for one in way.targets for name in one.owners))
    ports, failures = likely(plan, fleet, owners)
    dealt = deal(ports, chosen, {way: tuple(_first(plan, way)) for way in chosen}, random, every=every)
    scan = Scan(plan, dealt, failures, _asked(fleet, dealt, owners, patience))
    mine: dict[str, list[Way]] = {name: [] for name in subjects(plan)}
    for way in chosen:
        mine[control.subject(plan, plan.site(way.site))].append(way)
    for name, those in mine.items():
        yield scan.verdict(name, those, keep)


def _first(plan: Plan, way: Way) -> Iterator[Tried]:
    for target in way.targets:
        for port in sorted(must_answer(plan, target, way.source)):
            yield str(target.address), TCP, port


@dataclass(frozen=True, slots=True)
class Run:
    """What devices answered, and by which source port each way asked."""

    answers: Mapping[str, Answer]
    ports: Mapping[Way, int]


def _asked(fleet: Fleet, dealt: Dealt, owners: Iterable[str], patience: int) -> Run:
    """Have all ways scan at once, while every device that is scanned listens."""
    begin = secrets.choice(range(*_SOURCE_PORTS))
    ports = {way: begin + place for place, way in enumerate(dealt.orders)}
    longest = max(
        ((len(one.packets) + len(one.again)) / way.rate for way, one in dealt.orders.items()), default=0.0
    )
    limit = patience * (_START_S + _SLOWER * longest)
    common = {
        "run": secrets.randbits(32),
        "start_s": patience * _START_S,
        "limit_s": limit,
        "listen_s": limit + patience * _AFTER_S,
    }
    scanning: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for way, order in dealt.orders.items():
        scanning[way.out.device].append(_told(way, order, ports[way], patience / way.rate))
    hearing = set(owners)
    parameters = {
        device: common
        | {"ways": scanning.get(device, []), "hears": _heard(dealt, device) if device in hearing else []}
        for device in (*scanning, *(one for one in owners if one not in scanning))
    }
    return Run(fleet.ask("scan", parameters, common["listen_s"] + _TIMEOUT_S), ports)


def _heard(dealt: Dealt, device: str) -> list[str]:
    """The addresses of a device that are scanned, each once."""
    targets = (target for way in dealt.orders for target in way.targets)
    return list(dict.fromkeys(str(one.address) for one in targets if device in one.owners))


def _told(way: Way, order: Order, port: int, pace_s: float) -> dict[str, Any]:
    return {
        "key": str(port),
        "interface": way.out.interface,
        "via": way.out.neighbour,
        "source": str(way.source),
        "port": port,
        "pace_s": pace_s,
        "packets": order.packets,
        "again": order.again,
    }


@dataclass(frozen=True, slots=True)
class Seen:
    """What one way showed of one address.

    Attributes:
        sent: ports that were tried; arrived: those that came before a filter of its owners.
        answers: protocol, port and how.
    """

    way: Way
    target: Target
    sent: int
    arrived: int
    answers: tuple[tuple[int, int, str], ...]

    def __str__(self) -> str:
        """One line of evidence."""
        answers = ", ".join(f"{NAMES[protocol]}/{port} {how}" for protocol, port, how in self.answers)
        return (
            f"{self.way} to {self.target.address} ({'/'.join(self.target.owners)}): {self.sent} ports, "
            f"{self.arrived} came before the filter, answered: {answers or 'none'}"
        )


@dataclass(frozen=True, slots=True)
class Scan:
    """A scan that is over.

    Attributes:
        failures: devices whose listeners and filter could not be read, and why.
    """

    plan: Plan
    dealt: Dealt
    failures: Mapping[str, str]
    run: Run

    def verdict(self, name: str, those: Sequence[Way], keep: Keep) -> Verdict:
        """Return the verdict on the ways of one subject."""
        seen = [one for way in those for one in self._seen(way)]
        lines = [*(str(one) for one in seen), *self._ordered(those)]
        evidence = (keep(f"scan/{name.replace(' ', '-')}.txt", "\n".join(lines).encode() + b"\n"),)
        if wrong := [text for one in seen for text in self._surprises(one)]:
            return live(REQUIREMENT, name, Result.FAIL, summarise(wrong), evidence)
        if doubts := list(dict.fromkeys(self._doubts(those, seen))):
            return unknown(REQUIREMENT, name, summarise(doubts), evidence)
        if not seen:
            reason = "no gateway of its is in service: nothing of the service is sent from there"
            return live(REQUIREMENT, name, Result.NOT_APPLICABLE, reason, evidence)
        return live(REQUIREMENT, name, Result.PASS, self._scope(name, those, seen), evidence)

    def _ordered(self, those: Iterable[Way]) -> Iterator[str]:
        """Yield what was tried, as further lines of evidence."""
        for way in those:
            by_place: defaultdict[tuple[str, int], list[int]] = defaultdict(list)
            for destination, protocol, port in self.dealt.orders[way].packets:
                by_place[destination, protocol].append(port)
            for (destination, protocol), ports in by_place.items():
                numbers = " ".join(map(str, sorted(set(ports))))
                yield f"{way} was to try of {destination} {NAMES[protocol]}: {numbers}"

    def _seen(self, way: Way) -> Iterator[Seen]:
        answer = self.run.answers[way.out.device]
        found = answer.data["ways"][str(self.run.ports[way])] if not answer.error else {}
        for target in way.targets:
            address = str(target.address)
            answers = tuple(
                (protocol, port, how)
                for origin, destination, protocol, port, how in found.get("answers", ())
                if destination == address == origin
            )
            sent = found.get("sent", {}).get(address, 0)
            yield Seen(way, target, sent, self._arrived(way, target), answers)

    def _arrived(self, way: Way, target: Target) -> int:
        ends = [str(way.source), self.run.ports[way], str(target.address)]
        rows = (row for name in target.owners for row in self.run.answers[name].data.get("arrived", ()))
        return sum(count for *those, count in rows if those == ends)

    def _surprises(self, one: Seen) -> Iterator[str]:
        opened = list(opens(self.plan, one.target, one.way.source))
        for protocol, port, how in one.answers:
            name = NAMES[protocol]
            if not any(item.protocol == name and port in item.ports for item in opened):
                whom = f"{one.target.address} ({'/'.join(one.target.owners)})"
                yield f"{whom} answered {name}/{port} ({how}), which the plan does not open to {one.way}"

    def _doubts(self, those: Iterable[Way], seen: Iterable[Seen]) -> Iterator[str]:
        for way in those:
            answer = self.run.answers[way.out.device]
            found = {} if answer.error else answer.data["ways"][str(self.run.ports[way])]
            if reason := answer.error or found["error"]:
                yield reason
            elif found["left"]:
                yield f"{way}: {found['left']} packets were never sent: the device was too busy"
            for name in dict.fromkeys(name for target in way.targets for name in target.owners):
                if reason := self.run.answers[name].error or self.failures.get(name):
                    yield reason
        for one in seen:
            yield from self._unproven(one)

    def _unproven(self, one: Seen) -> Iterator[str]:
        """Yield why the silence of an address proves nothing."""
        answered = {port for protocol, port, _ in one.answers if protocol == TCP}
        where = f"{one.target.address} ({'/'.join(one.target.owners)})"
        for port in sorted(must_answer(self.plan, one.target, one.way.source) - answered):
            opened = f"tcp/{port}, which the plan opens to {one.way}"
            yield f"{where} did not answer {opened}, so silence proves nothing"
        if one.arrived < ARRIVED * one.sent or not one.sent:
            yield f"of {one.sent} packets from {one.way} {one.arrived} came before the filter of {where}"

    def _scope(self, name: str, those: Sequence[Way], seen: Sequence[Seen]) -> str:
        sent, answered = sum(one.sent for one in seen), sum(len(one.answers) for one in seen)
        covered = min(self.dealt.covered[way.kind, target] for way in those for target in way.targets)
        likely_ones = "every port on which something listens or that a filter names"
        drawn = f"{likely_ones}, and of the {HIGHEST:,} TCP ports {covered:,} or more, drawn at random"
        ports = f"each of the {HIGHEST:,} TCP ports" if covered >= HIGHEST else drawn
        tried = len({way.site for way in those})
        every = sum(control.subject(self.plan, site) == name for site in self.plan.sites)
        extent = "" if Population(self.plan).whole else f"; {told(tried, every, 'sites')}"
        return (
            f"at {len(seen)} addresses {ports}, divided among the sites' ways: {sent:,} packets from here, "
            f"which came before the filters; {answered} answered, each opened by the plan{extent}"
        )
