"""R-DELAY/load, live: judged by what came out of a full tunnel, its BFD sessions, and echoes meanwhile."""

import ipaddress
import struct
from dataclasses import replace
from typing import Any

import pytest

from heiiki.plan.model import Network, Plan
from heiiki.plan.sizes import in_esp
from heiiki.requirements import Result, Verdict
from heiiki.verify import load, run
from heiiki.verify.fleet import Answer
from heiiki.verify.isolation.packets import Outcome, ProbeRun, Reply
from heiiki.verify.paths import legs
from heiiki.verify.probes.load import encoded

UP = {"status": "up", "uptime": 100}
MTU = 1298


def looks(kbps: float) -> list[list[float]]:
    """Octets that had come out of a tunnel which carries `kbps`, encrypted, for four of five seconds."""
    a_second = kbps * 1000 / 8 / in_esp(MTU) * MTU
    return [[at / 10, round(a_second * min(max(at / 10 - 0.5, 0.0), 4.0))] for at in range(51)]


def seen(plan: Plan, *, down: float = 7150, up: float = 3580, seconds: float = 0.02) -> load.Seen:
    """Namba's line over B: 7,200 kbit/s are the tunnel's share towards the site, and 3,600 from it."""
    ends = load._ends(plan, plan.site("namba"), Network.B)
    assert ends
    hub, site = ends
    assert (hub.device, hub.rate, site.device, site.rate) == ("hub-ce-b", 7200, "namba-gw", 3600)
    after = {"status": "up", "uptime": 106}
    answers = {
        hub.device: Answer(hub.device, {"received": looks(up), "bfd": [UP, after]}, "", b""),
        site.device: Answer(site.device, {"received": looks(down), "bfd": [UP, after]}, "", b""),
    }
    mine = tuple(leg for leg in legs(plan) if (leg.site, leg.network) == ("namba", "b"))
    echoes = tuple(
        Outcome(
            replace(leg.packet, repeat=one),
            heard={leg.entry[0]: (leg.entry[1],)},
            replies=(Reply("echo", str(leg.packet.destination), seconds),),
        )
        for leg in mine
        for one in range(20)
    )
    return load.Seen(ends, mine, answers, ProbeRun(echoes, {}, {}, {}))


def judged(plan: Plan, found: load.Seen) -> Verdict:
    return load.of_line(plan, Network.B, "namba over B", found, ())


def with_answer(found: load.Seen, device: str, **data: Any) -> load.Seen:
    one = found.answers[device]
    return replace(found, answers={**found.answers, device: replace(one, data={**one.data, **data})})


def test_a_full_line_that_delays_nothing(plan: Plan) -> None:
    one = judged(plan, seen(plan))
    assert (one.result, one.measured, one.bound, one.unit) == (Result.PASS, 0.02, 2.0, "s")
    assert one.reason.startswith("hub-ce-b sent 7,150 of 7,200 kbit/s, namba-gw sent 3,580 of 3,600 kbit/s; ")
    # 7,150 and 3,580 kbit/s for 4 s are 5.4 MB; beyond what the tariff includes 0.09 yen each.
    assert one.reason.endswith("5.4 MB of the line, 0.48 yen beyond what is included")


@pytest.mark.parametrize(
    ("found", "result", "reason"),
    [
        ({"down": 5000}, Result.UNKNOWN, "that is no full line: hub-ce-b sent 5,000 kbit/s of 7,200"),
        ({"up": 0}, Result.UNKNOWN, "that is no full line: namba-gw sent 0 kbit/s of 3,600"),
        ({"up": 3999}, Result.FAIL, "namba-gw is not held back: 3,999 kbit/s, and 3,600 are its share"),
        ({"seconds": 2.1}, Result.FAIL, "hub-ce-b sent 7,150"),
    ],
)
def test_what_speaks_against_it(plan: Plan, found: Any, result: Result, reason: str) -> None:
    one = judged(plan, seen(plan, **found))
    assert one.result is result
    assert one.reason.startswith(reason)


@pytest.mark.parametrize("device", ["hub-ce-b", "namba-gw"])
@pytest.mark.parametrize(
    "after", [{"status": "down"}, {"status": "up", "uptime": 2}, {"status": "missing"}], ids=str
)
def test_a_bfd_session_that_did_not_last(plan: Plan, device: str, after: Any) -> None:
    """One that came back has another age."""
    one = judged(plan, with_answer(seen(plan), device, bfd=[UP, after]))
    assert one.result is Result.FAIL
    assert one.reason.startswith(f"BFD of {device} did not last")


def test_echoes_that_do_not_arrive(plan: Plan) -> None:
    found = seen(plan)
    gone = tuple(
        replace(one, heard={}, replies=())
        if one.packet.out.device == "hub-ce-b" and one.packet.repeat < 3
        else one
        for one in found.probe_run.outcomes
    )
    one = judged(plan, replace(found, probe_run=replace(found.probe_run, outcomes=gone)))
    assert one.result is Result.FAIL
    assert "hub-ce-b to namba-erc 17 of 20" in one.reason


