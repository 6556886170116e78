"""What may be on each line, and what is made of what was seen there."""

from dataclasses import replace
from ipaddress import IPv4Address
from typing import Any

import pytest
from probe_times import TIMES

from heiiki.errors import HeiikiError
from heiiki.plan.model import Plan
from heiiki.requirements import Result, Verdict
from heiiki.transport import Completed
from heiiki.verify import paths
from heiiki.verify.fleet import Answer
from heiiki.verify.ipsec import cleartext, wire
from heiiki.verify.ipsec.refusals import trial_associations
from heiiki.verify.isolation.packets import Outcome, ProbePacket, ProbeRun
from heiiki.verify.network import Exit
from heiiki.verify.probes.capture import Rules

ESP = {"esp": {"in": 100, "out": 90}}


def line(plan: Plan, name: str) -> wire.Line:
    return next(one for one in wire.lines(plan) if one.link.name == name)


def classed(one: wire.Line, protocol: str, source: str, destination: str, *ports: int) -> str:
    ends = {"source": int(IPv4Address(source)), "destination": int(IPv4Address(destination))}
    return Rules(list(one.rules)).name({"protocol": protocol, "ports": list(ports), **ends})


def test_every_line_between_gateways_and_hub_is_looked_at(plan: Plan) -> None:
    found = {one.link.name: (one.requirement, [str(end) for end in one.ends]) for one in wire.lines(plan)}
    assert found["a-pe2--umeda-ce-a"] == ("R-SEC-ACCESS", ["a-pe2:ac0017", "umeda-ce-a:access-a"])
    assert found["b-enb--umeda-gw-b"] == ("R-SEC-ACCESS", ["umeda-gw-b:wwan0"])
    assert found["b-edge--hub-ce-b"] == ("R-SEC-ESP", ["b-edge:ac-hub", "hub-ce-b:access-b"])
    assert {"a-p1--a-pe2", "S1-U:b-enb--b-sgw", "SGi:b-pgw--b-edge"} <= set(found)
    assert not any("lan" in name for name in found)


@pytest.mark.parametrize(
    ("name", "packet", "found"),
    [
        ("a-pe2--umeda-ce-a", ("esp", "10.96.0.17", "10.96.3.254"), "esp"),
        ("a-pe2--umeda-ce-a", ("udp", "10.96.3.254", "10.96.0.17", 500, 500), "ike"),
        ("a-pe2--umeda-ce-a", ("tcp", "10.96.0.17", "10.96.3.253", 40000, 8200), "tls"),
        ("a-pe2--umeda-ce-a", ("tcp", "10.96.0.17", "10.15.0.6", 40000, 8200), ""),
        ("a-pe2--umeda-ce-a", ("tcp", "10.96.0.17", "10.96.3.254", 40000, 8280), "crl"),
        ("a-pe2--umeda-ce-a", ("tcp", "10.96.0.23", "10.96.3.254", 40000, 8280), ""),
        ("a-pe2--umeda-ce-a", ("tcp", "10.96.0.17", "10.96.3.254", 40000, 80), ""),
        ("a-pe1--hub-ce-a", ("tcp", "10.80.0.1", "10.80.0.2", 40000, 8280), "crl"),
        ("a-pe2--umeda-ce-a", ("gre", "10.96.0.17", "10.96.3.254"), ""),
        ("a-pe2--umeda-ce-a", ("esp", "10.96.0.23", "10.96.3.254"), ""),
        ("a-pe2--umeda-ce-a", ("icmp", "10.16.1.18", "10.15.0.4"), ""),
        ("a-pe2--umeda-ce-a", ("icmp", "10.144.0.1", "10.96.0.17"), "icmp"),
        ("a-pe2--umeda-ce-a", ("icmp", "10.80.0.69", "10.96.0.17"), "icmp"),
        ("a-pe2--umeda-ce-a", ("icmp", "10.80.0.69", "10.96.3.254"), ""),
        ("a-pe2--umeda-ce-a", ("icmp", "10.80.0.93", "10.96.0.17"), ""),
        ("a-pe1--hub-ce-a", ("esp", "10.80.0.1", "10.80.0.2"), "esp"),
        ("a-pe1--hub-ce-a", ("esp", "10.96.0.17", "10.96.3.254"), ""),
        ("a-pe1--hub-ce-a", ("tcp", "10.80.0.1", "10.80.0.2", 179, 40000), ""),
        ("a-pe1--hub-ce-a", ("udp", "10.80.0.1", "10.80.0.2", 3784, 40000), ""),
        ("a-pe1--hub-ce-a", ("tcp", "10.80.0.1", "10.96.3.253", 40000, 8200), "tls"),
        ("a-pe1--hub-ce-a", ("tcp", "10.80.0.2", "10.96.3.253", 40000, 8200), ""),
        ("a-p1--a-pe2", ("esp", "10.96.0.17", "10.96.3.254"), "esp"),
        ("a-p1--a-pe2", ("gre", "10.96.0.17", "10.96.3.254"), ""),
        ("S1-U:b-enb--b-sgw", ("gre", "10.112.0.17", "10.201.0.1"), ""),
        ("SGi:b-pgw--b-edge", ("esp", "10.112.0.17", "10.201.0.1"), "esp"),
        ("b-enb--umeda-gw-b", ("esp", "10.112.0.17", "10.201.0.1"), "esp"),
        ("b-enb--umeda-gw-b", ("udp", "10.112.0.17", "10.201.0.1", 3784, 3784), ""),
    ],
)
def test_only_what_the_plan_has_there_matches(plan: Plan, name: str, packet: Any, found: str) -> None:
    assert classed(line(plan, name), *packet) == found


