"""Links: the file, the difference, and once the kernel itself (root only)."""

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from waiting import PATIENCE_S

from heiiki_agent.errors import AgentError
from heiiki_agent.links import kernel, model
from heiiki_agent.links.difference import difference, problems
from heiiki_agent.links.model import Link, Route, State, Tunnel, Xfrm
from heiiki_agent.links.settings import parse

PROGRAM = (sys.executable, "-m", "heiiki_agent", "links")


def wanted(**parts: Any) -> model.Wanted:
    return parse(json.dumps(parts), "links.json")


LAN = {"name": "lan0", "kind": "ethernet", "addresses": ["10.17.0.2/32"]}
CORE = {"name": "core0", "kind": "ethernet", "addresses": ["10.0.0.1/30"]}
VRF = {"name": "cust", "kind": "vrf", "table": 1001}
GRE = {"name": "gre-a", "kind": "gre", "mtu": 1360, "gre": {"local": "10.64.0.11", "remote": "10.1.0.2"}}
ESP = {"name": "esp-a", "kind": "xfrm", "vrf": "cust", "mtu": 1446, "xfrm": {"if_id": 1, "underlay": "core0"}}
NO_RULES_TO_MEND = frozenset({(1000, ""), (32765, "255"), (32766, "254")})


# --- the file


def test_every_mistake_is_named_at_once() -> None:
    text = json.dumps(
        {
            "interfaces": [
                {"name": "x" * 16, "kind": "bridge"},
                {"name": "gre-a", "kind": "gre", "gre": {"local": "10.0.0.300", "remote": "10.0.0.1"}},
                {"name": "lan0", "kind": "ethernet", "vrf": "cust", "mtu": 1, "adresses": []},
                {"name": "lan0", "kind": "vrf"},
                {"name": "esp-a", "kind": "xfrm"},
                {"name": "lo", "kind": "loopback", "xfrm": {"underlay": "wan 0"}},
            ],
            "routes": [
                {"prefix": "10.0.0.1/8", "via": "10.0.0.1"},
                {"prefix": "10.0.0.0/8"},
                {"prefix": "10.0.0.0/8", "via": "10.0.0.1", "vrf": "other"},
            ],
            "sysctls": {"kernel.panic": "1", "net/../kernel/panic": "1"},
        }
    )
    with pytest.raises(AgentError) as caught:
        parse(text, "F")
    name = r"does not match (?!\.\.?$)[A-Za-z0-9._-]{1,15}"
    setting = r"does not match net[./](?!(.*/)?\.{1,2}(/|$)).+"
    assert str(caught.value).splitlines() == [
        f"F: interfaces[0].name: is wrong: 'xxxxxxxxxxxxxxxx' {name}",
        (
            "F: interfaces[0].kind: is wrong: 'bridge' is not known; "
            "use vrf, gre, xfrm, dummy, ethernet, loopback, wwan, ppp"
        ),
        "F: interfaces[1].gre.local: is wrong: Octet 300 (> 255) not permitted in '10.0.0.300'",
        "F: interfaces[2].adresses: is not known here; remove it",
        "F: interfaces[2].mtu: is wrong: 1 is not a whole number from 68 to 65535",
        "F: interfaces[5].xfrm.if_id: is missing; add it",
        f"F: interfaces[5].xfrm.underlay: is wrong: 'wan 0' {name}",
        "F: routes[0].prefix: is wrong: 10.0.0.1/8 has host bits set",
        "F: routes[1]: is wrong: leads nowhere; give via, interface or both",
        f"F: sysctls.kernel.panic: is wrong: 'kernel.panic' {setting}",
        f"F: sysctls.net/../kernel/panic: is wrong: 'net/../kernel/panic' {setting}",
    ]


def test_what_does_not_fit_together_is_named_at_once() -> None:
    route = {"prefix": "10.0.0.0/8", "via": "10.0.0.1"}
    with pytest.raises(AgentError) as caught:
        wanted(
            interfaces=[
                LAN | {"vrf": "cust"},
                {"name": "lan0", "kind": "vrf"},
                {"name": "esp-a", "kind": "xfrm"},
                {"name": "lo", "kind": "loopback", "xfrm": {"if_id": 1, "underlay": "wan0"}},
            ],
            routes=[route, route, route | {"vrf": "other"}],
        )
    assert str(caught.value).splitlines() == [
        "links.json: interface lan0.table: belongs to kind vrf, and every vrf needs it",
        "links.json: interface esp-a.xfrm: belongs to kind xfrm, and every xfrm needs it",
        "links.json: interface lo.xfrm: belongs to kind xfrm, and every xfrm needs it",
        "links.json: interface lan0.vrf: cust is not listed with kind vrf; add it",
        "links.json: route 10.0.0.0/8.vrf: other is not listed with kind vrf; add it",
        "links.json: interface lan0: is listed twice; keep one",
        "links.json: route 10.0.0.0/8 in main, 0: is listed twice; keep one",
    ]


