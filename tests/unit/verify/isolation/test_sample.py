"""A large service: nothing is numbered twice, and a sample says what it is."""

from collections import Counter
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from random import Random
from typing import Any

import pytest

from heiiki.cli.new_service import generate
from heiiki.intent import load
from heiiki.plan import Plan, build
from heiiki.plan.model import Function, Network
from heiiki.requirements import Result
from heiiki.verify import paths
from heiiki.verify.isolation import carrier, group, sites, spoofing
from heiiki.verify.isolation.packets import MOST, Outcome, ProbePacket, ProbeRun, Reply, number, send_probes
from heiiki.verify.isolation.sample import EVERY_PAIR, LEAST, ROUNDS, Pair, Population, share, told
from heiiki.verify.probes.packets import encoded, heard

SITES = (250, pytest.param(1000, marks=pytest.mark.long))
"""Many times `EVERY_PAIR`; a thousand take four times as long, and `make long` tries them."""


def seeded(seed: int) -> Random:
    return Random(seed)  # noqa: S311 - a draw that a test can repeat


def made(folder: Path, count: int) -> Plan:
    (folder / "sites").mkdir()
    for name, text in generate("large", count, 3).items():
        (folder / name).write_text(text, encoding="utf-8")
    with (folder / "service.yml").open("a", encoding="utf-8") as file:
        file.write(f"test_equipment:\n  overlaps: {_first_site(folder)}\n")
    return build(load(folder))


def _first_site(folder: Path) -> str:
    first = min((folder / "sites").iterdir()).read_text(encoding="utf-8")
    return next(line.split()[1] for line in first.splitlines() if line.startswith("name:"))


