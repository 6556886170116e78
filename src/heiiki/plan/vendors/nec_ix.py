"""NEC UNIVERGE IX as a CE router.

The vendor's own reference could not be read. Sources: OCI, Oracle's template for IX3315 and IX2106 of
Ver. 10.2.16; netmon, the manual of IX-R and IX-V (support.necplatforms.co.jp, 02_router/19_netmon);
configurations that people published. What none of them shows is unknown, and is not in the file.
"""

from heiiki.plan.vendors.model import Need, Platform, Ports, Timers, has, lacks, unsaid

_PUBLISHED = "published configurations"

NEC_IX = Platform(
    name="nec_ix",
    title="NEC UNIVERGE IX",
    file="startup.ix",
    ports=Ports(
        access="GigaEthernet0.0",
        lan="GigaEthernet1.0",
        tunnel="Tunnel0.0",
        loopback="Loopback0.0",
        management="GigaEthernet2.0",
    ),
    algorithms={
        "aes256gcm16": "aes-gcm-256-16",
        "prfsha256": "sha2-256",
        "prfsha384": "sha2-384",
        "prfsha512": "sha2-512",
    },
    timers=Timers(
        hold=r"^  neighbor {address} timers \d+ (\d+)$",
        mtu=r"^interface {port}\n(?:  .*\n)*?  ip mtu (\d+)$",
    ),
    facts={
        Need.SUPERVISION: unsaid(
            "no reference shows BFD; the shortest hold time of BGP in one is 30 s",
            f"OCI: neighbor timers 10 30; {_PUBLISHED}: neighbor timers 6 30",
        ),
        Need.VIRTUAL_GATEWAY: unsaid(
            "VRRP is there; no reference shows its version, its priority or its interval",
            f"{_PUBLISHED}: vrrp enable, vrrp 1 ip",
        ),
        Need.LAN_WATCH: lacks(
            "the network monitor hides static, connected and policy routes, and none of BGP; no figure of "
            "its probes is below a second",
            "netmon: watch-group, event ip unreach-host, action ip shutdown-route",
        ),
        Need.FILTERS: unsaid(
            "route maps of both directions; no reference shows how one names prefixes, or a bound of them",
            "OCI: neighbor route-map in, out, set local-preference",
        ),
        Need.FORWARDING: has(
            "access lists on every port, without state",
            f"{_PUBLISHED}: ip access-list permit, ip filter in",
            r"^  ip filter ACCESS-IN 1 in$",
            r"^  ip filter TUNNEL-IN 1 in$",
            r"^  ip filter LAN-IN 1 in$",
        ),
        Need.SOURCES: unsaid(
            "the access lists name the sources of each port; whether what no line permits is refused, and "
            "counted, is not said",
            f"{_PUBLISHED}: ip access-list permit",
        ),
        Need.BUDGETS: unsaid("no reference shows a limit for each source", _PUBLISHED),
        Need.SESSION_KEYS: unsaid("no reference shows a key of BGP", f"OCI; {_PUBLISHED}"),
        Need.ONE_HOP: unsaid("no reference shows a word for TTL, in a list or in BGP", f"OCI; {_PUBLISHED}"),
        Need.STATIONS: unsaid(
            "no reference shows a link address of a port, or an ARP entry that is written", _PUBLISHED
        ),
        Need.CERTIFICATE: unsaid(
            "every reference authenticates IKEv2 by a shared key, which the plan does not have; a "
            "certificate is in none",
            f"OCI: ikev2 authentication psk; {_PUBLISHED}: the same",
        ),
        Need.SUITES: unsaid(
            "AES-GCM of 256 bits; groups of MODP alone are shown, and no curve",
            f"{_PUBLISHED}: sa-proposal enc aes-gcm-256-16, sa-proposal dh 3072-bit",
        ),
        Need.TUNNEL: unsaid(
            "a tunnel of IKEv2 has tunnel mode; no reference shows GRE in transport mode",
            f"{_PUBLISHED}: tunnel mode ipsec-ikev2, ipsec-mode tunnel",
        ),
        Need.NO_CLEAR: unsaid(
            "what a tunnel does without an association is not said", "OCI: tunnel mode ipsec-ikev2"
        ),
        Need.RENEWAL: lacks(
            "this release enrols no certificate on it", f"{_PUBLISHED}: none has a certificate"
        ),
        Need.ENROLMENT: unsaid("no reference shows a protocol of enrolment", f"OCI; {_PUBLISHED}"),
        Need.REVOCATION: unsaid("no reference shows lists of revocation", f"OCI; {_PUBLISHED}"),
        Need.TIME: unsaid(
            "NTP from both servers; no reference shows a key",
            f"{_PUBLISHED}: ntp ip enable, ntp server priority",
        ),
        Need.QUEUES: lacks("this release renders no queues for it", f"{_PUBLISHED}: service-policy"),
        Need.MANAGEMENT: unsaid(
            "SSH, and a list on management's port; no reference shows SSH, NTP and routing in a VRF",
            f"{_PUBLISHED}: ssh-server ip enable, snmp-agent vrf",
        ),
    },
)
