"""What nobody planned on a host is a finding, and fails what it endangers; the rest is explained."""

from copy import deepcopy
from dataclasses import replace
from ipaddress import IPv4Address
from typing import Any

import pytest
from two_dras import HOSTS, with_two

from heiiki.plan.model import Management, Plan, XmppLogin
from heiiki.render import compile_plan
from heiiki.requirements import Result, Verdict
from heiiki.verify.host import state
from heiiki.verify.host.explained import Added
from heiiki.verify.host.findings import known_prefixes
from heiiki.verify.host.packages import unexplained as unexplained_packages
from heiiki.verify.host.routes import unexplained_routes
from heiiki.verify.host.sockets import unexplained_sockets

DEVICE = "umeda-gw-b"
CLOSED, GROUP, SITE, MINIMAL = "R-CLOSED", "R-ISO-GROUP", "R-ISO-SITE", "R-MINIMAL"
ACCESS = "R-SEC-ACCESS"


def link(name: str, *addresses: str, **more: Any) -> dict[str, Any]:
    found = [{"family": "inet", "local": one, "prefixlen": 32} for one in addresses]
    return {"ifname": name, "flags": ["UP"], "addr_info": found, **more}


def route(to: str, dev: str, protocol: str = "boot", **more: Any) -> dict[str, Any]:
    return {"dst": to, "dev": dev, "protocol": protocol, **more}


def opens(program: str, unit: str, port: str, protocol: str = "tcp") -> dict[str, str]:
    return {"protocol": protocol, "address": "*", "port": port, "program": program, "unit": unit}


def frames(unit: str, interface: str, protocol: str) -> dict[str, str]:
    return {"kind": "p_dgr", "protocol": protocol, "interface": interface, "program": "python3", "unit": unit}


def state_of(source: str, destination: str, spi: str) -> dict[str, Any]:
    """A state of the kernel's that the IKE daemon does not know."""
    return {"source": source, "destination": destination, "protocol": "esp", "spi": spi, "known": False}


LOGIN = XmppLogin("example", ((IPv4Address("192.0.2.1"), 5222),), "umeda@example", "dras@example")


def package(
    name: str, *needs: str, priority: str = "optional", provides: list[str] | None = None
) -> dict[str, Any]:
    return {
        "name": name,
        "version": "1.2-3",
        "priority": priority,
        "essential": False,
        "needs": list(needs),
        "provides": provides or [],
    }