def test_echoes_that_a_device_may_have_missed(plan: Plan) -> None:
    found = seen(plan)
    early = "hub-ce-b stopped listening 1.5 s before the last packet"
    missed = tuple(
        replace(one, heard={}, replies=()) if one.packet.repeat > 12 else one
        for one in found.probe_run.outcomes
    )
    probe_run = replace(found.probe_run, outcomes=missed, failures={"hub-ce-b": early})
    one = judged(plan, replace(found, probe_run=probe_run))
    assert one.result is Result.UNKNOWN
    assert one.reason.startswith(early)


def test_an_end_that_does_not_answer(plan: Plan) -> None:
    found = seen(plan)
    answers = {**found.answers, "namba-gw": Answer("namba-gw", {}, "namba-gw: not reachable", b"")}
    one = judged(plan, replace(found, answers=answers))
    assert (one.result, one.reason) == (Result.UNKNOWN, "namba-gw: not reachable")


def test_every_line_is_filled_in_both_directions_and_gets_a_verdict(
    plan: Plan, fleet_of: Any, kept: Any
) -> None:
    asked: list[tuple[str, dict[str, Any]]] = []

    def reply(device: str, probe: str, parameters: Any) -> Any:
        if probe == "load":
            asked.append((device, parameters))
            return {"received": [], "bfd": [UP, UP]}
        return {"sent": [], "unsent": {}, "listening": 0.0, "closed": 9.0, "dropped": 0}

    found = list(load.verdicts(plan, fleet_of(reply), kept))
    assert [one.subject for one in found] == list(load.subjects(plan))
    assert {one.result for one in found} == {Result.FAIL}  # no echo arrived
    assert len(asked) == 2 * len(found)
    orders = {(device, one["interface"]): one for device, one in asked}
    order = orders["namba-gw", "tun-b"]
    assert (order["source"], order["destination"]) == ("10.128.0.94", "10.128.0.93")
    assert order["peer"] == order["destination"]
    offered = order["octets"] / MTU * in_esp(MTU) * 8 / 1000 / order["seconds"]
    assert offered == pytest.approx(1.5 * 3600, rel=0.01)


def test_a_line_of_unknown_rate_is_not_filled(plan: Plan, fleet_of: Any, kept: Any) -> None:
    devices = tuple(
        replace(one, interfaces=tuple(replace(item, rate=None) for item in one.interfaces))
        for one in plan.devices
    )
    found = list(load.verdicts(replace(plan, devices=devices), fleet_of(lambda *_: {}), kept))
    assert {(one.result, one.reason) for one in found} == {
        (Result.UNKNOWN, "the intent does not say how fast the line is")
    }


def test_of_a_sample_the_slowest_line_of_each_network_is_filled(plan: Plan, fleet_of: Any, kept: Any) -> None:
    asked: set[tuple[str, str]] = set()

    def reply(device: str, probe: str, parameters: Any) -> Any:
        if probe == "load":
            asked.add((device, parameters["interface"]))
            return {"received": [], "bfd": [UP, UP]}
        return {"sent": [], "unsent": {}, "listening": 0.0, "closed": 9.0, "dropped": 0}

    chosen = load.slowest(plan)
    assert [name.rpartition(" over ")[2] for name in chosen] == ["A", "B"]
    found = {one.subject: one for one in load.verdicts(plan, fleet_of(reply), kept, load.Fill.SAMPLE)}
    assert list(found) == list(load.subjects(plan))
    assert len(asked) == 2 * len(chosen)
    left = {one.reason for name, one in found.items() if name not in chosen}
    assert left == {load.NOT_IN_SAMPLE}


def test_a_line_is_filled_only_where_it_is_asked_for(plan: Plan) -> None:
    asked = {
        load.Fill.NONE: (False, ("a-p1/kill",)),
        load.Fill.SAMPLE: (("sample",), ("sample", "a-p1/kill")),
        load.Fill.ALL: (True, (load.NAME,), ("sample", load.NAME)),
    }
    for fill, every in asked.items():
        assert {run._fill(one) for one in every} == {fill}
    assert {one.reason for one in load.not_tried(plan)} == {load.NOT_ASKED}


def test_the_packet_is_as_large_as_the_tunnel_takes_and_not_to_be_fragmented() -> None:
    packet = encoded({"source": "10.128.0.94", "destination": "10.128.0.93", "size": MTU})
    length, _, flags = struct.unpack_from("!HHH", packet, 2)
    assert (len(packet), length, flags) == (MTU, MTU, 0x4000)
    assert ipaddress.IPv4Address(packet[16:20]) == ipaddress.IPv4Address("10.128.0.93")
    total = sum(struct.unpack("!10H", packet[:20]))
    assert (total & 0xFFFF) + (total >> 16) == 0xFFFF
    assert struct.unpack_from("!HHH", packet, 22) == (9, MTU - 20, 0)