@pytest.fixture(scope="module", params=SITES)
def large(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Plan:
    return made(tmp_path_factory.mktemp("large"), request.param)


@pytest.fixture(scope="module")
def drawn(large: Plan) -> tuple[Pair, ...]:
    return Population(large).draw(seeded(5))


@pytest.fixture(scope="module")
def everything(large: Plan, drawn: tuple[Pair, ...]) -> tuple[ProbePacket, ...]:
    of_carrier = carrier.packets(large, seeded(5))
    return (
        *sites.packets(large, drawn),
        *group.packets(large, seeded(5)),
        *of_carrier,
        *spoofing.packets(large),
    )


def test_every_packet_of_a_large_service_has_a_number_of_its_own(
    everything: tuple[ProbePacket, ...],
) -> None:
    numbered, left = number(everything)
    assert (left, len(numbered)) == ([], len(everything))
    assert list(numbered.values()) == list(everything)
    assert max(numbered) < 1 << 32
    low = Counter((packet.out.device, key & 0xFFFF) for key, packet in numbered.items())
    assert max(low.values()) == 1  # an ICMP error quotes no more than these


def test_no_device_sends_so_much_that_a_run_takes_long(
    large: Plan, everything: tuple[ProbePacket, ...]
) -> None:
    """36 packets to each other site by each way out were 9,000 and more a device, of a thousand 36,000."""
    counts = Counter(packet.out.device for packet in everything)
    assert max(counts.values()) < 5_000
    # Of each class as many are drawn whatever the size.
    assert sum(counts.values()) < 50_000 + 750 * len(large.sites)


def test_the_second_customer_tries_the_hub_and_a_sample_of_the_sites(large: Plan, kept: Any) -> None:
    assert len(carrier.second_customers(large)) == 2
    outcomes = [
        Outcome(packet, "", {packet.target: ("x",)} if packet.topic.endswith("+") else {})
        for packet in carrier.packets(large, seeded(3))
    ]
    tried = {one.packet.target for one in outcomes if one.packet.topic == carrier.CUSTOMER}
    assert {"dras", "xmpp", "hub-ce-a", "hub-ce-b"} <= tried
    judged = list(carrier.verdicts(large, ProbeRun(tuple(outcomes), {}, {}, {}), kept))
    mine = [one for one in judged if one.subject.startswith("second customer")]
    assert {one.result for one in judged} == {Result.PASS}
    assert [one.reason.partition("positives arrived")[2] for one in mine] == [
        f"; {told(2 * LEAST, len(large.sites), 'sites')}"
    ] * 2


def test_what_a_run_cannot_tell_apart_is_not_sent(plan: Plan) -> None:
    first = next(iter(sites.packets(plan, ())))
    many = [replace(first, repeat=index) for index in range(MOST + 3)]
    others = [replace(first, out=replace(first.out, device="another"))]
    numbered, left = number([*many, *others])
    assert left == many[MOST:]
    assert list(numbered.values()) == [*many[:MOST], *others]


def test_the_last_number_is_heard_as_it_was_sent() -> None:
    for key in (1, MOST, (1 << 16) + 1, (1 << 32) - 1):
        for protocol, port in (("icmp", 0), ("udp", 862), ("tcp", 179)):
            packet = [key, "x", None, "10.0.0.1", "10.0.0.2", protocol, port, 64, 0]
            assert heard(77, encoded(77, packet)) == key


def test_unnumbered_packets_are_outcomes_that_were_not_sent(plan: Plan, fleet_of: Any) -> None:
    first = next(iter(sites.packets(plan, ())))
    many = [replace(first, repeat=index) for index in range(MOST + 1)]

    def reply(_device: str, _probe: str, parameters: dict[str, Any]) -> dict[str, Any]:
        sent = [one[0] for one in parameters["packets"]]
        times = {"listening": 1.0, "began": 2.0, "ended": 3.0, "closed": 4.0}
        return {"sent": sent, "unsent": {}, "heard": {}, "answers": {}, **times}

    outcomes = send_probes(fleet_of(reply), many, ()).outcomes
    assert len(outcomes) == MOST + 1
    assert [one.unsent for one in outcomes if one.unsent] == [
        "its device has 65,535 packets before it, the most that one run can tell apart"
    ]


def test_classes_hold_every_ordered_pair_once(tmp_path: Path) -> None:
    plan = made(tmp_path, 60)
    population = Population(plan)
    counted = Counter(population.class_of(pair) for pair in permutations([one.name for one in plan.sites], 2))
    assert counted == dict(population.classes)
    assert sum(population.classes.values()) == 60 * 59


def test_each_site_sends_and_is_sent_to_and_each_class_has_enough(
    large: Plan, drawn: tuple[Pair, ...]
) -> None:
    assert len(set(drawn)) == len(drawn)
    assert all(source != target for source, target in drawn)
    names = [site.name for site in large.sites]
    for at in (0, 1):
        counts = Counter(pair[at] for pair in drawn)
        assert min(counts[name] for name in names) >= ROUNDS
    population = Population(large)
    classes = Counter(map(population.class_of, drawn))
    assert {
        one: classes[one] >= min(LEAST, size) for one, size in population.classes.items()
    } == dict.fromkeys(population.classes, True)


def test_a_class_that_is_small_is_tried_whole(tmp_path: Path) -> None:
    population = Population(made(tmp_path, EVERY_PAIR + 2))
    for seed in range(5):
        classes = Counter(map(population.class_of, population.draw(seeded(seed))))
        assert all(classes[one] >= min(LEAST, size) for one, size in population.classes.items())
        assert all(classes[one] <= size for one, size in population.classes.items())


def test_another_run_draws_other_pairs(large: Plan) -> None:
    population = Population(large)
    one, other = (set(population.draw(seeded(seed))) for seed in (1, 2))
    assert len(one & other) < len(one) / 10


def test_a_small_service_is_tried_whole(plan: Plan) -> None:
    assert set(Population(plan).draw(seeded(1))) == set(permutations([one.name for one in plan.sites], 2))


def test_share_is_that_of_the_textbook() -> None:
    """59 draws without a fault: 5 % at 95 % confidence (0.95^59 = 0.0485); 299: 1 % (0.99^299 = 0.0495)."""
    assert share(59, 10**6) == pytest.approx(0.0495, abs=0.0005)
    assert 0.95**59 < 0.05 < 0.95**58
    assert share(299, 10**6) == pytest.approx(0.00997, abs=0.00002)
    assert share(12, 12) == 0.0
    assert told(12, 12, "pairs") == "all 12 pairs"
    assert told(2000, 999_000, "pairs") == (
        "2,000 of 999,000 pairs, drawn at random: the others are covered by their class, of which "
        "fewer than 0.15 % differ at 95% confidence"
    )


@pytest.fixture(scope="module")
def small_sample(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    return made(tmp_path_factory.mktemp("sampled"), EVERY_PAIR + 10)


def outcomes_of(plan: Plan, pairs: tuple[Pair, ...]) -> list[Outcome]:
    """Positives arrive, nothing else does."""
    return [
        Outcome(packet, "", {packet.target: ("x",)} if packet.topic == sites.POSITIVE else {})
        for packet in sites.packets(plan, pairs)
    ]


def found(plan: Plan, outcomes: list[Outcome], kept: Any, fleet_of: Any) -> dict[str, tuple[Result, str]]:
    run = ProbeRun(tuple(outcomes), {}, {}, {})

    def reply(_device: str, _probe: str, parameters: dict[str, Any]) -> dict[str, Any]:
        sent = [one[0] for one in parameters["packets"]]
        times = {"listening": 1.0, "began": 2.0, "ended": 3.0, "closed": 4.0}
        return {"sent": sent, "unsent": {}, "heard": {}, "answers": {}, **times}

    verdicts = sites.verdicts(plan, run, kept, fleet_of(reply))
    return {one.subject: (one.result, one.reason) for one in verdicts}


def test_a_pass_of_a_class_states_sample_and_confidence(small_sample: Plan, kept: Any, fleet_of: Any) -> None:
    pairs = Population(small_sample).draw(seeded(2))
    judged = found(small_sample, outcomes_of(small_sample, pairs), kept, fleet_of)
    assert list(judged) == list(sites.subjects(small_sample))
    assert {result for result, _ in judged.values()} == {Result.PASS}
    counts = Counter(Population(small_sample).class_of(pair).subject for pair in pairs)
    sizes = {one.subject: size for one, size in Population(small_sample).classes.items()}
    for subject, (_, reason) in judged.items():
        assert reason.startswith(told(counts[subject], sizes[subject], "pairs") + "; ")
    assert any("drawn at random" in reason for _, reason in judged.values())


def test_one_leak_fails_its_class(small_sample: Plan, kept: Any, fleet_of: Any) -> None:
    pairs = Population(small_sample).draw(seeded(2))
    outcomes = outcomes_of(small_sample, pairs)
    at = next(index for index, one in enumerate(outcomes) if one.packet.topic == sites.TOPIC)
    leak = outcomes[at].packet
    outcomes[at] = replace(outcomes[at], heard={leak.target: ("lan0",)})
    judged = found(small_sample, outcomes, kept, fleet_of)
    home = {name: one.name for one in small_sample.sites for name in (*one.gateways, one.controller)}
    mine = Population(small_sample).class_of((home[leak.out.device], home[leak.target]))
    assert [name for name, (result, _) in judged.items() if result is Result.FAIL] == [mine.subject]


def test_a_class_that_was_tried_too_little_is_unknown(small_sample: Plan, kept: Any, fleet_of: Any) -> None:
    judged = found(small_sample, outcomes_of(small_sample, ()), kept, fleet_of)
    assert {result for result, _ in judged.values()} == {Result.UNKNOWN}
    assert all(reason.startswith("0 of ") for _, reason in judged.values())


def test_a_sampled_pair_without_packets_is_unknown(small_sample: Plan, kept: Any, fleet_of: Any) -> None:
    pairs = Population(small_sample).draw(seeded(2))
    outcomes = outcomes_of(small_sample, pairs)
    gone = outcomes[next(i for i, one in enumerate(outcomes) if one.packet.topic == sites.TOPIC)].packet
    outcomes = [replace(one, unsent="no neighbour") if one.packet == gone else one for one in outcomes]
    judged = found(small_sample, outcomes, kept, fleet_of)
    unknown = {name: reason for name, (result, reason) in judged.items() if result is Result.UNKNOWN}
    assert len(unknown) == 1
    assert all("never sent" in reason for reason in unknown.values())


def test_the_view_of_the_group_states_its_sample(large: Plan, kept: Any) -> None:
    outcomes = []
    for packet in group.packets(large, seeded(4)):
        firewall = large.device(packet.target).firewall
        opens = firewall is not None and group.opened(firewall.services, packet)
        replies = (Reply("echo", str(packet.destination), 0.01),) if opens else ()
        outcomes.append(Outcome(packet, "", {packet.target: ("x",)}, replies))
    verdicts = {
        one.subject: one for one in group.verdicts(large, ProbeRun(tuple(outcomes), {}, {}, {}), kept)
    }
    assert {one.result for one in verdicts.values()} == {Result.PASS}
    own = len([one for one in outcomes if one.packet.out.device == "dras"]) // 4
    every = sum(
        len(device.addresses)
        for device in large.devices
        if device.site and device.function in (Function.CE, Function.GATEWAY)
    )
    assert verdicts["seen from dras"].reason.endswith(told(own, every, "addresses"))
    tunnels = sum(len(large.device(name).interfaces) for name in ("hub-ce-a", "hub-ce-b"))
    assert tunnels > 2 * len(large.sites)
    controller = large.sites[0].controller
    assert "addresses, drawn at random" in verdicts[f"seen from {controller}"].reason


def test_site_of_either_figure_and_pe(large: Plan) -> None:
    for site in large.sites[:20]:
        group_of = Population(large)._group_of[site.name]
        assert group_of[0] == ("(a)" if site.redundancy == "networks" else "(b)")
        over_a = large.path(site.name, Network.A).elements
        assert group_of[1] == next(name for name in over_a if name.startswith("a-pe") and "--" not in name)


@pytest.mark.parametrize(("routers_legs", "each"), [(1000, 40), (1638, 40), (1639, 39), (9999, 6)])
def test_echoes_of_a_path_are_as_many_as_can_be_told_apart(
    plan: Plan, fleet_of: Any, routers_legs: int, each: int
) -> None:
    first = next(iter(paths.legs(plan)))
    over = [replace(first, packet=replace(first.packet, ttl=index)) for index in range(routers_legs)]
    asked: dict[str, int] = {}

    def reply(device: str, _probe: str, parameters: dict[str, Any]) -> dict[str, Any]:
        asked[device] = len(parameters["packets"])
        times = {"listening": 1.0, "began": 2.0, "ended": 3.0, "closed": 4.0}
        return {"sent": [], "unsent": {}, "heard": {}, "answers": {}, **times}

    outcomes = paths.measure(fleet_of(reply), over).outcomes
    assert asked[first.packet.out.device] == each * routers_legs
    assert not any(one.unsent for one in outcomes)