NEIGHBOUR = {"address": "10.17.0.4", "link_address": "02:00:0a:11:00:04", "interface": "lan0"}


def test_a_neighbour_is_a_single_station_on_a_port() -> None:
    group = NEIGHBOUR | {"link_address": "01:00:5e:00:00:12"}
    with pytest.raises(AgentError, match=r"01:00:5e:00:00:12.* does not match"):
        wanted(interfaces=[LAN], neighbours=[group])
    with pytest.raises(AgentError) as caught:
        wanted(
            interfaces=[GRE | {"link_address": "02:00:0a:11:00:02"}],
            neighbours=[NEIGHBOUR, NEIGHBOUR],
        )
    assert str(caught.value).splitlines() == [
        "links.json: interface gre-a.link_address: only a port (kind ethernet) has one; leave it out",
        "links.json: neighbour 10.17.0.4.interface: lan0 is not a listed port; add it",
        "links.json: neighbour 10.17.0.4.interface: lan0 is not a listed port; add it",
        "links.json: neighbour 10.17.0.4 on lan0: is listed twice; keep one",
    ]


def test_broken_json_is_placed() -> None:
    with pytest.raises(AgentError, match=r"^F:1:2: is not JSON: "):
        parse("{", "F")


def test_vrf_gets_a_last_resort_and_routes_its_table() -> None:
    plan = wanted(interfaces=[VRF], routes=[{"prefix": "10.9.0.0/16", "via": "10.0.0.2", "vrf": "cust"}])
    assert [str(route) for route in plan.routes] == [
        "10.9.0.0/16 via 10.0.0.2 table 1001 proto 211",
        "unreachable 0.0.0.0/0 table 1001 metric 4278198272 proto 211",
    ]


# --- what the kernel says

ANSWER: list[dict[str, Any]] = [
    {
        "ifname": "cust",
        "flags": ["UP"],
        "mtu": 65575,
        "linkinfo": {"info_kind": "vrf", "info_data": {"table": 1001}},
    },
    {
        "ifname": "lan0",
        "flags": ["BROADCAST", "UP"],
        "mtu": 1500,
        "master": "cust",
        "linkinfo": {"info_kind": "veth"},
        "addr_info": [
            {"family": "inet", "local": "10.17.0.2", "prefixlen": 32, "scope": "0"},
            {"family": "inet", "local": "10.17.0.1", "prefixlen": 32, "scope": "0", "protocol": "0x12"},
            {"family": "inet6", "local": "fe80::1", "prefixlen": 64, "scope": "253", "protocol": "0x3"},
        ],
    },
    {
        "ifname": "lo",
        "flags": ["LOOPBACK"],
        "mtu": 65536,
        "addr_info": [{"family": "inet", "local": "127.0.0.1", "prefixlen": 8, "scope": "254"}],
    },
    {
        "ifname": "gre-a",
        "flags": [],
        "mtu": 1360,
        "linkinfo": {
            "info_kind": "gre",
            "info_data": {"local": "10.64.0.11", "remote": "10.1.0.2", "ttl": 64},
        },
    },
    {
        "ifname": "esp-a",
        "link": "lan0",
        "flags": ["UP"],
        "mtu": 1446,
        "linkinfo": {"info_kind": "xfrm", "info_data": {"if_id": "0x1f"}},
    },
]


def test_what_is_the_kernels_or_keepalived_s_does_not_count() -> None:
    assert list(kernel.links_from(ANSWER).values()) == [
        Link("cust", "vrf", 65575, table=1001),
        Link("lan0", "ethernet", 1500, vrf="cust", addresses=("10.17.0.2/32",)),
        Link("lo", "loopback", 65536, up=False),
        Link("gre-a", "gre", 1360, gre=Tunnel("10.64.0.11", "10.1.0.2"), up=False),
        Link("esp-a", "xfrm", 1446, xfrm=Xfrm(31, "lan0")),
    ]


