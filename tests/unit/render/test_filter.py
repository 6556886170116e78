"""The packet filter denies by interface: what the plan does not know lets nothing in, whatever it claims."""

import re
from collections.abc import Collection
from dataclasses import replace
from ipaddress import IPv4Interface, IPv4Network
from pathlib import Path

import pytest

from heiiki.intent import load
from heiiki.intent.forms import PLANNED_INTERFACE
from heiiki.plan import Plan, build, firewall
from heiiki.plan.model import Device, InterfaceKind, ManagementAccess
from heiiki.render.templates import meters, render

EXAMPLE = Path(__file__).parents[3] / "inventories" / "lab"
SOURCES, POOL = IPv4Network("192.168.200.0/24"), IPv4Network("10.16.0.0/18")


@pytest.fixture(scope="module")
def plan() -> Plan:
    return build(load(EXAMPLE))


def filters(plan: Plan) -> list[Device]:
    return [device for device in plan.managed() if device.firewall is not None]


FRAG_NEEDED = "icmp type destination-unreachable icmp code frag-needed ip daddr {"


def chain(rules: str, name: str) -> list[str]:
    """The rules of a chain, without comments and its hook."""
    body = rules.partition(f"\tchain {name} {{\n")[2].partition("\n\t}\n")[0]
    lines = [line.strip() for line in body.splitlines()]
    return [line for line in lines if not line.startswith(("#", "type filter"))]


def dispatched(rules: str) -> dict[str, str]:
    (line,) = (rule for rule in chain(rules, "prerouting") if "vmap" in rule)
    return dict(re.findall(r'"([^"]+)" : ([^,}]+?)(?:,| })', line))


def test_what_comes_in_by_another_interface_is_dropped_and_counted(plan: Plan) -> None:
    for device in filters(plan):
        rules = render("linux/nftables.conf.j2", plan, device)
        assert chain(rules, "prerouting")[-1] == "counter name unknown_interface drop"
        planned = {item.name for item in device.interfaces if item.kind is not InterfaceKind.RADIO}
        assert planned | {"lo"} <= dispatched(rules).keys(), device.name
        made = dispatched(rules).keys() - planned - {"lo"}
        assert made <= {"lan0-v", "gtp0"}, device.name


def test_a_source_that_is_checked_goes_nowhere_else(plan: Plan) -> None:
    """A chain of sources ends in a verdict: nothing comes back from it to be dropped or to pass.

    Besides, a carrier's router may say that a packet of a tunnel is too large, to the tunnel's own device. A
    line that carries PPPoE takes no packet of IP but by its session.
    """
    for device in filters(plan):
        rules = render("linux/nftables.conf.j2", plan, device)
        for name, verdict in dispatched(rules).items():
            if verdict == "drop":
                assert name in device.below_sessions, (device.name, name)
            elif verdict != "accept":
                passed, *too_large, dropped = chain(rules, verdict.removeprefix("goto "))
                assert [rule.startswith(FRAG_NEEDED) for rule in too_large] == [True] * (
                    name in device.firewall.encrypted
                ), (device.name, name)
                assert passed.endswith("} accept"), (device.name, name)
                assert dropped.endswith("drop"), (device.name, name)


def test_every_service_is_bound_to_interfaces_of_the_device(plan: Plan) -> None:
    for device in filters(plan):
        rules = render("linux/nftables.conf.j2", plan, device)
        known = dispatched(rules)
        opened = [line for line in chain(rules, "input") if "comment" in line]
        for line in opened:
            names = re.match(r"iifname \{ (.*?) \} i", line)
            assert names, (device.name, line)
            for name in re.findall(r'"([^"]+)"', names[1]):
                assert any(re.fullmatch(name.replace("*", ".*"), one) for one in known), (device.name, line)


def test_what_is_forwarded_or_held_without_state_is_not_tracked(plan: Plan) -> None:
    for device in filters(plan):
        rules = render("linux/nftables.conf.j2", plan, device)
        tracked = chain(rules, "untracked")
        assert bool(tracked) == bool(device.router or device.pgw), device.name
        if not tracked:
            continue
        aside, tunnels, bfd, forwarded = tracked
        named = set(re.findall(r'"([^"]+)"', aside))
        assert aside.startswith("iifname != {")
        assert named == dispatched(rules).keys() - {"lo"}
        assert (tunnels, bfd) == ("meta l4proto { esp, gre } notrack", "udp dport { 3784, 4784 } notrack")
        own = set(re.findall(r"[0-9.]+", forwarded))
        virtual = {str(device.vrrp.address)} if device.vrrp else set()
        assert own == {str(address) for address in device.addresses} | virtual
        assert forwarded.startswith("ip daddr != {")


