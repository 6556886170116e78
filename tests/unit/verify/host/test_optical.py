"""What a host has because of optical access is explained, and the same elsewhere is not."""

import json
from ipaddress import IPv4Network
from random import Random
from typing import Any

import pytest
from optical_service import optical

from heiiki.plan.model import Device
from heiiki.verify.config.programs import runs_otherwise
from heiiki.verify.host import packages, routes, sockets
from heiiki.verify.ipsec import wire
from heiiki.verify.isolation import carrier, control, group, sample, sites, spoofing
from heiiki.verify.isolation.carrier import attachments
from heiiki.verify.network import over_a

DISCOVERY = str(0x8863)


def device(name: str) -> Device:
    return optical()[0].device(name)


def services(name: str) -> frozenset[str]:
    (build,) = (one for one in optical()[1] if one.device == name)
    return frozenset(service.name for service in build.services)


def packet_socket(interface: str, unit: str, protocol: str = DISCOVERY) -> dict[str, Any]:
    return {"protocol": protocol, "interface": interface, "program": "pppoe-server", "unit": unit}


@pytest.mark.parametrize(
    ("name", "interface", "unit", "explained"),
    [
        ("a-pe2", "ln0017", "heiiki-pppoe-ac0017", True),
        ("umeda-ce-a", "line-a", "heiiki-pppoe", True),
        ("a-pe2", "ac0042", "heiiki-pppoe-ac0017", False),
        ("a-pe2", "ln0017", "heiiki-pppoe-ac0042", False),
        ("a-pe2", "ln0017", "frr", False),
        ("sakai-ce-a", "access-a", "heiiki-pppoe", False),
    ],
)
def test_frames_of_discovery(name: str, interface: str, unit: str, explained: bool) -> None:
    found = [packet_socket(interface, unit)]
    strange = list(sockets.unexplained_packet_sockets(device(name), services(name), (), found))
    assert (strange == []) is explained
    other = [packet_socket(interface, unit, str(0x0800))]
    assert list(sockets.unexplained_packet_sockets(device(name), services(name), (), other))


@pytest.mark.parametrize(
    ("name", "protocol", "port", "explained"),
    [
        ("radius", "tcp", "2083", True),
        ("radius", "tcp", "2084", False),
        ("radius", "udp", "40000", False),
        ("a-pe2", "udp", "1812", True),
        ("a-pe2", "udp", "1813", True),
        ("a-pe2", "udp", "47051", True),
        ("a-pe2", "tcp", "40000", False),
        ("a-p1", "udp", "1812", False),
    ],
)
def test_ports_of_freeradius(name: str, protocol: str, port: str, explained: bool) -> None:
    found = {
        "protocol": protocol,
        "address": "0.0.0.0",  # noqa: S104 - as ss prints it
        "port": port,
        "program": "freeradius",
        "unit": "heiiki-radius",
    }
    assert (list(sockets.unexplained_sockets(device(name), services(name), (), [found])) == []) is explained


@pytest.mark.parametrize(
    ("name", "strange"),
    [("a-pe2", []), ("umeda-ce-a", ["pppoe 4.0-1"]), ("sakai-ce-a", ["ppp 2.5.2", "pppoe 4.0-1"])],
)
def test_packages(name: str, strange: list[str]) -> None:
    found = [
        {
            "name": one,
            "version": version,
            "provides": [],
            "needs": [],
            "priority": "optional",
            "essential": False,
        }
        for one, version in (("ppp", "2.5.2"), ("pppoe", "4.0-1"))
    ]
    assert list(packages.unexplained(device(name), services(name), (), found)) == strange


def test_the_route_to_the_other_end_of_a_session_is_the_kernels_own() -> None:
    known = [IPv4Network("10.80.0.0/20")]
    own = {"dst": "10.80.0.70", "dev": "ac0017", "table": "10017", "protocol": "kernel"}
    assert list(routes.unexplained_routes(device("a-pe2"), known, (), [own])) == []
    other = own | {"dst": "10.80.0.94"}
    assert list(routes.unexplained_routes(device("a-pe2"), known, (), [other])) != []


def test_the_way_to_carrier_a_is_the_session_and_not_the_port_below() -> None:
    plan = optical()[0]
    out = over_a(plan, plan.device("umeda-ce-a"))
    assert (out.interface, str(out.via), out.neighbour) == ("access-a", "10.80.0.69", None)
    other = over_a(plan, plan.device("sakai-ce-a"))
    assert (other.interface, str(other.via), other.neighbour) == ("access-a", "10.80.0.169", "10.80.0.169")


def test_a_carriers_router_tries_the_site_by_the_session() -> None:
    found = {
        out.device: (out.interface, str(address), out.neighbour)
        for out, _, _, address in attachments(optical()[0])
    }
    assert found["a-pe1"] == ("ac0023", "10.80.0.94", None)


def test_every_packet_of_a_verification_of_the_service_has_a_way_out() -> None:
    """None stands on a port that carries a session, or asks for a neighbour on one."""
    plan = optical()[0]
    random = Random(7)  # noqa: S311 - which packets are tried is no secret
    packets = [
        *sites.packets(plan, sample.Population(plan).draw(random)),
        *group.packets(plan, random),
        *carrier.packets(plan, random),
        *spoofing.packets(plan),
        *(one.packet for one in control.trials(plan, random)),
    ]
    for packet in packets:
        device = plan.device(packet.out.device)
        interface = device.interface(packet.out.interface)
        assert interface.name not in device.below_sessions
        assert not (interface.port and packet.out.neighbour)
    assert any(plan.device(one.out.device).interface(one.out.interface).port for one in packets)


def test_lines_are_looked_at_where_packets_are_and_radius_is_known_there() -> None:
    lines = {line.link.name: line for line in wire.lines(optical()[0])}
    ends = [str(end) for end in lines["a-pe2--umeda-ce-a"].ends]
    assert ends == ["a-pe2:ac0017", "umeda-ce-a:access-a"]
    hub = [rule for rule in lines["a-pe1--hub-ce-a"].rules if rule[0] == "radsec"]
    assert hub == [["radsec", "tcp", [2083], ["10.80.0.1/32"], ["10.96.3.248/32"]]]
    assert any(rule[0] == "radius" for rule in lines["a-pe1--a-p1"].rules)
    assert not any(rule[0] in {"radius", "radsec"} for rule in lines["a-pe2--umeda-ce-a"].rules)


@pytest.mark.parametrize(
    ("session", "told"),
    [
        ({"address": "10.80.0.70", "peer": "10.80.0.69", "mtu": 1454, "vrf": "", "kind": "ppp"}, []),
        (None, []),
        (
            {"address": "10.80.0.70", "peer": "10.80.0.69", "mtu": 1492, "vrf": "", "kind": "ppp"},
            ["mtu is 1492, not 1454"],
        ),
    ],
)
def test_what_a_session_has_is_compared_and_that_it_is_up_is_left_to_the_live_stage(
    session: dict[str, Any] | None, told: list[str]
) -> None:
    said = {"out": json.dumps({"sessions": {"access-a": session}})}
    assert list(runs_otherwise(device("umeda-ce-a"), "/etc/heiiki/pppoe/line.options", said)) == told
