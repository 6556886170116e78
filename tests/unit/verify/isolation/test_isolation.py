"""Verdicts of a probe run: what arrived, what did not, and what cannot be told."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from ipaddress import IPv4Address
from random import Random
from typing import Any

from heiiki.plan.model import Plan
from heiiki.requirements import Result, Verdict
from heiiki.verify.fleet import Answer
from heiiki.verify.isolation import carrier, group, sites, spoofing
from heiiki.verify.isolation.packets import Outcome, ProbePacket, ProbeRun, Reply, collect, number
from heiiki.verify.isolation.sample import Population


def seeded(seed: int) -> Random:
    return Random(seed)  # noqa: S311 - a draw that a test can repeat


def probe_run(outcomes: Iterable[Outcome], failures: Mapping[str, str] | None = None) -> ProbeRun:
    return ProbeRun(tuple(outcomes), failures or {}, {}, {})


def healthy(plan: Plan) -> list[Outcome]:
    """What a network that separates lets through: the positives, and what the plan opens to its own."""
    outcomes = []
    packets = (
        *sites.packets(plan, Population(plan).draw(seeded(1))),
        *group.packets(plan, seeded(1)),
        *carrier.packets(plan, seeded(1)),
        *spoofing.packets(plan),
    )
    for packet in packets:
        firewall = plan.device(packet.target).firewall
        good = packet.topic.endswith("+")
        answers = (
            packet.topic == group.TOPIC and firewall is not None and group.opened(firewall.services, packet)
        )
        heard = {packet.target: ("x",)} if good or packet.topic == group.TOPIC else {}
        replies = (Reply("echo", str(packet.destination), 0.01),) if answers else ()
        outcomes.append(Outcome(packet, "", heard, replies))
    return outcomes


def results(verdicts: Iterable[Verdict]) -> dict[str, Result]:
    return {verdict.subject: verdict.result for verdict in verdicts}


def tracing(fleet_of: Any) -> Any:
    def reply(device: str, probe: str, parameters: dict[str, Any]) -> dict[str, Any]:
        answers = {str(one[0]): [["expired", f"10.9.9.{one[7]}", 0.01]] for one in parameters["packets"]}
        sent = [one[0] for one in parameters["packets"]]
        return {
            "sent": sent,
            "unsent": {},
            "heard": {},
            "answers": answers,
            "listening": 1.0,
            "began": 2.0,
            "ended": 3.0,
            "closed": 4.0,
        }

    return fleet_of(reply)


def readings(plan: Plan, outcomes: Iterable[Outcome], *, short: int = 0) -> spoofing.Readings:
    after: dict[str, dict[str, int]] = {}
    for outcome in outcomes:
        if outcome.packet.topic == spoofing.TOPIC:
            one = spoofing.guard(plan, outcome.packet)
            counters = after.setdefault(one.device, {})
            name = one.counter.replace("*", f"_by_{outcome.packet.out.device}")
            counters[name] = counters.get(name, 0) + 1
    after = {
        device: {name: count - short for name, count in found.items()} for device, found in after.items()
    }
    return spoofing.Readings({}, after, {})


def test_every_ordered_pair_of_sites_has_its_verdict(plan: Plan, kept: Any, fleet_of: Any) -> None:
    found = results(sites.verdicts(plan, probe_run(healthy(plan)), kept, tracing(fleet_of)))
    assert found == {
        f"{one.name} to {other.name}": Result.PASS
        for one in plan.sites
        for other in plan.sites
        if one.name != other.name
    }


def test_every_foreign_address_is_tried_by_every_way_out(plan: Plan) -> None:
    drawn = sites.packets(plan, Population(plan).draw(seeded(1)))
    packets = [packet for packet in drawn if packet.topic == sites.TOPIC]
    umeda = [packet for packet in packets if packet.out.device == "umeda-gw-b"]
    assert {packet.out.interface for packet in umeda} == {"tun-b", "wwan0"}
    for name in ("namba-gw", "namba-erc", "sakai-ce-a", "sakai-gw-b", "sakai-bems"):
        tried = {packet.destination for packet in umeda if packet.target == name}
        assert set(plan.device(name).addresses) <= tried
    assert IPv4Address("10.16.2.161") in {packet.destination for packet in umeda}
    assert {(packet.protocol, packet.port) for packet in umeda} == {
        ("icmp", 0),
        ("udp", 862),
        ("tcp", 179),
        ("tcp", 22),
    }


def test_one_packet_heard_elsewhere_fails_its_pair_only_and_shows_its_way(
    plan: Plan, kept: Any, fleet_of: Any
) -> None:
    outcomes = healthy(plan)
    at = next(
        index
        for index, one in enumerate(outcomes)
        if one.packet.topic == sites.TOPIC
        and one.packet.out.device == "umeda-ce-a"
        and one.packet.target == "namba-erc"
    )
    outcomes[at] = replace(outcomes[at], heard={"namba-erc": ("lan0",)})
    verdicts = list(sites.verdicts(plan, probe_run(outcomes), kept, tracing(fleet_of)))
    failed = [verdict for verdict in verdicts if verdict.result is Result.FAIL]
    assert [verdict.subject for verdict in failed] == ["umeda to namba"]
    assert "umeda-ce-a out of tun-a: 10.16.1.18 to 10.16.1.116 (namba-erc) icmp" in failed[0].reason
    assert "heard by namba-erc on lan0" in failed[0].reason
    assert "hop by hop: umeda-ce-a 10.9.9.1 10.9.9.2" in failed[0].reason


def test_without_its_positive_a_negative_is_unknown(plan: Plan, kept: Any, fleet_of: Any) -> None:
    outcomes = [
        replace(one, heard={})
        if one.packet.topic == sites.POSITIVE and one.packet.out.device == "namba-erc"
        else one
        for one in healthy(plan)
    ]
    found = results(sites.verdicts(plan, probe_run(outcomes), kept, tracing(fleet_of)))
    assert found["namba to umeda"] is found["namba to sakai"] is Result.UNKNOWN
    assert found["umeda to namba"] is Result.PASS


def test_a_target_that_did_not_listen_has_not_heard_nothing(plan: Plan, kept: Any, fleet_of: Any) -> None:
    seen = probe_run(healthy(plan), {"sakai-bems": "sakai-bems: not reachable"})
    found = results(sites.verdicts(plan, seen, kept, tracing(fleet_of)))
    assert found["umeda to sakai"] is Result.UNKNOWN
    assert found["umeda to namba"] is Result.PASS


def test_an_empty_probe_run_passes_nothing(plan: Plan, kept: Any, fleet_of: Any) -> None:
    nothing = probe_run(())
    found = [
        *sites.verdicts(plan, nothing, kept, tracing(fleet_of)),
        *group.verdicts(plan, nothing, kept),
        *carrier.verdicts(plan, nothing, kept),
    ]
    assert {verdict.result for verdict in found} == {Result.UNKNOWN}


def test_only_what_the_plan_opens_may_answer(plan: Plan, kept: Any) -> None:
    outcomes = healthy(plan)
    assert set(results(group.verdicts(plan, probe_run(outcomes), kept)).values()) == {Result.PASS}
    at = next(
        index
        for index, one in enumerate(outcomes)
        if one.packet.topic == group.TOPIC
        and (one.packet.target, one.packet.protocol, one.packet.port) == ("dras", "tcp", 22)
        and one.packet.out.device == "umeda-bems"
    )
    outcomes[at] = replace(
        outcomes[at], replies=(Reply("reset", str(outcomes[at].packet.destination), 0.01),)
    )
    found = {verdict.subject: verdict for verdict in group.verdicts(plan, probe_run(outcomes), kept)}
    assert found["seen from umeda-bems"].result is Result.FAIL
    assert "tcp/22 (reset)" in found["seen from umeda-bems"].reason
    assert found["seen from namba-erc"].result is Result.PASS


def test_an_answer_of_another_host_is_not_the_destinations(plan: Plan) -> None:
    packet = next(packet for packet in group.packets(plan, seeded(1)) if packet.target == "dras")
    assert not Outcome(packet, replies=(Reply("unreachable/13", "10.0.0.9", 0.1),)).answered
    assert not Outcome(packet, replies=(Reply("unreachable/13", str(packet.destination), 0.1),)).answered
    assert Outcome(packet, replies=(Reply("unreachable/3", str(packet.destination), 0.1),)).answered
    assert not Outcome(packet, replies=(Reply("expired", str(packet.destination), 0.1),)).answered


def test_a_second_customer_that_enters_fails(plan: Plan, kept: Any) -> None:
    outcomes = healthy(plan)
    assert set(results(carrier.verdicts(plan, probe_run(outcomes), kept)).values()) == {Result.PASS}
    entered = [
        replace(one, heard={"dras": ("lan0",)})
        if one.packet.topic == carrier.CUSTOMER
        and one.packet.target == "dras"
        and one.packet.out.device == "second-branch"
        else one
        for one in outcomes
    ]
    found = results(carrier.verdicts(plan, probe_run(entered), kept))
    assert {subject for subject, result in found.items() if result is Result.FAIL} == {
        "second customer at second-branch"
    }


def test_carrier_routers_with_our_customers_are_tried(plan: Plan) -> None:
    assert {out.device for out, _, _, _ in carrier.attachments(plan)} == {"a-pe1", "a-pe2", "b-edge"}


def test_false_sources_are_dropped_where_they_must_be(plan: Plan) -> None:
    guards = {
        (packet.out.device, packet.out.interface, str(spoofing.guard(plan, packet)))
        for packet in spoofing.packets(plan)
    }
    names = {
        (device, interface, text.split("'")[1], text.split("'")[3]) for device, interface, text in guards
    }
    assert ("umeda-ce-a", "access-a", "a-pe2", "spoofed_ac0017") in names
    assert ("umeda-ce-a", "tun-a", "hub-ce-a", "spoofed_gre_a0017") in names
    assert ("umeda-gw-b", "tun-b", "hub-ce-b", "spoofed_gre_b0017") in names
    assert ("umeda-gw-b", "wwan0", "b-pgw", "spoofed*") in names
    assert ("umeda-bems", "lan0", "umeda-ce-a", "spoofed_lan0") in names
    assert ("umeda-bems", "lan0", "umeda-gw-b", "refused_forward") in names, "the hub's own address on a LAN"


def test_each_counter_is_the_guards_own() -> None:
    assert spoofing.Guard("x", "spoofed_lan0").counts("spoofed_lan0")
    assert not spoofing.Guard("x", "spoofed_lan0").counts("spoofed_lan0_v")
    assert spoofing.Guard("x", "spoofed*").counts("spoofed_sgi")


def test_a_spoofed_packet_must_show_in_a_counter(plan: Plan, kept: Any) -> None:
    outcomes = healthy(plan)
    good = results(spoofing.verdicts(plan, probe_run(outcomes), kept, readings(plan, outcomes)))
    assert set(good.values()) == {Result.PASS}
    short = results(spoofing.verdicts(plan, probe_run(outcomes), kept, readings(plan, outcomes, short=9)))
    assert set(short.values()) == {Result.UNKNOWN}
    unread = spoofing.Readings({}, {}, dict.fromkeys(spoofing.guards(plan), "not reachable"))
    assert set(results(spoofing.verdicts(plan, probe_run(outcomes), kept, unread)).values()) == {
        Result.UNKNOWN
    }


def test_a_spoofed_packet_that_arrives_fails(plan: Plan, kept: Any) -> None:
    outcomes = [
        replace(one, heard={"dras": ("lan0",)})
        if one.packet.topic == spoofing.TOPIC
        and one.packet.out.interface == "tun-b"
        and one.packet.source == spoofing.UNASSIGNED
        else one
        for one in healthy(plan)
    ]
    found = results(spoofing.verdicts(plan, probe_run(outcomes), kept, readings(plan, outcomes)))
    assert {subject for subject, result in found.items() if result is Result.FAIL} == {
        "umeda-gw-b by tun-b",
        "namba-gw by tun-b",
        "sakai-gw-b by tun-b",
    }


def test_counters_are_summed_by_name() -> None:
    text = """{"nftables": [{"metainfo": {"version": "1.1.3"}},
      {"counter": {"family": "inet", "name": "spoofed_lan0", "table": "heiiki", "packets": 3, "bytes": 84}},
      {"counter": {"family": "ip", "name": "spoofed_lan0", "table": "other", "packets": 2, "bytes": 56}}]}"""
    assert spoofing.parse_counters(text) == {"spoofed_lan0": 5}


def times(listening: float, closed: float) -> dict[str, Any]:
    return {"listening": listening, "began": 2.0, "ended": 3.0, "closed": closed, "answers": {}}


def test_outcomes_are_joined_from_what_all_devices_heard(plan: Plan) -> None:
    packets: list[ProbePacket] = list(sites.packets(plan, [("umeda", "namba")]))[:2]
    numbered, left = number(packets)
    assert left == []
    first, second = numbered
    sender = packets[0].out.device
    answers = {
        sender: Answer(
            sender,
            {
                "sent": [first],
                "unsent": {str(second): "no neighbour"},
                **times(1.0, 5.0),
            },
            "",
            b"",
        ),
        "dras": Answer("dras", {"sent": [], "heard": {str(first): ["lan0"]}, **times(2.5, 5.0)}, "", b""),
        "xmpp": Answer("xmpp", {}, "xmpp: not reachable", b""),
        "hub-ce-a": Answer("hub-ce-a", {"sent": [], "heard": {}, **times(1.0, 2.5)}, "", b""),
    }
    seen = collect(numbered, answers)
    assert seen.outcomes[0].heard == {"dras": ("lan0",)}
    assert seen.outcomes[1].unsent == "no neighbour"
    assert seen.failures["xmpp"] == "xmpp: not reachable"
    assert seen.failures["hub-ce-a"] == "hub-ce-a stopped listening 0.5 s before the last packet"
    assert seen.failures["dras"] == "dras began to listen 0.5 s after the first packet"