def test_refused_batch_line_is_shown() -> None:
    stderr = "RTNETLINK answers: Network is unreachable\nCommand failed -:2\n"
    assert kernel.explain(stderr, "link set a up\nroute replace X\n") == (
        "ip route replace X: RTNETLINK answers: Network is unreachable"
    )


# --- the difference


def ports(*names: str, **changes: Any) -> dict[str, Link]:
    return {name: replace(Link(name, "ethernet", 1500), **changes) for name in names}


def test_new_device_is_made_in_an_order_that_works() -> None:
    plan = wanted(
        interfaces=[LAN | {"vrf": "cust"}, VRF, GRE],
        routes=[{"prefix": "10.9.0.0/16", "via": "10.17.0.4", "interface": "lan0", "vrf": "cust"}],
    )
    state = State(
        ports("lan0", up=False, addresses=("192.0.2.1/24",)), rules=frozenset({(0, "255"), (32766, "254")})
    )
    assert difference(plan, state).batch == (
        "link add cust type vrf table 1001",
        "link set cust up",
        "link set lan0 master cust",
        "link set lan0 up",
        "link add gre-a type gre local 10.64.0.11 remote 10.1.0.2 ttl 64 tos inherit",
        "link set gre-a mtu 1360",
        "link set gre-a up",
        "address del 192.0.2.1/24 dev lan0",
        "address replace 10.17.0.2/32 dev lan0",
        "rule add pref 32765 table local",
        "rule del pref 0",
        "route replace 10.9.0.0/16 via 10.17.0.4 dev lan0 onlink table 1001 proto 211",
        "route replace unreachable 0.0.0.0/0 table 1001 metric 4278198272 proto 211",
    )


def test_matching_device_is_left_alone() -> None:
    plan = wanted(interfaces=[CORE], routes=[{"prefix": "10.9.0.0/16", "via": "10.0.0.2"}])
    state = State(
        ports("core0", addresses=("10.0.0.1/30",)) | ports("eth9", addresses=("192.0.2.1/24",)),
        frozenset({Route(254, "10.9.0.0/16", "10.0.0.2", "core0")}),
    )
    assert difference(plan, state) == model.Difference()


def test_neighbours_are_permanent_and_nobody_else_is() -> None:
    plan = wanted(
        interfaces=[LAN | {"link_address": "02:00:0a:11:00:02"}],
        neighbours=[NEIGHBOUR, NEIGHBOUR | {"address": "10.17.0.5", "link_address": "02:00:0a:11:00:05"}],
    )
    own = Link("lan0", "ethernet", 1500, addresses=("10.17.0.2/32",), link_address="02:00:0a:11:00:02")
    kept = model.Neighbour("10.17.0.5", "02:00:0a:11:00:05", "lan0")
    there = frozenset(
        {
            kept,
            model.Neighbour("10.17.0.4", "02:00:0a:11:00:09", "lan0"),
            model.Neighbour("10.17.0.9", "02:00:0a:11:00:09", "lan0"),
            model.Neighbour("192.0.2.9", "02:00:0a:11:00:09", "mgmt0"),
        }
    )
    change = difference(plan, State({"lan0": own}, neighbours=there))
    assert change.batch == (
        "neigh del 10.17.0.9 dev lan0",
        "neigh replace 10.17.0.4 lladdr 02:00:0a:11:00:04 dev lan0 nud permanent",
    )
    assert change.repeats == ()
    assert difference(plan, State({"lan0": own}, neighbours=frozenset(plan.neighbours))) == model.Difference()


def test_another_link_address_empties_the_table_of_neighbours() -> None:
    plan = wanted(interfaces=[LAN | {"link_address": "02:00:0a:11:00:02"}], neighbours=[NEIGHBOUR])
    own = Link("lan0", "ethernet", 1500, addresses=("10.17.0.2/32",), link_address="52:54:00:00:00:01")
    change = difference(plan, State({"lan0": own}, neighbours=frozenset(plan.neighbours)))
    assert change.batch == ("link set lan0 address 02:00:0a:11:00:02",)
    assert change.repeats == ("neigh replace 10.17.0.4 lladdr 02:00:0a:11:00:04 dev lan0 nud permanent",)