def test_a_site_line_may_carry_its_own_session(plan: Plan) -> None:
    (pe, ce) = (
        str(plan.device(end.device).interface(end.interface).addresses[0].ip)
        for end in plan.link("a-pe2--umeda-ce-a").ends
    )
    one = line(plan, "a-pe2--umeda-ce-a")
    assert classed(one, "tcp", ce, pe, 40000, 179) == "bgp"
    assert classed(one, "udp", pe, ce, 49152, 3784) == "bfd"
    assert classed(one, "udp", pe, "10.15.0.4", 49152, 3784) == ""


def view(classes: Any = None, other: int = 0, dropped: int = 0) -> dict[str, Any]:
    samples = [["out gre 10.96.0.17 to 10.96.3.254", other]] if other else []
    return {
        "classes": ESP if classes is None else classes,
        "else": other,
        "samples": samples,
        "dropped": dropped,
    }


def seen(plan: Plan, change: Any = None, *, flowed: int = 40, error: str = "", kept: Any = None) -> Verdict:
    one = line(plan, "a-pe2--umeda-ce-a")
    views = {"a-pe2": {"ac0017": view()}, "umeda-ce-a": {"access-a": change or view()}}
    answers = {name: Answer(name, {"interfaces": found}, "", b"") for name, found in views.items()}
    if error:
        answers["a-pe2"] = Answer("a-pe2", {}, error, b"")
    return wire.of_line(one, answers, flowed, kept)


def test_only_esp_is_a_pass(plan: Plan, kept: Any) -> None:
    verdict = seen(plan, kept=kept)
    assert (verdict.result, verdict.subject) == (Result.PASS, "wire a-pe2--umeda-ce-a")
    assert "umeda-ce-a:access-a: 190 esp" in verdict.reason


def test_one_packet_in_clear_is_a_fail(plan: Plan, kept: Any) -> None:
    verdict = seen(plan, view(other=1), kept=kept)
    assert verdict.result is Result.FAIL
    assert "1 out gre 10.96.0.17 to 10.96.3.254" in verdict.reason