CARRIES = {"esp", "gre", "gtp_u"}
"""What carries the paths' own packets: as many as there are."""


def limits(rules: str) -> dict[str, list[str]]:
    """The rules of the chain of limits by the counter that each of them moves."""
    found: dict[str, list[str]] = {}
    for rule in chain(rules, "limits")[2:]:
        if re.fullmatch(r'iifname "\S+" ip daddr \S+ drop', rule):
            continue  # a copy, see below
        counted = re.search(r"counter name limited_(\w+) drop$", rule)
        assert counted, rule
        found.setdefault(counted[1], []).append(rule)
    return found


def test_each_source_is_limited_in_what_it_asks_of_a_device(plan: Plan) -> None:
    for device in filters(plan):
        rules = render("linux/nftables.conf.j2", plan, device)
        opened = [one for one in chain(rules, "input") if "comment" in one and "path_mtu" not in one]
        names = {re.findall(r'comment "(\w+)"', one)[0] for one in opened}
        assert limits(rules).keys() == names - CARRIES, device.name
        for name, found in limits(rules).items():
            assert f"counter limited_{name} {{}}" in rules
            for rule in found:
                assert re.search(
                    rf"update @(rate|octets)_{name} {{ ip saddr (& 255.255.255.240 )?limit rate over ", rule
                )
                opening = "tcp dport" in rule and f"@octets_{name}" not in rule
                assert (" tcp flags & (syn | ack) == syn " in rule) == opening, rule


def asked(rule: str, virtual: Collection[str] = ()) -> set[tuple[str, str, str]]:
    """Interface, source and rest of what a rule asks for, one by one."""
    found = re.match(r"iifname \{ (.*?) \} ip saddr \{ (.*?) \} (.*)", rule)
    if not found:
        return set()
    names = [name for name in re.findall(r'"([^"]+)"', found[1]) if name not in virtual]
    rest = found[3].replace(" tcp flags & (syn | ack) == syn", "")
    return {(name, source, rest) for name in names for source in found[2].split(", ")}


def test_what_is_limited_is_what_is_let_in(plan: Plan) -> None:
    """Interfaces, sources and ports are those of the rules that accept, on which a packet comes in first."""
    for device in filters(plan):
        rules = render("linux/nftables.conf.j2", plan, device)
        virtual = {item.name for item in device.interfaces if item.kind is InterfaceKind.VRF}
        opened = {
            one
            for rule in chain(rules, "input")
            if re.search(r'accept comment "(?!esp|gre|gtp_u)', rule)
            for one in asked(rule.partition(" accept")[0], virtual)
        }
        within = {
            one
            for found in limits(rules).values()
            for rule in found
            for one in asked(rule.partition(" update @")[0])
        }
        assert within == opened, device.name


def test_a_packet_counts_once_though_it_comes_in_twice(plan: Plan) -> None:
    """The kernel hands a multicast packet to the port and to the virtual gateway's interface above it."""
    seen = 0
    for device in filters(plan):
        rules = chain(render("linux/nftables.conf.j2", plan, device), "limits")
        twice = {
            (source, rest)
            for rule in rules
            if "ip protocol 112" in rule
            for name, source, rest in asked(rule.partition(" update @")[0])
            if name == "lan0"
        }
        copies = [rule for rule in rules if rule == 'iifname "lan0" ip daddr 224.0.0.0/24 drop']
        assert len(copies) == bool(device.vrrp) == bool(twice), device.name
        if copies:
            first = next(number for number, rule in enumerate(rules) if "update @" in rule)
            assert rules.index(copies[0]) < first
            seen += 1
    assert seen == 6


def test_a_site_has_one_budget_by_whichever_of_its_addresses(plan: Plan) -> None:
    rules = limits(render("linux/nftables.conf.j2", plan, plan.device("dras")))
    one, sites = rules["echo"]
    assert "ip saddr { 10.15.0.0/28 }" in one
    assert "update @rate_echo { ip saddr limit" in one
    assert "ip saddr { 10.16.0.0/18 }" in sites
    assert "update @rate_echo { ip saddr & 255.255.255.240 limit" in sites


def test_limits_come_before_tracking_and_have_room_for_every_source(plan: Plan) -> None:
    for device in filters(plan):
        rules = render("linux/nftables.conf.j2", plan, device)
        assert "type filter hook prerouting priority raw + 3;" in rules.partition("chain limits {")[2][:250]
        sizes = dict(re.findall(r"set rate_(\w+) \{ type ipv4_addr; size (\d+);", rules))
        for name, (limit, sources) in meters(device, plan).items():
            assert int(sizes[name]) == sources
            possible = {
                address
                for one in device.firewall.services  # type: ignore[union-attr]
                if one.name == name
                for prefix in one.sources
                for address in prefix
            }
            assert sources >= len(possible), (device.name, name)
            assert 0 < limit.rate <= limit.burst


