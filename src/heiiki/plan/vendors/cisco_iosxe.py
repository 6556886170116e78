"""Cisco IOS-XE as a CE router.

Sources: the modules ``Cisco-IOS-XE-*`` of release 17.18.1 (YangModels/yang on GitHub, vendor/cisco/xe/17181),
by their names without that prefix.
"""

from heiiki.plan.vendors.model import Need, Platform, Ports, Timers, has, lacks, unsaid

CISCO_IOSXE = Platform(
    name="cisco_iosxe",
    title="Cisco IOS-XE",
    file="running.cfg",
    ports=Ports(
        access="GigabitEthernet0/0/0",
        lan="GigabitEthernet0/0/1",
        tunnel="Tunnel0",
        loopback="Loopback0",
        management="GigabitEthernet0",
    ),
    algorithms={
        "aes256gcm16": "aes-gcm-256",
        "aes128gcm16": "aes-gcm-128",
        "prfsha256": "sha256",
        "prfsha384": "sha384",
        "prfsha512": "sha512",
        "ecp256": "19",
        "ecp384": "20",
        "ecp521": "21",
    },
    timers=Timers(
        session=r"^ neighbor {address} fall-over bfd$",
        bfd=r"^interface {port}\n(?: .*\n)*? bfd interval (\d+) min_rx \d+ multiplier (\d+)$",
        advertisement=r"^  timers advertise (\d+)$",
        advertisement_s=0.001,
        priority=r"^  priority (\d+)$",
        probe=r"^ timeout (?P<wait>\d+)\n frequency (?P<every>\d+)$",
        route=r"^track timer ip route msec (\d+)$",
        # Five questions at the shorter interval may be left unanswered (command reference, crypto isakmp
        # keepalive; that of IKEv2 says no other number).
        liveness=r"^ dpd (\d+) (\d+) periodic$",
        liveness_tries=5,
        mtu=r"^interface {port}\n(?: .*\n)*? ip mtu (\d+)$",
    ),
    facts={
        Need.SUPERVISION: has(
            "BFD on every session, by the plan's intervals",
            "bfd: interval-interface, 50..9999 ms; bgp: neighbor fall-over bfd",
            r"^ bfd interval \d+ min_rx \d+ multiplier \d+$",
            r"^ no bfd echo$",
            r" fall-over bfd$",
        ),
        Need.VIRTUAL_GATEWAY: has(
            "VRRPv3 with intervals of milliseconds; it resigns by tracked objects",
            "vrrp: vrrp-group-v3 timers advertise; track: ip route reachability",
            r"^fhrp version vrrp v3$",
            r"^  timers advertise \d+$",
            r"^  track 20 shutdown$",
        ),
        Need.LAN_WATCH: has(
            "IP SLA asks the other gateway and the controller every second; the LAN is announced while one "
            "answers",
            "sla: icmp-echo frequency and timeout; track: list boolean; bgp: aggregate-address, "
            "aggregate-timer 0",
            r"^ frequency 1$",
            r"^track 10 list boolean or$",
            r" track 10$",
            r"^ bgp aggregate-timer 0$",
        ),
        Need.FILTERS: has(
            "prefix lists, route maps, a bound of prefixes",
            "bgp: neighbor route-map, maximum-prefix restart; route-map; ip: prefix-list",
            r" route-map ACCEPT-\S+ in$",
            r" route-map ANNOUNCE-\S+ out$",
            r" maximum-prefix \d+ restart 1$",
        ),
        Need.FORWARDING: has(
            "access lists on every interface, without state",
            "acl: extended; interfaces: ip access-group in",
            r"^ ip access-group ACCESS-IN in$",
            r"^ ip access-group TUNNEL-IN in$",
            r"^ ip access-group LAN-IN in$",
        ),
        Need.SOURCES: has(
            "the access lists name the sources of each interface, and log what they refuse",
            "acl: extended, deny log",
            r"^ deny ip any any log$",
        ),
        Need.BUDGETS: lacks(
            "this release renders no policer for each source",
            "policy: control-plane service-policy, police",
        ),
        Need.SESSION_KEYS: has(
            "TCP MD5 on every session outside of IPsec",
            "bgp: neighbor password",
            r" password \{\{secret:routing/bgp/",
        ),
        Need.ONE_HOP: has(
            "TTL 255 is sent, and asked for by the access lists",
            "bgp: neighbor ttl-security hops; acl: ttl eq",
            r" ttl-security hops 1$",
            r" ttl eq 255$",
        ),
        Need.STATIONS: lacks(
            "static ARP entries and the planned link address, but no list compares link addresses on a "
            "routed port: who forges VRRP or ARP with another's is not refused",
            "arp: arp static; interfaces: mac-address; acl: no list of type mac on a routed port",
        ),
        Need.CERTIFICATE: has(
            "certificates of EC P-256 on both sides, the peer's by its name",
            "crypto: ikev2 profile authentication ecdsa-sig, match identity remote fqdn",
            r"^ authentication local ecdsa-sig$",
            r"^ authentication remote ecdsa-sig$",
            r"^ match identity remote fqdn \S+$",
        ),
        Need.SUITES: has(
            "AES-GCM with 256 bits, group 19, PFS; no Curve25519",
            "crypto: ikev2 proposal encryption, prf, group; ipsec transform-set esp-gcm 256",
            r"^ encryption aes-gcm-256$",
            r"^ group 19$",
            r"esp-gcm 256$",
            r"^ set pfs group19$",
        ),
        Need.TUNNEL: has(
            "tunnel protection with a transform set in transport mode",
            "tunnel: mode gre ip, protection ipsec profile; crypto: mode transport",
            r"^ tunnel protection ipsec profile \S+$",
            r"^ mode transport$",
            r"^ tunnel mode gre ip$",
        ),
        Need.NO_CLEAR: has(
            "a protected tunnel sends nothing while it has no association, and the line takes no GRE",
            "tunnel: protection ipsec profile; acl: extended",
            r"^ tunnel protection ipsec profile \S+$",
        ),
        Need.RENEWAL: lacks(
            "this release enrols no certificate on it: a person does, again before each one expires",
            "crypto: pki trustpoint enrollment terminal",
        ),
        Need.ENROLMENT: unsaid(
            "IOS-XE speaks EST; this release renders no lines for it, and what its request asks for beside "
            "names was not tried: a person writes them, or signs (heiiki sign)",
            "Enrollment over Secure Transport on Catalyst 9800, which runs IOS-XE",
        ),
        Need.REVOCATION: lacks(
            "it asks the distribution points in certificates, which are of HTTPS, and takes one list of DER, "
            "where the hub's mirror serves several of PEM: it has a list only when a person loads one, and "
            "refuses the hub without",
            "crypto: pki trustpoint revocation-check crl, crl cache",
        ),
        Need.TIME: lacks(
            "NTP by AES-128-CMAC at most, and the time servers' keys are of AES-256: it takes time that "
            "nothing vouches for",
            "ntp: authentication-key cmac-aes-128, hmac-sha2-256",
        ),
        Need.QUEUES: unsaid(
            "the tunnel is shaped, and network control leaves first; whether ESP's octets count is written "
            "nowhere",
            "policy: shape average, priority; tunnel: service-policy output",
        ),
        Need.MANAGEMENT: has(
            "a VRF of its own; SSH from the named sources alone",
            "vrf: definition; line: access-class in vrfname",
            r"^vrf definition MANAGEMENT$",
            r"^ access-class MANAGEMENT in ",
        ),
    },
)
