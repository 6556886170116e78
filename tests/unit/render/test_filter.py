"""The packet filter denies by interface: what the plan does not know lets nothing in, whatever it claims."""

import re
from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from heiiki.intent import load
from heiiki.intent.forms import PLANNED_INTERFACE
from heiiki.plan import Plan, build
from heiiki.plan.model import Device, InterfaceKind, ManagementAccess
from heiiki.render.templates import render

EXAMPLE = Path(__file__).parents[3] / "inventories" / "lab"
SOURCES, POOL = IPv4Network("192.168.200.0/24"), IPv4Network("10.16.0.0/18")


@pytest.fixture(scope="module")
def plan() -> Plan:
    return build(load(EXAMPLE))


def filters(plan: Plan) -> list[Device]:
    return [device for device in plan.managed() if device.firewall is not None]


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
    """A chain of sources ends in a verdict: nothing comes back from it to be dropped or to pass."""
    for device in filters(plan):
        rules = render("linux/nftables.conf.j2", plan, device)
        for name, verdict in dispatched(rules).items():
            if verdict != "accept":
                passed, dropped = chain(rules, verdict.removeprefix("goto "))
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
    ssh = 'iifname "mgmt0" ip saddr { 192.168.200.0/24 } tcp dport { 22 } accept comment "ssh"'
    assert [line for line in rules.splitlines() if "dport { 22 }" in line] == [f"\t\t{ssh}"]


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


def test_no_interface_of_the_plan_can_be_named_for_management(plan: Plan) -> None:
    names = {item.name for device in plan.managed() for item in device.interfaces}
    assert {name for name in names if not PLANNED_INTERFACE.fullmatch(name)} == set()
