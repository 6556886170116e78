"""Timers of the service, as its profile resolves them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BfdProfile:
    """Timers of one BFD session type (RFC 5880); detection is interval times multiplier, milliseconds."""

    name: str
    interval_ms: int
    multiplier: int

    @property
    def detection_ms(self) -> int:
        """Longest time until a silent peer is noticed, milliseconds."""
        return self.interval_ms * self.multiplier


@dataclass(frozen=True, slots=True)
class IkeTimers:
    """Timers of IKEv2 (RFC 7296): how soon a tunnel is back; BFD, not these, decides the switch-over.

    Attributes:
        dpd_delay_s: a peer not heard for so long is asked for liveness.
        retransmit_s: wait before the first retransmission; each next one is `retransmit_base` times as long.
        retransmit_tries: retransmissions before the peer is given up.
        rekey_ike_s: lifetime of an IKE SA before it is rekeyed.
        rekey_esp_s: lifetime of an ESP SA before it is rekeyed, with a key exchange of its own (PFS).
    """

    dpd_delay_s: int
    retransmit_s: float
    retransmit_base: float
    retransmit_tries: int
    rekey_ike_s: int
    rekey_esp_s: int

    @property
    def acquire_s(self) -> int:
        """Longest time until a packet makes the kernel ask for an SA again that was refused, seconds."""
        return 5

    @property
    def give_up_s(self) -> float:
        """Longest time until a dead peer is given up, seconds: silence, then every retransmission."""
        waits = (self.retransmit_s * self.retransmit_base**turn for turn in range(self.retransmit_tries + 1))
        return self.dpd_delay_s + sum(waits)


@dataclass(frozen=True, slots=True)
class Timers:
    """Every timer of the service, resolved from its profile.

    Attributes:
        active: BFD of the path that carries traffic, in its tunnel, and of the LAN.
        standby: BFD of the path that waits, in its tunnel.
        underlay: BFD below the tunnels: of access lines, between edge routers and in the carrier's core.
        vrrp_advert_ms: VRRPv3 advertisement interval (RFC 9568).
        vrrp_preempt_delay_s: how long a returning master waits before it takes over again.
        lan_probe_ms: interval of the LAN watch's ARP probes.
        lan_probe_lost: how many lost probes in a row make the LAN dead.
        bgp_connect_s: BGP connect retry.
        bgp_keepalive_s, bgp_hold_s: KEEPALIVE interval, and hold time (RFC 4271 4.4, 4.2).
        crl_poll_s: how often a verifier asks for revocation lists by itself.
        openadr_poll_s: how often a VEN asks for events (oadrRequestedOadrPollFreq).
        ospf_spf_ms: hold-down of the carrier's shortest-path computation.
    """

    profile: str
    active: BfdProfile
    standby: BfdProfile
    underlay: BfdProfile
    vrrp_advert_ms: int
    vrrp_preempt_delay_s: int
    lan_probe_ms: int
    lan_probe_lost: int
    bgp_connect_s: int
    bgp_keepalive_s: int
    bgp_hold_s: int
    ospf_spf_ms: int
    crl_poll_s: int
    openadr_poll_s: int
    ike: IkeTimers

    @property
    def bfd(self) -> tuple[BfdProfile, ...]:
        """Return every BFD profile."""
        return self.active, self.standby, self.underlay
