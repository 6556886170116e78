"""A port scan from sites: what is tried from where, and what its verdict rests on."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from heiiki.plan.model import Plan
from heiiki.requirements import Result, Verdict
from heiiki.requirements.verdict import Evidence
from heiiki.verify import run
from heiiki.verify.isolation.sample import LEAST, Population
from heiiki.verify.scan import course, ports
from heiiki.verify.scan.ports import TCP, UDP, deal
from heiiki.verify.scan.ways import AT_HUB, LAN, RATE, Way, held, must_answer, opens, ways

from .isolation.test_sample import made

SOCKETS = """udp UNCONN 0 0 10.15.0.4%lan0:323 0.0.0.0:*
udp UNCONN 0 0 127.0.0.1:324 0.0.0.0:*
tcp LISTEN 0 9 [::1]:325 [::]:*
tcp LISTEN 0 100 *:47113 *:*
tcp LISTEN 0 100 [::]:47114 [::]:*
"""
ODD = 47113
DRAS = "10.15.0.4"
RULESET: dict[str, Any] = {
    "nftables": [
        {"metainfo": {"json_schema_version": 1}},
        {
            "set": {
                "name": "s",
                "type": ["ipv4_addr", "inet_service"],
                "elem": [{"concat": ["10.0.0.1", 901]}],
            }
        },
        {"set": {"name": "t", "type": "ipv4_addr", "elem": ["10.0.0.1"], "size": 77}},
        {"map": {"name": "m", "type": "inet_service", "map": "verdict", "elem": [[902, {"accept": None}]]}},
        {
            "rule": {
                "handle": 55,
                "expr": [
                    {"match": {"left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": 903}},
                    {"match": {"left": {"payload": {"protocol": "tcp", "field": "sport"}}, "right": 66}},
                    {"match": {"left": {"meta": {"key": "mark"}}, "right": 88}},
                    {"match": {"left": {"payload": {"base": "th", "offset": 16, "len": 16}}, "right": 904}},
                    {
                        "match": {
                            "left": {"payload": {"protocol": "udp", "field": "dport"}},
                            "right": {"set": [905, {"range": [1000, 2000]}]},
                        }
                    },
                    {
                        "vmap": {
                            "key": {"payload": {"protocol": "tcp", "field": "dport"}},
                            "data": {"set": [[906, {"drop": None}]]},
                        }
                    },
                    {"counter": {"packets": 99, "bytes": 990}},
                ],
            }
        },
    ]
}


def every_way(plan: Plan) -> tuple[Way, ...]:
    return tuple(way for site in plan.sites for way in ways(plan, site))


def test_every_site_scans_by_each_gateway_and_each_gateway_below_its_tunnels(plan: Plan) -> None:
    found = {(one.kind, one.out.device, str(one.out.via or one.out.interface)) for one in every_way(plan)}
    assert {one for one in found if one[1].startswith("umeda")} == {
        (LAN, "umeda-bems", "10.16.1.18"),
        (LAN, "umeda-bems", "10.16.1.19"),
        ("a", "umeda-ce-a", "10.80.0.69"),
        ("a line", "umeda-ce-a", "10.80.0.69"),
        ("b", "umeda-gw-b", "wwan0"),
    }


def test_what_is_scanned_are_the_addresses_that_the_filters_on_the_way_let_a_site_address(plan: Plan) -> None:
    found = {one.kind: {(str(to.address), to.owners) for to in one.targets} for one in every_way(plan)}
    hub = {one for one in found[LAN] if len(one[1]) == 1}
    assert {name for _, (name,) in hub} == {"hub-ce-a", "hub-ce-b", "dras", "xmpp", "vault", "radius"}
    assert found[LAN] - hub == {("10.15.0.1", ("hub-ce-a", "hub-ce-b"))}
    shown = {("10.96.3.253", ("vault",)), ("10.96.3.252", ("dras",)), ("10.96.3.251", ("xmpp",))}
    assert found["a"] == {("10.96.3.254", ("hub-ce-a",)), *shown}
    assert found["b"] == {("10.201.0.1", ("hub-ce-b",)), *shown} | {
        (str(address), ("b-pgw",)) for address in plan.device("b-pgw").addresses
    }


def test_a_revoked_gateway_is_no_way(plan: Plan) -> None:
    devices = (replace(one, revoked=True) if one.name == "umeda-gw-b" else one for one in plan.devices)
    revoked = replace(plan, devices=tuple(devices))
    assert {one.out.device for one in ways(revoked, plan.site("umeda"))} == {"umeda-bems", "umeda-ce-a"}
    assert len([one for one in ways(revoked, plan.site("umeda")) if one.kind == LAN]) == 1


def test_a_scan_takes_no_more_than_a_quarter_of_a_line(plan: Plan) -> None:
    """A controller's way and its gateway's, each packet in GRE and ESP: 100 octets."""
    for site in plan.sites:
        for name in site.gateways:
            rates = [one.rate for one in ways(plan, site) if one.out.device in (name, site.controller)]
            assert max(rates) <= RATE
            slowest = min(one.rate for one in plan.device(name).interfaces if one.rate)
            assert 2 * max(rates) * 100 * 8 <= slowest * 1000 / 4 + 1


def test_what_must_answer_is_what_the_plan_opens_to_the_source(plan: Plan) -> None:
    found = {
        (one.kind, to.owners[0]): set(must_answer(plan, to, one.source))
        for one in every_way(plan)
        for to in one.targets
    }
    assert found[LAN, "dras"] == {8443}
    assert found[LAN, "radius"] == set()
    assert found["a", "vault"] == {8200}
    assert found["a line", "a-pe2"] == set(), "BGP with the neighbour runs by key: a bare SYN has no answer"
    (line,) = (one for one in ways(plan, plan.site("umeda")) if one.kind == "a line")
    assert 179 in {port for one in opens(plan, line.targets[0], line.source) for port in one.ports}


def test_ports_that_are_listened_on_or_named_are_known() -> None:
    assert set(ports.listening(SOCKETS)) == {(UDP, 323), (TCP, 47113), (TCP, 47114)}
    assert set(ports.named(RULESET)) == {901, 902, 903, 904, 905, 906, 1000, 1500, 2000}


def test_a_large_service_is_scanned_from_a_sample_and_in_bounded_time(tmp_path: Path) -> None:
    large = made(tmp_path, 250)
    chosen = tuple(Population(large).some_sites(Random(1)))  # noqa: S311 - a draw that a test can repeat
    found = held(way for site in chosen for way in ways(large, site))
    assert len({way.site for way in found}) <= 2 * LEAST
    assert sum(way.rate for way in found) <= AT_HUB * 1.001
    first = {way: tuple(course._first(large, way)) for way in found}
    likely = frozenset({*ports._planned(large), *((TCP, port) for port in range(2600, 2640))})
    orders = deal(likely, found, first, Random(1), every=False).orders  # noqa: S311 - see above
    longest = max((len(one.packets) + len(one.again)) / way.rate for way, one in orders.items())
    assert longest < 90


ALSO_LIKELY = {(TCP, ODD), (UDP, 323)}


def dealt(plan: Plan, *, every: bool) -> tuple[tuple[Way, ...], ports.Dealt]:
    found = every_way(plan)
    first = {way: tuple(course._first(plan, way)) for way in found}
    likely = frozenset({*ports._planned(plan), *ALSO_LIKELY})
    return found, deal(likely, found, first, Random(1), every=every)  # noqa: S311 - a draw to repeat


def test_likely_ports_are_tried_by_all_and_the_rest_is_divided(plan: Plan) -> None:
    found, all_orders = dealt(plan, every=False)
    for way in found:
        order = all_orders.orders[way]
        first = tuple(course._first(plan, way))
        assert order.packets[: len(first)] == first, "before its budget is spent"
        assert len(set(order.packets)) == len(order.packets)
        tried = {(str(to.address), *port) for to in way.targets for port in ALSO_LIKELY}
        assert tried <= set(order.packets)
        assert {one for one in tried if one[1] == TCP} <= set(order.again) <= set(order.packets)
        assert len(order.packets) + len(order.again) <= ports.SECONDS * way.rate
    mine = [set(all_orders.orders[way].packets) for way in found if way.kind == LAN]
    ((seen, covered),) = {
        (frozenset(port for one in mine for to, kind, port in one if (to, kind) == (DRAS, TCP)), covered)
        for (kind, to), covered in all_orders.covered.items()
        if (kind, str(to.address)) == (LAN, DRAS)
    }
    assert len(seen) >= covered > 500


def test_every_port_of_each_address_is_tried_where_it_is_asked_for(plan: Plan) -> None:
    found, all_orders = dealt(plan, every=True)
    assert set(all_orders.covered.values()) == {65535}
    seen = {
        port
        for way in found
        if way.kind == LAN
        for to, protocol, port in all_orders.orders[way].packets
        if (to, protocol) == (DRAS, TCP)
    }
    assert seen == set(range(1, 65536))
    assert (run._every_port(True), run._every_port(("sample",)), run._every_port(("scan",))) == (  # noqa: FBT003
        False,
        False,
        True,
    )


class Network:
    """Devices that answer as the plan says, but for what a test changes.

    Attributes:
        heard: share of what is sent that comes to filters.
        holes: destination, port and how it answers, beside what the plan opens.
        mute: destinations and ports that do not answer though the plan opens them.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.heard = 1.0
        self.holes: list[tuple[str, int, int, str]] = []
        self.mute: set[tuple[str, int]] = set()
        self.unread: set[str] = set()
        self.error = ""
        self.left = 0
        self._by_source = {
            (str(way.source), str(to.address)): (way, to) for way in every_way(plan) for to in way.targets
        }
        self._sent: dict[tuple[str, int, str], int] = {}
        self._waiting: list[tuple[str, dict[str, Any]]] = []

    def reply(self, device: str, name: str, parameters: dict[str, Any]) -> dict[str, Any]:
        if name == "read":
            rc = 1 if device in self.unread else 0
            said = {"sockets": SOCKETS if device == "dras" else "", "filter": json.dumps(RULESET)}
            return {"commands": {one: {"rc": rc, "out": text, "err": "broken"} for one, text in said.items()}}
        assert name == "scan"
        return {
            "seconds": 1.0,
            "dropped": 0,
            "ways": {one["key"]: self._way(one) for one in parameters["ways"]},
            "arrived": [],
        }

    def _way(self, given: dict[str, Any]) -> dict[str, Any]:
        sent: dict[str, set[tuple[int, int]]] = {}
        answers = []
        for to, protocol, port in given["packets"]:
            sent.setdefault(to, set()).add((protocol, port))
            way, target = self._by_source[given["source"], to]
            opened = protocol == TCP and port in must_answer(self.plan, target, way.source)
            if opened and (to, port) not in self.mute:
                answers.append([to, to, protocol, port, "syn-ack"])
            answers += [
                [to, to, protocol, port, how] for *hole, how in self.holes if hole == [to, protocol, port]
            ]
        for to, those in sent.items():
            self._sent[given["source"], given["port"], to] = len(those)
        return {
            "sent": {to: len(those) for to, those in sent.items()},
            "left": self.left,
            "error": self.error,
            "answers": answers,
        }

    def arrivals(self, device: str, answer: dict[str, Any]) -> None:
        """Fill in what came to a device, once all have sent."""
        own = {str(address) for address in self.plan.device(device).addresses}
        virtual = {str(self.plan.hub_virtual_gateway)} if device == "hub-ce-a" else set()
        answer["arrived"] = [
            [source, port, to, int(self.heard * count)]
            for (source, port, to), count in self._sent.items()
            if to in own | virtual
        ]


