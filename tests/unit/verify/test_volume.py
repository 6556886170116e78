"""R-COST/volume: what gateways counted on their lines, against what the bill was counted from."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from heiiki.design.volume import flows
from heiiki.plan.model import Plan
from heiiki.plan.sizes import in_esp
from heiiki.plan.timers import PROFILES
from heiiki.requirements import Result, Verdict
from heiiki.requirements.verdict import Evidence
from heiiki.verify import counters, volume
from heiiki.verify.fleet import Answer, UnreadableError
from heiiki.verify.probes import read
from heiiki.verify.volume import Line

SPAN_S = 15.0
ASKED_S = 0.02
"""How long a device takes to read its counters."""
INNER, OUTER = 52, in_esp(52)
HEADERS = {"access-a": 14, "wwan0": 0}
"""What is counted beside IP packets: Ethernet's header, of 14 octets, and nothing at a modem."""
KINDS = {"access-a": "ether", "wwan0": "none", "tun-a": "gre", "tun-b": "gre", "lo": "loopback"}
LINE = "umeda on network a"


@dataclass(frozen=True)
class Traffic:
    """Packets a second on a line, each way: of 52 octets in its tunnel, and of 500 beside it."""

    inside: float
    outside: float = 0.0

    def counted(self, tunnel: str, outer: str, seconds: float) -> dict[str, tuple[int, int]]:
        """Octets and packets on each interface in one direction, as the kernel counts them."""
        inner, beside = round(self.inside * seconds), round(self.outside * seconds)
        octets = inner * OUTER + beside * 500 + HEADERS[outer] * (inner + beside)
        return {tunnel: (inner * INNER, inner), outer: (octets, inner + beside)}

    @property
    def a_second(self) -> float:
        """Octets of IP packets on the line, both ways."""
        return 2 * (self.inside * OUTER + self.outside * 500)


Given = Mapping[tuple[str, str], Traffic]
"""Traffic by site and network."""


def average(plan: Plan, line: Line, *, carries: bool) -> float:
    counted = flows(plan, line.site, line.network.name, plan.timers, carries=carries)
    return sum(one.a_second for one in counted)


def usual(plan: Plan) -> dict[tuple[str, str], Traffic]:
    """Nine tenths of what is counted for each line on the average, a tenth of that beside the tunnel."""
    found: dict[tuple[str, str], Traffic] = {}
    for line in volume.lines(plan):
        each_way = 0.9 * average(plan, line, carries=line.is_primary) / 2
        found[line.site.name, line.network.name] = Traffic(0.9 * each_way / OUTER, 0.1 * each_way / 500)
    return found


def link(name: str, octets: int, packets: int, index: int = 7) -> dict[str, Any]:
    side = {"bytes": octets, "packets": packets, "errors": 0, "dropped": 0}
    return {"ifindex": index, "ifname": name, "link_type": KINDS[name], "stats64": {"rx": side, "tx": side}}


