"""A verification that cannot fail proves nothing: mutants of routing, filters, programs and subscriptions."""

import pytest

from .mutants import AGENT, RELOAD_FILTER, Argv, Bench, Mutant, chosen, differing, nft, sh, try_mutant, vtysh

S0017 = ("router bgp 64601 vrf s0017", "address-family ipv4 unicast")
_PGW, _TEST_SIM, _TAKEN = "/etc/heiiki/pgw.json", "10.112.3.254", "10.112.3.153"
"""The address of the test UE's SIM, which has no session, and one that is nobody's."""
STATION = ("lladdr", "00:00:5e:00:01:33", "dev", "lan0")
"""Of the virtual gateway on umeda's LAN."""

APPLY_LINKS = ("python3", AGENT, "links", "apply", "/etc/heiiki/links.json")

_KEEPALIVED_HAS = f"until python3 {AGENT} vrrp status | grep -q '\"priority\": '"
"""It reads its file some time after it was told to."""

_MODULE = "/usr/local/lib/heiiki/prosody/mod_auth_heiiki.lua"
_MODULE_AS_IT_WAS = sh(f"cat /run/module > {_MODULE}; rm /run/module; systemctl restart prosody")


def _in_module(text: str, other: str) -> Argv:
    """Change the XMPP server's rules, by which it still passes its own proof."""
    return sh(f"cp {_MODULE} /run/module; sed -i 's/{text}/{other}/' {_MODULE}; systemctl restart prosody")


_MMS = "/usr/local/lib/heiiki/heiiki-mms.pyz"
_SERVES = "systemctl restart heiiki-mms-server; until ss -ltn | grep -q :3782; do sleep 0.2; done"
_MMS_AS_IT_WAS = sh(f"cat /run/mms > {_MMS}; rm /run/mms; {_SERVES}")


def _in_mms(text: str, other: str) -> Argv:
    """Change the MMS server of a controller, in its archive: the text that is put there is as long."""
    padded = other.ljust(len(text))
    assert len(padded) == len(text)
    found = f"grep -qF '{text}' {_MMS}"
    return sh(f"cp {_MMS} /run/mms; {found} && sed -i 's/{text}/{padded}/' {_MMS} && {_SERVES}")


_ODD = 47113
_LISTENS = sh(
    f"systemd-run --unit=odd-port --collect --quiet python3 -m http.server {_ODD}"
    f" && until ss -ltn | grep -q :{_ODD}; do sleep 0.2; done"
)

_ONE_SITE, _TWO_SITES = '"sites": ["umeda"]', '"sites": ["umeda", "namba"]'
_CONNECTS = 'import socket; socket.create_connection(("10.15.0.4", 8444), 5)'
_STREAM = (
    "import socket, time; out = socket.socket(2, 2);"
    " [(out.sendto(bytes(300), ('10.15.0.4', 123)), time.sleep(0.02)) for _ in range(30000)]"
)
"""50 packets a second to a time server, for ten minutes at most: on the line four times what may be there."""


def _in_api(text: str, other: str) -> Argv:
    """Change what an ESP may address, and wait until the API is open again."""
    pattern = text.replace("[", "\\[").replace("]", "\\]")
    return sh(
        f"sed -i 's/{pattern}/{other}/' /etc/heiiki/openadr_vtn.json; systemctl restart heiiki-openadr-vtn; "
        f"for i in $(seq 100); do python3 -c '{_CONNECTS}' 2>/dev/null && exit 0; sleep 0.2; done; exit 1"
    )


