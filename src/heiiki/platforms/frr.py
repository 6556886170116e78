"""FRRouting, as ``vtysh`` shows and takes it.

Which sections there are, and what cannot be removed, is as frr-reload has it.
"""

from heiiki.platforms.rules import NOTHING, Kind, Rule, Rules, Table

_ONE = Kind.ONE

_NEIGHBOR = (
    # A neighbor is gone with its AS, from each address family too. One that only belongs to a group, with its
    # group.
    Rule(r"neighbor (\S+) (?:interface )?(?:v6only )?remote-as", _ONE, rank=10, takes="neighbor {1} "),
    Rule(r"neighbor (\S+) peer-group(?= \S)", _ONE, rank=20, takes="neighbor {1} "),
    Rule(r"neighbor \S+ peer-group", rank=10),
    Rule(r"neighbor (\S+) (bfd profile)", _ONE, rank=55),
    Rule(r"neighbor (\S+) bfd", takes="neighbor {1} bfd "),
    Rule(r"neighbor (\S+) (route-map|prefix-list|filter-list|distribute-list) \S+ (in|out)", _ONE),
    Rule(
        r"neighbor (\S+) (description|password|update-source|local-as|ebgp-multihop|maximum-prefix|weight"
        r"|timers connect"
        r"|ttl-security hops|advertisement-interval|allowas-in|local-role|interface)",
        _ONE,
    ),
    Rule(r"neighbor (\S+) timers", _ONE),
)

_FAMILY = Rules(
    *_NEIGHBOR,
    Rule(r"network (\S+)", _ONE),
    Rule(r"redistribute (\S+)", _ONE),
    Rule(r"aggregate-address (\S+)", _ONE),
    Rule(r"(rt|rd|label) vpn (import|export|both)", _ONE),
    Rule(r"(maximum-paths(?: ibgp)?|table-map|distance bgp)", _ONE),
    Rule(r"vni", inside=NOTHING, ends="exit-vni"),
)

_BGP = Rules(
    *_NEIGHBOR,
    Rule(
        r"(bgp (?:router-id|cluster-id|default local-preference|graceful-restart (?:restart-time"
        r"|stalepath-time)"
        r"|listen limit)|timers bgp|coalesce-time)",
        _ONE,
        rank=0,
    ),
    # Whether a neighbor is active by itself is decided when it is made.
    Rule(r"bgp", rank=0),
    # There is no negation of the section: what is in it is taken back, and an empty one is not shown.
    Rule(r"address-family", rank=60, inside=_FAMILY, lasting=True, ends="exit-address-family"),
    Rule(r"segment-routing srv6", inside=NOTHING),
)

_INTERFACE = Rules(
    Rule(r"ip ospf area", _ONE, rank=10),
    Rule(r"ip ospf (bfd profile)", _ONE, rank=55),
    Rule(r"ip ospf bfd", takes="ip ospf bfd "),
    Rule(
        r"(description|bandwidth|ip ospf (?:authentication key-chain|authentication-key|cost|dead-interval"
        r"|hello-interval"
        r"|network|priority|retransmit-interval))",
        _ONE,
    ),
    Rule(r"link-params", inside=NOTHING),
)

_KEY_CHAIN = Rules(Rule(r"key (\S+)", inside=Rules(Rule(r"(key-string|cryptographic-algorithm)", _ONE))))

_BFD_SESSION = Rules(
    Rule(
        r"(detect-multiplier|receive-interval|transmit-interval|echo (?:receive|transmit)-interval"
        r"|minimum-ttl|profile)",
        _ONE,
    ),
)

_LDP = Rules(
    Rule(r"router-id", _ONE, rank=0),
    Rule(
        r"(neighbor \S+ (?:password|session holdtime)|(?:dual-stack )?discovery \S+ (?:interval|holdtime))",
        _ONE,
    ),
    Rule(
        r"address-family",
        inside=Rules(
            Rule(r"discovery transport-address", _ONE, rank=0),
            Rule(r"interface", inside=Rules(Rule(r"(discovery hello (?:interval|holdtime))", _ONE))),
        ),
        ends="exit-address-family",
    ),
)