@pytest.fixture
def network(plan: Plan) -> Network:
    return Network(plan)


def verdicts(
    network: Network, kept: Callable[[str, bytes], Evidence], fleet_of: Any, dead: Sequence[str] = ()
) -> dict[str, Verdict]:
    fleet = fleet_of(network.reply, dead)
    asked = fleet.ask

    def ask(probe: str, parameters: Any, timeout: float = 30.0) -> Any:
        found = asked(probe, parameters, timeout)
        for device, answer in found.items() if probe == "scan" else ():
            if not answer.error:
                network.arrivals(device, answer.data)
        return found

    fleet.ask = ask
    given = course.verdicts(network.plan, fleet, kept, Random(1))  # noqa: S311 - a draw that a test can repeat
    return {one.subject: one for one in given}


def test_planned_services_alone_that_answer_are_a_pass(network: Network, kept: Any, fleet_of: Any) -> None:
    found = verdicts(network, kept, fleet_of)
    assert list(found) == list(course.subjects(network.plan)) == ["from umeda", "from namba", "from sakai"]
    assert {(one.requirement, one.result) for one in found.values()} == {(course.REQUIREMENT, Result.PASS)}
    assert "every port on which something listens or that a filter names" in found["from umeda"].reason
    assert " answered, each opened by the plan" in found["from umeda"].reason


