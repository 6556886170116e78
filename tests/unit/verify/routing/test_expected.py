"""What devices say of themselves, recorded from FRR 10.3 and iproute2, against what the plan expects."""

import json
from collections.abc import Callable
from ipaddress import IPv4Address
from typing import Any

import pytest

from heiiki.plan.model import Plan
from heiiki.render import compile_plan
from heiiki.requirements import Result
from heiiki.requirements.verdict import Evidence
from heiiki.verify.fleet import Answer
from heiiki.verify.routing.expected import (
    Expected,
    Session,
    documents,
    exit_of,
    expectations,
    foreign_routes,
    path_ends,
    problems,
    question,
    radio_problems,
)
from heiiki.verify.routing.sessions import of_device, programs

SUMMARY = {
    "default": {
        "ipv4Unicast": {
            "routerId": "10.0.0.1",
            "as": 64520,
            "peers": {"10.0.0.2": {"remoteAs": 64601, "state": "Established", "pfxRcd": 3}},
            "totalPeers": 1,
        }
    },
    "s0017": {"ipv4Unicast": {"peers": {"10.80.0.70": {"state": "Idle"}}}},
}
BFD = [
    {"multihop": False, "peer": "10.0.0.2", "vrf": "default", "status": "up"},
    {"multihop": False, "peer": "10.80.0.70", "vrf": "s0017", "status": "down"},
]
OSPF = {"neighbors": {"10.200.0.1": [{"nbrState": "Full/-", "converged": "Full"}]}}
LDP = "0      0        10.200.0.11:54719   10.200.0.1:646\n"


def answer(vtysh: str = "", addresses: Any = (), routes: Any = (), modem: str = "", ldp: str = "") -> Answer:
    said = {
        name: {"rc": 0, "out": out, "err": ""}
        for name, out in (
            ("vtysh", vtysh),
            ("ldp", ldp),
            ("addresses", json.dumps(addresses)),
            ("routes", json.dumps(routes)),
            ("modem", modem),
        )
    }
    return Answer("x", {"commands": said}, "", b"")


def printed(*values: Any) -> str:
    return "\n".join(json.dumps(value, indent=1) for value in values)


def test_documents_of_one_vtysh_are_told_apart_and_complaints_passed_over() -> None:
    assert documents('{\n"a":1}\nldpd is not running\n[\n]\n{"b": 2}') == [{"a": 1}, [], {"b": 2}]


def test_a_session_that_is_up_is_no_problem() -> None:
    expected = Expected("x", (Session("default", "10.0.0.2", "a-pe1", bfd=True),))
    assert problems(expected, answer(printed(SUMMARY, BFD))) == []


def test_a_session_that_is_down_is_named_with_its_state() -> None:
    expected = Expected("x", (Session("s0017", "10.80.0.70", "umeda-ce-a", bfd=True),))
    assert problems(expected, answer(printed(SUMMARY, BFD))) == [
        "x: BGP with umeda-ce-a (10.80.0.70) is Idle",
        "x: BFD with umeda-ce-a (10.80.0.70) is down",
    ]


def test_a_session_that_is_not_there_is_a_problem_and_not_a_pass() -> None:
    expected = Expected("x", (Session("default", "10.9.9.9", "peer", bfd=True),))
    assert problems(expected, answer(printed(SUMMARY, BFD))) == [
        "x: no BGP session with peer (10.9.9.9)",
        "x: BFD with peer (10.9.9.9) is missing",
    ]
    assert len(problems(expected, answer("bgpd is not running\n"))) == 2


def test_the_core_counts_full_and_operational_neighbours() -> None:
    assert problems(Expected("x", core=1), answer(printed(OSPF), ldp=LDP)) == []
    assert problems(Expected("x", core=2), answer(printed(OSPF), ldp=LDP)) == [
        "x: 1 of 2 OSPF neighbours are full",
        "x: 1 of 2 LDP sessions are established",
    ]
    assert len(problems(Expected("x", core=1), answer(""))) == 2


