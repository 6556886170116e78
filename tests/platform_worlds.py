"""The devices of the tests, and pieces that their configurations are put together from.

Each piece has several forms; a configuration takes one form of each, or none. Secrets begin with ``S3cret``.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from platform_device import Device, Nature, PathDevice

PIECES = Path(__file__).parent / "unit" / "platforms" / "pieces"

_OF_A_NEIGHBOR = r"router bgp .*(?: / address-family .*)? / neighbor (\S+) (?!remote-as).*"

FRR = Nature(
    sections=(
        r"bfd",
        r"bfd / profile \S+",
        r"key chain \S+",
        r"key chain \S+ / key \d+",
        r"route-map \S+ \S+ \d+",
        r"interface \S+",
        r"router ospf",
        r"mpls ldp",
        r"mpls ldp / address-family ipv4",
        r"vrf \S+",
        r"mpls ldp / address-family ipv4 / interface \S+",
        r"router bgp \d+(?: vrf \S+)?",
        r"router bgp .* / address-family .*",
        r"line vty",
    ),
    ends=frozenset({"exit", "exit-address-family", "exit-vrf"}),
    unique=(
        r"(hostname) \S+",
        r"(log file) \S+.*",
        r"route-map (\S+) (?:permit|deny) (\d+)",
        r"(detect-multiplier|receive-interval|transmit-interval) \d+",
        r"(key-string|cryptographic-algorithm) \S+",
        r"(ip ospf (?:area|cost|hello-interval|network|authentication key-chain|bfd profile)) .*",
        r"(ospf router-id|timers throttle spf|router-id|discovery transport-address) .*",
        r"(neighbor \S+ (?:remote-as|description|password|update-source|timers connect|bfd profile)) .*",
        r"(neighbor \S+ maximum-prefix) .*",
        r"(neighbor \S+) route-map \S+ (in|out)",
        r"(bgp router-id) \S+",
        r"((?:rt|rd|label) vpn \S+) .*",
        r"(ip protocol \S+ route-map) \S+",
    ),
    lasting=(r"^interface \S+", r"vrf \S+", r"router bgp .* / address-family .*"),
    keyed=(r"neighbor \S+ password", r"key-string"),
    numbered=(r"ip prefix-list (\S+) seq (\d+) .*",),
    silent_twins=True,
    lists=(r"ip prefix-list \S+",),
    owners=(
        (r"neighbor (\S+) remote-as ", "neighbor {1} "),
        (r"neighbor (\S+) bfd$", "neighbor {1} bfd "),
        (r"(ip ospf) bfd$", "ip ospf bfd "),
    ),
    needs=(
        (r"neighbor \S+ route-map (\S+) (?:in|out)", r"route-map {1} \S+ \d+"),
        (r"match ip address prefix-list (\S+)", r"ip prefix-list {1} .*"),
        (r"neighbor \S+ bfd profile (\S+)", r"profile {1}"),
        (r"ip ospf bfd profile (\S+)", r"profile {1}"),
        (r"ip ospf authentication key-chain (\S+)", r"key chain {1}"),
        (_OF_A_NEIGHBOR, r"neighbor {1} remote-as \d+"),
    ),
)

IOSXE = Nature(
    sections=(
        r"vrf definition \S+",
        r"vrf definition \S+ / address-family .*",
        r"ip access-list extended \S+",
        r"route-map \S+ \S+ \d+",
        r"interface \S+",
        r"router bgp \d+",
        r"router bgp \d+ / address-family .*",
        r"crypto pki trustpoint \S+",
        r"crypto pki certificate chain \S+",
        r"certificate .*",
        r"crypto ikev2 (?:proposal|policy|profile|keyring) \S+",
        r"crypto ikev2 keyring \S+ / peer \S+",
        r"crypto ipsec transform-set .*",
        r"crypto ipsec profile \S+",
        r"line .*",
        r"archive",
    ),
    ends=frozenset({"exit", "exit-address-family", "quit"}),
    unique=(
        r"(hostname|rd|description|encryption|integrity|prf|group|mode|dpd) .*",
        r"(enrollment url|revocation-check) .*",
        r"(ip address) \S+ \S+",
        r"ip access-group \S+ (in|out)",
        r"(tunnel (?:source|mode|destination)) .*",
        r"(tunnel protection ipsec) .*",
        r"(vrf forwarding) \S+",
        r"(bfd interval) .*",
        r"(set \S+) .*",
        r"(vrrp \d+ (?:ip|priority|track \d+)) .*",
        r"(authentication (?:local|remote)) .*",
        r"(identity local) .*",
        r"(pki trustpoint) \S+",
        r"(ppp chap (?:hostname|password)) .*",
        r"(exec-timeout|transport input) .*",
        r"route-map (\S+) (?:permit|deny) (\d+)",
        r"(router) bgp \d+",
        r"(bgp router-id) \S+",
        r"(path|maximum) .*",
        r"(neighbor \S+ (?:remote-as|description|password|timers|fall-over|maximum-prefix)) .*",
        r"(neighbor \S+) route-map \S+ (in|out)",
        r"(crypto ipsec transform-set \S+) .*",
        r"(username \S+) .*",
        r"(pre-shared-key(?: local| remote)?) .*",
        r"(ip|ipv6) redirects",
        r"(snmp-server location) .*",
        r"(address) \S+",
    ),
    lasting=(r"interface GigabitEthernet\S+?", r"line .*"),
    keyed=(
        r"neighbor \S+",
        r"neighbor \S+ password",
        r"ppp chap password",
        r"\d+",
        r"pre-shared-key(?: local)?",
        r"username \S+ secret",
        r"snmp-server community",
        r"username \S+ privilege 15 secret",
    ),
    numbered=(r"ip access-list extended (\S+) / (\d+) .*", r"ip prefix-list (\S+) seq (\d+) .*"),
    lists=(r"ip prefix-list \S+",),
    owners=((r"neighbor (\S+) remote-as ", "neighbor {1} "),),
    wipes=((r"vrf forwarding ", "ip address "),),
    needs=(
        (r"neighbor \S+ route-map (\S+) (?:in|out)", r"route-map {1} \S+ \d+"),
        (r"match ip address prefix-list (\S+)", r"ip prefix-list {1} .*"),
        (r"ip access-group (\S+) in", r"ip access-list extended {1}"),
        (r"vrf forwarding (\S+)", r"vrf definition {1}"),
        (r"tunnel protection ipsec profile (\S+)", r"crypto ipsec profile {1}"),
        (r"set transform-set (\S+)", r"crypto ipsec transform-set {1} .*"),
        (r"set ikev2-profile (\S+)", r"crypto ikev2 profile {1}"),
        (r"pki trustpoint (\S+)", r"crypto pki trustpoint {1}"),
        (r"proposal (\S+)", r"crypto ikev2 proposal {1}"),
        (_OF_A_NEIGHBOR, r"neighbor {1} remote-as \d+"),
    ),
    defaults=("no shutdown", "no ip address"),
    one_only=(r"router bgp \d+",),
)

_SELECT = (r"pp select \S+", r"tunnel select \S+")

RTX = Nature(
    sections=_SELECT,
    ends=frozenset({"pp select none", "tunnel select none"}),
    unique=(
        r"(ip route \S+) .*",
        r"(ip filter \d+) .*",
        r"(ip lan\d (?:address|secure filter \S+)) .*",
        r"(ip lan\d vrrp \d+) .*",
        r"(ip (?:pp|tunnel) (?:mtu|address|secure filter \S+|tcp mss limit)) .*",
        r"(pp (?:always-on|auth accept|auth myname)) .*",
        r"(pppoe use) .*",
        r"(ppp \S+ \S+) .*",
        r"(bgp use) .*",
        r"(bgp (?:autonomous-system|router id)) .*",
        r"(bgp neighbor \d+) .*",
        r"(bgp import filter \d+) .*",
        r"(bgp neighbor pre-shared-key \d+) .*",
        r"(ipsec tunnel) .*",
        r"(ipsec sa policy \d+) .*",
        r"(ipsec ike (?:version|pki file|auth method|pre-shared-key|local address) \d+) .*",
        r"(ipsec ike local name \d+) .*",
        r"(ipsec ike keepalive use \d+) .*",
        r"(syslog host) .*",
        r"(ipsec auto refresh) .*",
        r"(ntpdate) .*",
        r"(login password) .*",
        r"(ip keepalive \d+) .*",
        r"(pki certificate file \d+) .*",
        r"(schedule at \d+) .*",
        r"(snmpv3 usm user \d+) .*",
    ),
    lasting=_SELECT,
    keyed=(r".*",),
    nothing=("bgp configure refresh",),
    needs=(
        (r"ip lan\d secure filter in (\d+).*", r"ip filter {1} .*"),
        (r"ip route \S+ .* keepalive (\d+)", r"ip keepalive {1} .*"),
    ),
)

IX = Nature(
    sections=(
        r"interface \S+",
        r"router bgp \d+",
        r"router bgp \d+ / address-family .*",
        r"ikev2 default-profile",
        r"ppp profile \S+",
        r"route-map \S+ \S+ \d+",
        r"watch-group \S+ \d+",
    ),
    ends=frozenset({"exit"}),
    unique=(
        r"(hostname) .*",
        r"(ip address) \S+",
        r"ip filter \S+ (\d+) (in|out)",
        r"(vrrp \d+ (?:ip|priority)) .*",
        r"(ikev2 peer \S+) .*",
        r"(ikev2 (?:binding|connect-type|outgoing-interface)) .*",
        r"(tunnel mode) .*",
        r"((?:sa|child)-proposal \S+) .*",
        r"(child-pfs|dpd interval|description) .*",
        r"(encapsulation) .*",
        r"(authentication (?:myname|password \S+)) .*",
        r"(ppp binding) .*",
        r"(neighbor \S+ (?:remote-as|timers)) .*",
        r"neighbor (\S+) route-map \S+ (in|out)",
        r"(ikev2 authentication psk id \S+ \S+) .*",
        r"(watch-group \S+) \d+",
        r"((?:event|action) \d+) .*",
        r"(router) bgp \d+",
        r"(username \S+) .*",
        r"route-map (\S+) (?:permit|deny) (\d+)",
    ),
    lasting=(r"interface GigaEthernet\S+",),
    keyed=(
        r"ikev2 authentication psk id \S+ \S+",
        r"ikev2 peer \S+",
        r"authentication password \S+",
        r"username \S+",
    ),
    positioned=(r"ip access-list (\S+) .*",),
    owners=((r"neighbor (\S+) remote-as ", "neighbor {1} "),),
    needs=(
        (r"ip filter (\S+) \d+ (?:in|out)", r"ip access-list {1} .*"),
        (r"neighbor \S+ route-map (\S+) (?:in|out)", r"route-map {1} \S+ \d+"),
        (r"match ip address access-list (\S+)", r"ip access-list {1} .*"),
        (r"ppp binding (\S+)", r"ppp profile {1}"),
        (_OF_A_NEIGHBOR, r"neighbor {1} remote-as \d+"),
    ),
    defaults=("shutdown", "no ip address"),
    one_only=(r"router bgp \d+",),
)

_ORDERED_PATHS = (
    r"(firewall family inet filter \S+) (term \S+)",
    r"(policy-options policy-statement \S+) (term \S+)",
    r"(protocols bgp group \S+ export) (\S+)",
)

_NATURES = {"frr": FRR, "cisco_iosxe": IOSXE, "yamaha_rtx": RTX, "nec_ix": IX, "juniper_junos": None}


@dataclass(frozen=True)
class World:
    """A platform for the tests: its device, pieces of configurations, and what no change may touch."""

    name: str
    nature: Nature | None
    untouched: str
    pieces: tuple[tuple[str, ...], ...]

    def device(self, text: str) -> Any:
        """Return a device that has a configuration."""
        return PathDevice(text) if self.nature is None else Device(self.nature, text)

    def state(self, device: Any) -> object:
        """Return all that a device is set to; two equal ones behave alike."""
        return device.state(_ORDERED_PATHS) if self.nature is None else device.state()


def _world(name: str) -> World:
    untouched, *pieces = (PIECES / f"{name}.txt").read_text(encoding="utf-8").split("=====\n")
    return World(name, _NATURES[name], untouched, tuple(tuple(piece.split("-----\n")) for piece in pieces))


WORLDS = {name: _world(name) for name in sorted(_NATURES)}