SAID: dict[str, Any] = {
    "errors": {},
    "addresses": [
        link("lo", "127.0.0.1"),
        link("wwan0", "10.112.0.17"),
        link("radio0"),
        link("lan0", "10.16.1.19"),
        link("lan0-v", "10.16.1.17"),
        link("tun-b", "10.128.0.70"),
        {"ifname": "gre0", "flags": ["NOARP"], "addr_info": []},
    ],
    "routes": [
        route("10.15.0.0/28", "lan0", "bgp", learned=True),
        route("10.16.1.16/28", "lan0", "210"),
        route("10.96.3.253", "wwan0", "211"),
        route("10.128.0.68/30", "tun-b", "kernel"),
        route("10.16.1.19", "lan0", "kernel", type="local", table="local"),
    ],
    "rules": [
        {"priority": 0, "src": "all", "table": "local"},
        {"priority": 220, "src": "all", "table": "220"},
        {"priority": 32766, "src": "all", "table": "main"},
        {"priority": 32767, "src": "all", "table": "default"},
    ],
    "routes6": [
        route("::1", "lo", "kernel"),
        route("fe80::/64", "radio0", "kernel"),
        route("ff00::/8", "radio0", "kernel", type="multicast", table="local"),
    ],
    "rules6": [
        {"priority": 0, "src": "all", "table": "local"},
        {"priority": 32766, "src": "all", "table": "main"},
    ],
    "filters": [],
    "states": [
        {
            "source": "10.112.0.17",
            "destination": "10.96.3.2",
            "protocol": "esp",
            "spi": "c0ffee01",
            "known": True,
        }
    ],
    "tables": {"nftables": [{"metainfo": {}}, {"table": {"family": "inet", "name": "heiiki"}}]},
    "qdiscs": [
        {"kind": "noqueue", "dev": "lan0"},
        {"kind": "tbf", "dev": "tun-b"},
        {"kind": "prio", "dev": "tun-b"},
    ],
    "policies": "src 0.0.0.0/0 dst 0.0.0.0/0\n\tsocket in priority 0 ptype main\n",
    "sockets": [opens("bgpd", "frr", "179"), opens("bfdd", "frr", "49152", "udp")],
    "packet_sockets": [
        frames("heiiki-lan-watch", "lan0", "2054"),
        frames("keepalived", "*", "2054"),
        frames("", "radio0", "34997"),
    ],
    "settings": {"lo": {"accept_redirects": "1"}, "lan0": {"forwarding": "1"}},
    "units": ["frr.service", "keepalived.service", "systemd-journald.service"],
    "drop_ins": [
        "/etc/systemd/system/frr.service.d/heiiki.conf",
        "/etc/systemd/system/ssh.service.d/own.conf",
    ],
    "files": [
        {"path": "/etc/ssh/sshd_config", "packaged": True},
        {"path": "/etc/frr/frr.conf", "packaged": False},
    ],
    "namespaces": [],
    "crontabs": ["/etc/cron.daily/logrotate"],
    "accounts": [{"name": "root", "uid": 0, "keys": 0}, {"name": "frr", "uid": 997, "keys": 0}],
    "authorities": ["heiiki-0123456789abcdef.pem"],
    "packages": [
        package("libc6", priority="optional"),
        package("dpkg", "libc6", priority="required"),
        package("frr", "libyang3", "logrotate"),
        package("libyang3t64", provides=["libyang3"]),
        package("logrotate"),
        package("linux-image-6.12.9-amd64"),
        package("python3"),
    ],
}


def judged(
    plan: Plan, fleet_of: Any, kept: Any, part: str = "", more: Any = None, added: Added | None = None
) -> list[Verdict]:
    said = deepcopy(SAID)
    if part:
        said[part] = said[part] + more if isinstance(more, list | str) else more
    builds = [one for one in compile_plan(plan) if one.device == DEVICE]
    fleet = fleet_of(lambda *_: said)
    return list(state.verdicts(plan, builds, fleet, kept, lambda _: added or Added()))


def failed(verdicts: list[Verdict]) -> set[str]:
    return {one.requirement for one in verdicts if one.result is Result.FAIL}


def test_a_host_as_planned_passes(plan: Plan, fleet_of: Any, kept: Any) -> None:
    found = judged(plan, fleet_of, kept)
    assert {(one.subject, one.result) for one in found} == {(f"host {DEVICE}", Result.PASS)}, found
    assert {one.requirement for one in found} >= {MINIMAL, CLOSED, GROUP, SITE, ACCESS}