@pytest.mark.parametrize(
    ("change", "flowed", "error", "said"),
    [
        (view({}), 40, "", "no ESP was seen going in"),
        (view({"esp": {"in": 3, "out": 0}}), 40, "", "no ESP was seen going out"),
        (view(dropped=3), 40, "", "3 packets went by unseen"),
        (None, 0, "", "no packet of the LANs"),
        (None, 40, "a-pe2: not reachable", "not reachable"),
    ],
)
def test_nothing_wrong_proves_nothing_without_its_positive(
    plan: Plan, kept: Any, change: Any, flowed: int, error: str, said: str
) -> None:
    verdict = seen(plan, change, flowed=flowed, error=error, kept=kept)
    assert verdict.result is Result.UNKNOWN
    assert said in verdict.reason


def test_esp_inside_gtp_counts(plan: Plan, kept: Any) -> None:
    assert seen(plan, view({"gtp/esp": {"in": 3, "out": 2}}), kept=kept).result is Result.PASS


def test_the_lines_are_looked_at_while_traffic_flows(
    plan: Plan, fleet_of: Any, kept: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paths, "COUNT", 2)
    asked = []

    def reply(device: str, probe: str, parameters: dict[str, Any]) -> dict[str, Any]:
        asked.append(probe)
        if probe == "capture":
            return {"interfaces": {name: view() for name in parameters["interfaces"]}}
        heard = {str(number): ["tun-a"] for number in range((1 << 16) + 1, (1 << 16) + 60)}
        return {"sent": [1], "unsent": {}, "heard": heard, "answers": {}, **TIMES}

    found = list(wire.verdicts(plan, wire.look(plan, fleet_of(reply)), kept))
    assert {"capture", "packets"} == set(asked)
    assert len(found) == len(list(wire.lines(plan)))


# --- a tunnel taken away


def trial_association(plan: Plan) -> Any:
    return cleartext.trial_association(plan)


def test_a_standby_gateway_loses_its_tunnel(plan: Plan) -> None:
    one = trial_association(plan)
    site = next(site for site in plan.sites if one.initiator.device in site.gateways)
    assert one.network != site.primary
    assert len(site.gateways) == 2
    assert [other.protects for other in trial_associations(plan)] == ["R-SEC-ACCESS", "R-SEC-ESP"]


def counters(count: int) -> Answer:
    out = f'[{{"stats64": {{"tx": {{"packets": {count}, "errors": 1, "dropped": 2}}}}}}]'
    return Answer("x", {"commands": {"tunnel": {"rc": 0, "out": out, "err": ""}}}, "", b"")


def gone(
    plan: Plan, *, other: int = 0, heard: bool = False, left: Any = (), tried: int = 40, dropped: int = 0
) -> cleartext.Observed:
    one = trial_association(plan)
    names = [side.device for side in one.sides]
    packet = ProbePacket(
        "path",
        Exit(names[0], "b", "tun-b", None),
        IPv4Address("10.16.1.17"),
        IPv4Address("10.15.0.4"),
        "dras",
    )
    outcome = Outcome(packet, "", {"dras": ("lan0",)} if heard else {}, ())
    wire = {name: {"interfaces": {"wwan0": view({}, other, dropped)}} for name in names}
    return cleartext.Observed(
        Answer(names[0], {"left": list(left), "at": 1.0}, "", b""),
        {name: Answer(name, found, "", b"") for name, found in wire.items()},
        ProbeRun((outcome,), {}, {}, {}),
        {name: counters(10) for name in names},
        {name: counters(10 + tried) for name in names},
    )


def judged(plan: Plan, kept: Any, **change: Any) -> Verdict:
    return cleartext.judged(plan, trial_association(plan), gone(plan, **change), 1.5, kept)


def test_nothing_seen_though_both_tried_is_a_pass(plan: Plan, kept: Any) -> None:
    verdict = judged(plan, kept)
    assert (verdict.result, verdict.measured) == (Result.PASS, 1.5)
    assert "40 at" in verdict.reason


