"""What may cross a site's wired LAN, and by what it is protected."""

from dataclasses import replace
from ipaddress import IPv4Address
from typing import Any

import pytest
from dot1x_service import controlled

from heiiki.plan.model import InputService, Plan
from heiiki.verify.probes.capture import Rules
from heiiki.verify.wired.planned import APPLICATION, WiredLan, lans

BEMS, A, B, VIRTUAL = "10.16.1.20", "10.16.1.18", "10.16.1.19", "10.16.1.17"
DRAS, XMPP, VAULT, HUB_A = "10.15.0.4", "10.15.0.5", "10.15.0.6", "10.15.0.2"

NONE = str(IPv4Address(0))


def lan(plan: Plan, site: str = "umeda") -> WiredLan:
    return next(one for one in lans(plan) if one.site == site)


def matched(one: WiredLan, protocol: str, source: str = NONE, to: str = NONE, *ports: int) -> Any:
    ends = {"source": int(IPv4Address(source)), "destination": int(IPv4Address(to))}
    return Rules(list(one.rules)).match({"protocol": protocol, "ports": list(ports), **ends})


def test_every_wired_lan_is_looked_at_from_all_of_its_devices(plan: Plan) -> None:
    found = {one.site: [str(end) for end in one.ends] for one in lans(plan)}
    assert found["umeda"] == ["umeda-ce-a:lan0", "umeda-gw-b:lan0", "umeda-bems:lan0"]
    assert set(found) == {"umeda", "sakai"}, "that of namba is on the air"
    assert all(one.in_service for one in lans(plan))


@pytest.mark.parametrize(
    ("packet", "name", "how"),
    [
        (("tcp", BEMS, DRAS, 40000, 8443), "openadr", ["tls"]),
        (("tcp", DRAS, BEMS, 8443, 40000), "openadr", ["tls"]),
        (("tcp", BEMS, XMPP, 40000, 5222), "xmpp", ["starttls"]),
        (("tcp", DRAS, BEMS, 40000, 3782), "mms", ["tls"]),
        (("tcp", BEMS, VAULT, 40000, 8200), "vault", ["tls"]),
        (("tcp", BEMS, HUB_A, 40000, 8280), "crl_mirror", []),
        (("udp", BEMS, DRAS, 40000, 862), "stamp", ["no text"]),
        (("udp", XMPP, BEMS, 40000, 862), "stamp", ["no text"]),
        (("tcp", A, B, 40000, 179), "bgp", []),
        (("udp", A, B, 49152, 3784), "bfd", ["no text"]),
        (("vrrp", A, "224.0.0.18"), "vrrp", []),
        (("igmp", A, "224.0.0.22"), "igmp", []),
        (("igmp", NONE, "224.0.0.22"), "igmp", []),
        (("icmp", BEMS, VIRTUAL), "icmp", ["no text"]),
        (("icmp", DRAS, A), "icmp", ["no text"]),
        (("arp",), "arp", []),
        (("stp",), "stp", []),
        (("lldp",), "lldp", []),
        (("tcp", BEMS, DRAS, 40000, 8444), "", []),
        (("tcp", BEMS, DRAS, 40000, 80), "", []),
        (("tcp", BEMS, A, 40000, 22), "", []),
        (("tcp", XMPP, BEMS, 40000, 3782), "", []),
        (("tcp", BEMS, A, 40000, 8443), "", []),
        (("tcp", "10.16.2.164", DRAS, 40000, 8443), "", []),
        (("udp", BEMS, B, 40000, 3784), "", []),
        (("udp", BEMS, DRAS, 40000, 5353), "", []),
        (("vrrp", BEMS, "224.0.0.18"), "", []),
        (("icmp", BEMS, "10.16.2.164"), "", []),
        (("gre", A, B), "", []),
        (("eapol",), "", []),
        (("ethertype-86dd",), "", []),
    ],
)
def test_only_what_the_plan_opens_is_there(plan: Plan, packet: Any, name: str, how: Any) -> None:
    assert matched(lan(plan), *packet) == (name, how)


def test_time_is_asked_by_the_controllers_own_key(plan: Plan) -> None:
    clock = plan.device("umeda-bems").clock
    assert clock is not None
    assert clock.key is not None
    assert matched(lan(plan), "udp", BEMS, DRAS, 40000, 123) == ("ntp", ["ntp", clock.key.number])


def test_eapol_is_there_where_ports_are_controlled_and_vrrp_is_not_where_one_gateway_is() -> None:
    one = lan(controlled()[0], "namba")
    assert [str(end) for end in one.ends] == ["namba-gw:lan0", "namba-erc:lan0"]
    assert matched(one, "eapol")[0] == "eapol"
    assert {matched(one, name, "10.16.1.113", "224.0.0.18")[0] for name in ("vrrp", "igmp")} == {""}


def test_a_service_that_is_not_named_here_is_held_to_tls_and_has_no_udp(plan: Plan) -> None:
    dras = plan.device("dras")
    assert dras.firewall is not None
    sources = (plan.site("umeda").lan,)
    new = (
        InputService("a", "tcp", (1,), ("lan0",), sources),
        InputService("b", "udp", (2,), ("lan0",), sources),
    )
    filtered = replace(dras.firewall, services=(*dras.firewall.services, *new))
    devices = (replace(dras, firewall=filtered) if one is dras else one for one in plan.devices)
    one = lan(replace(plan, devices=tuple(devices)))
    assert matched(one, "tcp", BEMS, DRAS, 40000, 1) == ("a", ["tls"])
    assert matched(one, "udp", BEMS, DRAS, 40000, 2) == ("", [])


def test_the_application_is_never_without_tls(plan: Plan) -> None:
    how = {rule[0]: rule[5:] for one in lans(plan) for rule in one.rules}
    assert {name: how[name] for name in APPLICATION} == {
        "openadr": ["tls"],
        "mms": ["tls"],
        "xmpp": ["starttls"],
    }


def test_a_gateway_that_is_out_of_service_is_not_asked(plan: Plan) -> None:
    gone = (
        replace(one, managed=False, revoked="stolen") if one.name == "umeda-gw-b" else one
        for one in plan.devices
    )
    one = lan(replace(plan, devices=tuple(gone)))
    assert [end.device for end in one.ends] == ["umeda-ce-a", "umeda-bems"]