class Gateways:
    """Gateways that count what crosses their lines, each look 15 s after the one before it."""

    def __init__(self, plan: Plan, spans: Sequence[Given]) -> None:
        self.plan, self.spans = plan, spans
        self.span = 0
        self.asked = 0
        self.changes: Callable[[str, int, dict[str, Any]], None] = lambda _device, _span, _answer: None

    def wait(self, seconds: float) -> None:
        assert seconds == SPAN_S
        self.span += 1

    def reply(self, device: str, probe: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        assert (probe, parameters) == ("read", dict(counters.QUESTION))
        self.asked += 1
        links = {"lo": (999, 9)}
        bfd = [{"peer": "192.0.2.1", "control-packet-input": 7, "control-packet-output": 7}]
        for line in volume.lines(self.plan):
            if line.gateway == device:
                sides = {f"control-packet-{side}": 500 + 57 * self.span for side in ("input", "output")}
                bfd += [{"peer": peer} | sides for peer in line.watched]
                links |= {line.tunnel: (10**9, 10**7), line.outer: (10**10, 10**7)}
                for given in self.spans[: self.span]:
                    traffic = given[line.site.name, line.network.name]
                    for name, (octets, packets) in traffic.counted(line.tunnel, line.outer, SPAN_S).items():
                        links[name] = (links[name][0] + octets, links[name][1] + packets)
        now = 1000.0 + self.span * SPAN_S
        said = {
            "before": f"{now:.2f} 1.00\n",
            "links": json.dumps([link(name, *counted) for name, counted in links.items()]),
            "after": f"{now + ASKED_S:.2f} 1.00\n",
            "bfd": json.dumps(bfd),
        }
        answer = {
            "commands": {name: {"rc": 0, "out": out, "err": ""} for name, out in said.items()},
            "files": {"/proc/sys/kernel/random/boot_id": "one\n"},
        }
        self.changes(device, self.span, answer)
        return answer


@pytest.fixture
def judged(plan: Plan, fleet_of: Any, kept: Any) -> Callable[..., dict[str, Verdict]]:
    def judge(
        *spans: Given,
        changes: Callable[[str, int, dict[str, Any]], None] | None = None,
        dead: Sequence[str] = (),
        plan: Plan = plan,
        keep: Callable[[str, bytes], Evidence] = kept,
    ) -> dict[str, Verdict]:
        gateways = Gateways(plan, spans)
        gateways.changes = changes or gateways.changes
        found = [*volume.verdicts(plan, fleet_of(gateways.reply, dead), keep, gateways.wait)]
        assert [one.subject for one in found] == [*volume.subjects(plan)]
        assert gateways.span == len(spans)
        return {one.subject: one for one in found}

    return judge


def changed(said: dict[str, Any], interface: str, **values: Any) -> None:
    links = json.loads(said["commands"]["links"]["out"])
    other = [one | values if one["ifname"] == interface else one for one in links]
    said["commands"]["links"]["out"] = json.dumps(other)


def test_what_is_counted_passes_on_every_line(plan: Plan, judged: Any) -> None:
    found = judged(usual(plan))
    assert {one.result for one in found.values()} == {Result.PASS}
    assert {one.unit for one in found.values()} == {"octets/s"}
    one, traffic = found[LINE], usual(plan)["umeda", "a"]
    assert one.measured == pytest.approx(traffic.a_second, rel=0.01)
    assert one.bound is not None
    assert one.bound > traffic.a_second / 0.9
    assert [item.file for item in one.evidence] == [f"evidence/volume/umeda-ce-a-{at}.json" for at in (0, 1)]


def test_the_reason_gives_the_share_the_split_and_both_months(plan: Plan, judged: Any) -> None:
    one = judged(usual(plan))["namba on network b"]
    assert one.reason == (
        "0.88 times the 969 octets/s that are counted on the average for the standby with timers laboratory; "
        "428 octets/s came down and 428 went up; about 790 of 878 in the tunnel, 67 of 91 outside of it, "
        "and of all that 850 of 853 by BFD; "
        "a month like that is 2,295 MB and 600 yen (5,000 included); "
        "timers laboratory make no bill: with timers production 265 MB and 600 yen are counted"
    )


@pytest.mark.parametrize(
    "said",
    [
        {"rc": 1, "out": "", "err": "Exiting: failed to connect to any daemons."},
        {"rc": 0, "out": "{", "err": ""},
        {"rc": 0, "out": '[{"peer": "10.128.0.93"}]', "err": ""},
        {"rc": 0, "out": "[]", "err": ""},
    ],
    ids=["failed", "no JSON", "no counters", "no peers"],
)
def test_where_bfd_is_not_told_the_line_is_judged_all_the_same(
    plan: Plan, judged: Any, said: dict[str, Any]
) -> None:
    def changes(_device: str, _span: int, answer: dict[str, Any]) -> None:
        answer["commands"]["bfd"] = said

    found = judged(usual(plan), changes=changes)
    assert {one.result for one in found.values()} == {Result.PASS}
    assert not [one.reason for one in found.values() if "BFD" in one.reason]


def test_bfd_that_was_reset_is_not_told(plan: Plan, judged: Any) -> None:
    def changes(_device: str, span: int, answer: dict[str, Any]) -> None:
        if span:
            answer["commands"]["bfd"]["out"] = answer["commands"]["bfd"]["out"].replace("557", "57")

    assert not [one for one in judged(usual(plan), changes=changes).values() if "BFD" in one.reason]


def test_bfd_with_the_hub_is_encrypted_and_with_the_pe_in_clear(plan: Plan) -> None:
    found = {one.subject: sorted(one.watched.values()) for one in volume.lines(plan)}
    assert found == {
        f"{site} on network {network}": [52, 112] if network == "a" else [112]
        for site in ("umeda", "namba", "sakai")
        for network in "ab"
    }


def test_the_bill_is_of_the_timers_in_production(plan: Plan, judged: Any) -> None:
    billed = replace(plan, timers=PROFILES["production"])
    one = judged(usual(billed), plan=billed)[LINE]
    assert one.result is Result.PASS
    assert "timers production; " in one.reason
    assert one.reason.endswith("yen are counted")
    assert "no bill" not in one.reason


def test_much_less_passes_and_is_said(plan: Plan, judged: Any) -> None:
    little = usual(plan) | {("umeda", "a"): Traffic(2.0)}
    one = judged(little)[LINE]
    assert one.result is Result.PASS
    assert one.reason.startswith("much less than is counted: 0.")


def test_more_than_is_counted_fails_when_it_lasts(plan: Plan, judged: Any) -> None:
    much = usual(plan)
    much["umeda", "a"] = replace(much["umeda", "a"], inside=3 * much["umeda", "a"].inside)
    found = judged(much, much)
    assert {name for name, one in found.items() if one.result is Result.FAIL} == {LINE}
    one = found[LINE]
    assert one.reason.startswith("more than may fall into 15.0 s by what the bill was counted from: 2.5")
    assert one.measured is not None
    assert one.bound is not None
    assert one.measured > one.bound
    assert [item.file for item in one.evidence] == [f"evidence/volume/umeda-ce-a-{at}.json" for at in (1, 2)]


def test_an_extra_stream_on_a_line_that_waits_fails(plan: Plan, judged: Any) -> None:
    """What the standby carries for the primary is too much while the primary is up."""
    line = next(one for one in volume.lines(plan) if one.subject == "umeda on network b")
    busy = usual(plan) | {("umeda", "b"): Traffic(average(plan, line, carries=True) / 2 / OUTER)}
    assert judged(busy, busy)[line.subject].result is Result.FAIL


def test_what_was_more_once_passes_and_is_said(plan: Plan, judged: Any) -> None:
    much = usual(plan) | {("umeda", "a"): Traffic(200.0)}
    one = judged(much, usual(plan))[LINE]
    assert one.result is Result.PASS
    assert one.reason.endswith("; before that it was 44,740 octets/s, which did not last")
    assert len(one.evidence) == 4


def test_what_passed_once_is_not_judged_again(plan: Plan, judged: Any) -> None:
    """Another line was too much first: what this one carries in the second span is not looked for."""
    first = usual(plan) | {("umeda", "a"): Traffic(200.0)}
    second = usual(plan) | {("sakai", "b"): Traffic(400.0)}
    assert judged(first, second)["sakai on network b"].result is Result.PASS


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"ifindex": 12}, "the counters of access-a of umeda-ce-a were reset between two readings"),
        (
            {"stats64": {side: {"bytes": 5, "packets": 1} for side in ("rx", "tx")}},
            "the counters of access-a of umeda-ce-a were reset between two readings",
        ),
        ({"ifname": "gone"}, "umeda-ce-a has no access-a: the line is down"),
        (
            {"link_type": "infiniband"},
            "access-a of umeda-ce-a is a link of kind infiniband: what it counts of a packet is not known",
        ),
    ],
)
def test_counters_that_tell_nothing_of_the_line(
    plan: Plan, judged: Any, values: dict[str, Any], reason: str
) -> None:
    def changes(device: str, span: int, said: dict[str, Any]) -> None:
        if device == "umeda-ce-a" and span:
            # Each time other counters than before it.
            more = {"ifindex": values["ifindex"] + span} if "ifindex" in values else {}
            if "stats64" in values:
                side = {"bytes": 5 - span, "packets": 1}
                more = {"stats64": {"rx": side, "tx": side}}
            changed(said, "access-a", **values | more)

    found = judged(usual(plan), usual(plan), changes=changes)
    assert (found[LINE].result, found[LINE].reason) == (Result.UNKNOWN, reason)
    assert {one.result for name, one in found.items() if name != LINE} == {Result.PASS}