@pytest.mark.parametrize(
    ("part", "more", "endangers"),
    [
        ("files", [{"path": "/etc/ssh/sshd_config.d/zz.conf", "packaged": False}], set()),
        ("packages", [package("netcat-openbsd")], set()),
        ("packages", [package("strongswan-pki", "libc6")], set()),
        ("addresses", [link("usb0", "192.168.8.2")], {CLOSED, GROUP, SITE}),
        ("addresses", [link("lan0", "10.16.1.30")], {CLOSED, GROUP, SITE}),
        ("addresses", [link("lan0", xdp={"prog": {}})], {SITE}),
        ("routes", [route("default", "usb0", gateway="192.168.8.1")], {CLOSED, GROUP, SITE}),
        ("routes", [route("default", "lan0", "bgp", learned=True)], {CLOSED, GROUP, SITE}),
        ("routes", [route("10.15.0.0/28", "lan0", "bgp", learned=False)], {CLOSED, GROUP, SITE}),
        ("routes", [route("10.15.0.0/28", "lan0", "zebra")], {CLOSED, GROUP, SITE}),
        ("routes", [route("10.16.2.160/28", "lan0", "kernel")], {CLOSED, GROUP, SITE}),
        ("routes", [route("10.128.0.68/30", "tun-b", "kernel", gateway="10.16.1.20")], {CLOSED, GROUP, SITE}),
        ("routes", [route("10.16.2.160/28", "lan0", "210")], {CLOSED, GROUP, SITE}),
        ("routes", [route("10.96.3.253", "lan0", "211", gateway="10.16.1.20")], {CLOSED, GROUP, SITE}),
        ("routes", [route("10.96.3.253", "wwan0", "211", table="77")], {CLOSED, GROUP, SITE}),
        ("routes", [route("10.96.3.253", "wwan0")], {CLOSED, GROUP, SITE}),
        ("routes", [route("10.16.1.20", "", type="blackhole")], {CLOSED, GROUP, SITE}),
        ("routes", [route("default", "", "211", type="unreachable", table=77)], {CLOSED, GROUP, SITE}),
        ("routes", [route("10.16.2.160/28", "lan0")], {CLOSED, GROUP, SITE}),
        ("routes", [route("10.16.2.160/28", "lan0", "211")], {CLOSED, GROUP, SITE}),
        ("routes", [route("8.8.8.0/24", "lan0", "bgp", learned=True)], {CLOSED, GROUP, SITE}),
        ("rules", [{"priority": 100, "src": "10.16.1.20", "table": "77"}], {CLOSED, SITE}),
        ("rules", [{"priority": 0, "src": "all", "table": "local", "fwmark": "0x1"}], {CLOSED, SITE}),
        (
            "tables",
            {"nftables": [{"table": {"family": "ip", "name": "nat"}}]},
            {CLOSED, GROUP, SITE, ACCESS},
        ),
        ("qdiscs", [{"kind": "clsact", "dev": "lan0"}], {SITE}),
        ("qdiscs", [{"kind": "tbf", "dev": "lan0"}], {SITE}),
        ("qdiscs", [{"kind": "netem", "dev": "tun-b"}], {SITE}),
        ("policies", "src 10.112.0.17/32 dst 10.201.0.1/32 proto gre \n\tdir out priority 1\n", {ACCESS}),
        (
            "policies",
            (
                "src 10.112.0.17/32 dst 10.201.0.1/32 proto gre \n\tdir out priority 1\n"
                "\ttmpl src 0.0.0.0 dst 0.0.0.0\n\t\tproto esp reqid 1 mode transport\n\t\tlevel use \n"
            ),
            {ACCESS},
        ),
        ("policies", "src 10.1.0.0/16 dst 10.2.0.0/16 \n\tdir out priority 0\n", {ACCESS}),
        ("routes6", [route("default", "lan0", "boot", gateway="fe80::1")], {CLOSED, GROUP, SITE}),
        ("routes6", [route("2001:db8::/64", "lan0", "kernel")], {CLOSED, GROUP, SITE}),
        ("rules6", [{"priority": 100, "src": "all", "table": "77"}], {CLOSED, SITE}),
        ("filters", ["filter parent 8001: protocol ip pref 1 matchall"], {SITE}),
        ("states", [state_of("10.112.0.17", "10.96.3.2", "0badcafe")], {ACCESS}),
        ("states", [state_of("10.112.0.17", "192.0.2.9", "00000000")], {ACCESS}),
        ("sockets", [opens("nc", "", "5222")], set()),
        ("sockets", [opens("nc", "frr", "5222")], set()),
        ("packet_sockets", [frames("", "lan0", "3")], {SITE}),
        ("packet_sockets", [frames("keepalived", "lan0", "3")], {SITE}),
        ("packet_sockets", [frames("heiiki-revocation", "lan0", "2054")], {SITE}),
        ("settings", {"lan0": {"proxy_arp": "1"}}, {GROUP, SITE}),
        ("settings", {"all": {"accept_source_route": "1"}}, {GROUP, SITE}),
        ("addresses", [{**link("lan0", "10.16.1.19"), "flags": ["UP", "PROMISC"]}], {SITE}),
        ("units", ["backdoor.service"], set()),
        ("drop_ins", ["/etc/systemd/system/frr.service.d/zz.conf"], set()),
        ("drop_ins", ["/run/systemd/system/nftables.service.d/heiiki.conf"], set()),
        ("drop_ins", ["/etc/systemd/system/service.d/all.conf"], set()),
        ("namespaces", ["hidden"], {CLOSED, GROUP, SITE}),
        ("crontabs", ["/var/spool/cron/crontabs/root"], set()),
        ("accounts", [{"name": "eve", "uid": 1000, "keys": 0}], set()),
        ("accounts", [{"name": "toor", "uid": 0, "keys": 0}], set()),
        ("accounts", [{"name": "root", "uid": 0, "keys": 1}], set()),
        ("authorities", ["zz.pem"], {ACCESS}),
    ],
)
def test_what_nothing_explains_fails_the_host_and_what_it_endangers(
    plan: Plan, fleet_of: Any, kept: Any, part: str, more: Any, endangers: set[str]
) -> None:
    found = failed(judged(plan, fleet_of, kept, part, more))
    assert found & {CLOSED, GROUP, SITE, ACCESS} == endangers
    assert MINIMAL in found


