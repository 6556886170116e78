"""Optical access: what changes on a line, what does not, and who is asked about a session."""

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest
from optical_service import FOLDER, by_ethernet, optical

from heiiki.intent import load
from heiiki.pki.server.secrets import new_key, routing_keys
from heiiki.plan import Plan, build
from heiiki.plan.model import Device, Endpoint, InterfaceKind, Network, Program


@pytest.fixture(scope="module")
def plan() -> Plan:
    return optical()[0]


def opened(device: Device, name: str) -> tuple[IPv4Network, ...]:
    assert device.firewall is not None
    return tuple(source for one in device.firewall.services if one.name == name for source in one.sources)


def test_addresses_names_and_sessions_of_routing_are_those_of_any_other_line(plan: Plan) -> None:
    ethernet = by_ethernet()
    for name in ("umeda-ce-a", "namba-gw", "a-pe1", "a-pe2", "hub-ce-a"):
        one, other = plan.device(name), ethernet.device(name)
        assert one.addresses == other.addresses
        assert one.router is not None
        assert other.router is not None
        assert one.router.bgp == other.router.bgp
    assert plan.path("umeda", Network.A) == ethernet.path("umeda", Network.A)
    assert plan.device("sakai-ce-a").interfaces == ethernet.device("sakai-ce-a").interfaces


def test_a_session_stands_on_a_port_that_has_no_address_of_its_own(plan: Plan) -> None:
    for device, session, port in (("umeda-ce-a", "access-a", "line-a"), ("a-pe2", "ac0017", "ln0017")):
        found = plan.device(device)
        assert found.below_sessions == (port,)
        above, below = found.interface(session), found.interface(port)
        assert (above.kind, above.port, above.mtu) == (InterfaceKind.PPP, port, 1454)
        assert (below.kind, below.addresses, below.vrf) == (InterfaceKind.ETHERNET, (), None)


def test_a_link_ends_at_the_ports_and_what_is_routed_is_across_from_what_is_routed(plan: Plan) -> None:
    link = plan.link("a-pe2--umeda-ce-a")
    assert link.ends == (Endpoint("a-pe2", "ln0017"), Endpoint("umeda-ce-a", "line-a"))
    assert plan.across("umeda-ce-a", "line-a") == Endpoint("a-pe2", "ln0017")
    assert plan.across("umeda-ce-a", "access-a") == Endpoint("a-pe2", "ac0017")
    assert plan.above(link.b) == Endpoint("umeda-ce-a", "access-a")
    assert plan.above(plan.link("a-pe2--sakai-ce-a").b) == Endpoint("sakai-ce-a", "access-a")


def test_the_server_knows_each_line_with_its_user_and_the_address_of_the_plan(plan: Plan) -> None:
    server = plan.device("radius").radius
    assert server is not None
    known = {user.name: (user.nas, user.port, user.address, user.mtu) for user in server.users}
    assert known == {
        "umeda-ce-a@optical.internal": ("a-pe2", "ac0017", IPv4Address("10.80.0.70"), 1454),
        "namba-gw@optical.internal": ("a-pe1", "ac0023", IPv4Address("10.80.0.94"), 1454),
    }
    for site in ("umeda-ce-a", "namba-gw"):
        session = plan.device(site).pppoe
        assert session is not None
        (user,) = (one for one in server.users if one.name == session.user)
        assert (user.password, user.address) == (session.password, session.address)


def test_the_hubs_pe_forwards_by_radsec_and_for_the_other_one(plan: Plan) -> None:
    hub, other, server = (plan.device(name) for name in ("a-pe1", "a-pe2", "radius"))
    assert hub.radius_proxy is not None
    assert other.radius_proxy is not None
    assert server.radius is not None
    home = hub.radius_proxy.home
    assert home is not None
    assert (home.address, home.host) == (server.radius.address, "radius.optical.internal")
    assert opened(server, "radsec") == (IPv4Network(home.client),)
    assert hub.identity is not None
    assert server.radius.client == hub.identity.common_name
    (client,) = hub.radius_proxy.clients
    assert other.radius_proxy.upstream is not None
    assert client.secret == other.radius_proxy.upstream.secret
    assert opened(hub, "radius") == (IPv4Network(other.radius_proxy.address),)
    assert opened(other, "radius") == ()
    assert home.address in {address for one in server.interfaces for address in (a.ip for a in one.addresses)}
    assert IPv4Network(home.address) in {route.prefix for route in hub.routes}


def test_no_other_device_changes_and_none_is_added_where_no_line_is_optical() -> None:
    ethernet = by_ethernet()
    assert "radius" not in {device.name for device in ethernet.devices}
    assert not any(device.radius_proxy or device.pppoe or device.pppoe_lines for device in ethernet.devices)


def test_a_revoked_router_is_no_user_any_more(tmp_path: Path) -> None:
    for file in FOLDER.rglob("*.yml"):
        copy = tmp_path / file.relative_to(FOLDER)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(file.read_text(encoding="utf-8"), encoding="utf-8")
    mark = "devices:\n  - {device: umeda-ce-a, reason: stolen, since: 2026-11-01}\n"
    (tmp_path / "revoked.yml").write_text(mark, encoding="utf-8")
    before, after = (build(load(folder)).device("radius").radius for folder in (FOLDER, tmp_path))
    assert before is not None
    left = tuple(user for user in before.users if not user.name.startswith("umeda"))
    assert replace(before, users=left) == after


def test_a_smaller_line_makes_a_smaller_tunnel_and_smaller_segments() -> None:
    intent = load(FOLDER)
    sites = tuple(
        site.model_copy(update={"a": site.a.model_copy(update={"mtu": 1438})})
        if site.name == "umeda"
        else site
        for site in intent.sites
    )
    small, usual = build(intent.model_copy(update={"sites": sites})), optical()[0]
    tunnels = [one.device("umeda-ce-a").interface("tun-a").mtu for one in (small, usual)]
    assert tunnels == [1378, 1386]
    filters = [one.device("umeda-ce-a").firewall for one in (small, usual)]
    assert small.device("umeda-ce-a").interface("access-a").mtu == 1438
    assert all(one is not None and one.segment is not None and one.segment <= 1258 for one in filters)


def test_every_secret_is_made_once_and_is_long_enough_for_both_ends(plan: Plan) -> None:
    """pppd's RADIUS client cuts a secret at 48 octets; FreeRADIUS warns of less than 16 (RFC 2865 3)."""
    wanted = {path for path in routing_keys(plan) if path.split("/")[1] in {"pppoe", "radius"}}
    assert wanted == {
        "routing/pppoe/umeda-ce-a",
        "routing/pppoe/namba-gw",
        "routing/radius/a-pe1--pppd",
        "routing/radius/a-pe2--pppd",
        "routing/radius/a-pe1--a-pe2",
    }
    assert all(16 <= len(new_key(path)["key"]) <= 48 for path in wanted)
    assert not any("pppoe" in path or "radius" in path for path in routing_keys(by_ethernet()))


def test_the_program_of_an_optical_line_hangs_and_dies(plan: Plan) -> None:
    """At umeda; namba's one gateway is exempt as a whole."""
    found = {fault.name for fault in plan.faults if fault.program is Program.PPPD}
    assert found == {"umeda-ce-a/pppd-hung", "umeda-ce-a/pppd-dead"}
    assert not any(fault.program is Program.PPPD for fault in by_ethernet().faults)