def test_connections_to_the_vault_server_are_counted(plan: Plan) -> None:
    """Those of a site together: its hosts, by whichever address."""
    rules = chain(render("linux/nftables.conf.j2", plan, plan.device("vault")), "input")
    *single, sites = (one for one in rules if "ct count" in one)
    assert len(single) == 2
    for one in single:
        assert "{ ip saddr ct count over 16 } counter name limited_vault drop" in one
    assert sites == (
        'iifname { "lan0" } ip saddr { 10.16.0.0/18 } tcp dport { 8200 } ct state new'
        " add @open_vault { ip saddr & 255.255.255.240 ct count over 16 } counter name limited_vault drop"
    )
    assert rules.index(sites) < next(place for place, one in enumerate(rules) if 'comment "vault"' in one)


def test_octets_to_the_vault_server_are_counted_but_for_controllers(plan: Plan) -> None:
    """What is sent there stands in its audit logs."""
    found = limits(render("linux/nftables.conf.j2", plan, plan.device("vault")))["vault"]
    counted = [rule for rule in found if "@octets_vault" in rule]
    sources = {source for rule in counted for _, source, _ in asked(rule.partition(" update @")[0])}
    hub_lan = str(plan.pki.address) + "/28"
    everybody = {source for rule in found for _, source, _ in asked(rule.partition(" update @")[0])}
    assert everybody - sources == {str(IPv4Interface(hub_lan).network)}
    for rule in counted:
        assert "limit rate over 64 kbytes/second burst 1024 kbytes } counter name limited_vault drop" in rule


def test_the_gateway_of_more_sims_takes_more_gtp(plan: Plan) -> None:
    few, many = (firewall.On(("s5",)).gtp(sims, POOL)[0].limit for sims in (3, 1000))
    assert few
    assert many
    assert many.rate - few.rate == 4 * 997
    assert firewall.On(("s5",)).gtp(3, POOL)[1].limit is None


def managed(plan: Plan, interface: str) -> str:
    device = plan.device("umeda-gw-b")
    assert device.firewall
    access = ManagementAccess(interface, (SOURCES,), (POOL,))
    firewall = replace(device.firewall, management=access)
    return render("linux/nftables.conf.j2", plan, replace(device, firewall=firewall))


def test_management_has_an_interface_of_its_own(plan: Plan) -> None:
    rules = managed(plan, "mgmt0")
    assert dispatched(rules)["mgmt0"] == "goto from_mgmt0"
    assert chain(rules, "from_mgmt0") == [
        "ip saddr { 10.16.0.0/18 } counter name spoofed_mgmt0 drop",
        "accept",
    ]
    ssh = 'iifname "mgmt0" ip saddr { 192.168.200.0/24 } tcp dport { 22 }'
    limited, accepted = (line.strip() for line in rules.splitlines() if "dport { 22 }" in line)
    assert accepted == f'{ssh} accept comment "ssh"'
    assert limited.startswith(f"{ssh} tcp flags & (syn | ack) == syn update @rate_ssh ")


def test_without_a_name_management_is_by_its_sources_on_what_the_plan_does_not_know(plan: Plan) -> None:
    """A service that names none keeps its way in, and nothing else gets in by it."""
    rules = managed(plan, "")
    *_, passed, dropped = chain(rules, "prerouting")
    assert (passed, dropped) == (
        "ip saddr { 192.168.200.0/24 } accept",
        "counter name unknown_interface drop",
    )
    (ssh,) = (line for line in chain(rules, "input") if "dport { 22 }" in line)
    excluded = re.match(r"iifname != \{ (.*?) \} ip saddr \{ 192.168.200.0/24 \}", ssh)
    assert excluded
    assert set(re.findall(r'"([^"]+)"', excluded[1])) == dispatched(rules).keys()


def test_a_device_whose_filter_is_not_loaded_is_managed_all_the_same(plan: Plan) -> None:
    device = plan.device("umeda-gw-b")
    assert device.firewall
    firewall = replace(device.firewall, management=ManagementAccess("mgmt0", (SOURCES,), (POOL,)))
    rules = render("linux/closed.nft.j2", plan, replace(device, firewall=firewall))
    assert chain(rules, "input") == [
        'iifname "lo" accept',
        "ct state established,related accept",
        'iifname "mgmt0" ip saddr { 192.168.200.0/24 } tcp dport { 22 } accept comment "ssh"',
    ]
    assert chain(rules, "forward") == []