def test_a_state_that_waits_for_an_sa_is_explained(plan: Plan, fleet_of: Any, kept: Any) -> None:
    (connection,) = plan.device(DEVICE).ipsec
    waits = [state_of(str(connection.local), str(connection.remote), "00000000")]
    assert failed(judged(plan, fleet_of, kept, "states", waits)) == set()


def test_a_file_that_management_adds_is_explained(plan: Plan, fleet_of: Any, kept: Any) -> None:
    path = "/usr/lib/systemd/system-generators/by-management"
    more = [{"path": path, "packaged": False}]
    assert failed(judged(plan, fleet_of, kept, "files", more)) == {MINIMAL}
    assert failed(judged(plan, fleet_of, kept, "files", more, Added(files=frozenset({path})))) == set()


@pytest.mark.parametrize(
    ("options", "findings"),
    [
        ({"limit": 1000, "rate": {"rate": 500_000, "packetoverhead": -14}, "ecn": False, "gap": 0}, set()),
        ({"limit": 1000, "rate": {"rate": 500_001, "packetoverhead": -14}}, {MINIMAL, SITE}),
        ({"limit": 1000, "rate": {"rate": 500_000}, "loss-random": {"loss": 0.3}}, {MINIMAL, SITE}),
        ({"limit": 1000, "delay": {"delay": 0.1}}, {MINIMAL, SITE}),
    ],
)
def test_a_line_that_the_lab_paces_does_nothing_else(
    plan: Plan, fleet_of: Any, kept: Any, options: dict[str, Any], findings: set[str]
) -> None:
    more = [{"kind": "netem", "dev": "radio0", "options": options}]
    added = Added(rates={"radio0": 4000})
    assert failed(judged(plan, fleet_of, kept, "qdiscs", more, added)) & {MINIMAL, SITE} == findings
    assert failed(judged(plan, fleet_of, kept, "qdiscs", more)) >= {MINIMAL, SITE}


def test_what_management_adds_is_explained_by_name(plan: Plan, fleet_of: Any, kept: Any) -> None:
    person = [{"name": "operator", "uid": 1000, "keys": 2}]
    explained = Added(accounts=frozenset({"operator"}))
    assert failed(judged(plan, fleet_of, kept, "accounts", person)) == {MINIMAL}
    assert failed(judged(plan, fleet_of, kept, "accounts", person, explained)) == set()
    remote = replace(plan, management=Management("ssh", interface="mgmt0"))
    assert failed(judged(remote, fleet_of, kept, "addresses", [link("mgmt0", "192.0.2.1")])) == set()
    assert failed(judged(remote, fleet_of, kept, "addresses", [link("mgmt1", "192.0.2.1")])) >= {CLOSED}