def test_the_virtual_gateway_is_where_it_should_be() -> None:
    has = [{"ifname": "lan0-v", "addr_info": [{"local": "10.16.1.17", "prefixlen": 32}]}]
    master, backup = (Expected("x", virtual=(IPv4Address("10.16.1.17"), wanted)) for wanted in (True, False))
    assert problems(master, answer(addresses=has)) == []
    assert problems(backup, answer(addresses=[])) == []
    assert problems(master, answer(addresses=[])) == [
        "x: is not the VRRP master: it does not have 10.16.1.17"
    ]
    assert len(problems(backup, answer(addresses=has))) == 1


def test_packets_leave_on_the_longest_match() -> None:
    routes = [
        {"dst": "default", "dev": "a"},
        {"dst": "10.15.0.0/28", "dev": "b", "metric": 20},
        {"dst": "10.15.0.9", "dev": "c"},
    ]
    assert exit_of(IPv4Address("10.15.0.4"), routes) == "b"
    assert exit_of(IPv4Address("10.15.0.9"), routes) == "c"
    assert exit_of(IPv4Address("10.15.0.4"), []) == ""
    expected = Expected("x", exits=((IPv4Address("10.15.0.4"), "tun-b"),))
    assert problems(expected, answer(routes=routes)) == ["x: packets to 10.15.0.4 leave on b, not on tun-b"]


def mmcli(state: str, reason: str = "--") -> str:
    """Return what `mmcli -m any -J` prints (ModemManager 1.20), shortened."""
    generic = {"bearers": [], "sim": "--", "state": state, "state-failed-reason": reason}
    return json.dumps({"modem": {"3gpp": {"registration-state": "--"}, "generic": generic}})


def test_the_modem_is_connected_and_the_address_of_its_sim_is_set() -> None:
    expected = Expected("x", sim=IPv4Address("10.112.0.17"))
    wwan = [{"ifname": "wwan0", "addr_info": [{"local": "10.112.0.17", "prefixlen": 32}]}]
    assert problems(expected, answer(modem=mmcli("connected"), addresses=wwan)) == []
    assert problems(expected, answer(modem=mmcli("connected"))) == [
        "x: none of its interfaces has the SIM's address 10.112.0.17"
    ]
    assert problems(expected, answer(modem=mmcli("searching"), addresses=wwan)) == [
        "x: its modem is searching"
    ]
    assert problems(expected, answer(modem=mmcli("failed", "sim-missing"), addresses=wwan)) == [
        "x: its modem is failed (sim-missing)"
    ]


@pytest.mark.parametrize("said", ["", "{", "[]", '{"modem": {}}', '{"modem": {"generic": {}}}', "null"])
def test_a_modem_that_is_not_shown_is_a_problem_and_not_a_pass(said: str) -> None:
    expected = Expected("x", sim=IPv4Address("10.112.0.17"))
    assert problems(expected, answer(modem=said)) == [
        "x: ModemManager shows no modem: mmcli printed no JSON of one"
    ]


def test_the_enb_has_its_links_and_a_ue_for_every_site(plan: Plan) -> None:
    def said(**state: Any) -> list[str]:
        files = {"/run/heiiki/enb.json": json.dumps(state)} if state else {}
        return radio_problems(plan, Answer("b-enb", {"files": files}, "", b""))

    radios = {name: {"attached": True} for name in "abc"}
    assert said(s1=True, s1_u_echo=True, radios=radios | {"test-ue": {"attached": False}}) == []
    assert said(s1=True, s1_u_echo=False, radios=radios) == ["b-enb: s1_u_echo is down"]
    assert said(s1=True, s1_u_echo=True, radios={}) == ["b-enb: 0 of 3 UEs are attached"]
    assert said() == ["b-enb: says nothing of itself"]