def test_no_interface_of_the_plan_can_be_named_for_management(plan: Plan) -> None:
    names = {item.name for device in plan.managed() for item in device.interfaces}
    assert {name for name in names if not PLANNED_INTERFACE.fullmatch(name)} == set()


def test_no_tcp_segment_is_larger_than_the_smaller_path(plan: Plan) -> None:
    """So a connection survives a switch of paths: 1,298 octets over B, less the headers of IP and TCP."""
    clamped = {}
    for device in filters(plan):
        rules = render("linux/nftables.conf.j2", plan, device)
        clamped[device.name] = [line.partition(" tcp option")[2] for line in chain(rules, "segments")]
    tunnelled = {device.name for device in plan.devices if any(item.gre for item in device.interfaces)}
    rule = " maxseg size > 1258 tcp option maxseg size set 1258"
    assert {name for name, rules in clamped.items() if rules == [rule]} == tunnelled
    assert all(not rules for name, rules in clamped.items() if name not in tunnelled)


def test_network_control_of_the_device_alone_leaves_a_shaped_tunnel_first(plan: Plan) -> None:
    """BFD and BGP of FRRouting are marked CS6; what a host marks so would overtake them, and is unmarked."""
    for device in filters(plan):
        rules = render("linux/nftables.conf.j2", plan, device)
        first, unmarked = chain(rules, "classes_output"), chain(rules, "classes_forward")
        assert bool(first) == bool(unmarked) == device.shaped
        if device.shaped:
            assert [line.partition(" ip dscp ")[2] for line in (*first, *unmarked)] == [
                "cs6 meta priority set 0:7",
                "{ cs6, cs7 } ip dscp set cs0",
            ]


def test_vrrp_is_taken_of_the_other_gateway_alone_and_before_any_budget(plan: Plan) -> None:
    """Address, link address and number of hops, and no priority that it does not have (RFC 9568)."""
    routers = [device for device in filters(plan) if device.vrrp]
    assert len(routers) == 6
    for device in routers:
        vrrp, rules = device.vrrp, render("linux/nftables.conf.j2", plan, device)
        assert vrrp
        accepted, dropped = chain(rules, "vrrp")[-2:]
        assert dropped == "counter name refused_vrrp drop"
        for match in (
            f"ip saddr {vrrp.peer} ",
            f"ether saddr {vrrp.link_address} ",
            "ip ttl 255 ",
            f"@th,8,8 {vrrp.router_id} ",
            f"@th,16,8 {{ 0, {vrrp.peer_priority} }} ",
        ):
            assert match in accepted
        assert "hook prerouting priority raw + 2;" in rules.partition("chain vrrp {")[2].partition("}")[0]


def test_each_planned_address_of_a_lan_has_one_station(plan: Plan) -> None:
    for device in filters(plan):
        rules = render("linux/nftables.conf.j2", plan, device)
        assert bool(device.neighbours) == ("table arp heiiki {" in rules)
        if device.neighbours:
            (rule,) = chain(rules.partition("table arp heiiki {\n")[2], "claims")
            for one in device.neighbours:
                assert f"{one.address} . {one.link_address}" in rule
            assert rule.endswith("counter name forged_arp drop")


def test_a_session_on_the_link_is_sent_and_taken_with_255(plan: Plan) -> None:
    """RFC 5082, both directions of a connection and before what is established; not between loopbacks."""
    for device in filters(plan):
        rules = render("linux/nftables.conf.j2", plan, device)
        assert bool(device.router) == ("chain hops {" in rules), device.name
        for service in device.firewall.services if device.router and device.firewall else ():
            bgp = service.name == "bgp"
            assert service.adjacent in ({(), (179,)} if bgp else {(), (3784,), (646,)}), service
            if bgp:
                assert bool(service.adjacent) == ("core-*" not in service.interfaces)
            for way, peers, ends in (("hops", "saddr", "iifname"), ("hops_output", "daddr", "oifname")):
                quoted = ", ".join(f'"{name}"' for name in service.interfaces)
                where = f"{ends} {{ {quoted} }} ip {peers} {{ {', '.join(map(str, service.sources))} }}"
                ports = {
                    f"{service.protocol} {end} {{ {port} }}"
                    for port in service.adjacent
                    for end in (("dport", "sport") if service.protocol == "tcp" else ("dport",))
                }
                what = "counter name refused_hops drop" if way == "hops" else "ip ttl set 255"
                assert {f"{where} {port} {what}" for port in ports} <= set(chain(rules, way))
        if device.router:
            assert "priority raw + 2;" in rules.partition("chain hops {")[2].partition("}")[0]