def test_permanent_neighbours_are_read_as_the_kernel_lists_them() -> None:
    answer = [
        {"dst": "10.17.0.4", "dev": "lan0", "lladdr": "02:00:0a:11:00:04", "state": ["PERMANENT"]},
        {"dst": "fe80::1", "dev": "lan0", "lladdr": "02:00:0a:11:00:04", "state": ["PERMANENT"]},
        {"dst": "10.17.0.5", "dev": "lan0", "state": ["PERMANENT"]},
    ]
    assert list(kernel._neighbours_from(answer)) == [
        model.Neighbour("10.17.0.4", "02:00:0a:11:00:04", "lan0")
    ]


def test_change_of_an_interface_writes_its_routes_again() -> None:
    plan = wanted(interfaces=[CORE], routes=[{"prefix": "10.9.0.0/16", "via": "10.0.0.2"}])
    state = State(
        ports("core0", addresses=("10.0.0.1/30", "10.0.0.9/30")),
        frozenset({Route(254, "10.9.0.0/16", "10.0.0.2", "core0")}),
    )
    change = difference(plan, state)
    assert change.batch == ("address del 10.0.0.9/30 dev core0", "address replace 10.0.0.1/30 dev core0")
    assert change.repeats == ("route replace 10.9.0.0/16 via 10.0.0.2 proto 211",)


def test_stale_routes_of_our_own_go_and_changed_ones_are_replaced() -> None:
    plan = wanted(interfaces=[CORE], routes=[{"prefix": "10.9.0.0/16", "via": "10.0.0.2"}])
    state = State(
        ports("core0", addresses=("10.0.0.1/30",)),
        frozenset(
            {Route(254, "10.9.0.0/16", "10.0.0.6", "core0"), Route(254, "10.8.0.0/16", device="core0")}
        ),
    )
    assert difference(plan, state).batch == (
        "route del 10.8.0.0/16 dev core0 proto 211",
        "route replace 10.9.0.0/16 via 10.0.0.2 proto 211",
    )


def test_only_what_we_made_is_removed() -> None:
    there = {name: Link(name, "gre", gre=Tunnel("any", "any")) for name in ("gre0", "gre-a", "gre-b")}
    owned = {"gre-a": "gre", "gre-b": "dummy", "gre-c": "gre"}  # b is somebody else's by now, c is gone
    assert difference(wanted(), State(there, owned=owned)).batch == ("link del gre-a",)


def test_vrf_of_another_table_is_made_anew_with_its_members() -> None:
    plan = wanted(interfaces=[VRF, LAN | {"vrf": "cust"}])
    there = {"cust": Link("cust", "vrf", table=7)} | ports("lan0", vrf="cust", addresses=("10.17.0.2/32",))
    last = Route(7, "0.0.0.0/0", kind=model.UNREACHABLE, metric=model.LAST_RESORT_METRIC)
    state = State(there, frozenset({last}), NO_RULES_TO_MEND, owned={"cust": "vrf"})
    assert difference(plan, state).batch == (
        "route del unreachable 0.0.0.0/0 table 7 metric 4278198272 proto 211",
        "link del cust",
        "link add cust type vrf table 1001",
        "link set cust up",
        "link set lan0 master cust",
        "route replace unreachable 0.0.0.0/0 table 1001 metric 4278198272 proto 211",
    )


def test_tunnel_ends_and_lost_rule_are_mended() -> None:
    plan = wanted(interfaces=[GRE, VRF])
    there = {
        "gre-a": Link("gre-a", "gre", 1360, gre=Tunnel("10.64.0.11", "10.1.0.9")),
        "cust": Link("cust", "vrf", table=1001),
    }
    last = Route(1001, "0.0.0.0/0", kind=model.UNREACHABLE, metric=model.LAST_RESORT_METRIC)
    assert difference(plan, State(there, frozenset({last}), frozenset({(32765, "255")}))).batch == (
        "link set gre-a type gre local 10.64.0.11 remote 10.1.0.2 ttl 64 tos inherit",
        "rule add l3mdev pref 1000",
    )


def test_ipsec_interface_is_made_after_what_it_stands_on() -> None:
    plan = wanted(interfaces=[ESP, CORE, VRF])
    state = State(ports("core0", up=False, addresses=("10.0.0.1/30",)), rules=NO_RULES_TO_MEND)
    assert difference(plan, state).batch == (
        "link add cust type vrf table 1001",
        "link set cust up",
        "link set core0 up",
        "link add esp-a type xfrm dev core0 if_id 1",
        "link set esp-a master cust",
        "link set esp-a mtu 1446",
        "link set esp-a up",
        "route replace unreachable 0.0.0.0/0 table 1001 metric 4278198272 proto 211",
    )