@pytest.mark.parametrize(
    ("protocol", "port", "how", "told"),
    [
        (TCP, ODD, "syn-ack", f"tcp/{ODD} (syn-ack)"),
        (TCP, 903, "reset", "tcp/903 (reset)"),
        (TCP, 8444, "syn-ack", "tcp/8444 (syn-ack)"),
        (TCP, ODD, "unreachable/13", f"tcp/{ODD} (unreachable/13)"),
        (UDP, 323, "unreachable/3", "udp/323 (unreachable/3)"),
    ],
)
def test_whoever_else_answers_fails(
    network: Network, kept: Any, fleet_of: Any, protocol: int, port: int, how: str, told: str
) -> None:
    """Open, closed, refused, or opened by the plan to somebody else."""
    network.holes = [(DRAS, protocol, port, how)]
    found = verdicts(network, kept, fleet_of)
    assert {one.result for one in found.values()} == {Result.FAIL}
    assert (
        f"{DRAS} (dras) answered {told}, which the plan does not open to umeda-bems"
        in found["from umeda"].reason
    )


def test_a_udp_service_of_the_plan_may_answer(network: Network, kept: Any, fleet_of: Any) -> None:
    network.holes = [(DRAS, UDP, 862, "datagram")]
    assert {one.result for one in verdicts(network, kept, fleet_of).values()} == {Result.PASS}