def test_a_gateway_that_was_restarted_is_measured_once_more(plan: Plan, judged: Any) -> None:
    def changes(_device: str, span: int, said: dict[str, Any]) -> None:
        if span:
            said["files"]["/proc/sys/kernel/random/boot_id"] = "another\n"

    found = judged(usual(plan), usual(plan), changes=changes)
    assert {one.result for one in found.values()} == {Result.PASS}


def test_a_gateway_that_is_restarted_all_the_time_is_unknown(plan: Plan, judged: Any) -> None:
    def changes(_device: str, span: int, said: dict[str, Any]) -> None:
        said["files"]["/proc/sys/kernel/random/boot_id"] = f"{span}\n"

    found = judged(usual(plan), usual(plan), changes=changes)
    assert {one.result for one in found.values()} == {Result.UNKNOWN}
    assert found[LINE].reason == "umeda-ce-a was restarted between two readings of its counters"


def test_a_line_whose_tunnel_is_silent_is_down_and_the_other_counts_as_carrying(
    plan: Plan, judged: Any
) -> None:
    line = next(one for one in volume.lines(plan) if one.subject == "umeda on network b")
    away = usual(plan) | {("umeda", "a"): Traffic(0.0, 1.0)}
    away["umeda", "b"] = Traffic(0.9 * average(plan, line, carries=True) / 2 / OUTER)
    found = judged(away, away)
    assert found[LINE].result is Result.UNKNOWN
    assert found[LINE].reason == "nothing came in by tun-a of umeda-ce-a in 15.0 s: the line is down"
    assert found[line.subject].result is Result.PASS
    assert (
        "the standby as if it carried, for what the primary does is not known" in found[line.subject].reason
    )