@pytest.mark.parametrize("other", [Xfrm(2, "core0"), Xfrm(1, "lan0")])
def test_ipsec_interface_of_other_policies_or_another_port_is_made_anew(other: Xfrm) -> None:
    plan = wanted(interfaces=[{key: value for key, value in ESP.items() if key != "vrf"}, CORE])
    there = ports("core0", addresses=("10.0.0.1/30",))
    same = State(there | {"esp-a": Link("esp-a", "xfrm", 1446, xfrm=Xfrm(1, "core0"))})
    assert difference(plan, same) == model.Difference()
    differs = State(there | {"esp-a": Link("esp-a", "xfrm", 1446, xfrm=other)}, owned={"esp-a": "xfrm"})
    assert difference(plan, differs).batch == (
        "link del esp-a",
        "link add esp-a type xfrm dev core0 if_id 1",
        "link set esp-a mtu 1446",
        "link set esp-a up",
    )


def test_ipsec_interface_needs_a_port_below() -> None:
    plan = wanted(interfaces=[{"name": "esp-a", "kind": "xfrm", "xfrm": {"if_id": 1, "underlay": "eth9"}}])
    assert problems(plan, State({})) == [
        "interface esp-a: there is no interface eth9 below it; list it or correct the name"
    ]
    assert problems(plan, State(ports("eth9"))) == []


def test_what_hangs_on_an_absent_modem_waits() -> None:
    plan = wanted(
        interfaces=[{"name": "wwan0", "kind": "wwan"}],
        routes=[{"prefix": "10.8.0.0/16", "interface": "wwan0"}],
        sysctls={"net.ipv4.conf.wwan0.rp_filter": "0"},
    )
    assert problems(plan, State({})) == []
    assert difference(plan, State({})) == model.Difference()
    there = State(
        ports("wwan0", addresses=("10.64.0.11/32",)), sysctls={"net/ipv4/conf/wwan0/rp_filter": "2"}
    )
    assert difference(plan, there).changes == (
        "route replace 10.8.0.0/16 dev wwan0 proto 211",
        "sysctl net.ipv4.conf.wwan0.rp_filter=0",
    )


def test_settings_are_written_forwarding_first_and_new_interfaces_last() -> None:
    sysctls = {
        "net.ipv4.conf.all.send_redirects": "0",
        "net.ipv4.tcp_ecn": "1",
        "net.ipv4.ip_forward": "1",
        "net/ipv4/conf/gre-a/rp_filter": "0",
    }
    plan = wanted(interfaces=[GRE], sysctls=sysctls)
    has = {"net/ipv4/conf/all/send_redirects": "0", "net/ipv4/tcp_ecn": "1", "net/ipv4/ip_forward": "0"}
    change = difference(plan, State({}, sysctls={**has}))
    assert list(change.before.items()) == [
        ("net/ipv4/ip_forward", "1"),
        ("net/ipv4/conf/all/send_redirects", "0"),
    ]
    assert change.after == {"net/ipv4/conf/gre-a/rp_filter": "0"}


def test_labels_are_let_in_where_wanted_only() -> None:
    plan = wanted(interfaces=[CORE | {"mpls": True}, LAN])
    there = ports("core0", addresses=("10.0.0.1/30",)) | ports("lan0", addresses=("10.17.0.2/32",))
    has = {
        "net/mpls/conf/core0/input": "0",
        "net/mpls/conf/lan0/input": "1",
        "net/mpls/platform_labels": "0",
    }
    assert difference(plan, State(there, sysctls={**has})).changes == (
        "sysctl net.mpls.conf.core0.input=1",
        "sysctl net.mpls.conf.lan0.input=0",
        "sysctl net.mpls.platform_labels=100000",
    )


def test_every_problem_of_the_device_is_named_at_once() -> None:
    plan = wanted(
        interfaces=[LAN, CORE | {"mpls": True}, GRE],
        routes=[{"prefix": "10.8.0.0/16", "interface": "eth9"}],
        sysctls={"net.ipv4.conf.lan0.no_such": "0", "net.ipv4.no_such": "1"},
    )
    state = State(ports("core0") | {"gre-a": Link("gre-a", "dummy")})
    assert problems(plan, state) == [
        "interface lan0: the device has no such port; plug it in, or correct the name",
        (
            "interface gre-a: is there as another dummy, not made by this program; "
            "remove it (ip link del gre-a) or give another name"
        ),
        "route 10.8.0.0/16: there is no interface eth9; list it or correct the name",
        "sysctl net/ipv4/no_such: the kernel has no such setting; correct the name",
        "sysctl net/mpls/conf/core0/input: the kernel has no such setting; correct the name",
        "MPLS: the kernel has none; modprobe mpls_router mpls_iptunnel, now and at boot",
    ]


