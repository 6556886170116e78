"""Juniper Junos of an SRX as a CE router.

Sources: the modules ``junos-es-conf-*`` of release 24.4R1 (Juniper/yang on GitHub), by their names without
that prefix.
"""

from heiiki.plan.vendors.model import Need, Platform, Ports, Timers, has, lacks

JUNIPER_JUNOS = Platform(
    name="juniper_junos",
    title="Juniper Junos",
    file="junos.set",
    ports=Ports(
        access="ge-0/0/0",
        lan="ge-0/0/1",
        tunnel="gr-0/0/0",
        loopback="lo0",
        management="fxp0",
    ),
    algorithms={
        "aes256gcm16": "aes-256-gcm",
        "aes128gcm16": "aes-128-gcm",
        "prfsha256": "sha-256",
        "prfsha384": "sha-384",
        "prfsha512": "sha-512",
        "ecp256": "group19",
        "ecp384": "group20",
        "ecp521": "group21",
    },
    timers=Timers(
        session=r" neighbor {address} bfd-liveness-detection ",
        bfd=r" neighbor {address} bfd-liveness-detection minimum-interval (\d+) multiplier (\d+)$",
        advertisement=r" vrrp-group \d+ fast-interval (\d+)$",
        advertisement_s=0.001,
        priority=r" vrrp-group \d+ priority (\d+)$",
        route=r" vrrp-group \d+ track route \S+ routing-instance \S+ priority-cost \d+$",
        liveness=r" dead-peer-detection always-send interval (\d+) threshold (\d+)$",
        mtu=r"^set interfaces {port} unit 0 family inet mtu (\d+)$",
    ),
    facts={
        Need.SUPERVISION: has(
            "BFD on every session, by the plan's intervals",
            "protocols: bgp group neighbor bfd-liveness-detection, 1..255000 ms, multiplier 1..255",
            r" bfd-liveness-detection minimum-interval \d+ multiplier \d+$",
        ),
        Need.VIRTUAL_GATEWAY: has(
            "VRRPv3 with intervals of milliseconds; its priority falls below the other's without a route",
            "protocols: vrrp version-3; interfaces: vrrp-group fast-interval, track route priority-cost",
            r"^set protocols vrrp version-3$",
            r" vrrp-group \d+ fast-interval \d+$",
            r" vrrp-group \d+ track route ",
        ),
        Need.LAN_WATCH: lacks(
            "this release renders no watch of the LAN: RPM probes with IP monitoring add a route and "
            "withdraw none, so a condition of what is announced would have to look for it",
            "services: rpm probe, ip-monitoring policy; policy-options: condition if-route-exists",
        ),
        Need.FILTERS: has(
            "policies of import and export, a bound of prefixes",
            "protocols: bgp group neighbor import, export, accepted-prefix-limit; policy-options",
            r" import ACCEPT-\S+$",
            r" export ANNOUNCE-\S+$",
            r" accepted-prefix-limit maximum \d+$",
            r" policy-statement ACCEPT-\S+ term rest then reject$",
        ),
        Need.FORWARDING: has(
            "policies of the zones by address, filters on every port, and no check of how a TCP flow began",
            "security: policies, flow tcp-session no-syn-check; firewall: family inet filter",
            r"^set security policies default-policy deny-all$",
            r"^set security flow tcp-session no-syn-check$",
            r" family inet filter input TUNNEL-IN$",
        ),
        Need.SOURCES: has(
            "the filters name the sources of each port, and count what they refuse",
            "firewall: family inet filter term from source-address, then count, discard",
            r" filter LAN-IN term refused then count \S+$",
            r" filter LAN-IN term refused then discard$",
            r" family inet filter input LAN-IN$",
        ),
        Need.BUDGETS: lacks(
            "this release renders no policer for each source",
            "firewall: policer",
        ),
        Need.SESSION_KEYS: has(
            "TCP MD5 on every session outside of IPsec",
            "protocols: bgp group neighbor authentication-key",
            r" authentication-key \"\{\{secret:routing/bgp/",
        ),
        Need.ONE_HOP: has(
            "TTL 255 is sent, and asked for by the filters",
            "protocols: bgp group neighbor ttl; firewall: filter term from ttl",
            r" ttl 255$",
            r" from ttl 255$",
        ),
        Need.STATIONS: lacks(
            "static ARP entries and the planned link address, but no filter of a routed port compares link "
            "addresses: who forges VRRP or ARP with another's is not refused",
            "interfaces: family inet address arp mac, mac; firewall: family inet has no link address",
        ),
        Need.CERTIFICATE: has(
            "certificates of EC P-256 on both sides, the peer's by its name",
            "security: ike proposal authentication-method ecdsa-signatures-256, gateway remote-identity",
            r" authentication-method ecdsa-signatures-256$",
            r" remote-identity hostname \S+$",
            r" local-certificate \S+$",
        ),
        Need.SUITES: has(
            "AES-GCM with 256 bits, group 19, PFS; no Curve25519",
            "security: ike proposal encryption-algorithm, dh-group; ipsec policy perfect-forward-secrecy",
            r"^set security ike proposal HEIIKI encryption-algorithm aes-256-gcm$",
            r"^set security ike proposal HEIIKI dh-group group19$",
            r"^set security ipsec proposal HEIIKI encryption-algorithm aes-256-gcm$",
            r" perfect-forward-secrecy keys group19$",
        ),
        Need.TUNNEL: lacks(
            "a VPN by IKE has tunnel mode alone, where the hub asks for transport mode; and GRE has the two "
            "ends of IKE itself, which a route into the VPN would lead into itself",
            "security: ipsec vpn has no mode; security-association mode transport is of SAs by hand",
        ),
        Need.NO_CLEAR: has(
            "a filter of what leaves the line discards GRE",
            "firewall: family inet filter; interfaces: family inet filter output",
            r" family inet filter output NO-CLEAR$",
            r" filter NO-CLEAR term gre then discard$",
        ),
        Need.RENEWAL: lacks(
            "this release enrols no certificate on it: a person does, again before each one expires",
            "security: pki ca-profile",
        ),
        Need.ENROLMENT: lacks(
            "it has SCEP and CMPv2, which are not offered: SCEP's envelope is for RSA keys (RFC 8894 3.1), "
            "and every key of the service is on P-256",
            "PKI user guide: Enroll a Certificate",
        ),
        Need.REVOCATION: lacks(
            "it asks for a list once in hours, and takes one list of DER over HTTP, where the hub's mirror "
            "serves several of PEM: it has a list only when a person loads one, and refuses the hub without",
            "security: pki ca-profile revocation-check crl refresh-interval, 0..8784 h",
        ),
        Need.TIME: lacks(
            "NTP by keys of MD5, SHA-1 or SHA-256, and the time servers' keys are of AES-256-CMAC: it takes "
            "time that nothing vouches for",
            "system: ntp authentication-key type",
        ),
        Need.QUEUES: lacks(
            "this release renders no queues for it",
            "class-of-service: schedulers, interfaces shaping-rate",
        ),
        Need.MANAGEMENT: has(
            "an instance of its own; SSH from the named sources alone",
            "system: management-instance; firewall: filter on the port",
            r"^set system management-instance$",
            r" family inet filter input MANAGEMENT$",
        ),
    },
)