_ROUTE_MAP = Rules(
    Rule(
        r"(match (?:ip address prefix-list|ip address|ip next-hop prefix-list|ip next-hop|as-path|community"
        r"|interface"
        r"|local-preference|metric|origin|peer|source-protocol|source-vrf|tag))",
        _ONE,
    ),
    Rule(
        r"(set (?:as-path (?:prepend|exclude)|community|ip next-hop|local-preference|metric|origin|src"
        r"|table|tag|weight)"
        r"|description|call|on-match)",
        _ONE,
    ),
)

TABLE = Table(
    name="frr",
    comments="!#",
    ends=frozenset(
        {
            "exit",
            "end",
            "exit-address-family",
            "exit-vrf",
            "exit-vni",
            "exit-vnc",
            "exit-ldp-if",
            "exit-link-params",
        }
    ),
    untouched=(
        r"Building configuration\.\.\.",
        r"Current configuration:",
        # frr-reload removes none of these either. They belong to the installation, and to who logs in to it.
        r"frr (?:version|defaults)",
        r"agentx",
        r"username",
        r"(?:enable )?password",
        r"line vty",
        r"service integrated-vtysh-config",
    ),
    secrets=(
        r"^(?:no )?neighbor \S+ password (.+)$",
        r"^(?:no )?key-string (.+)$",
        r"^(?:no )?ip ospf authentication-key (.+)$",
        r"^(?:no )?ip ospf message-digest-key \d+ md5 (.+)$",
    ),
    rules=Rules(
        Rule(r"(hostname|domainname|log (?:file|syslog|stdout|facility|timestamp precision))", _ONE, rank=0),
        Rule(r"vrf", inside=Rules(Rule(r"vni", _ONE)), lasting=True, rank=5, ends="exit-vrf"),
        Rule(
            r"bfd",
            inside=Rules(
                Rule(r"profile", inside=_BFD_SESSION, rank=10, definition=True),
                Rule(r"peer", inside=_BFD_SESSION),
            ),
            rank=10,
            definition=True,
        ),
        Rule(r"key chain", inside=_KEY_CHAIN, rank=10, definition=True),
        # An entry's number is free only when the entry is gone: FRRouting may ignore a second one like it
        # without a word.
        Rule(
            r"(?:ip|ipv6) prefix-list (\S+) seq (\d+)",
            Kind.NUMBERED,
            undo_list="no ip prefix-list {1}",
            rank=20,
            definition=True,
        ),
        Rule(r"access-list (\S+) seq (\d+)", Kind.NUMBERED, rank=20, definition=True),
        Rule(r"bgp as-path access-list (\S+) seq (\d+)", Kind.NUMBERED, rank=20, definition=True),
        Rule(r"bgp (?:\S+-)?community-list \S+ (\S+) seq (\d+)", Kind.NUMBERED, rank=20, definition=True),
        Rule(r"route-map (\S+) (?:permit|deny) (\d+)", _ONE, inside=_ROUTE_MAP, rank=30, definition=True),
        Rule(r"interface", inside=_INTERFACE, lasting=True, rank=40),
        Rule(
            r"router ospf( vrf \S+)?",
            _ONE,
            inside=Rules(
                Rule(
                    r"(ospf router-id|timers throttle spf|auto-cost reference-bandwidth|distance"
                    r"|maximum-paths)",
                    _ONE,
                ),
                Rule(r"redistribute (\S+)", _ONE),
            ),
            rank=50,
        ),
        Rule(r"mpls ldp", inside=_LDP, rank=60),
        # The instance of a VRF goes before the default one, which cannot go while there is another.
        Rule(r"router bgp \d+ (?:vrf|view) (\S+)", _ONE, inside=_BGP, rank=75),
        Rule(r"router bgp \d+", _ONE, inside=_BGP, rank=70),
        Rule(r"ip protocol (\S+) route-map", _ONE, rank=80),
        *(
            Rule(words, inside=NOTHING)
            for words in (
                "router (?:rip|ripng|isis|openfabric|ospf6|eigrp|babel|pim|pim6)",
                "l2vpn",
                "pseudowire",
                "segment-routing",
                "nexthop-group",
                "pbr-map",
                "rpki",
            )
        ),
    ),
)
