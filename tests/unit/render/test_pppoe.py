"""What devices are sent for optical access: secrets by their paths, filters, and what links leave alone."""

import json

import pytest
from optical_service import optical

from heiiki.render import DeviceBuild


@pytest.fixture(scope="module")
def builds() -> dict[str, DeviceBuild]:
    return {one.device: one for one in optical()[1]}


def text(builds: dict[str, DeviceBuild], device: str, path: str) -> str:
    return builds[device].contents[path]


def test_every_file_with_a_secret_is_secret_and_readable_for_its_program_alone(
    builds: dict[str, DeviceBuild],
) -> None:
    found = {
        (device, file.path): (file.secret, file.mode, file.owner)
        for device, build in builds.items()
        for file in build.files
        if "{{secret:routing/pppoe/" in file.content or "{{secret:routing/radius/" in file.content
    }
    assert found == {
        ("umeda-ce-a", "/etc/heiiki/pppoe/line.options"): (True, "0600", "root"),
        ("namba-gw", "/etc/heiiki/pppoe/line.options"): (True, "0600", "root"),
        ("a-pe1", "/etc/heiiki/pppoe/servers"): (True, "0600", "root"),
        ("a-pe2", "/etc/heiiki/pppoe/servers"): (True, "0600", "root"),
        ("a-pe1", "/etc/heiiki/radius/radiusd.conf"): (True, "0600", "freerad"),
        ("a-pe2", "/etc/heiiki/radius/radiusd.conf"): (True, "0600", "freerad"),
        ("radius", "/etc/heiiki/radius/users"): (True, "0600", "freerad"),
    }


def test_a_router_has_its_own_password_and_no_pe_has_any(builds: dict[str, DeviceBuild]) -> None:
    everywhere = {device: "\n".join(file.content for file in build.files) for device, build in builds.items()}
    having = {device for device, told in everywhere.items() if "secret:routing/pppoe/umeda-ce-a:" in told}
    assert having == {"umeda-ce-a", "radius"}


def test_links_leave_a_session_to_pppd(builds: dict[str, DeviceBuild]) -> None:
    document = json.loads(text(builds, "a-pe2", "/etc/heiiki/links.json"))
    listed = {one["name"]: one for one in document["interfaces"]}
    assert listed["ac0017"] == {
        "name": "ac0017",
        "kind": "ppp",
        "mtu": 1454,
        "vrf": "s0017",
        "addresses": [],
    }
    assert listed["ln0017"] == {"name": "ln0017", "kind": "ethernet", "addresses": []}


@pytest.mark.parametrize(("device", "port"), [("a-pe2", "ln0017"), ("umeda-ce-a", "line-a")])
def test_ip_beside_the_session_is_dropped(builds: dict[str, DeviceBuild], device: str, port: str) -> None:
    rules = text(builds, device, "/etc/nftables.conf")
    (verdicts,) = (line for line in rules.splitlines() if "iifname vmap" in line)
    assert f'"{port}" : drop' in verdicts
    assert "drop" not in verdicts.replace(f'"{port}" : drop', "")


def test_radsec_is_open_to_the_hubs_pe_alone_and_radius_to_other_pes(builds: dict[str, DeviceBuild]) -> None:
    server = text(builds, "radius", "/etc/nftables.conf")
    assert 'iifname { "lan0" } ip saddr { 10.80.0.1/32 } tcp dport { 2083 }' in server
    assert "1812" not in server
    hub = text(builds, "a-pe1", "/etc/nftables.conf")
    assert 'iifname { "core-*" } ip saddr { 10.200.0.2/32 } udp dport { 1812 }' in hub
    assert "1812" not in text(builds, "a-pe2", "/etc/nftables.conf")


def test_new_credentials_restart_freeradius_where_it_speaks_radsec(builds: dict[str, DeviceBuild]) -> None:
    for device in ("a-pe1", "radius"):
        settings = json.loads(text(builds, device, "/etc/heiiki/credentials.json"))
        assert settings["listeners"] == [["systemctl", "try-restart", "heiiki-radius.service"]]
        assert {"folder": "/etc/heiiki/pki/radius", "user": "freerad", "plain": True} in settings["copies"]
    assert "/etc/heiiki/credentials.json" not in builds["a-pe2"].contents


def test_each_line_is_a_service_of_its_own(builds: dict[str, DeviceBuild]) -> None:
    names = {service.name for service in builds["a-pe2"].services}
    assert {"heiiki-radius", "heiiki-pppoe-ac0017"} <= names
    assert "heiiki-pppoe-ac0042" not in names
    assert "heiiki-pppoe" in {service.name for service in builds["umeda-ce-a"].services}