@pytest.mark.parametrize(
    ("change", "result", "said"),
    [
        ({"other": 2}, Result.FAIL, "packets in clear: 2 out gre"),
        ({"heard": True}, Result.FAIL, "arrived without an ESP SA"),
        ({"left": ["7"]}, Result.UNKNOWN, "did not go away"),
        ({"tried": 0}, Result.UNKNOWN, "nothing went into the tunnel"),
        ({"dropped": 1}, Result.UNKNOWN, "went by unseen"),
    ],
)
def test_a_tunnel_down_is_judged_by_what_left(
    plan: Plan, kept: Any, change: dict[str, Any], result: Result, said: str
) -> None:
    verdict = judged(plan, kept, **change)
    assert verdict.result is result
    assert said in verdict.reason


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_counter_that_cannot_be_read_shows_no_packet(plan: Plan, kept: Any, when: str) -> None:
    seen = gone(plan)
    silent = {name: Answer(name, {}, f"{name}: not reachable", b"") for name in seen.before}
    unread = replace(seen, **{when: silent})
    verdict = cleartext.judged(plan, trial_association(plan), unread, 1.5, kept)
    assert verdict.result is Result.UNKNOWN
    assert "not reachable" in verdict.reason


def test_a_tunnel_that_is_not_taken_away_is_unknown(plan: Plan) -> None:
    (verdict,) = cleartext.not_tried(plan, "because")
    assert (verdict.result, verdict.reason) == (Result.UNKNOWN, "because")


class Reloading:
    """A transport that notes what it is asked to run."""

    def __init__(self) -> None:
        self.ran: list[tuple[str, tuple[str, ...]]] = []

    def run(self, device: str, argv: Any, **_: Any) -> Completed:
        self.ran.append((device, tuple(argv)))
        return Completed(0, b"", b"")


def taken_away(plan: Plan, fleet_of: Any, kept: Any, monkeypatch: pytest.MonkeyPatch, reply: Any) -> Any:
    monkeypatch.setattr(paths, "COUNT", 1)
    monkeypatch.setattr(cleartext.Health, "wait", lambda _self, _limit: 2.5)
    transport = Reloading()
    (verdict,) = cleartext.verdicts(plan, transport, fleet_of(reply), kept)  # type: ignore[arg-type]
    return verdict, transport.ran


def test_a_tunnel_is_taken_away_looked_at_and_put_back(
    plan: Plan, fleet_of: Any, kept: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, Any]] = []
    sent = iter(range(0, 1000, 10))

    def reply(device: str, probe: str, parameters: dict[str, Any]) -> dict[str, Any]:
        asked.append((device, probe))
        if probe == "vici":
            return {"left": [], "at": 1.0}
        if probe == "read":
            return dict(counters(next(sent)).data)
        if probe == "capture":
            return {"interfaces": {name: view({}) for name in parameters["interfaces"]}}
        return {"sent": [1], "unsent": {}, "heard": {}, "answers": {}, **TIMES}

    verdict, ran = taken_away(plan, fleet_of, kept, monkeypatch, reply)
    assert (verdict.result, verdict.measured) == (Result.PASS, 2.5)
    assert ran == [("umeda-gw-b", ("swanctl", "--load-conns"))]
    assert {device for device, probe in asked if probe == "capture"} == {"umeda-gw-b", "hub-ce-b"}


def test_a_tunnel_is_put_back_when_looking_fails(
    plan: Plan, fleet_of: Any, kept: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> Any:
        raise HeiikiError("the probe run failed")

    monkeypatch.setattr(cleartext, "_traffic", broken)
    reply = {"left": [], "at": 1.0, "interfaces": {}, "commands": {}}
    verdict, ran = taken_away(plan, fleet_of, kept, monkeypatch, lambda *_: reply)
    assert (verdict.result, verdict.reason) == (Result.UNKNOWN, "the probe run failed")
    assert ran == [("umeda-gw-b", ("swanctl", "--load-conns"))]


def test_where_clear_packets_could_leave_is_looked_at(plan: Plan) -> None:
    watched = cleartext._line(plan, trial_association(plan))
    assert [str(end) for end in watched.ends] == ["umeda-gw-b:wwan0", "hub-ce-b:access-b", "hub-ce-b:esp-b"]
    assert classed(watched, "gre", "10.201.0.1", "10.112.0.17") == ""
    assert classed(watched, "esp", "10.201.0.1", "10.112.0.23") == "esp"
