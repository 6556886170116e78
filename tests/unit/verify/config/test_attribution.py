"""A difference is attributed by where it stands; what its author may write decides nothing."""

from typing import Any

import pytest

from heiiki.plan.model import Plan
from heiiki.verify.config.attribution import Difference, of_filter, of_frr, of_links

GAP, DUAL, SITE, CARRIER = "R-GAP", "R-DUAL", "R-ISO-SITE", "R-ISO-CARRIER"
GROUP, MALICE, ACCESS = "R-ISO-GROUP", "R-ISO-MALICE", "R-SEC-ACCESS"
LAYER2, CONTROL, LOAD = "R-ISO-MALICE/layer-2", "R-ISO-MALICE/control", "R-DELAY/load"
PORT = "R-SEC-LAN/wired"
ROUTING = frozenset({GAP, DUAL, SITE})
FILTER = frozenset({SITE, CARRIER, MALICE, ACCESS, LAYER2, CONTROL, LOAD, PORT})
VRF = "router bgp 64601 vrf s0017"


def against(found: Difference, held: frozenset[str]) -> set[str]:
    return {identifier for identifier in held if found.speaks_against(identifier, held)}


@pytest.mark.parametrize(
    ("line", "missing", "concerned"),
    [
        (("bfd", "profile active", "detect-multiplier 10"), False, {GAP}),
        (("router bgp 64530", "neighbor 10.80.0.1 timers connect 1"), True, {GAP}),
        (("router bgp 64530", "neighbor 10.80.0.1 bfd profile active"), True, {GAP}),
        (("route-map ANNOUNCE-HUB-OWN permit 20", "set community none"), False, {SITE}),
        (("route-map bfd permit 20",), False, {SITE}),
        (("ip prefix-list BFD seq 5 permit 0.0.0.0/0",), False, {SITE}),
        ((VRF, "address-family ipv4 unicast", "rt vpn import 64601:2"), False, {SITE}),
        (("router bgp 64530", "neighbor 10.80.0.1 remote-as 64601"), True, {DUAL}),
        (("router bgp 64530", "neighbor 10.80.0.9 remote-as 64601"), False, {DUAL, SITE}),
        (("router bgp 64530", "neighbor 10.80.0.1 description bfd timers"), False, set(ROUTING)),
        (("ip route 0.0.0.0/0 10.1.1.1",), False, set(ROUTING)),
    ],
)
def test_a_line_of_frr_is_attributed_by_context_and_command(
    line: tuple[str, ...], missing: bool, concerned: set[str]
) -> None:
    assert against(of_frr("/etc/frr/frr.conf", line, missing=missing), ROUTING) == concerned


def match(kind: str, key: str, value: Any) -> dict[str, Any]:
    name = {"payload": {"protocol": key, "field": "dport"}}.get(kind, {"key": key})
    return {"match": {"op": "==", "left": {kind: name}, "right": value}}


def rule(chain: str, *expression: dict[str, Any], comment: str = "", table: str = "heiiki") -> dict[str, Any]:
    said = {"comment": comment} if comment else {}
    return {"rule": {"family": "inet", "table": table, "chain": chain, "expr": list(expression), **said}}


ARP = {"family": "arp", "table": "heiiki"}


def chain(name: str, policy: str = "drop") -> dict[str, Any]:
    return {"chain": {"family": "inet", "table": "heiiki", "name": name, "policy": policy}}


ACCEPT: dict[str, Any] = {"accept": None}
DROP: dict[str, Any] = {"drop": None}
CHAINS = [
    chain(name)
    for name in (
        "prerouting",
        "from_lan0",
        "vrrp",
        "hops",
        "hops_output",
        "classes_output",
        "limits",
        "input",
        "encrypted",
        "output",
        "forward",
    )
]
BETWEEN_SITES = rule(
    "forward",
    match("meta", "iifname", "gre-a0017"),
    match("meta", "oifname", "gre-a0042"),
    match("payload", "tcp", 5222),
    ACCEPT,
    comment="ipsec",
)


def filter_differs(plan: Plan, wanted: list[Any], there: list[Any]) -> set[str]:
    found = of_filter("/etc/nftables.conf", plan.device("hub-ce-a"), wanted, there)
    return {one for difference in found for one in against(difference, FILTER)}