def test_a_gateway_that_cannot_be_reached(plan: Plan, judged: Any) -> None:
    found = judged(usual(plan), usual(plan), dead=["umeda-ce-a"])
    assert (found[LINE].result, found[LINE].reason) == (Result.UNKNOWN, "umeda-ce-a: not reachable")
    assert found["umeda on network b"].result is Result.PASS


def test_where_no_gateway_says_anything_nothing_is_waited_for(plan: Plan, judged: Any) -> None:
    found = judged(dead=[line.gateway for line in volume.lines(plan)])
    assert {one.result for one in found.values()} == {Result.UNKNOWN}


def test_a_command_that_fails_and_an_answer_without_meaning(plan: Plan, judged: Any) -> None:
    def changes(device: str, _span: int, said: dict[str, Any]) -> None:
        if device == "umeda-ce-a":
            said["commands"]["links"] = {"rc": 1, "out": "", "err": "ip: no memory"}
        elif device == "umeda-gw-b":
            said["commands"]["links"]["out"] = '[{"ifname": "wwan0"}]'

    found = judged(usual(plan), usual(plan), changes=changes)
    assert found[LINE].reason == "umeda-ce-a: ip: no memory"
    assert found["umeda on network b"].reason.startswith("umeda-gw-b: the answer cannot be read: KeyError")
    assert {found[name].result for name in (LINE, "umeda on network b")} == {Result.UNKNOWN}


def test_a_line_that_counts_less_than_its_tunnel_is_unknown(plan: Plan, judged: Any) -> None:
    def changes(device: str, span: int, said: dict[str, Any]) -> None:
        if device == "umeda-ce-a":
            side = {"bytes": 1000 + 1400 * span, "packets": 10 + 10 * span}
            changed(said, "access-a", stats64={"rx": side, "tx": side})

    one = judged(usual(plan), usual(plan), changes=changes)[LINE]
    assert one.result is Result.UNKNOWN
    assert one.reason.startswith("access-a of umeda-ce-a counted 2,520 octets, and tun-a in it ")


def test_a_line_whose_gateway_is_revoked_is_not_measured(plan: Plan, judged: Any) -> None:
    devices = tuple(
        replace(one, revoked="stolen") if one.name == "umeda-gw-b" else one for one in plan.devices
    )
    revoked = replace(plan, devices=devices)
    found = judged(usual(revoked), plan=revoked)
    assert found["umeda on network b"].result is Result.NOT_APPLICABLE
    assert found[LINE].result is Result.PASS


def test_the_lines_of_the_worked_example(plan: Plan) -> None:
    found = {one.subject: (one.gateway, one.outer, one.tunnel) for one in volume.lines(plan)}
    assert found == {
        "umeda on network a": ("umeda-ce-a", "access-a", "tun-a"),
        "umeda on network b": ("umeda-gw-b", "wwan0", "tun-b"),
        "namba on network a": ("namba-gw", "access-a", "tun-a"),
        "namba on network b": ("namba-gw", "wwan0", "tun-b"),
        "sakai on network a": ("sakai-ce-a", "access-a", "tun-a"),
        "sakai on network b": ("sakai-gw-b", "wwan0", "tun-b"),
    }


def test_a_span_is_longer_than_the_slowest_bfd_takes() -> None:
    slowest = max(bfd.interval_ms for timers in PROFILES.values() for bfd in timers.bfd)
    assert 3 * slowest / 1000 <= volume.SECONDS


def test_this_machine_says_what_is_read_of_it() -> None:
    """The question is answered by a real kernel and a real `ip`."""
    data = read.main(json.loads(json.dumps(dict(counters.QUESTION))))
    found = counters.read(Answer("here", data, "", b""))
    assert found.earliest_s <= found.latest_s
    assert found.links["lo"].kind == "loopback"
    with pytest.raises(UnreadableError, match="here: gone"):
        counters.read(Answer("here", {}, "here: gone", b""))
