"""The control plane as a site reaches it: who is tried, who has to drop it, and what a verdict rests on."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from heiiki.plan.model import Plan
from heiiki.requirements import Result, Verdict
from heiiki.verify.isolation import control
from heiiki.verify.isolation.control import SPEAKERS, Trial, trials
from heiiki.verify.isolation.group import opened
from heiiki.verify.isolation.packets import Outcome, ProbeRun, Reply
from heiiki.verify.isolation.spoofing import Readings
from heiiki.verify.probes.packets import encoded

DROPPED = "refused_input"


@pytest.fixture
def tried(plan: Plan) -> tuple[Trial, ...]:
    return tuple(trials(plan, Random(1)))  # noqa: S311 - a draw that a test can repeat


class Seen:
    """A run in which every packet reached the device that has to drop it, and was dropped and counted."""

    def __init__(self, tried: tuple[Trial, ...]) -> None:
        bare = {"ospf", "vrrp"}
        self.outcomes = [
            Outcome(one.packet, "", {} if one.packet.protocol in bare else {one.guard: ("x",)})
            for one in tried
        ]
        self.counts: dict[str, int] = dict(Counter(one.guard for one in tried))
        self.failures: dict[str, str] = {}

    def verdicts(self, plan: Plan, tried: tuple[Trial, ...], kept: Any) -> dict[str, Verdict]:
        run = ProbeRun(tuple(self.outcomes), {}, {}, {})
        before = {device: {DROPPED: 5, "limited_bgp": 1} for device in self.counts}
        after = {device: {DROPPED: 5 + count, "limited_bgp": 90} for device, count in self.counts.items()}
        readings = Readings(before, after, self.failures)
        return {one.subject: one for one in control.verdicts(plan, tried, run, kept, readings)}


def test_every_exit_of_every_site_tries_every_speaker(plan: Plan, tried: tuple[Trial, ...]) -> None:
    exits = {(one.packet.out.device, one.packet.out.interface, one.packet.out.via) for one in tried}
    routers = {name for site in plan.sites for name in site.gateways}
    assert {device for device, _, _ in exits} == routers | {site.controller for site in plan.sites}
    lan = sum(len(site.gateways) for site in plan.sites)
    uplinks = sum(2 * len(plan.device(name).networks) for name in routers)
    assert len(exits) == lan + uplinks
    assert {(one.packet.protocol, one.packet.port) for one in tried} == set(SPEAKERS)
    assert len({one.packet for one in tried}) == len(tried), "each has a device that has to drop it"


def test_nothing_is_tried_that_the_plan_opens(plan: Plan, tried: tuple[Trial, ...]) -> None:
    for one in tried:
        firewall = plan.device(one.packet.target).firewall
        assert firewall
        assert opened(firewall.services, one.packet) == (one.packet.ttl == 254)
    own = [one.packet for one in tried if one.packet.out.interface == "tun-b" and one.packet.ttl == 64]
    assert own
    assert ("tcp", 179) not in {(packet.protocol, packet.port) for packet in own}, "the hub's own peer"


def test_a_peer_on_the_link_is_tried_in_its_own_name_as_if_from_afar(tried: tuple[Trial, ...]) -> None:
    """RFC 5082: BGP and BFD on the LAN, on the line to the carrier, and in each tunnel."""
    far = [one for one in tried if one.packet.ttl == 254]
    assert all(one.guard == one.packet.target for one in far)
    assert {(one.packet.protocol, one.packet.port) for one in far} == {("tcp", 179), ("udp", 3784)}
    ways = {(one.packet.out.device, one.packet.out.interface, one.guard) for one in far}
    assert {way for way in ways if way[0].startswith("umeda")} == {
        ("umeda-bems", "lan0", "umeda-ce-a"),
        ("umeda-bems", "lan0", "umeda-gw-b"),
        ("umeda-ce-a", "tun-a", "hub-ce-a"),
        ("umeda-ce-a", "access-a", "a-pe2"),
        ("umeda-gw-b", "tun-b", "hub-ce-b"),
    }


def test_who_drops_it_is_the_first_that_can_tell(tried: tuple[Trial, ...]) -> None:
    found = {
        (packet.out.device, packet.out.interface, str(packet.source), packet.target): one.guard
        for one in tried
        if (packet := one.packet)
    }
    assert found["umeda-bems", "lan0", "10.16.1.20", "umeda-ce-a"] == "umeda-ce-a"
    assert found["umeda-bems", "lan0", "10.16.1.20", "hub-ce-a"] == "hub-ce-a"
    assert found["umeda-bems", "lan0", "10.16.1.20", "a-pe2"] == "umeda-ce-a"
    assert found["umeda-ce-a", "access-a", "10.96.0.17", "hub-ce-a"] == "hub-ce-a"
    assert found["umeda-ce-a", "access-a", "10.96.0.23", "hub-ce-a"] == "a-pe2"
    assert found["umeda-gw-b", "wwan0", "10.112.0.23", "hub-ce-b"] == "b-pgw"


def test_all_dropped_and_counted_is_a_pass(plan: Plan, tried: tuple[Trial, ...], kept: Any) -> None:
    found = Seen(tried).verdicts(plan, tried, kept)
    assert list(found) == list(control.subjects(plan)) == ["from umeda", "from namba", "from sakai"]
    assert {one.result for one in found.values()} == {Result.PASS}
    assert {one.requirement for one in found.values()} == {"R-ISO-MALICE/control"}


def answer(seen: Seen, at: int) -> None:
    packet = seen.outcomes[at].packet
    seen.outcomes[at] = replace(seen.outcomes[at], replies=(Reply("reset", str(packet.destination), 0.01),))


def gone_beyond(seen: Seen, at: int) -> None:
    """What a host sends to the carrier's router arrives there."""
    packet = seen.outcomes[at].packet
    seen.outcomes[at] = replace(seen.outcomes[at], heard={packet.target: ("ac0017",)})