def test_a_part_that_could_not_be_read_leaves_a_host_unknown(
    plan: Plan, fleet_of: Any, kept: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SAID, "errors", {"sockets": "ss: not found"})
    found = judged(plan, fleet_of, kept)
    assert {one.result for one in found} == {Result.UNKNOWN}
    assert {one.result for one in judged(plan, fleet_of, kept, "addresses", ["nonsense"])} == {Result.UNKNOWN}
    monkeypatch.setitem(SAID, "errors", {})
    monkeypatch.delitem(SAID, "rules")
    assert {one.result for one in judged(plan, fleet_of, kept)} == {Result.UNKNOWN}


@pytest.mark.parametrize(("strange", "result"), [(1, Result.PASS), (4, Result.PASS), (5, Result.FAIL)])
def test_a_socket_that_is_gone_at_the_next_look_is_none(
    plan: Plan, fleet_of: Any, kept: Any, strange: int, result: Result
) -> None:
    looks: list[str] = []

    def reply(device: str, *_: Any) -> dict[str, Any]:
        looks.append(device)
        brief = [opens("", "", "49189", "udp")] if len(looks) <= strange else []
        return {**SAID, "sockets": [*SAID["sockets"], *brief]}

    builds = [one for one in compile_plan(plan) if one.device == DEVICE]
    found = list(state.verdicts(plan, builds, fleet_of(reply), kept))
    assert {one.result for one in found if one.requirement == MINIMAL} == {result}


GATEWAY, XMPP = "00:00:5e:00:01:34", "02:00:0a:0f:00:05"
"""Link addresses of the hub's virtual gateway and of its XMPP server."""


@pytest.mark.parametrize(
    ("said", "result"),
    [
        ({"10.15.0.1": [GATEWAY], "10.15.0.5": [XMPP]}, Result.PASS),
        ({"10.15.0.1": [GATEWAY], "10.15.0.9": [XMPP]}, Result.FAIL),
        ({"10.15.0.1": [XMPP], "10.15.0.5": [XMPP]}, Result.FAIL),
        ({"10.15.0.1": [GATEWAY], "10.15.0.5": ["52:54:00:00:00:01", XMPP]}, Result.FAIL),
        ({}, Result.UNKNOWN),
        (None, Result.UNKNOWN),
    ],
)
def test_only_planned_hosts_answer_on_the_hubs_lan(
    plan: Plan, fleet_of: Any, kept: Any, said: Any, result: Result
) -> None:
    builds = [one for one in compile_plan(plan) if one.device == "dras"]
    answer = deepcopy(SAID) | ({"neighbours": said} if said is not None else {})
    found = list(state.verdicts(plan, builds, fleet_of(lambda *_: answer), kept))
    (verdict,) = (one for one in found if one.subject == state.HUB_LAN)
    assert (verdict.requirement, verdict.result) == (GROUP, result)


def test_the_kernels_own_sockets_of_gtp_are_the_packet_gateways(plan: Plan) -> None:
    gtp = [opens("", "", "2152", "udp")]
    assert not list(unexplained_sockets(plan.device("b-pgw"), {"heiiki-pgw"}, (), gtp))
    assert list(unexplained_sockets(plan.device(DEVICE), {"frr"}, (), gtp))


def test_a_host_of_the_vtn_takes_the_book_at_a_port_of_its_own() -> None:
    two = with_two()
    listening = [opens("python3", "heiiki-openadr-vtn", port) for port in ("8443", "8444", "8446")]
    for name in HOSTS:
        assert not list(unexplained_sockets(two.device(name), {"heiiki-openadr-vtn"}, (), listening))


def test_a_package_is_named_with_its_version_and_what_it_brings_is_not(
    plan: Plan, fleet_of: Any, kept: Any
) -> None:
    more = [
        package("nmap", "nmap-common", "liblua5.4-0", "libc6"),
        package("nmap-common"),
        package("liblua5.4-0"),
    ]
    [told] = [one for one in judged(plan, fleet_of, kept, "packages", more) if one.requirement == MINIMAL]
    assert (told.result, told.reason) == (Result.FAIL, "nothing explains package nmap 1.2-3")


