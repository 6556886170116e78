"""Timer profiles (D5): how fast each part of the network notices, and at what price."""

from heiiki.plan.model import BfdProfile, IkeTimers, Timers

PROFILES: dict[str, Timers] = {
    "laboratory": Timers(
        profile="laboratory",
        active=BfdProfile("active", 300, 3),
        standby=BfdProfile("standby", 300, 4),
        underlay=BfdProfile("underlay", 500, 4),
        vrrp_advert_ms=300,
        vrrp_preempt_delay_s=2,
        lan_probe_ms=100,
        lan_probe_lost=6,
        bgp_connect_s=1,
        bgp_keepalive_s=20,
        bgp_hold_s=60,
        ospf_spf_ms=50,
        crl_poll_s=60,
        openadr_poll_s=3,
        ike=IkeTimers(2, 0.8, 1.2, 3, 4 * 3600, 3600),
    ),
    "production": Timers(
        profile="production",
        active=BfdProfile("active", 300, 3),
        standby=BfdProfile("standby", 5000, 3),
        underlay=BfdProfile("underlay", 500, 3),
        vrrp_advert_ms=300,
        vrrp_preempt_delay_s=30,
        lan_probe_ms=100,
        lan_probe_lost=6,
        bgp_connect_s=2,
        bgp_keepalive_s=20,
        bgp_hold_s=60,
        ospf_spf_ms=50,
        crl_poll_s=240,
        openadr_poll_s=10,
        ike=IkeTimers(10, 1.0, 1.4, 4, 4 * 3600, 3600),
    ),
}
"""``laboratory`` watches every path quickly, and forgives the stalls of a machine that runs a whole network
on two cores (1.2 s instead of 0.9 s); ``production`` watches the standby slowly, for 300 ms BFD in ESP over
a metered SIM costs 2.3 gigabytes a month. It asks for revocation lists every 240 s, 264 s with the jitter
of the intervals: R-THEFT allows 300 s, and revoke.yml does not wait for that.

``underlay`` is slower than ``active``, so that its fastest detection, one interval less than its slowest,
comes after the tunnel's slowest: a tunnel must notice before the lines below withdraw its ends (D5).

IKE gives a peer up after 6 s in the laboratory, after 21 s in production (RFC 7296 2.4; T9). There the
liveness check waits for two intervals of the standby's BFD: while that is heard, nothing is spent on it."""
