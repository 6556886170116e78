"""Cisco IOS XE 17, as ``show running-config`` prints it: entries of access lists have their numbers."""

from heiiki.platforms.rules import NOTHING, Kind, Rule, Rules, Table

_ONE = Kind.ONE

_NEIGHBOR = (
    # A neighbor is gone with its AS, from each address family too.
    Rule(r"neighbor (\S+) remote-as", _ONE, rank=10, undo="no neighbor {1}", takes="neighbor {1} "),
    Rule(r"neighbor (\S+) peer-group(?= \S)", _ONE, rank=20),
    Rule(r"neighbor (\S+) (route-map|prefix-list|filter-list|distribute-list) \S+ (in|out)", _ONE),
    Rule(
        r"neighbor (\S+) (description|password|update-source|local-as|ebgp-multihop|maximum-prefix|weight"
        r"|timers"
        r"|ttl-security hops|advertisement-interval|allowas-in|fall-over|version)",
        _ONE,
    ),
)

_FAMILY = Rules(
    *_NEIGHBOR,
    Rule(r"network (\S+)", _ONE),
    Rule(r"redistribute (\S+)", _ONE),
    Rule(r"(maximum-paths(?: ibgp)?|table-map|distance bgp|bgp router-id)", _ONE),
)

_BGP = Rules(
    *_NEIGHBOR,
    Rule(
        r"(bgp (?:router-id|cluster-id|default local-preference|graceful-restart \S+)|timers bgp)",
        _ONE,
        rank=0,
    ),
    Rule(r"network (\S+)", _ONE),
    # Whether a neighbor is active by itself is decided when it is made.
    Rule(r"bgp", rank=0),
    Rule(r"address-family", rank=60, inside=_FAMILY, ends="exit-address-family"),
)

_VRRP = Rules(Rule(r"(priority|timers advertise|preempt delay minimum|description|match-address)", _ONE))

_INTERFACE = Rules(
    # A change of VRF takes the addresses of the interface with it.
    Rule(r"(?:vrf|ip vrf) forwarding", _ONE, rank=0, takes="ip address ", takes_always=True),
    Rule(r"ip address \S+ \S+ secondary", rank=20),
    Rule(r"ip address", _ONE, rank=10),
    Rule(r"ip access-group \S+ (in|out)", _ONE),
    Rule(r"vrrp (\d+) (ip|description|priority|timers advertise|timers learn|authentication)", _ONE),
    Rule(r"vrrp (\d+) (track \S+)", _ONE),
    Rule(r"vrrp \d+ address-family", inside=_VRRP, rank=50, ends="exit-vrrp"),
    Rule(r"encapsulation", _ONE, rank=5),
    Rule(r"tunnel (source|destination|mode|vrf|key)", _ONE, rank=20),
    Rule(r"tunnel protection ipsec", _ONE, rank=60),
    Rule(
        r"(description|mtu|ip mtu|ip tcp adjust-mss|bandwidth|delay|load-interval|bfd interval|bfd template"
        r"|ip verify unicast source|ip policy route-map|dialer pool|dialer-group|dialer in-band"
        r"|dialer idle-timeout"
        r"|ppp chap hostname|ppp chap password|ppp authentication|ppp pap sent-username|negotiation|speed"
        r"|duplex"
        r"|pppoe enable|pppoe-client dial-pool-number|ip nhrp \S+|ip ospf \S+|cdp)",
        _ONE,
    ),
    Rule(r"shutdown", rank=90),
)

_ACCESS_LIST = Rules(Rule(r"()(\d+)", Kind.NUMBERED, undo="no {2}"))

_ROUTE_MAP = Rules(
    Rule(
        r"match (ip address prefix-list|ip address|ip next-hop|as-path|community|interface|metric|tag)", _ONE
    ),
    Rule(
        r"(set (?:as-path prepend|community|ip next-hop|local-preference|metric|origin|tag|weight|vrf)"
        r"|description|continue)",
        _ONE,
    ),
)

_CRYPTO = (
    Rule(
        r"crypto pki trustpoint",
        inside=Rules(
            Rule(
                r"(enrollment \S+|serial-number|fqdn|ip-address|subject-name|subject-alt-name"
                r"|revocation-check|rsakeypair"
                r"|eckeypair|auto-enroll|source interface|vrf|hash|fingerprint|password|usage|storage)",
                _ONE,
            ),
        ),
        rank=10,
        definition=True,
    ),
    Rule(r"crypto pki certificate map (\S+) (\d+)", inside=NOTHING, rank=12, definition=True),
    Rule(
        r"crypto ikev2 proposal",
        inside=Rules(Rule(r"(encryption|integrity|prf|group)", _ONE)),
        rank=20,
        definition=True,
    ),
    Rule(
        r"crypto ikev2 policy",
        inside=Rules(
            Rule(r"match (fvrf|address local)", _ONE, rank=10),
        ),
        rank=22,
        definition=True,
    ),
    Rule(
        r"crypto ikev2 keyring",
        inside=Rules(
            Rule(
                r"peer",
                inside=Rules(
                    Rule(r"(address|description|identity|pre-shared-key(?: local| remote)?)", _ONE),
                ),
            )
        ),
        rank=22,
        definition=True,
    ),
    Rule(
        r"crypto ikev2 profile",
        inside=Rules(
            Rule(
                r"(identity local|authentication (?:local|remote)|pki trustpoint|keyring(?: local)?|dpd"
                r"|lifetime"
                r"|match fvrf|virtual-template|description|nat keepalive)",
                _ONE,
            ),
        ),
        rank=24,
        definition=True,
    ),
    Rule(r"crypto ikev2 (?:dpd|cookie-challenge|fragmentation|limit|nat keepalive)", _ONE, rank=24),
    Rule(
        r"crypto ipsec transform-set (\S+)", _ONE, inside=Rules(Rule(r"mode", _ONE)), rank=20, definition=True
    ),
    Rule(
        r"crypto ipsec profile",
        inside=Rules(
            Rule(r"(set (?:transform-set|pfs|ikev2-profile|security-association \S+)|description)", _ONE),
        ),
        rank=26,
        definition=True,
    ),
)

