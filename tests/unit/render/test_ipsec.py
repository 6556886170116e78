"""What the IKE daemon and the packet filter are sent, from connections made by hand."""

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path
from typing import Any

import pytest

from heiiki.design import strongswan
from heiiki.intent import load
from heiiki.plan import Plan, build
from heiiki.plan.model import (
    Device,
    EspMode,
    Firewall,
    Function,
    IkeTimers,
    Interface,
    InterfaceKind,
    IpsecConnection,
    Role,
    Suite,
    TrafficSelector,
    Xfrm,
)
from heiiki.render import DeviceBuild, compile_device, ipsec
from heiiki.render.templates import render

EXAMPLE = Path(__file__).parents[3] / "inventories" / "lab"
ANY = IPv4Network("0.0.0.0/0")
HERE, SITE, EDGE = IPv4Address("192.0.2.1"), IPv4Address("198.51.100.17"), IPv4Address("203.0.113.1")

VPN = IpsecConnection(
    name="edge",
    peer="b-edge",
    protects="R-SEC-ESP",
    network="b",
    local=IPv4Address("203.0.113.2"),
    remote=EDGE,
    local_id="hub.test.internal",
    remote_id="edge.test.internal",
    mode=EspMode.TUNNEL,
    selector=TrafficSelector(ANY, ANY),
    if_id=7,
    initiates=True,
)
TUNNEL = IpsecConnection(
    name="s0017",
    peer="site-gw",
    protects="R-SEC-ACCESS",
    network="b",
    local=HERE,
    remote=SITE,
    local_id="hub.test.internal",
    remote_id="site.test.internal",
    mode=EspMode.TRANSPORT,
    selector=TrafficSelector(IPv4Network(f"{HERE}/32"), IPv4Network(f"{SITE}/32"), "gre"),
)
HUB = Device(
    name="hub",
    role=Role.CE_ROUTER,
    function=Function.CE,
    platform="frr",
    networks=("b",),
    interfaces=(
        Interface("wan0", InterfaceKind.ETHERNET, (IPv4Interface("203.0.113.2/30"),)),
        Interface(
            "esp-b", InterfaceKind.XFRM, (IPv4Interface("10.0.0.2/30"),), mtu=1446, xfrm=Xfrm(7, "wan0")
        ),
    ),
    firewall=Firewall(encrypted=("wan0", "esp-b")),
    ipsec=(VPN, TUNNEL),
)


@pytest.fixture(scope="module")
def plan() -> Plan:
    made = build(load(EXAMPLE))
    timers = replace(made.timers, ike=IkeTimers(3, 0.5, 1.5, 2, 7200, 1800))
    suite = Suite("aes256gcm16-prfsha384-ecp384", "aes256gcm16-ecp384")
    return replace(made, timers=timers, pki=replace(made.pki, suite=suite))


@pytest.fixture(scope="module")
def made(plan: Plan) -> DeviceBuild:
    return compile_device(plan, HUB)


def test_each_connection_is_between_two_named_peers_by_certificates(made: DeviceBuild) -> None:
    connections = strongswan.connections(made.contents)
    assert list(connections) == ["edge", "s0017"]
    for planned in HUB.ipsec:
        found = connections[planned.name]
        assert (found["local_addrs"], found["remote_addrs"]) == (str(planned.local), str(planned.remote))
        assert found["local"] == {"auth": "pubkey", "id": f"fqdn:{planned.local_id}"}
        assert found["remote"] == {
            "auth": "pubkey",
            "id": f"fqdn:{planned.remote_id}",
            "revocation": "strict",
        }
        assert found["version"] == "2"
        assert found["proposals"] == "aes256gcm16-prfsha384-ecp384"


def test_a_vpn_takes_everything_on_its_interface(made: DeviceBuild) -> None:
    found = strongswan.connections(made.contents)["edge"]
    assert (found["if_id_in"], found["if_id_out"]) == ("7", "7")
    child = found["children"]["edge"]
    assert (child["mode"], child["local_ts"], child["remote_ts"]) == ("tunnel", "0.0.0.0/0", "0.0.0.0/0")


def test_a_tunnel_takes_gre_between_its_ends_and_nothing_else(made: DeviceBuild) -> None:
    found = strongswan.connections(made.contents)["s0017"]
    assert "if_id_in" not in found
    child = found["children"]["s0017"]
    assert child["mode"] == "transport"
    assert (child["local_ts"], child["remote_ts"]) == (f"{HERE}/32[gre]", f"{SITE}/32[gre]")
    assert child["esp_proposals"] == "aes256gcm16-ecp384"


