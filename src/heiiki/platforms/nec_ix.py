"""NEC UNIVERGE IX, as ``show running-config`` prints it.

How an entry of an access list is taken back, and that a changed line is overwritten, is taken from published
configurations: NEC's command reference is not public text. docs/decisions/platforms.md says what that leaves
open.
"""

from heiiki.platforms.rules import NOTHING, Kind, Rule, Rules, Table

_ONE = Kind.ONE

_NEIGHBOR = (
    Rule(r"neighbor (\S+) remote-as", _ONE, rank=10, takes="neighbor {1} "),
    Rule(r"neighbor (\S+) route-map \S+ (in|out)", _ONE),
    Rule(
        r"neighbor (\S+) (description|password|timers|update-source|ebgp-multihop|maximum-prefix|weight)",
        _ONE,
    ),
)

_BGP = Rules(
    *_NEIGHBOR,
    Rule(r"(router-id|bgp router-id)", _ONE, rank=0),
    Rule(
        r"address-family",
        rank=60,
        inside=Rules(
            *_NEIGHBOR,
            Rule(r"network (\S+)", _ONE),
            Rule(r"redistribute (\S+)", _ONE),
        ),
    ),
)

_INTERFACE = Rules(
    Rule(r"ip address \S+ secondary", rank=20),
    Rule(r"(ip vrf forwarding|encapsulation|tunnel mode)", _ONE, rank=0),
    Rule(r"ip address", _ONE, rank=10),
    Rule(r"ip filter \S+ (\d+) (in|out)", _ONE),
    Rule(r"vrrp (\d+) (ip|priority|preempt|timers|description|authentication)", _ONE),
    Rule(r"ikev2 (binding|connect-type|outgoing-interface|ipsec-mode|source-address)", _ONE, rank=20),
    Rule(r"ikev2 peer (\S+)", _ONE, rank=21, undo="no ikev2 peer {1}"),
    Rule(
        r"(description|ip mtu|ip tcp adjust-mss|bandwidth|ppp binding|tunnel (?:source|destination)|duplex"
        r"|speed)",
        _ONE,
    ),
    Rule(r"shutdown", rank=90),
)

_IKEV2 = Rules(
    Rule(
        r"((?:sa|child)-proposal (?:enc|integrity|dh|prf)|child-pfs|(?:sa|child)-lifetime|dpd interval"
        r"|source-address"
        r"|local-authentication(?: psk)? id|nat-traversal)",
        _ONE,
    ),
)

_ROUTE_MAP = Rules(
    Rule(r"match (ip address prefix-list|ip address access-list|ip address|as-path|community|metric)", _ONE),
    Rule(r"set (local-preference|metric|weight|community|as-path prepend|origin)", _ONE),
)

TABLE = Table(
    name="nec_ix",
    ends=frozenset({"exit", "end"}),
    untouched=(r"Current configuration", r"Using \d+", r"pki private-key", r"license", r"boot", r"clock"),
    defaults=frozenset({"shutdown", "no ip address"}),
    secrets=(
        r"^(?:no )?username \S+ (?:hash|password|secret-password)(?: plain| hash)? (\S+)",
        r"^(?:no )?ikev2 authentication psk id .*? key (?:char|hex|secret) (.+)$",
        r"^(?:no )?ike policy .*? key (\S+)",
        r"^(?:no )?authentication password \S+ (\S+)",
        r"^(?:no )?authentication-password (.+)$",
        r"^(?:no )?neighbor \S+ password (.+)$",
        r"^(?:no )?snmp-agent ip community (\S+)",
        r"^(?:no )?snmp-agent (?:ip|ipv6) host \S+(?: version \S+)? (\S+)",
        r"^(?:no )?snmpv3 user .*? auth \S+ (\S+)(?: priv \S+ (\S+))?",
        r"^(?:no )?pki pkcs12 import .*? password (\S+)",
    ),
    rules=Rules(
        Rule(
            r"(hostname|timezone|logging (?:buffered|timestamp)|syslog ip (?:source|facility)"
            r"|ntp (?:interval|source))",
            _ONE,
            rank=0,
        ),
        Rule(r"username (\S+)", _ONE, rank=0, undo="no username {1}"),
        Rule(r"vrrp enable", rank=5),
        Rule(r"ip vrf", rank=5, definition=True),
        Rule(
            r"ikev2 authentication psk id (\S+ \S+)", _ONE, rank=10, undo="no ikev2 authentication psk id {1}"
        ),
        Rule(r"ikev2 (?:default-profile|profile)", inside=_IKEV2, rank=12, definition=True),
        Rule(
            r"ppp profile",
            inside=Rules(
                Rule(r"(authentication myname|lcp \S+|ipcp \S+)", _ONE),
                Rule(r"authentication password (\S+)", _ONE, undo="no authentication password {1}"),
            ),
            rank=12,
            definition=True,
        ),
        # Entries have the order in which they were entered, and none can be put between two others.
        Rule(r"ip(?:v6)? access-list (\S+)", Kind.POSITIONED, rank=20, definition=True),
        Rule(r"ip prefix-list (\S+) (?:seq )?(\d+)", Kind.NUMBERED, rank=20, definition=True),
        Rule(r"route-map (\S+) (?:permit|deny) (\d+)", _ONE, inside=_ROUTE_MAP, rank=30, definition=True),
        Rule(r"interface (?:Tunnel|Loopback|Null)\S*", inside=_INTERFACE, rank=40),
        Rule(r"interface", inside=_INTERFACE, rank=40, lasting=True),
        Rule(r"device", inside=NOTHING, lasting=True, rank=6),
        Rule(r"ip route", rank=60),
        Rule(r"router bgp", _ONE, inside=_BGP, whole=True, rank=70),
        Rule(
            r"watch-group (\S+) (\d+)",
            _ONE,
            inside=Rules(
                Rule(r"event (\d+)", _ONE, rank=10),
                Rule(r"action (\d+)", _ONE, rank=20),
                Rule(r"(probe-(?:counter|timer) \S+)", _ONE, rank=5),
            ),
            rank=80,
            definition=True,
        ),
        Rule(r"network-monitor (\S+)", rank=85),
    ),
)