TABLE = Table(
    name="cisco_iosxe",
    ends=frozenset(
        {
            "exit",
            "end",
            "exit-address-family",
            "exit-vrf",
            "exit-vrrp",
            "exit-peer-policy",
            "exit-peer-session",
        }
    ),
    untouched=(
        r"Building configuration\.\.\.",
        r"Current configuration",
        r"version",
        r"boot-start-marker|boot-end-marker|boot",
        r"license",
        r"platform",
        r"diagnostic",
        r"memory",
        r"ntp clock-period",
        r"crypto pki certificate (?:chain|pool)",
        r"crypto pki trustpoint (?:TP-self-signed-\d+|SLA-TrustPoint)",
        r"crypto key",
        r"ip ssh pubkey-chain",
    ),
    defaults=frozenset({"no shutdown", "no ip address"}),
    blocks=("banner ",),
    # Users of SNMPv3 are kept apart, and no configuration shows them.
    hidden=(r"snmp-server user",),
    secrets=(
        (
            r"^(?:no )?(?:enable|username \S+(?: privilege \d+)?) (?:secret|password"
            r"|algorithm-type \S+ secret) (.+)$"
        ),
        r"^(?:no )?neighbor \S+ password (.+)$",
        r"^(?:no )?ppp (?:chap|pap sent-username \S+) password (.+)$",
        r"^(?:no )?snmp-server community (\S+)",
        r"^(?:no )?snmp-server user .*? auth \S+ (\S+)(?: priv (?:3des|des|aes(?: \d+)?) (\S+))?",
        (
            r"^(?:no )?snmp-server host \S+(?: vrf \S+)?(?: traps| informs)?(?: version (?:1"
            r"|2c))? (?!version)(\S+)"
        ),
        r"^(?:no )?ntp authentication-key \d+ \S+ (.+)$",
        r"^(?:no )?key-string (.+)$",
        r"^(?:no )?pre-shared-key (?:local |remote )?(.+)$",
        r"^(?:no )?crypto isakmp key (.+?) (?:address|hostname)",
        r"^(?:no )?vrrp \d+ authentication (.+)$",
        r"^(?:no )?password (.+)$",
        r"^(?:no )?key (?:0 |6 |7 )(.+)$",
    ),
    rules=Rules(
        Rule(
            r"(hostname|ip domain name|clock timezone|logging (?:buffered|trap|facility|source-interface"
            r"|origin-id)"
            r"|ntp source|snmp-server (?:contact|location|engineID local|trap-source)|ip ssh (?:version"
            r"|time-out)"
            r"|enable (?:secret|password)|logging console|logging monitor)",
            _ONE,
            rank=0,
        ),
        Rule(r"username (\S+)", _ONE, rank=0),
        Rule(r"banner (\S+)", _ONE, undo="no banner {1}"),
        Rule(
            r"vrf definition",
            inside=Rules(
                Rule(r"(rd|description)", _ONE, rank=0),
                Rule(r"address-family", inside=NOTHING, rank=60, ends="exit-address-family"),
            ),
            rank=5,
            definition=True,
        ),
        Rule(r"track (\d+)", _ONE, inside=NOTHING, rank=8, definition=True),
        *_CRYPTO,
        Rule(
            r"key chain",
            inside=Rules(Rule(r"key", inside=Rules(Rule(r"(key-string|cryptographic-algorithm)", _ONE)))),
            rank=10,
            definition=True,
        ),
        Rule(
            r"ip access-list (?:extended|standard) (\S+)",
            _ONE,
            inside=_ACCESS_LIST,
            whole=True,
            numbering=10,
            rank=28,
            definition=True,
        ),
        Rule(
            r"ip prefix-list (\S+) seq (\d+)",
            Kind.NUMBERED,
            undo_list="no ip prefix-list {1}",
            rank=28,
            definition=True,
        ),
        Rule(r"ip prefix-list (\S+) description", _ONE, rank=28),
        Rule(r"route-map (\S+) (?:permit|deny) (\d+)", _ONE, inside=_ROUTE_MAP, rank=30, definition=True),
        # What is plugged in keeps its section; tunnels and the like come and go.
        Rule(
            r"interface (?:Tunnel|Loopback|Dialer|Virtual-Template|Vlan|BDI|Port-channel)\S*",
            inside=_INTERFACE,
            rank=40,
        ),
        Rule(r"interface \S+\.\d+", inside=_INTERFACE, rank=41),
        Rule(r"interface", inside=_INTERFACE, rank=40, lasting=True),
        Rule(r"router bgp", _ONE, inside=_BGP, whole=True, rank=70),
        Rule(r"ip route(?: vrf \S+)?", rank=60),
        Rule(
            r"line",
            inside=Rules(
                Rule(
                    r"(transport \S+|exec-timeout|login|password|access-class \S+ in|logging"
                    r"|privilege level)",
                    _ONE,
                ),
            ),
            lasting=True,
            rank=80,
        ),
        Rule(
            r"archive",
            inside=Rules(Rule(r"(path|maximum|time-period)", _ONE), Rule(r"log config", inside=NOTHING)),
        ),
    ),
)
