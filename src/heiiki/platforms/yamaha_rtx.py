"""Yamaha RTX, as ``show config`` prints it.

A line is taken back by ``no`` and the words that tell it from others. There is no negation of ``pp select``
and ``tunnel select``: they only say what the lines after them are for, and their lines are taken back one by
one. Both end by ``select none``, never by ``exit``, which would log out and so confirm a change before it
was tried.
"""

from heiiki.platforms.rules import Kind, Rule, Rules, Table

_ONE = Kind.ONE
_REFRESH = "bgp configure refresh"

_OF_AN_INTERFACE = (
    r"secure filter (?:in|out)|address|mtu|nat descriptor|tcp mss limit|rip (?:send|receive)"
    r"|intrusion detection (?:in|out)"
    r"|proxyarp|rebound|forward filter|dhcp service|remote address|ospf area|wol relay"
)

_SELECTED = Rules(
    # These carry a number of their own; `show config` prints them where their tunnel is.
    Rule(r"ipsec tunnel", _ONE, rank=10),
    Rule(r"ipsec sa policy (\d+)", _ONE, rank=10, undo="no ipsec sa policy {1}"),
    Rule(r"ipsec ike (local id|local name|remote name|remote id) (\d+)", _ONE, undo="no ipsec ike {1} {2}"),
    Rule(r"ipsec ike keepalive (use|log) (\d+)", _ONE, undo="no ipsec ike keepalive {1} {2}"),
    Rule(r"ipsec ike (\S+(?: \S+){0,2}?) (\d+)", _ONE, undo="no ipsec ike {1} {2}"),
    Rule(r"(?:pp|tunnel) enable \d+", _ONE, rank=90),
    Rule(rf"ip (?:pp|tunnel) (?:{_OF_AN_INTERFACE})", _ONE),
    Rule(
        r"pp (?:always-on|auth accept|auth request|auth myname|bind|keepalive use|keepalive interval|name"
        r"|disconnect time"
        r"|disconnect input time|disconnect output time)",
        _ONE,
    ),
    Rule(
        r"pppoe (?:use|auto connect|auto disconnect|service-name|access concentrator|disconnect time)", _ONE
    ),
    Rule(r"ppp (?:lcp|ipcp|ipv6cp|ccp|chap|pap) \S+", _ONE),
    Rule(
        r"tunnel (?:encapsulation|endpoint address|endpoint name|endpoint local address"
        r"|endpoint remote address|name)",
        _ONE,
    ),
    Rule(r"(?:description|mobile \S+(?: \S+)?)", _ONE),
)