def test_a_device_that_does_not_answer_is_a_problem() -> None:
    assert problems(Expected("x"), Answer("x", {}, "x: not reachable", b"")) == ["x: not reachable"]


def test_every_router_of_the_plan_has_something_to_show(plan: Plan) -> None:
    expected = expectations(plan)
    assert set(expected) == {device.name for device in plan.managed() if device.router is not None}
    assert all(one.sessions or one.core for one in expected.values())
    assert expected["umeda-ce-a"].virtual == (IPv4Address("10.16.1.17"), True)
    assert expected["sakai-ce-a"].virtual == (IPv4Address("10.16.2.161"), False)
    assert dict(expected["hub-ce-b"].exits)[IPv4Address("10.16.2.164")] == "gre-b0042"
    assert dict(expected["hub-ce-b"].exits)[IPv4Address("10.16.1.20")] == "lan0"
    assert expected["namba-gw"].exits == ((IPv4Address("10.15.0.4"), "tun-a"),)
    assert question(expected["a-p1"])["commands"]["vtysh"][-1] == "show ip ospf neighbor json"


def test_the_ends_of_the_paths_are_gateways_and_hub_routers(plan: Plan) -> None:
    assert set(path_ends(plan)) == {
        "hub-ce-a",
        "hub-ce-b",
        "umeda-ce-a",
        "umeda-gw-b",
        "namba-gw",
        "sakai-ce-a",
        "sakai-gw-b",
    }


def test_a_route_to_another_site_is_found_in_any_table(plan: Plan) -> None:
    device = plan.device("umeda-ce-a")
    own = [
        {"dst": "default", "dev": "access-a"},
        {"dst": "10.16.1.16/28", "dev": "lan0"},
        {"dst": "10.15.0.0/28", "dev": "access-a"},
        {"dst": "10.96.3.254", "dev": "access-a"},
    ]
    assert foreign_routes(plan, device, own) == []
    leak = [
        {"dst": "10.16.2.160/28", "dev": "access-a", "table": "77"},
        {"dst": "10.96.0.42", "dev": "access-a"},
    ]
    assert foreign_routes(plan, device, [*own, *leak]) == [
        "table 77 leads to sakai: 10.16.2.160/28 dev access-a",
        "table main leads to sakai: 10.96.0.42/32 dev access-a",
    ]
    assert foreign_routes(plan, device, [{"dst": "10.16.0.0/16", "dev": "x", "type": "unreachable"}]) == []


def test_a_command_that_failed_is_no_answer() -> None:
    standby = Expected("x", virtual=(IPv4Address("10.16.1.17"), False))
    said = {"commands": {"addresses": {"rc": 1, "out": "", "err": "Cannot open netlink socket"}}}
    assert problems(standby, Answer("x", said, "", b"")) == ["x: addresses: Cannot open netlink socket (1)"]


def test_a_program_without_which_no_path_is_switched_must_run(
    plan: Plan, kept: Callable[[str, bytes], Evidence]
) -> None:
    build = next(one for one in compile_plan(plan) if one.device == "umeda-gw-b")
    names = programs(build)
    assert set(names) == {"heiiki-links", "frr", "keepalived", "heiiki-lan-watch"}
    expected = Expected("umeda-gw-b", units=names)
    assert question(expected)["commands"]["units"][-1] == f"{names[-1]}.service"

    def verdict(keepalived: str, rc: int = 0) -> Result:
        states = dict.fromkeys(names, "active") | {"keepalived": keepalived}
        out = "\n\n".join(f"Id={name}.service\nActiveState={state}" for name, state in states.items())
        said = {"commands": {"units": {"rc": rc, "out": "" if rc else out, "err": ""}}}
        return of_device(expected, Answer("umeda-gw-b", said, "", b""), kept).result

    assert verdict("active") is Result.PASS
    assert verdict("failed") is Result.FAIL
    assert verdict("active", rc=1) is not Result.PASS
