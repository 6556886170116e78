"""Which ports are tried: those that are likelier to answer than others, and a share of the rest.

Likelier is a port that the plan opens to anybody, on which something listens, or which a rule of a filter
names. Who put a hole into a filter named a port there, or none, and then every port is the hole.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, zip_longest
from math import ceil
from random import Random
from typing import Any

from heiiki.plan.model import Plan
from heiiki.verify.fleet import Answer, Fleet, UnreadableError, printed, reading
from heiiki.verify.scan.ways import Target, Way

TCP, UDP = 6, 17
NAMES = {TCP: "tcp", UDP: "udp"}
HIGHEST = 65535
SECONDS = 6.0
"""How long a way may send at its rate, where not every port is asked for."""
_UDP_DRAWN = 16
"""Other UDP ports at each address: a filter that lets all of them in answers with the first."""
_COMMANDS = {"sockets": ["ss", "-Hlntu"], "filter": ["nft", "-j", "list", "ruleset"]}

Port = tuple[int, int]
"""Number of the protocol, and of the port."""
Tried = tuple[str, int, int]
"""Destination, protocol, port."""


@dataclass(frozen=True, slots=True)
class Order:
    """What one way sends.

    Attributes:
        packets: in this order.
        again: those of them that are sent once more at the end, where they were not answered.
    """

    packets: tuple[Tried, ...]
    again: tuple[Tried, ...]


@dataclass(frozen=True, slots=True)
class Dealt:
    """What all ways send.

    Attributes:
        orders: of each way.
        covered: how many TCP ports the ways of a kind try at an address, all together.
    """

    orders: Mapping[Way, Order]
    covered: Mapping[tuple[str, Target], int]


def likely(plan: Plan, fleet: Fleet, owners: Iterable[str]) -> tuple[frozenset[Port], Mapping[str, str]]:
    """Return the likely ports of all devices, and why those of a device could not be read."""
    found, failures = set(_planned(plan)), {}
    for device, answer in fleet.ask("read", {name: {"commands": _COMMANDS} for name in owners}).items():
        try:
            found |= set(_of_device(answer))
        except UnreadableError as error:
            failures[device] = str(error)
    return frozenset(one for one in found if 0 < one[1] <= HIGHEST), failures


def _planned(plan: Plan) -> Iterator[Port]:
    numbers = {name: number for number, name in NAMES.items()}
    for device in plan.managed():
        for service in device.firewall.services if device.firewall else ():
            if service.protocol in numbers:
                yield from ((numbers[service.protocol], port) for port in service.ports)


def _of_device(answer: Answer) -> Iterator[Port]:
    with reading(answer.device):
        yield from listening(printed(answer, "sockets"))
        for port in named(json.loads(printed(answer, "filter"))):
            yield from ((protocol, port) for protocol in NAMES)


def listening(text: str) -> Iterator[Port]:
    """Yield the ports of ``ss -Hlntu``, but of what the device says to itself."""
    numbers = {name: number for number, name in NAMES.items()}
    for line in text.splitlines():
        words = line.split()
        address, _, port = words[4].rpartition(":")
        if words[0] in numbers and port.isdigit() and not address.startswith(("127.", "[::1]")):
            yield numbers[words[0]], int(port)


def named(ruleset: Any) -> Iterator[int]:
    """Yield the ports that ``nft -j list ruleset`` names in rules and sets: of a range ends and middle."""
    if isinstance(ruleset, list):
        for one in ruleset:
            yield from named(one)
    elif isinstance(ruleset, dict):
        for key, one in ruleset.items():
            if key == "match" and _is_port(one["left"]):
                yield from _numbers(one["right"])
            elif key in {"vmap", "map"} and isinstance(one, dict) and _is_port(one.get("key")):
                yield from _numbers(one["data"])
            elif key in {"set", "map"} and isinstance(one, dict) and "inet_service" in str(one.get("type")):
                yield from _numbers(one.get("elem", ()))
            else:
                yield from named(one)


def _is_port(left: Any) -> bool:
    """The destination port of a packet, by its name or by where it stands."""
    if isinstance(left, dict) and "concat" in left:
        return any(_is_port(one) for one in left["concat"])
    payload = left.get("payload", {}) if isinstance(left, dict) else {}
    return payload.get("field") == "dport" or (payload.get("base"), payload.get("offset")) == ("th", 16)


def _numbers(found: Any) -> Iterator[int]:
    if isinstance(found, bool):
        return
    if isinstance(found, int):
        yield found
    elif isinstance(found, list | tuple):
        for one in found:
            yield from _numbers(one)
    elif isinstance(found, dict):
        for key, one in found.items():
            if key == "range" and all(isinstance(end, int) for end in one):
                yield sum(one) // 2
            yield from _numbers(one)


def deal(
    likely_ports: frozenset[Port],
    ways: Sequence[Way],
    first: Mapping[Way, Sequence[Tried]],
    random: Random,
    *,
    every: bool,
) -> Dealt:
    """Divide ports among ways: each tries the likely ones, and ways of a kind share the rest of an address.

    Args:
        likely_ports: the likely ones.
        ways: of all sites.
        first: what a way asks before all else, each once: a service has a budget for each source.
        random: draws.
        every: every TCP port of each address is tried, however long that takes.
    """
    members: dict[tuple[str, Target], list[Way]] = {}
    for way in ways:
        for target in way.targets:
            members.setdefault((way.kind, target), []).append(way)
    rest = [port for port in range(1, HIGHEST + 1) if (TCP, port) not in likely_ports]
    drawn: dict[Way, list[list[Tried]]] = {way: [] for way in ways}
    covered = {}
    for (kind, target), those in members.items():
        even = ceil(len(rest) / len(those))
        shares = [even if every else min(even, _room(way, likely_ports)) for way in those]
        left = iter(random.sample(rest, min(len(rest), sum(shares))))
        for way, share in zip(those, shares, strict=True):
            drawn[way].append([(str(target.address), TCP, port) for port in islice(left, share)])
        covered[kind, target] = min(HIGHEST, HIGHEST - len(rest) + sum(shares))
    return Dealt({way: _order(way, likely_ports, first[way], drawn[way], random) for way in ways}, covered)


def _room(way: Way, likely_ports: frozenset[Port]) -> int:
    """Return how many ports beside the likely ones a way tries at each of its addresses."""
    return max(0, int(way.rate * SECONDS) // len(way.targets) - _UDP_DRAWN - _twice(likely_ports))


def _twice(likely_ports: frozenset[Port]) -> int:
    """Those of TCP are sent twice, for one that is lost would be taken for silent."""
    return len(likely_ports) + sum(protocol == TCP for protocol, _ in likely_ports)


def _order(
    way: Way, likely_ports: frozenset[Port], first: Sequence[Tried], drawn: list[list[Tried]], random: Random
) -> Order:
    asked = frozenset(first)
    likely_ones = [
        one
        for protocol, port in sorted(likely_ports)
        for target in way.targets
        if (one := (str(target.address), protocol, port)) not in asked
    ]
    datagrams = [
        one for one in random.sample(range(1, HIGHEST + 1), _UDP_DRAWN) if (UDP, one) not in likely_ports
    ]
    by_udp = [(str(target.address), UDP, port) for port in datagrams for target in way.targets]
    # The addresses take turns, so that none has all of the rate.
    in_turn = [one for turn in zip_longest(*drawn) for one in turn if one is not None]
    again = (one for one in likely_ones if one[1] == TCP)
    return Order((*first, *likely_ones, *by_udp, *in_turn), (*first, *again))