def test_one_side_asks_for_ever_the_other_waits(made: DeviceBuild) -> None:
    connections = strongswan.connections(made.contents)
    keys = ("start_action", "close_action", "dpd_action")
    asks, waits = (connections[name]["children"][name] for name in ("edge", "s0017"))
    assert [asks[key] for key in keys] == ["trap|start", "trap", "restart"], (
        "start again: a deleted duplicate comes back without end"
    )
    assert [waits[key] for key in keys] == ["none", "none", "clear"]
    assert connections["edge"]["keyingtries"] == "0"


def test_timers_are_the_plans(plan: Plan, made: DeviceBuild) -> None:
    daemon, found = strongswan.daemon(made.contents), strongswan.connections(made.contents)["edge"]
    assert [daemon[f"retransmit_{word}"] for word in ("timeout", "base", "tries")] == ["0.5", "1.5", "2"]
    assert (found["dpd_delay"], found["rekey_time"]) == ("3s", "7200s")
    assert found["children"]["edge"]["rekey_time"] == "1800s"
    # Longest silence, then the waits after the request and after each of two retransmissions.
    assert plan.timers.ike.give_up_s == pytest.approx(3 + 0.5 + 0.75 + 1.125)


def test_the_daemon_makes_no_routes_and_writes_no_secrets(made: DeviceBuild) -> None:
    daemon = strongswan.daemon(made.contents)
    assert (daemon["load_modular"], daemon["install_routes"]) == ("no", "no")
    plugins = daemon["load"].split()
    assert {"revocation", "constraints"} <= set(plugins)
    assert not {"updown", "agent", "stroke", "xauth-generic", "eap-identity"} & set(plugins)
    levels = (value for key, value in daemon["filelog"]["heiiki"].items() if key in {"default", "enc", "net"})
    assert all(int(level) < 4 for level in levels)


def test_the_daemons_log_is_bounded(made: DeviceBuild) -> None:
    """The daemon holds the file open and appends: so it is copied and cut, and the daemon is told nothing."""
    files = {file.path: file.content for file in made.files}
    log = strongswan.parse(files["/etc/strongswan.d/heiiki.conf"])["charon"]["filelog"]["heiiki"]
    bound = files["/etc/logrotate.d/heiiki-strongswan"]
    assert bound.startswith(f"{log['path']} {{\n")
    assert {"size 4M", "rotate 4", "copytruncate"} <= {line.strip() for line in bound.splitlines()}
    assert log["append"] == "yes"


def test_files_hold_what_their_connections_protect(plan: Plan, made: DeviceBuild) -> None:
    held = {file.path: file.requirements for file in made.files if file.requirements}
    assert held["/etc/swanctl/swanctl.conf"] == ("R-SEC-ACCESS", "R-SEC-ESP")
    alone = ipsec.parts(plan, replace(HUB, ipsec=(TUNNEL,)))
    assert alone is not None
    assert {file.requirements for file in alone.files if file.requirements} == {("R-SEC-ACCESS",)}


def test_the_service_is_well_once_its_last_connection_is_loaded(made: DeviceBuild) -> None:
    (service,) = (one for one in made.services if one.name == "strongswan")
    assert (service.on_change, service.health[-1].split()[-2:]) == ("reload", ["'^s0017:", "'"])


def test_a_device_without_connections_runs_no_daemon(plan: Plan) -> None:
    made = compile_device(plan, replace(HUB, ipsec=()))
    assert "strongswan" not in {service.name for service in made.services}


def chain(rules: str, name: str) -> list[str]:
    """The rules of a chain, without comments."""
    body = rules.partition(f"\tchain {name} {{\n")[2].partition("\n\t}\n")[0]
    return [line.strip() for line in body.splitlines() if not line.strip().startswith("#")]


def filtered(plan: Plan, **changes: Any) -> str:
    return render("linux/nftables.conf.j2", plan, replace(HUB, **changes))


def test_gre_passes_in_esp_only_and_that_is_asked_before_connection_tracking(plan: Plan) -> None:
    rules = filtered(plan)
    taken = chain(rules, "input")
    jump = "meta l4proto gre jump encrypted"
    assert taken.index(jump) < taken.index("ct state established,related accept")
    assert chain(rules, "output")[-1] == (
        'oifname != "lo" meta l4proto gre rt ipsec missing counter name clear_out drop'
    )


def test_inside_a_vpn_the_vpns_own_esp_does_not_count(plan: Plan) -> None:
    assert chain(filtered(plan), "encrypted") == [
        'iifname { "esp-b" } ipsec in spnum 1 spi != 0 return',
        'iifname { "esp-b" } counter name clear_in drop',
        "meta ipsec exists return",
        "counter name clear_in drop",
    ]
    site = filtered(plan, firewall=Firewall(encrypted=("wan0",)))
    assert chain(site, "encrypted") == ["meta ipsec exists return", "counter name clear_in drop"]


def test_a_filter_without_tunnels_speaks_of_none(plan: Plan) -> None:
    rules = filtered(plan, firewall=Firewall())
    assert "ipsec" not in rules
    assert "clear_" not in rules