@pytest.mark.parametrize(
    ("more", "concerned"),
    [
        (BETWEEN_SITES, {SITE}),
        (rule("forward", ACCEPT, comment="clear_in"), {SITE, CARRIER}),
        (rule("forward", match("meta", "iifname", "access-a"), ACCEPT), {SITE, CARRIER}),
        (rule("input", match("payload", "tcp", 22), ACCEPT, comment="encrypted"), {CARRIER}),
        (rule("input", ACCEPT), {CARRIER, ACCESS}),
        (rule("from_lan0", ACCEPT, comment="forward"), {MALICE}),
        (rule("prerouting", {"mangle": {"key": {}, "value": 1}}), set(FILTER)),
        (rule("encrypted", ACCEPT), {ACCESS}),
        (rule("output", ACCEPT), {ACCESS}),
        (rule("forward", {"jump": {"target": "secret"}}), set(FILTER)),
        (rule("vrrp", ACCEPT, comment="forward"), {LAYER2}),
        (rule("hops", ACCEPT), {CONTROL}),
        ({"rule": ARP | {"chain": "claims", "expr": [ACCEPT]}}, {LAYER2}),
        ({"chain": ARP | {"name": "forward", "policy": "accept"}}, {LAYER2}),
        ({"rule": ARP | {"table": "other", "chain": "claims", "expr": [ACCEPT]}}, set(FILTER)),
        (chain("forward", "accept"), {SITE, CARRIER}),
        (chain("encrypted_too"), set(FILTER)),
        ({"counter": {"family": "inet", "table": "heiiki", "name": "spoofed_by_nobody"}}, set(FILTER)),
        (rule("forward", ACCEPT, table="other"), set(FILTER)),
    ],
)
def test_an_object_too_much_is_attributed_by_chain_and_interfaces(
    plan: Plan, more: dict[str, Any], concerned: set[str]
) -> None:
    assert filter_differs(plan, CHAINS, [*CHAINS, more]) == concerned


@pytest.mark.parametrize(
    ("lost", "concerned"),
    [
        ({"counter": {"family": "inet", "table": "heiiki", "name": "spoofed_lan0"}}, {MALICE}),
        ({"counter": {"family": "inet", "table": "heiiki", "name": "limited_bgp"}}, {MALICE}),
        (rule("limits", match("payload", "tcp", 179), {"set": {"op": "update"}}, DROP), {MALICE}),
        (chain("controlled_in", "accept"), {PORT}),
        ({"counter": {"family": "inet", "table": "heiiki", "name": "unauthorized_in"}}, {PORT}),
        ({"rule": ARP | {"chain": "controlled_out", "expr": [DROP]}}, {LAYER2, PORT}),
        ({"set": ARP | {"name": "let_in"}}, {LAYER2, PORT}),
        (rule("hops", {"counter": "refused_hops"}, DROP), {CONTROL}),
        (rule("hops_output", {"mangle": {"key": {}, "value": 255}}), {CONTROL}),
        ({"counter": {"family": "inet", "table": "heiiki", "name": "refused_hops"}}, {CONTROL}),
        (rule("classes_output", {"mangle": {"key": {"meta": {"key": "priority"}}, "value": "0:7"}}), {LOAD}),
        (rule("vrrp", {"counter": "refused_vrrp"}, DROP), {LAYER2}),
        ({"counter": {"family": "inet", "table": "heiiki", "name": "refused_vrrp"}}, {LAYER2}),
        ({"counter": ARP | {"name": "forged_arp"}}, {LAYER2}),
        (rule("input", {"jump": {"target": "encrypted"}}), {ACCESS}),
        (rule("from_lan0", {"counter": "spoofed_lan0"}, DROP), {MALICE}),
    ],
)
def test_an_object_that_is_missing_is_the_plans_own(
    plan: Plan, lost: dict[str, Any], concerned: set[str]
) -> None:
    assert filter_differs(plan, [*CHAINS, lost], CHAINS) == concerned


def test_another_order_concerns_the_chain_that_has_it(plan: Plan) -> None:
    first, second = rule("forward", DROP), rule("forward", match("meta", "iifname", "access-a"), ACCEPT)
    assert filter_differs(plan, [*CHAINS, first, second], [*CHAINS, second, first]) == {SITE, CARRIER}
    assert filter_differs(plan, [*CHAINS, first, second], [*CHAINS, first, second]) == set()


def test_a_rule_twice_is_a_rule_too_much(plan: Plan) -> None:
    once = rule("forward", match("meta", "iifname", "access-a"), ACCEPT)
    assert filter_differs(plan, [*CHAINS, once, BETWEEN_SITES], [*CHAINS, BETWEEN_SITES, once, BETWEEN_SITES])


def test_a_difference_that_concerns_no_requirement_of_its_file_concerns_all_it_holds() -> None:
    found = of_frr("/etc/frr/frr.conf", ("route-map X permit 10",), missing=False)
    assert against(found, frozenset({DUAL})) == {DUAL}


@pytest.mark.parametrize(
    ("command", "concerned"),
    [
        ("neigh replace 10.16.1.20 lladdr 02:00:0a:10:01:14 dev lan0 nud permanent", {LAYER2}),
        ("neigh del 10.16.1.21 dev lan0", {LAYER2}),
        ("link set lan0 address 02:00:0a:10:01:13", {LAYER2}),
        ("qdisc delete dev tun-a root", {LOAD}),
        ("link set lan0 up", {DUAL}),
        ("link set address mtu 1400", {DUAL}),
        ("address del 10.16.1.30/32 dev neigh", {DUAL}),
    ],
)
def test_what_the_links_would_have_done_is_attributed_by_the_command(
    command: str, concerned: set[str]
) -> None:
    found = of_links("/etc/heiiki/links.json", "heiiki-links", command)
    assert against(found, frozenset({GAP, DUAL, LAYER2, LOAD})) == concerned
