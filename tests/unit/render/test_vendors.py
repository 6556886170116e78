"""What routers of vendors are sent: the plan's filter and sessions in whatever language, and no secret."""

import re
import shutil
from pathlib import Path

import pytest
from vendor_service import FOLDER, mixed, on_linux, router

from heiiki.intent import load
from heiiki.plan import build
from heiiki.plan.model import Device
from heiiki.plan.vendors import PLATFORMS
from heiiki.render import compile_device
from heiiki.render.vendors.filters import Rule
from heiiki.render.vendors.view import Ce

PLATFORM_NAMES = tuple(PLATFORMS)


def view(platform: str) -> tuple[Device, Ce]:
    plan, _ = mixed()
    device = plan.device(router(platform)[0])
    return device, Ce.of(plan, device)


@pytest.mark.parametrize("platform", PLATFORM_NAMES)
def test_keys_are_named_and_not_there(platform: str) -> None:
    device, _ = view(platform)
    _, text = router(platform)
    named = set(re.findall(r"\{\{secret:([^:}]+):key\}\}", text))
    assert device.router is not None
    # No reference shows how an IX is given one, and its verdict says so.
    assert named == (set() if platform == "nec_ix" else set(device.router.keys))
    assert len(device.router.keys) == 2


@pytest.mark.parametrize("platform", PLATFORM_NAMES)
def test_one_file_that_no_service_of_ours_reads(platform: str) -> None:
    plan, builds = mixed()
    (build,) = (one for one in builds if one.device == router(platform)[0])
    assert (len(build.files), build.services, build.by_hand) == (1, (), platform)
    assert build.files[0].secret
    assert compile_device(plan, plan.device(build.device)) == build


@pytest.mark.parametrize("platform", PLATFORM_NAMES)
def test_every_address_of_the_plan_is_in_the_file(platform: str) -> None:
    device, _ = view(platform)
    _, text = router(platform)
    assert device.vrrp is not None
    for address in (*device.addresses, device.vrrp.address, device.ipsec[0].remote):
        assert re.search(rf"(?<![0-9.]){re.escape(str(address))}(?![0-9.])", text), address


def test_the_plan_of_a_router_is_that_of_one_on_linux() -> None:
    plan, linux = mixed()[0], on_linux()
    for device in plan.by_hand():
        other = linux.device(device.name)
        assert (device.interfaces, device.router, device.firewall) == (
            other.interfaces,
            other.router,
            other.firewall,
        )
        assert (device.ipsec, device.vrrp, device.clock) == (other.ipsec, other.vrrp, other.clock)


def said(rules: tuple[Rule, ...]) -> set[str]:
    return {
        f"{one.name}: {one.protocol} {one.source} {one.source_port} > {one.destination} {one.port} "
        f"{one.icmp} {one.hops}"
        for one in rules
    }


def test_the_line_takes_esp_and_no_gre() -> None:
    _, ce = view("cisco_iosxe")
    protocols = {rule.protocol for rule in ce.access.rules}
    assert "esp" in protocols
    assert "gre" not in {rule.protocol for port in (ce.access, ce.tunnel, ce.lan) for rule in port.rules}


def test_what_passes_the_tunnel_is_the_pair_of_hub_and_site_alone() -> None:
    _, ce = view("cisco_iosxe")
    passing = [rule for rule in ce.tunnel.rules if rule.protocol == "ip"]
    assert [(rule.source, rule.destination) for rule in passing] == [(ce.beyond, ce.lan_prefix)]


def test_peers_of_bgp_and_bfd_are_on_the_link_and_either_end_may_begin() -> None:
    _, ce = view("cisco_iosxe")
    for session in ce.sessions:
        peer, own = session.neighbor.address, session.port.address.ip
        assert {
            f"bgp: tcp {peer}/32 0 > {own}/32 179  255",
            f"bgp: tcp {peer}/32 179 > {own}/32 0  255",
            f"bfd: udp {peer}/32 0 > {own}/32 3784  255",
        } <= said(session.port.rules)


def test_the_answers_of_what_it_asks_below_the_tunnel_come_in() -> None:
    device, ce = view("cisco_iosxe")
    assert device.clock is not None
    own = ce.loopback
    there = said(ce.access.rules)
    assert {f"ntp: udp {one}/32 123 > {own}/32 123  0" for one in device.clock.servers} <= there
    assert f"lists: tcp {ce.gre.remote}/32 8280 > {own}/32 0  0" in there
    assert f"path MTU: icmp 0.0.0.0/0 0 > {own}/32 0 too-big 0" in there


def test_a_device_that_is_no_ce_router_of_a_site_has_no_view() -> None:
    plan, _ = mixed()
    with pytest.raises((ValueError, KeyError)):
        Ce.of(plan, plan.device("dras"))


VARIANTS = {
    "production": {"timers: laboratory": "timers: production"},
    "without_rates": {"    bandwidth_kbps: 10000 ": "    # ", "  bandwidth_kbps: 100000 ": "  # "},
    "lab": {
        "management: {kind: ssh, user: operator, sources: [192.168.200.0/24], interface: mgmt0}": (
            "management: {kind: lab}"
        )
    },
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_what_a_service_leaves_out_or_says_otherwise_is_in_every_language(
    tmp_path: Path, variant: str
) -> None:
    shutil.copytree(FOLDER, tmp_path, dirs_exist_ok=True)
    file = tmp_path / "service.yml"
    text = file.read_text(encoding="utf-8")
    for old, new in VARIANTS[variant].items():
        assert old in text
        text = text.replace(old, new)
    file.write_text(text, encoding="utf-8")
    for path in (tmp_path / "sites").iterdir():
        path.write_text(
            path.read_text(encoding="utf-8").replace("primary: a", "primary: b"), encoding="utf-8"
        )
    plan = build(load(tmp_path))
    texts = {device.platform: compile_device(plan, device).files[0].content for device in plan.by_hand()}
    assert texts.keys() == PLATFORMS.keys()
    assert not [one for one in texts.values() if "None" in one or "\n\n" in one]
    assert ("MANAGEMENT" in texts["cisco_iosxe"]) == (variant != "lab")
    assert ("shape average" in texts["cisco_iosxe"]) == (variant != "without_rates")
    slow = "bfd interval 5000 min_rx 5000 multiplier 3" in texts["cisco_iosxe"]
    assert slow == (variant == "production")