def test_two_that_need_each_other_are_both_named(plan: Plan, fleet_of: Any, kept: Any) -> None:
    more = [package("one", "other"), package("other", "one")]
    [told] = [one for one in judged(plan, fleet_of, kept, "packages", more) if one.requirement == MINIMAL]
    assert told.reason == "nothing explains package one 1.2-3; package other 1.2-3"


def test_another_version_is_no_finding(plan: Plan, fleet_of: Any, kept: Any) -> None:
    more = [{**one, "version": "9.9-9"} for one in SAID["packages"]]
    builds = [one for one in compile_plan(plan) if one.device == DEVICE]
    fleet = fleet_of(lambda *_: {**SAID, "packages": more})
    assert failed(list(state.verdicts(plan, builds, fleet, kept))) == set()


def test_a_package_of_a_service_that_the_host_does_not_have_is_strange(
    plan: Plan, fleet_of: Any, kept: Any
) -> None:
    builds = [one for one in compile_plan(plan) if one.device == "umeda-bems"]
    said = {"errors": {}, "packages": [package("frr")], "files": []}
    found = {one.requirement: one for one in state.verdicts(plan, builds, fleet_of(lambda *_: said), kept)}
    assert found[MINIMAL].reason == "nothing explains package frr 1.2-3"
    assert "frr" not in found[CLOSED].reason


@pytest.mark.parametrize(
    ("name", "changes"), [("python3-slixmpp", {"xmpp": LOGIN}), ("python3-signxml", {"signed": True})]
)
def test_a_package_is_explained_where_openadr_is_spoken_so(
    plan: Plan, name: str, changes: dict[str, Any]
) -> None:
    device = plan.device("umeda-bems")
    assert device.ven
    speaking = replace(device, ven=replace(device.ven, **changes))
    found = [package(name)]
    assert list(unexplained_packages(speaking, (), (), found)) == []
    assert list(unexplained_packages(device, (), (), found)) == [f"{name} 1.2-3"]


def test_what_management_adds_explains_packages(plan: Plan, fleet_of: Any, kept: Any) -> None:
    added = Added(packages=frozenset({"tcpdump"}))
    more = [package("tcpdump", "libpcap0.8t64"), package("libpcap0.8t64")]
    assert failed(judged(plan, fleet_of, kept, "packages", more, added)) == set()


def test_a_policy_that_demands_esp_between_planned_ends_is_explained(
    plan: Plan, fleet_of: Any, kept: Any
) -> None:
    (connection,) = plan.device(DEVICE).ipsec
    ends = f"src {connection.selector.local} dst {connection.selector.remote}"
    text = (
        f"{ends} proto gre \n\tdir out priority 366975 \n\ttmpl src 0.0.0.0 dst 0.0.0.0\n"
        "\t\tproto esp spi 0xc2ec7744 reqid 1 mode transport\n"
    )
    assert failed(judged(plan, fleet_of, kept, "policies", text)) == set()


def test_a_vrf_has_its_last_resort_and_management_its_own_routes(plan: Plan) -> None:
    edge, known = plan.device("a-pe2"), known_prefixes(plan)
    last = route("default", "", "211", type="unreachable", table=10017)
    inside = route("10.80.0.68/30", "ac0017", "kernel", table=10017)
    assert list(unexplained_routes(edge, known, (), [last, inside])) == []
    own = [route("default", "mgmt0", gateway="192.0.2.1"), route("192.0.2.0/24", "mgmt0", "kernel")]
    leads_in = route("10.16.1.16/28", "mgmt0", gateway="192.0.2.9")
    assert list(unexplained_routes(edge, known, ("mgmt0",), [*own, leads_in])) == [
        "route 10.16.1.16/28 dev mgmt0, table main (boot)"
    ]
