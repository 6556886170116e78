"""What every device's kernel is set to: a baseline, and where one device must differ."""

import json
from pathlib import Path

import pytest

from heiiki.intent import load
from heiiki.plan import Plan, build
from heiiki.plan.model import InterfaceKind
from heiiki.render import interfaces_json

EXAMPLE = Path(__file__).parents[3] / "inventories" / "lab"
SWITCHED_OFF = ("accept_source_route", "accept_redirects", "secure_redirects", "send_redirects")


@pytest.fixture(scope="module")
def plan() -> Plan:
    return build(load(EXAMPLE))


def sysctls(plan: Plan, device: str) -> dict[str, str]:
    values: dict[str, str] = json.loads(interfaces_json(plan.device(device)))["sysctls"]
    return values


def test_no_interface_takes_a_redirect_or_a_source_route(plan: Plan) -> None:
    for device in plan.managed():
        values = sysctls(plan, device.name)
        ports = [item.name for item in device.interfaces if item.kind is InterfaceKind.ETHERNET]
        for name in ("all", "default", *ports):
            for setting in SWITCHED_OFF:
                assert values[f"net.ipv4.conf.{name}.{setting}"] == "0", (device.name, name)


def test_the_baseline_of_a_host_is_set(plan: Plan) -> None:
    for device in plan.managed():
        values = sysctls(plan, device.name)
        for setting in (
            "conf.all.log_martians",
            "icmp_echo_ignore_broadcasts",
            "icmp_ignore_bogus_error_responses",
            "tcp_syncookies",
        ):
            assert values[f"net.ipv4.{setting}"] == "1", device.name
        assert values["net.ipv4.conf.all.arp_announce"] == "2"
        bounded = "net.netfilter.nf_conntrack_max" in values
        assert bounded == (device.firewall is not None)


def test_only_hosts_with_a_service_address_answer_arp_for_another_interface(plan: Plan) -> None:
    """The hub's routers ask for it on the LAN; it stands on the host's loopback."""
    answering = [
        device.name
        for device in plan.managed()
        if sysctls(plan, device.name)["net.ipv4.conf.all.arp_ignore"] == "0"
    ]
    assert answering == ["dras", "xmpp", "vault", "radius"]
