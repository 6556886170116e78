"""The campaign, on devices that answer as told and with a clock that does not wait."""

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

import pytest

from heiiki.design.texts import read
from heiiki.errors import HeiikiError
from heiiki.plan.model import Fault, Plan
from heiiki.render import compile_plan
from heiiki.report.faults import FaultRow, Origin
from heiiki.requirements import Result
from heiiki.requirements.verdict import Evidence
from heiiki.verify import run as verification
from heiiki.verify.faults import campaign, trials
from heiiki.verify.faults.campaign import Campaign, selected, streams
from heiiki.verify.faults.injector import Injection
from heiiki.verify.faults.sample import sample
from heiiki.verify.routing import health
from heiiki.verify.routing.expected import Expected, expectations

Keep = Callable[[str, bytes], Evidence]

ORIGIN = Origin("2026-11-01T00:00:00+00:00", "2026-12-01T00:00:00+00:00", "ab" * 32)


class Clock:
    """Sleeping moves it on; nothing waits."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        self.now += 0.001
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class FakeInjector:
    """Keeps what is failed; may stall now and then."""

    def __init__(self, clock: Clock, stalls: Sequence[float] = ()) -> None:
        self._clock = clock
        self._stalls = list(stalls)
        self.failed: set[str] = set()
        self.log: list[str] = []

    def fail_links(self, links: Sequence[str]) -> Injection:
        self.log.append(f"fail {len(links)} links")
        self.failed.update(links)
        return Injection(self._clock.now, self._clock.now)

    def fail(self, fault: Fault) -> Injection:
        program = (fault.program,) if fault.program else ()
        self.log.append(" ".join(("fail", fault.target, *program, fault.mode)))
        self.failed.add(fault.target)
        before = self._clock.now
        self._clock.sleep(0.1)
        return Injection(before, self._clock.now)

    def heal(self, target: str) -> None:
        self.log.append(f"heal {target}")
        self.failed.discard(target)

    def heal_all(self) -> None:
        self.failed.clear()

    def now(self) -> float:
        return self._clock.now

    def stalls(self, since: float) -> Sequence[tuple[float, float]]:
        return ((since + 1.5, self._stalls.pop(0)),) if self._stalls else ()


def healthy(one: Expected) -> dict[str, Any]:
    """What probe ``read`` finds on a device that is as planned."""
    peers: dict[str, Any] = {}
    for session in one.sessions:
        family = peers.setdefault(session.vrf, {"ipv4Unicast": {"peers": {}}})
        family["ipv4Unicast"]["peers"][session.address] = {"state": "Established"}
    bfd = [{"peer": session.address, "vrf": session.vrf, "status": "up"} for session in one.sessions]
    addresses = [{"addr_info": [{"local": str(one.virtual[0])}]}] if one.virtual and one.virtual[1] else []
    routes = [{"dst": str(address), "dev": interface} for address, interface in one.exits]
    said = {"vtysh": json.dumps(peers) + "\n" + json.dumps(bfd)}
    said |= {"routes": json.dumps(routes)}
    addresses += [{"addr_info": [{"local": str(one.sim)}]}] if one.sim else []
    said |= {
        "addresses": json.dumps(addresses),
        "modem": json.dumps({"modem": {"generic": {"state": "connected"}}}),
    }
    commands = {name: {"rc": 0, "out": out, "err": ""} for name, out in said.items()}
    return {"commands": commands}


class Network:
    """Every device of the plan: healthy while nothing is failed; `gap` seconds of silence at a failure."""

    def __init__(self, plan: Plan, injector: FakeInjector, gap: float = 1.1, traffic: int = 5) -> None:
        self._expected = expectations(plan)
        self._injector = injector
        self.gap = gap
        self.traffic = traffic
        self.asked: list[str] = []

    def __call__(self, device: str, probe: str, parameters: dict[str, Any]) -> dict[str, Any]:
        if probe == "traffic":
            counts = dict.fromkeys(parameters["elements"], 10)
            return {"before": counts, "after": dict.fromkeys(counts, 10 + self.traffic), "seconds": 0.25}
        if probe == "stamp_client":
            self.asked += [name for name in ("start", "end") if name in parameters]
            questions = parameters.get("questions", ())
            self.asked += [question["do"] for question in questions]
            return {"answers": [self._stamp(device, question) for question in questions]}
        if device == "b-enb":
            radios = {f"ue{number}": {"attached": not self._injector.failed} for number in range(3)}
            state = {"s1": True, "s1_u_echo": True, "radios": radios}
            return {"commands": {}, "files": {"/run/heiiki/enb.json": json.dumps(state)}}
        found = healthy(self._expected[device])
        if self._injector.failed:
            found["commands"]["vtysh"]["out"] = "bgpd is not running"
        return found

    def _stamp(self, device: str, question: dict[str, Any]) -> dict[str, Any]:
        if question["do"] != "gaps":
            return {"now": 0.0}
        quiet = self.gap if question["until"] - question["since"] >= trials.HOLD_S else 0.04
        peers = ("10.15.0.4", "10.16.1.20", "10.16.1.116", "10.16.2.164")
        gaps = {peer: {"gap": quiet, "start": question["since"] + 0.5, "truncated": False} for peer in peers}
        return {
            "peers": gaps | {"10.15.0.5": {"gap": 0.03, "start": question["since"], "truncated": False}},
            "stalls": [],
        } | (
            {"peers": {"10.15.0.4": {"gap": 0.03, "start": question["since"], "truncated": False}}}
            if device == "xmpp"
            else {}
        )


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    made = Clock()
    monkeypatch.setattr(campaign, "time", made)
    monkeypatch.setattr(trials, "time", made)
    monkeypatch.setattr(health, "time", made)
    return made  # type: ignore[return-value]


def run(
    plan: Plan,
    network: Network,
    injector: FakeInjector,
    fleet_of: Any,
    kept: Keep,
    faults: Sequence[Fault],
    *,
    restarted: list[str] | None = None,
    lines: list[str] | None = None,
) -> tuple[FaultRow, ...]:
    restart = (restarted if restarted is not None else []).append
    report = (lines if lines is not None else []).append
    sent = read(plan, compile_plan(plan))
    record = campaign.recorder(kept, lambda: ORIGIN)
    equipment = trials.Equipment(plan, fleet_of(network), injector, restart)
    return Campaign(equipment, sent, record, report).run(faults)


def test_a_row_is_gated_failed_held_healed_restarted_and_measured(
    plan: Plan, clock: Clock, fleet_of: Any, kept: Keep
) -> None:
    injector, restarted, lines = FakeInjector(clock), [], []  # type: ignore[var-annotated]
    network = Network(plan, injector)
    faults = selected(plan, ("a-p1/kill", "a-pe1--a-p1/silent"))
    rows = run(plan, network, injector, fleet_of, kept, faults, restarted=restarted, lines=lines)
    assert [row.name for row in rows] == ["a-p1/kill", "a-pe1--a-p1/silent"]
    assert {row.result for row in rows} == {Result.PASS}
    assert {row.longest for row in rows} == {1.1}
    assert len(rows[0].gaps) == 2 * 2 * len(plan.sites)
    assert [row.origin for row in rows] == [ORIGIN, ORIGIN]
    assert [row.evidence[0].file for row in rows] == [
        "evidence/faults/a-p1-kill.json",
        "evidence/faults/a-pe1--a-p1-silent.json",
    ]
    assert injector.log == ["fail a-p1 kill", "heal a-p1", "fail a-pe1--a-p1 silent", "heal a-pe1--a-p1"]
    assert restarted == ["a-p1"]
    assert lines[0].startswith("[1/2] a-p1/kill: 1.10 s down at umeda on failure: ok (")
    assert network.asked[0] == "start"
    assert network.asked.count("end") == len({stream.listener for stream in streams(plan)})
    assert network.asked[-1] == "end"


def test_a_program_is_failed_and_nothing_is_restarted_for_it(
    plan: Plan, clock: Clock, fleet_of: Any, kept: Keep
) -> None:
    injector, restarted = FakeInjector(clock), []  # type: ignore[var-annotated]
    faults = selected(plan, ("hub-ce-a/bgpd-hung",))
    network = Network(plan, injector, gap=0.0)
    rows = run(plan, network, injector, fleet_of, kept, faults, restarted=restarted)
    assert injector.log == ["fail hub-ce-a bgpd hung", "heal hub-ce-a"]
    assert restarted == []
    # The kernel forwards on: a pass needs no interruption.
    assert [(row.name, row.kind, row.result) for row in rows] == [
        ("hub-ce-a/bgpd-hung", "program", Result.PASS)
    ]
    assert rows[0].evidence[0].file == "evidence/faults/hub-ce-a-bgpd-hung.json"


def test_one_direction_is_felt_where_it_was_lost_and_not_in_the_other(
    plan: Plan, clock: Clock, fleet_of: Any, kept: Keep
) -> None:
    injector = FakeInjector(clock)
    faults = selected(plan, ("a-p1--a-pe2/silent-b",))
    (found,) = run(plan, Network(plan, injector, gap=0.25), injector, fleet_of, kept, faults)
    assert found.result is Result.UNKNOWN
    assert found.reason.startswith("not felt: 0.25 s up at umeda on failure")


def test_a_failure_is_held_longer_than_what_notices_it(plan: Plan) -> None:
    by_name = {fault.name: fault for fault in plan.faults}
    ike = plan.timers.ike.give_up_s + plan.timers.active.detection_ms / 1000
    assert trials.hold_s(plan, by_name["hub-ce-a/charon-hung"]) > ike
    assert trials.hold_s(plan, by_name["a-p1--a-pe2/lossy"]) == trials.LOSSY_HOLD_S
    assert trials.hold_s(plan, by_name["hub-ce-a/bgpd-hung"]) == trials.HOLD_S


def test_a_server_that_carries_no_packet_is_failed_without_traffic_on_it(
    plan: Plan, clock: Clock, fleet_of: Any, kept: Keep
) -> None:
    injector = FakeInjector(clock)
    network = Network(plan, injector, gap=0.0, traffic=0)
    faults = selected(plan, ("b-hss/kill", "vault/poweroff"))
    rows = run(plan, network, injector, fleet_of, kept, faults)
    assert [row.result for row in rows] == [Result.PASS, Result.PASS]


def test_an_interruption_above_the_bound_fails(plan: Plan, clock: Clock, fleet_of: Any, kept: Keep) -> None:
    injector = FakeInjector(clock)
    rows = run(
        plan, Network(plan, injector, gap=2.4), injector, fleet_of, kept, selected(plan, ("a-p1/kill",))
    )
    assert (rows[0].verdict().result, rows[0].verdict().measured, rows[0].verdict().bound) == (
        Result.FAIL,
        2.4,
        2.0,
    )


def test_a_failure_that_the_traffic_on_the_element_did_not_feel_is_unknown(
    plan: Plan, clock: Clock, fleet_of: Any, kept: Keep
) -> None:
    injector = FakeInjector(clock)
    faults = selected(plan, ("umeda-ce-a/poweroff", "a-pe2/poweroff", "a-pe2/kill"))
    rows = run(plan, Network(plan, injector, gap=0.25), injector, fleet_of, kept, faults)
    assert {row.name: row.result for row in rows} == {
        "umeda-ce-a/poweroff": Result.UNKNOWN,
        "a-pe2/poweroff": Result.UNKNOWN,
        "a-pe2/kill": Result.PASS,
    }
    unknown = [row.reason for row in rows if row.result is Result.UNKNOWN]
    assert [reason.startswith("not felt: 0.25 s down at umeda on failure") for reason in unknown] == [
        True
    ] * 2


def test_a_stall_repeats_and_the_voided_value_is_kept(
    plan: Plan, clock: Clock, fleet_of: Any, kept: Keep
) -> None:
    injector, lines = FakeInjector(clock, [0.5]), []  # type: ignore[var-annotated]
    network = Network(plan, injector)
    rows = run(plan, network, injector, fleet_of, kept, selected(plan, ("a-p1/kill",)), lines=lines)
    assert (rows[0].result, rows[0].voided) == (Result.PASS, (1.1,))
    assert "void (guest stood still for 0.500 s)" in lines[0]


def test_stalls_without_end_are_unknown_after_three_repeats(
    plan: Plan, clock: Clock, fleet_of: Any, kept: Keep
) -> None:
    injector = FakeInjector(clock, [0.5] * 9)
    rows = run(plan, Network(plan, injector), injector, fleet_of, kept, selected(plan, ("a-p1/kill",)))
    assert (rows[0].result, rows[0].voided) == (Result.UNKNOWN, (1.1, 1.1, 1.1, 1.1))
    assert injector.log.count("fail a-p1 kill") == 4


def test_without_traffic_on_the_element_nothing_is_failed(
    plan: Plan, clock: Clock, fleet_of: Any, kept: Keep
) -> None:
    injector = FakeInjector(clock)
    network = Network(plan, injector, traffic=0)
    rows = run(plan, network, injector, fleet_of, kept, selected(plan, ("a-p1/kill",)))
    assert rows[0].result is Result.UNKNOWN
    assert "no traffic on a-p1" in rows[0].reason
    assert injector.log == []


def test_a_gate_that_stays_shut_ends_the_run_with_unknown_rows(
    plan: Plan, clock: Clock, fleet_of: Any, kept: Keep
) -> None:
    injector = FakeInjector(clock)
    injector.failed.add("something else")
    injector.heal_all = lambda: None  # type: ignore[method-assign]
    faults = plan.faults[:5]
    rows = run(plan, Network(plan, injector), injector, fleet_of, kept, faults)
    assert [row.name for row in rows] == [fault.name for fault in faults]
    assert {row.result for row in rows} == {Result.UNKNOWN}
    assert "paths unhealthy for 60 s" in rows[0].reason
    assert rows[4].reason.startswith("not tried")
    assert injector.log == []


def test_whatever_ends_the_run_everything_is_healed_and_started_again(
    plan: Plan, clock: Clock, fleet_of: Any, kept: Keep, monkeypatch: pytest.MonkeyPatch
) -> None:
    injector, restarted = FakeInjector(clock), []  # type: ignore[var-annotated]
    network = Network(plan, injector)

    def interrupted(seconds: float) -> None:
        if seconds == trials.HOLD_S:
            raise KeyboardInterrupt

    monkeypatch.setattr(clock, "sleep", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(plan, network, injector, fleet_of, kept, selected(plan, ("a-p1/poweroff",)), restarted=restarted)
    assert injector.failed == set()
    assert restarted == ["a-p1"]
    assert network.asked[-1] == "end"


def test_faults_are_chosen_by_name_or_target_and_typing_errors_are_told(plan: Plan) -> None:
    assert selected(plan, faults=True) == plan.faults
    assert [fault.name for fault in selected(plan, ("a-p1", "b-mme/kill"))] == [
        "a-p1/kill",
        "a-p1/poweroff",
        "a-p1/bfdd-hung",
        "a-p1/bfdd-dead",
        "a-p1/zebra-hung",
        "a-p1/zebra-dead",
        "b-mme/kill",
    ]
    assert selected(plan, ("sample", "b-mme/kill")) == tuple(
        fault for fault in plan.faults if fault in sample(plan) or fault.name == "b-mme/kill"
    )
    with pytest.raises(
        HeiikiError,
        match=r"no such fault: a-p9; name an element or one of its faults, such as a-p1, .* or sample; ",
    ):
        selected(plan, ("a-p9",))


def test_traffic_is_watched_at_an_end_that_is_no_switch(plan: Plan) -> None:
    by_name = {fault.name: fault for fault in plan.faults}
    equipment = trials.Equipment(plan, cast("Any", None), cast("Any", None))

    def watched(name: str) -> tuple[str, list[str]]:
        return trials.trial(by_name[name], equipment).watched()

    assert watched("umeda-lan--umeda-ce-a/down") == ("umeda-ce-a", ["lan0"])
    assert watched("a-p1/kill") == ("a-p1", ["core-pe1", "core-pe2"])


def test_every_site_is_heard_in_both_directions_and_the_control_stream_too(plan: Plan) -> None:
    found = {(stream.listener, stream.site, stream.direction) for stream in streams(plan)}
    assert found == {
        ("umeda-bems", "umeda", "down"),
        ("dras", "umeda", "up"),
        ("namba-erc", "namba", "down"),
        ("dras", "namba", "up"),
        ("sakai-bems", "sakai", "down"),
        ("dras", "sakai", "up"),
        ("dras", "", ""),
        ("xmpp", "", ""),
    }


def test_what_was_not_asked_for_is_unknown(plan: Plan, kept: Keep) -> None:
    seen = verification.verify(plan, (), None, kept, checks=("faults",))  # type: ignore[arg-type]
    assert [(one.requirement, one.result, one.reason) for one in seen.verdicts] == [
        ("R-GAP", Result.UNKNOWN, verification.NOT_ASKED)
    ]
    assert seen.fault_rows == ()


def test_outside_a_lab_every_fault_asked_for_is_unknown(plan: Plan, kept: Keep) -> None:
    seen = verification.verify(plan, (), None, kept, checks=("faults",), faults=True)  # type: ignore[arg-type]
    assert [row.name for row in seen.fault_rows] == [fault.name for fault in plan.faults]
    assert {verdict.reason for verdict in seen.verdicts} == {verification.NO_INJECTOR}


def test_an_unknown_check_is_refused(plan: Plan, kept: Keep) -> None:
    with pytest.raises(HeiikiError, match="no such check: colour; known: config, vault, host, time"):
        verification.verify(plan, (), None, kept, checks=("colour",))  # type: ignore[arg-type]