def not_counted(seen: Seen, at: int) -> None:
    """It reached its guard, which let it in."""
    (guard,) = seen.outcomes[at].heard
    seen.counts[guard] = sum(guard in one.heard for one in seen.outcomes) - 1


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (answer, "answered: "),
        (gone_beyond, "not dropped by umeda-ce-a: "),
        (not_counted, " packets that reached it"),
    ],
)
def test_one_packet_that_is_not_dropped_fails(
    plan: Plan, tried: tuple[Trial, ...], kept: Any, change: Callable[[Seen, int], None], told: str
) -> None:
    seen = Seen(tried)
    at = next(
        index
        for index, one in enumerate(tried)
        if one.packet.out.device == "umeda-bems" and one.packet.target == "a-pe2"
    )
    change(seen, at)
    found = seen.verdicts(plan, tried, kept)["from umeda"]
    assert found.result is Result.FAIL
    assert told in found.reason


def test_what_nobody_counted_is_unknown(plan: Plan, tried: tuple[Trial, ...], kept: Any) -> None:
    """Fewer drops than packets, and fewer arrivals: they were lost on the way, and prove nothing."""
    seen = Seen(tried)
    seen.outcomes = [replace(one, heard={}) for one in seen.outcomes]
    seen.counts["b-pgw"] -= 1
    found = seen.verdicts(plan, tried, kept)
    assert {one.result for one in found.values()} == {Result.UNKNOWN}
    assert "b-pgw dropped 29, 30 were sent: who dropped the rest?" in found["from umeda"].reason


def test_what_was_not_sent_or_cannot_be_read_is_unknown(
    plan: Plan, tried: tuple[Trial, ...], kept: Any
) -> None:
    seen = Seen(tried)
    at = next(index for index, one in enumerate(tried) if one.packet.out.device == "umeda-bems")
    seen.outcomes[at] = replace(seen.outcomes[at], unsent="no neighbour", heard={})
    results = {name: one.result for name, one in seen.verdicts(plan, tried, kept).items()}
    assert results == {"from umeda": Result.UNKNOWN, "from namba": Result.PASS, "from sakai": Result.PASS}
    seen = Seen(tried)
    seen.failures["a-pe2"] = "a-pe2: not reachable"
    assert {one.result for one in seen.verdicts(plan, tried, kept).values()} == {Result.UNKNOWN}


@pytest.mark.parametrize(("protocol", "number"), [("ospf", 89), ("vrrp", 112)])
def test_protocols_beside_the_three_are_sent_as_themselves(protocol: str, number: int) -> None:
    packet: list[Any] = [7, "lan0", None, "10.16.1.20", "10.16.1.18", protocol, 0, 64, 0]
    assert encoded(3, packet)[9] == number
