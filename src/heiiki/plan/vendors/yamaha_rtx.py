"""Yamaha RTX as a CE router.

Sources: the command reference of RTX5000, 3510, 3500, 1300, 1220, 1210, 840, 830 and vRX,
by its chapters.
"""

from heiiki.plan.vendors.model import Need, Platform, Ports, Timers, has, lacks, unsaid

YAMAHA_RTX = Platform(
    name="yamaha_rtx",
    title="Yamaha RTX",
    file="config.rtx",
    ports=Ports(
        access="lan2",
        lan="lan1",
        tunnel="tunnel 1",
        loopback="loopback1",
        management="lan3",
    ),
    algorithms={"prfsha256": "sha256", "prfsha384": "sha384", "prfsha512": "sha512"},
    timers=Timers(
        hold=r"^bgp neighbor \d+ \d+ {address} hold-time=(\d+) ",
        advertisement=r"^ip lan1 vrrp .* advertise-interval=(\d+) ",
        priority=r"^ip lan1 vrrp .* priority=(\d+) ",
        route=r"^ip lan1 vrrp shutdown trigger \d+ route \S+$",
        liveness=r"^ ipsec ike keepalive use \d+ on rfc4306 (\d+) (\d+)$",
        mtu=r"^ ip tunnel mtu (\d+)$",
    ),
    facts={
        Need.SUPERVISION: lacks(
            "no BFD; BGP gives a silent peer up after 3 s at the soonest",
            "no chapter has BFD; chapter 29: bgp neighbor hold-time, 3..28800 s",
        ),
        Need.VIRTUAL_GATEWAY: lacks(
            "VRRP of version 2, with an advertisement a second and 3 s until a master is given up, where the "
            "other gateway speaks version 3: both would be master",
            "chapter 8: ip INTERFACE vrrp advertise-interval, 1..60 s, down-interval, 3..180 s",
        ),
        Need.LAN_WATCH: lacks(
            "a keepalive asks once a second and gives up after three, and the LAN's own route stays whatever "
            "it finds",
            "chapter 8: ip keepalive icmp-echo, interval from 1 s, count 3..100; ip route keepalive",
        ),
        Need.FILTERS: lacks(
            "filters of both directions, by the AS of the peer, and no bound of prefixes",
            "chapter 29: bgp import, bgp export, bgp import filter, bgp export filter",
        ),
        Need.FORWARDING: has(
            "filters on every port, without state",
            "chapter 8: ip filter; ip INTERFACE secure filter in",
            r"^ip lan1 secure filter in [0-9 ]+$",
            r"^ip lan2 secure filter in [0-9 ]+$",
            r"^ ip tunnel secure filter in [0-9 ]+$",
        ),
        Need.SOURCES: has(
            "the filters name the sources of each port, and log what they refuse; no reverse-path check",
            "chapter 8: ip filter reject-log",
            r"^ip filter 1999 reject-log \* \*$",
            r"^ip filter 2999 reject-log \* \*$",
            r"^ip filter 3999 reject-log \* \*$",
        ),
        Need.BUDGETS: lacks(
            "no filter counts packets of a source against a rate",
            "chapter 8: ip filter; chapter 26 classes by addresses, on the way out",
        ),
        Need.SESSION_KEYS: has(
            "TCP MD5 on every session outside of IPsec, with keys of 80 characters",
            "chapter 29: bgp neighbor pre-shared-key",
            r"^bgp neighbor pre-shared-key \d+ text \{\{secret:routing/bgp/",
        ),
        Need.ONE_HOP: lacks(
            "neither a filter nor BGP has a word for TTL: its peers drop what leaves with less than 255 "
            "(RFC 5082)",
            "chapter 8: ip filter; chapter 29: bgp neighbor",
        ),
        Need.STATIONS: lacks(
            "static ARP entries; its own link address is the maker's, and the other devices of the LAN know "
            "the plan's alone, so they do not reach it",
            "chapter 8: ip INTERFACE arp static; no command gives a port a link address",
        ),
        Need.CERTIFICATE: unsaid(
            "IKEv2 by certificate with a name, from files of PEM; whether those may be of EC P-256 is not "
            "said",
            "chapter 15: ipsec ike auth method certificate, ipsec ike pki file, pki certificate file",
        ),
        Need.SUITES: lacks(
            "AES-CBC alone, and groups of MODP up to 2048 bits: neither AES-GCM nor a curve; the hub offers "
            "nothing that it has",
            "chapter 15: ipsec ike encryption, ipsec ike group, ipsec sa policy",
        ),
        Need.TUNNEL: lacks(
            "no GRE among its tunnels",
            "chapter 14: tunnel encapsulation ipsec, ipip, pptp, l2tp, l2tpv3, ipudp, map-e",
        ),
        Need.NO_CLEAR: has(
            "a tunnel of IPsec sends nothing while it has no association",
            "chapter 15: ipsec tunnel, ipsec sa policy",
            r"^ ipsec tunnel 1$",
        ),
        Need.RENEWAL: lacks(
            "this release enrols no certificate on it: a person puts a file there, again before each one "
            "expires; the key is in that file, and so was made elsewhere",
            "chapter 15: pki certificate file",
        ),
        Need.ENROLMENT: lacks(
            "it speaks no protocol of enrolment: its certificate is a file",
            "chapter 15: pki certificate file",
        ),
        Need.REVOCATION: lacks(
            "a list is a file, and the router asks for no newer one",
            "chapter 15: pki crl file, ipsec ike pki file crl",
        ),
        Need.TIME: lacks(
            "the clock is set by a schedule, from one server, without a key: a second a day is not held",
            "chapter 4: ntpdate; chapter 37: schedule at",
        ),
        Need.QUEUES: lacks(
            "this release renders no queues for it",
            "chapter 26: speed, queue",
        ),
        Need.MANAGEMENT: lacks(
            "no VRF: management's port is in the one routing table, and SSH is bound to its sources alone",
            "chapter 4: sshd host; no chapter has a VRF",
        ),
    },
)