MUTANTS = (
    Mutant(
        "a controller that lets in every device of the service by MMS",
        "umeda-bems",
        (_in_mms("if self._place.client not in names:", "if not names:"),),
        (_MMS_AS_IT_WAS,),
        frozenset(),
        ("mms-refusals",),
        live=frozenset({"R-SEC-ACCESS/mms"}),
        representative=True,
    ),
    Mutant(
        "a controller that confirms an order and does nothing",
        "umeda-bems",
        (_in_mms("refused = self._tell(order)", "refused = None"),),
        (_MMS_AS_IT_WAS,),
        frozenset(),
        ("mms-orders",),
        live=frozenset({"R-EVENT/control"}),
    ),
    Mutant(
        "a timer",
        "hub-ce-a",
        (vtysh("bfd", "profile active", "detect-multiplier 10"),),
        (vtysh("bfd", "profile active", "detect-multiplier 4"),),
        frozenset({("R-GAP", "config", "hub-ce-a")}),
    ),
    Mutant(
        "an export filter",
        "hub-ce-a",
        (vtysh("route-map ANNOUNCE-HUB-LAN permit 20"),),
        (vtysh("no route-map ANNOUNCE-HUB-LAN permit 20"),),
        frozenset({("R-ISO-SITE", "config", "hub-ce-a")}),
    ),
    Mutant(
        "a forwarding rule of the hub",
        "hub-ce-a",
        (nft("insert rule inet heiiki forward accept"),),
        (RELOAD_FILTER,),
        frozenset({("R-ISO-SITE", "config", "hub-ce-a"), ("R-ISO-CARRIER", "config", "hub-ce-a")}),
        live=frozenset({"R-ISO-SITE", "R-ISO-CARRIER"}),
    ),
    Mutant(
        "a port between two sites, by a name that misleads",
        "hub-ce-a",
        (
            nft(
                "insert rule inet heiiki forward iifname gre-a0017 oifname gre-a0042 tcp dport 5222"
                ' accept comment "ipsec"'
            ),
        ),
        (RELOAD_FILTER,),
        frozenset({("R-ISO-SITE", "config", "hub-ce-a")}),
        live=frozenset({"R-ISO-SITE"}),
    ),
    Mutant(
        "a rule that lets devices reach each other through the XMPP server",
        "xmpp",
        (_in_module("return (from == dras", "return devices:contains(from) or (from == dras"),),
        (_MODULE_AS_IT_WAS,),
        frozenset({("R-ISO-SITE/xmpp", "config", "xmpp"), ("R-SEC-ACCESS/xmpp", "config", "xmpp")}),
        ("config", "xmpp"),
        live=frozenset({"R-ISO-SITE/xmpp"}),
    ),
    Mutant(
        "an XMPP server that lets a device ask to be another",
        "xmpp",
        (_in_module('authzid ~= "" and authzid ~= address', "false"),),
        (_MODULE_AS_IT_WAS,),
        frozenset(),
        ("xmpp-refusals",),
        live=frozenset({"R-SEC-ACCESS/xmpp"}),
    ),
    Mutant(
        "a REST API that gives an ESP another one's site",
        "dras",
        (_in_api(_ONE_SITE, _TWO_SITES),),
        (_in_api(_TWO_SITES, _ONE_SITE),),
        frozenset({("R-SEC-ACCESS/rest", "config", "dras"), ("R-EVENT", "config", "dras")}),
        ("config", "rest-refusals"),
        live=frozenset({"R-SEC-ACCESS/rest"}),
    ),
    Mutant(
        "a VRF's import",
        "a-pe2",
        (vtysh(*S0017, "rt vpn import 64601:1 64601:2"),),
        (vtysh(*S0017, "rt vpn import 64601:1"),),
        frozenset({("R-ISO-SITE", "config", "a-pe2")}),
        representative=True,
    ),
    Mutant(
        "the PGW's rule between subscribers",
        "b-pgw",
        (nft("insert rule inet heiiki forward iifname gtp0 oifname gtp0 accept"),),
        (RELOAD_FILTER,),
        frozenset({("R-ISO-SITE", "config", "b-pgw")}),
        ("config", "isolation"),
        live=frozenset({"R-ISO-SITE"}),
    ),
    Mutant(
        "keepalived on a standby gateway",
        "umeda-gw-b",
        (("systemctl", "stop", "keepalived"),),
        (("systemctl", "start", "keepalived"),),
        frozenset({("R-GAP", "config", "umeda-gw-b")}),
        ("config", "sessions"),
        live=frozenset({"R-DUAL"}),
    ),
    Mutant(
        "the program that keeps links",
        "sakai-gw-b",
        (("systemctl", "stop", "heiiki-links"),),
        (("systemctl", "start", "heiiki-links"),),
        frozenset(
            (one, "config", "sakai-gw-b")
            for one in ("R-GAP", "R-DUAL", "R-ISO-MALICE/layer-2", "R-DELAY/load")
        ),
        ("config", "sessions"),
        live=frozenset({"R-DUAL"}),
    ),
    Mutant(
        "a tunnel that nothing holds back",
        "namba-gw",
        (("tc", "qdisc", "delete", "dev", "tun-b", "root"),),
        (APPLY_LINKS,),
        frozenset({("R-DELAY/load", "config", "namba-gw")}),
        representative=True,
    ),
    Mutant(
        "a tunnel whose encapsulation is not counted",
        "hub-ce-a",
        (
            ("tc", "qdisc", "delete", "dev", "gre-a0017", "root"),
            sh(
                "tc qdisc add dev gre-a0017 root handle 1: tbf rate 9000kbit burst 22500 limit 22500"
                " && tc qdisc add dev gre-a0017 parent 1:1 handle 2: prio bands 2"
                " priomap 1 1 1 1 1 1 1 0 1 1 1 1 1 1 1 1"
                " && tc qdisc add dev gre-a0017 parent 2:1 handle 3: pfifo limit 100"
                " && tc qdisc add dev gre-a0017 parent 2:2 handle 4: fq_codel limit 1000"
            ),
        ),
        (APPLY_LINKS,),
        frozenset({("R-DELAY/load", "config", "hub-ce-a")}),
    ),
    Mutant(
        "a stream to a service of the plan that is not counted",
        "umeda-bems",
        (("systemd-run", "--quiet", "--unit=stream", "--", "python3", "-c", _STREAM),),
        (("systemctl", "stop", "stream"),),
        frozenset(),
        ("volume",),
        live=frozenset({"R-COST/volume"}),
    ),
    Mutant(
        "the rule on what is network control",
        "sakai-ce-a",
        (nft("flush chain inet heiiki classes_output"),),
        (RELOAD_FILTER,),
        frozenset({("R-DELAY/load", "config", "sakai-ce-a")}),
        live=frozenset({"R-DELAY/load"}),
    ),
    Mutant(
        "keepalived's priority, by a file that is put back",
        "umeda-gw-b",
        (
            sh(
                "cd /etc/keepalived && cp -p keepalived.conf kept && sed -i 's/priority 100/priority 90/'"
                f" keepalived.conf && systemctl reload keepalived && {_KEEPALIVED_HAS}90; do sleep 0.2; done"
                " && mv kept keepalived.conf"
            ),
        ),
        (
            ("systemctl", "reload", "keepalived"),
            sh(f"{_KEEPALIVED_HAS}100; do sleep 0.2; done"),
        ),
        frozenset({("R-GAP", "config", "umeda-gw-b")}),
    ),
    Mutant(
        "the LAN watch",
        "umeda-ce-a",
        (("systemctl", "stop", "heiiki-lan-watch"),),
        (("systemctl", "start", "heiiki-lan-watch"),),
        frozenset({("R-GAP", "config", "umeda-ce-a")}),
    ),
    Mutant(
        "the guard against spoofed sources",
        "umeda-ce-a",
        (nft("flush chain inet heiiki from_lan0"), nft("flush chain inet heiiki from_lan0_v")),
        (RELOAD_FILTER,),
        frozenset({("R-ISO-MALICE", "config", "umeda-ce-a")}),
        ("config", "isolation"),
        live=frozenset({"R-ISO-MALICE"}),
    ),
    Mutant(
        "the limits of what reaches a device itself",
        "hub-ce-a",
        (nft("flush chain inet heiiki limits"),),
        (RELOAD_FILTER,),
        frozenset({("R-ISO-MALICE", "config", "hub-ce-a")}),
        live=frozenset({"R-ISO-MALICE"}),
    ),
    Mutant(
        "the rule on who advertises the virtual gateway",
        "umeda-gw-b",
        (nft("flush chain inet heiiki vrrp"),),
        (RELOAD_FILTER,),
        frozenset({("R-ISO-MALICE/layer-2", "config", "umeda-gw-b")}),
        ("config", "isolation"),
        live=frozenset({"R-ISO-MALICE/layer-2"}),
    ),
    Mutant(
        "the rule on packets of a peer from afar",
        "a-pe2",
        (nft("flush chain inet heiiki hops"),),
        (RELOAD_FILTER,),
        frozenset({("R-ISO-MALICE/control", "config", "a-pe2")}),
        live=frozenset({"R-ISO-MALICE/control"}),
        representative=True,
    ),
    Mutant(
        "the rule on packets of a peer from afar, as they are tried",
        "umeda-gw-b",
        (nft("flush chain inet heiiki hops"),),
        (RELOAD_FILTER,),
        frozenset({("R-ISO-MALICE/control", "config", "umeda-gw-b")}),
        ("config", "isolation"),
        live=frozenset({"R-ISO-MALICE/control"}),
    ),
    Mutant(
        "the rule on who has which address of a LAN",
        "dras",
        (nft("flush chain arp heiiki claims"),),
        (RELOAD_FILTER,),
        frozenset({("R-ISO-MALICE/layer-2", "config", "dras")}),
        live=frozenset({"R-ISO-MALICE/layer-2"}),
    ),
    Mutant(
        "a neighbour's entry that ARP may change",
        "umeda-bems",
        (("ip", "neigh", "change", "10.16.1.17", *STATION, "nud", "reachable"),),
        (("ip", "neigh", "change", "10.16.1.17", *STATION, "nud", "permanent"),),
        frozenset({("R-ISO-MALICE/layer-2", "config", "umeda-bems")}),
    ),
    Mutant(
        "a neighbour's entry that ARP may change, as the LAN shows it",
        "umeda-bems",
        (("ip", "neigh", "change", "10.16.1.17", *STATION, "nud", "reachable"),),
        (("ip", "neigh", "change", "10.16.1.17", *STATION, "nud", "permanent"),),
        frozenset({("R-ISO-MALICE/layer-2", "config", "umeda-bems")}),
        ("config", "isolation"),
        live=frozenset({"R-ISO-MALICE/layer-2"}),
    ),
    Mutant(
        "the closed group's filter",
        "dras",
        (nft("insert rule inet heiiki input accept"),),
        (RELOAD_FILTER,),
        frozenset({("R-ISO-GROUP", "config", "dras")}),
        ("config", "isolation"),
        live=frozenset({"R-ISO-GROUP"}),
    ),
    Mutant(
        "a port of DRAS, by a name that misleads, and who listens there",
        "dras",
        (nft(f'insert rule inet heiiki input tcp dport {_ODD} accept comment "openadr"'), _LISTENS),
        (RELOAD_FILTER, ("systemctl", "stop", "odd-port")),
        frozenset({("R-ISO-GROUP", "config", "dras")}),
        ("config", "scan"),
        live=frozenset({"R-ISO-GROUP", "R-ISO-MALICE/scan"}),
    ),
    Mutant(
        "a subscription",
        "b-hss",
        (("sed", "-i.kept", "s/dr.beta.example/other.example/", "/etc/heiiki/subscribers.json"),),
        (("mv", "/etc/heiiki/subscribers.json.kept", "/etc/heiiki/subscribers.json"),),
        frozenset({("R-SEC-ACCESS", "config", "b-hss")}),
        representative=True,
    ),
    Mutant(
        "an address",
        "umeda-gw-b",
        (("ip", "address", "add", "10.16.1.30/32", "dev", "lan0"),),
        (("ip", "address", "del", "10.16.1.30/32", "dev", "lan0"),),
        frozenset({("R-DUAL", "config", "umeda-gw-b")}),
    ),
    Mutant(
        "a subscription that runs, of a file that is put back",
        "b-pgw",
        (
            sh(
                f"cd /run && cp -p {_PGW} pgw.kept && sed 's/{_TEST_SIM}/{_TAKEN}/' pgw.kept > pgw.other"
                f" && cat pgw.other > {_PGW} && until grep -q '{_TAKEN}' /run/heiiki/pgw.json; do sleep 0.2;"
                f" done; touch -r {_PGW} pgw.stamp; cat pgw.kept > {_PGW}; touch -r pgw.stamp {_PGW}"
            ),
        ),
        (("touch", _PGW),),
        frozenset({("R-ISO-SITE", "config", "b-pgw"), ("R-SEC-ACCESS", "config", "b-pgw")}),
    ),
)


@pytest.mark.parametrize("mutant", chosen(MUTANTS, "network"))
def test_a_mutant_flips_what_is_meant_for_it_and_nothing_else(bench: Bench, mutant: Mutant) -> None:
    try_mutant(bench, mutant)


@pytest.mark.representative
def test_after_the_mutants_all_is_as_before(bench: Bench) -> None:
    assert differing(bench.baseline(("config",)), bench.verdicts(("config",))) == set()