TABLE = Table(
    name="yamaha_rtx",
    comments="#",
    ends=frozenset({"pp select none", "tunnel select none"}),
    flat=True,
    undo_by_key=True,
    untouched=(r"sshd host key generate", r"httpd host key", r"pki private-key", r"license", r"speed"),
    secrets=(
        r"^(?:no )?(?:login|administrator) password(?: encrypted)? (.+)$",
        r"^(?:no )?login user \S+(?: encrypted)? (.+)$",
        r"^(?:no )?ipsec ike pre-shared-key \d+ (?:text )?(.+)$",
        r"^(?:no )?pp auth (?:myname|username) \S+ (\S+)",
        r"^(?:no )?bgp neighbor pre-shared-key \d+ (?:text )?(.+)$",
        r"^(?:no )?pki certificate file \d+ \S+ \S+ (.+)$",
        r"^(?:no )?snmp(?:v2c)? community \S+ (\S+)",
        r"^(?:no )?snmp(?:v2c)? host \S+ (?:trap )?(\S+)",
        (
            r"^(?:no )?snmpv3 usm user \d+ \S+(?: group \d+)? (?:md5|sha) (\S+)(?: (?:des-cbc"
            r"|aes128-cfb) (\S+))?"
        ),
        r"^(?:no )?mobile (?:pin code \S+|auth \S+) (.+)$",
        r"^(?:no )?ospf .*(?:md5|text) (.+)$",
    ),
    rules=Rules(
        # BGP takes its settings only when it is told to.
        Rule(
            r"bgp neighbor pre-shared-key (\d+)",
            _ONE,
            undo="no bgp neighbor pre-shared-key {1}",
            rank=71,
            then=_REFRESH,
        ),
        Rule(r"bgp neighbor (\d+)", _ONE, undo="no bgp neighbor {1}", rank=70, then=_REFRESH),
        Rule(r"bgp (?:import|export) filter \d+", _ONE, rank=65, then=_REFRESH),
        Rule(r"bgp import \S+ \S+", _ONE, rank=72, then=_REFRESH),
        Rule(r"bgp export \S+", _ONE, rank=72, then=_REFRESH),
        Rule(
            r"bgp (?:use|autonomous-system|router id|default med|preference|log)",
            _ONE,
            rank=64,
            then=_REFRESH,
        ),
        Rule(r"(?:ip|ipv6) filter dynamic \d+", _ONE, rank=20, definition=True),
        Rule(r"(?:ip|ipv6) filter \d+", _ONE, rank=20, definition=True),
        Rule(r"(?:ip|ipv6) filter set \S+", _ONE, rank=22, definition=True),
        Rule(r"nat descriptor type \d+", _ONE, rank=20, definition=True),
        Rule(
            r"nat descriptor (?:address (?:outer|inner)|masquerade (?:incoming|static"
            r"|session limit)) \d+(?: \d+)?",
            _ONE,
            rank=21,
        ),
        Rule(r"pp select", inside=_SELECTED, lasting=True, rank=40, ends="pp select none"),
        Rule(r"tunnel select", inside=_SELECTED, lasting=True, rank=42, ends="tunnel select none"),
        Rule(
            rf"ip (?:lan\d+(?:[./]\d+)?|vlan\d+|wan\d+|loopback\d+|bridge\d+) (?:{_OF_AN_INTERFACE})",
            _ONE,
            rank=40,
        ),
        Rule(r"ip \S+ vrrp shutdown trigger \d+ \S+", _ONE, rank=46),
        Rule(r"ip \S+ vrrp \d+", _ONE, rank=45),
        Rule(r"ip keepalive \d+", _ONE, rank=30, definition=True),
        Rule(r"(?:ip|ipv6) route \S+", _ONE, rank=60),
        Rule(r"ip routing|ip stealth|ip flow timer|ip host \S+", _ONE),
        Rule(r"pki (?:certificate|crl) file \d+", _ONE, rank=15, definition=True),
        Rule(r"ipsec auto refresh|ipsec use|ipsec transport \d+|ipsec log illegal-spi", _ONE, rank=64),
        Rule(r"(?:login|administrator) password", _ONE, rank=0),
        Rule(r"login user \S+", _ONE, rank=0),
        Rule(r"user attribute \S+", _ONE, rank=1),
        Rule(
            r"console (?:character|lines|columns|prompt|info)|login timer|security class|timezone"
            r"|telnetd service"
            r"|(?:sshd|sftpd|httpd|tftp) (?:service|host)",
            _ONE,
            rank=0,
        ),
        Rule(r"syslog (?:host|notice|info|debug|facility|local address|srcport)", _ONE),
        Rule(r"schedule at \d+", _ONE),
        Rule(r"ntpdate|ntp (?:server|local address)", _ONE),
        Rule(r"snmpv3 (?:engine id|context name)", _ONE, rank=30),
        Rule(r"snmpv3 (?:usm user|vacm view|vacm access|host) \S+", _ONE, rank=31),
        Rule(
            r"snmp (?:host|sysname|syslocation|syscontact|trap host|community read-only"
            r"|community read-write)",
            _ONE,
        ),
        Rule(
            r"dns (?:server|service|host|domain|private address spoof)|dns server select \d+"
            r"|dhcp (?:service|server \S+)"
            r"|dhcp scope \d+",
            _ONE,
        ),
        Rule(r"(?:lan|vlan) \S+ \S+|description \S+", _ONE),
    ),
)