def silent(network: Network) -> None:
    network.mute = {(DRAS, 8443)}


def lost(network: Network) -> None:
    network.heard = 0.9


def unread(network: Network) -> None:
    network.unread = {"dras"}


def broken(network: Network) -> None:
    network.error = "lan0: Network is down"


def cut_off(network: Network) -> None:
    network.left = 7


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (silent, f"{DRAS} (dras) did not answer tcp/8443, which the plan opens to umeda-bems"),
        (lost, " came before the filter of "),
        (unread, "dras: broken"),
        (broken, "lan0: Network is down"),
        (cut_off, "7 packets were never sent: the device was too busy"),
    ],
)
def test_silence_without_a_proof_is_unknown(
    network: Network, kept: Any, fleet_of: Any, change: Callable[[Network], None], told: str
) -> None:
    change(network)
    found = verdicts(network, kept, fleet_of)
    assert {one.result for one in found.values()} == {Result.UNKNOWN}
    assert told in found["from umeda"].reason


def test_silence_of_everything_is_unknown(network: Network, kept: Any, fleet_of: Any) -> None:
    network.heard = 0.0
    network.mute = {
        (str(to.address), port)
        for way in every_way(network.plan)
        for to in way.targets
        for port in must_answer(network.plan, to, way.source)
    }
    assert {one.result for one in verdicts(network, kept, fleet_of).values()} == {Result.UNKNOWN}


def test_a_probe_that_failed_concerns_its_own_site_or_all(network: Network, kept: Any, fleet_of: Any) -> None:
    found = verdicts(network, kept, fleet_of, dead=["umeda-bems"])
    results = {name: one.result for name, one in found.items()}
    assert results == {"from umeda": Result.UNKNOWN, "from namba": Result.PASS, "from sakai": Result.PASS}
    assert "umeda-bems: not reachable" in found["from umeda"].reason
    found = verdicts(Network(network.plan), kept, fleet_of, dead=["dras"])
    assert {one.result for one in found.values()} == {Result.UNKNOWN}


def test_a_hole_counts_though_something_else_is_unknown(network: Network, kept: Any, fleet_of: Any) -> None:
    network.holes, network.heard = [(DRAS, TCP, ODD, "syn-ack")], 0.5
    assert {one.result for one in verdicts(network, kept, fleet_of).values()} == {Result.FAIL}