def test_ipv6_need_not_be_switched_off_where_there_is_none() -> None:
    plan = wanted(sysctls={"net.ipv6.conf.all.disable_ipv6": "1"})
    assert problems(plan, State({})) == []
    assert difference(plan, State({})) == model.Difference()


# --- the kernel itself

needs_root = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("ip") is None, reason="needs root and iproute2 for a network namespace"
)


@pytest.fixture
def namespace() -> Iterator[str]:
    name = f"heiiki-test-{os.getpid()}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        subprocess.run(["ip", "-n", name, "link", "add", "core0", "type", "veth", "peer", "lan0"], check=True)
        yield name
    finally:
        subprocess.run(["ip", "netns", "del", name], check=True)


@needs_root
def test_kernel_is_made_to_match_and_a_second_run_changes_nothing(namespace: str, tmp_path: Path) -> None:
    file = tmp_path / "links.json"

    def run(action: str, **parts: Any) -> tuple[int, list[str], str]:
        file.write_text(json.dumps(parts))
        program = [*PROGRAM, action, str(file), "--owned", str(tmp_path / "owned.json")]
        command = ["ip", "netns", "exec", namespace, *program]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout.splitlines(), done.stderr

    first: dict[str, Any] = {
        "interfaces": [CORE, LAN, {"name": "lo", "kind": "loopback", "addresses": ["10.255.0.1/32"]}],
        "routes": [
            {"prefix": "10.9.0.0/16", "via": "10.0.0.2"},
            {"prefix": "10.8.0.0/16", "interface": "lan0"},
        ],
        "sysctls": {"net.ipv4.ip_forward": "1", "net.ipv4.conf.core0.rp_filter": "0"},
    }
    assert run("check", **first)[0] == 1
    assert run("apply", **first)[0] == 0
    assert run("apply", **first) == (0, [], "")
    second = first | {"routes": [{"prefix": "10.9.0.0/16", "via": "10.0.0.3"}]}
    assert run("check", **second) == (
        1,
        [
            "route del 10.8.0.0/16 dev lan0 proto 211",
            "route replace 10.9.0.0/16 via 10.0.0.3 proto 211",
        ],
        "",
    )
    status, changed, error = run(
        "apply", **first | {"routes": [{"prefix": "10.7.0.0/16", "via": "192.0.2.1"}]}
    )
    assert (status, changed) == (1, [])
    assert error.startswith("ip route replace 10.7.0.0/16 via 192.0.2.1 proto 211: ")
    assert run("apply", **first)[0] == 0
    assert run("check", **first) == (0, [], "")


@needs_root
def test_the_start_of_the_keeper_ends_when_the_links_are_as_wanted(namespace: str, tmp_path: Path) -> None:
    file = tmp_path / "links.json"
    file.write_text(json.dumps({"interfaces": [CORE]}))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(PATIENCE_S)
        keeper = subprocess.Popen(
            [
                "ip",
                "netns",
                "exec",
                namespace,
                *PROGRAM,
                "keep",
                str(file),
                "--owned",
                str(tmp_path / "owned"),
            ],
            env={**os.environ, "NOTIFY_SOCKET": str(tmp_path / "notify")},
        )
        try:
            assert manager.recv(64) == b"READY=1"
            shown = subprocess.run(
                ["ip", "-n", namespace, "-o", "-4", "address", "show", "core0"],
                capture_output=True,
                text=True,
                check=True,
            )
            assert "10.0.0.1/30" in shown.stdout
        finally:
            keeper.kill()
            keeper.wait()


@needs_root
def test_the_keeper_does_not_start_with_links_that_cannot_be_made(namespace: str, tmp_path: Path) -> None:
    file = tmp_path / "links.json"
    file.write_text(json.dumps({"interfaces": [{**CORE, "name": "absent0"}]}))
    done = subprocess.run(
        ["ip", "netns", "exec", namespace, *PROGRAM, "keep", str(file)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (
        1,
        "interface absent0: the device has no such port; plug it in, or correct the name\n",
    )
