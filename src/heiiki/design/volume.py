"""What crosses a site's line in a month, in octets of IP packets as they are on the wire.

Each message of the report's tables is a record of TLS, whose sizes do not say so. Left out, each below a
megabyte a month: ARP, renewals of certificates, retransmissions, answers to what is sent once a day. Left out
too: the session that each order of direct control has of its own (M5).
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from heiiki.design import sessions as programs
from heiiki.design.sessions import RECORD
from heiiki.plan import names
from heiiki.plan.model import (
    ETHERNET_MTU,
    BfdProfile,
    Device,
    Function,
    IkeTimers,
    Network,
    Plan,
    SitePlan,
    Timers,
)
from heiiki.plan.sizes import ESP_ICV, ESP_IV, IP, in_esp

MEGABYTE = 1_000_000
MONTH_DAYS = 31
"""The month of the report's own tables."""
_MONTH_S = MONTH_DAYS * 24 * 3600

_UDP, _TCP = 8, 20 + 12
"""UDP, and TCP with its time stamps (RFC 768, 9293, 7323)."""
_BFD = 24
"""A control packet without authentication (RFC 5880 4.1)."""
_BFD_JITTER = 0.875
"""Packets leave after 75 to 100 % of the interval, at random (RFC 5880 6.8.7); so much on the average."""
_KEEPALIVE = 19
"""A BGP KEEPALIVE (RFC 4271 4.4)."""
ACK = IP + _TCP
KEEPALIVE_PACKET = ACK + _KEEPALIVE
BFD_PACKET = IP + _UDP + _BFD

REKEY = 1000
"""An IKEv2 rekeying at most: CREATE_CHILD_SA with a P-256 exchange, the deletion of the old SA, both ways."""
LIVENESS = 2 * (IP + _UDP + 28 + 4 + ESP_IV + 1 + ESP_ICV)
"""An empty INFORMATIONAL exchange (RFC 7296 2.4): header, payload of AES-GCM, and nothing in it."""
NTP_PACKET, _NTP_LEAST_S = IP + 8 + 48 + 4 + 16, 64
"""A packet of NTP with the code of its key (RFC 5905 7.3, RFC 8573), and how often one is sent at most."""
CRL_POLL, CRL_POLL_PACKETS = 7_000, 24
"""A pull of all CRLs over a TLS connection of its own, at most: `tests/crl_poll.py` measures it."""


@dataclass(frozen=True, slots=True)
class Message:
    """A row of tables 5.5 to 5.8.

    Attributes:
        what: the data, as the table calls it.
        octets: its size by the table.
        a_month: how many there are at most.
        up: it goes from the site to the DRAS.
        within_s: the delay that its table allows it.
        packet: the table counts the headers of its packet (direct control); else those of HTTP alone.
    """

    what: str
    octets: int
    a_month: int
    up: bool
    within_s: int
    packet: bool

    def packets(self, mtu: int) -> Iterator[int]:
        """Yield the sizes of its IP packets, where the largest may have `mtu` octets.

        In TLS: of MMS one record, of HTTP its head and its body.
        """
        if self.packet:
            yield self.octets + RECORD
            return
        left, most = self.octets + 2 * RECORD, mtu - ACK
        while left > 0:
            yield min(left, most) + ACK
            left -= most


_UP, _DOWN = True, False
_MINUTE, _SECOND = 60, 1
_MINUTES, _SECONDS = 24 * 60, 24 * 3600
"""How many of them a day has."""


def _direct(*rows: tuple[str, int, int, bool, int]) -> tuple[Message, ...]:
    return tuple(
        Message(what, octets, MONTH_DAYS * a_day, up, within_s, packet=True)
        for what, octets, a_day, up, within_s in rows
    )


REQUEST, OPT, RESULT = "event request", "opt-in/out", "result report"
MEASUREMENT, ALARM, CONTROL = "measurement", "event", "control, setting"
RUNNING, SCHEDULE = "running schedule", "schedule"
_INDIRECT = tuple(
    Message(what, octets, MONTH_DAYS, up, _MINUTE, packet=False)
    for what, octets, up in ((REQUEST, 2000, _DOWN), (OPT, 1500, _UP), (RESULT, 2000, _UP))
)
MESSAGES = {
    ("heat_storage", "indirect"): _INDIRECT,
    ("battery", "indirect"): _INDIRECT,
    ("heat_storage", "direct"): _direct(
        (MEASUREMENT, 160, _MINUTES, _UP, _MINUTE),
        (ALARM, 160, _MINUTES, _UP, _MINUTE),
        (CONTROL, 120, _MINUTES, _DOWN, _MINUTE),
    ),
    ("battery", "direct"): _direct(
        (MEASUREMENT, 400, _SECONDS, _UP, _SECOND),
        (RUNNING, 600, 48, _UP, _MINUTE),
        (ALARM, 120, _SECONDS, _UP, _SECOND),
        (CONTROL, 160, _SECONDS, _DOWN, _SECOND),
        (SCHEDULE, 600, 1, _DOWN, _MINUTE),
    ),
}
"""Messages of one resource, both directions; indirect control as one event a day."""


def service_mb(site: SitePlan) -> float:
    """Return the volume of the site's resources by the report's tables, megabytes a month."""
    return sum(one.octets * one.a_month for name in site.resources for one in MESSAGES[name]) / MEGABYTE


@dataclass(frozen=True, slots=True)
class Volume:
    """Megabytes a month on one line, both directions.

    Attributes:
        service: messages of the resources in the tunnel, in TLS, each packet acknowledged.
        openadr: polls, reports and TLS sessions of the controller's VEN.
        mms: what keeps the association for reports, and its TLS sessions.
        supervision: BFD of the tunnel, and on an IP access line that with the PE.
        routing: BGP of the same.
        keys: IKE: rekeying, and liveness checks where nothing else is heard.
        lists: revocation lists of the gateway outside of the tunnel, and of the controller in it.
        time: NTP of the gateway outside of the tunnel, and of the controller in it.
    """

    service: float
    openadr: float
    mms: float
    supervision: float
    routing: float
    keys: float
    lists: float
    time: float

    @property
    def total(self) -> float:
        """All of it."""
        said = self.service + self.openadr + self.mms
        return said + self.supervision + self.routing + self.keys + self.lists + self.time


def volume(plan: Plan, site: SitePlan, network: Network, timers: Timers, *, carries: bool) -> Volume:
    """Return what crosses the line of `site` to `network`.

    Args:
        plan: the service.
        site: one of its sites.
        network: whose line it is.
        timers: the profile to count with.
        carries: the site's traffic takes this line, the whole month.
    """
    gateway = plan.device(site.gateway(network))
    mtu = gateway.interface(names.ON[network].tunnel).mtu or ETHERNET_MTU
    controller, lifetimes = plan.device(site.controller), plan.pki.lifetimes
    share = _MONTH_S / MEGABYTE if carries else 0.0
    found = tuple(_session(*one, timers.bgp_keepalive_s) for one in sessions(plan, gateway, network, timers))
    return Volume(
        service=sum(_served(one, mtu) for one in site.resources) if carries else 0.0,
        openadr=share * programs.openadr(controller, timers, lifetimes, mtu),
        mms=share * programs.mms(controller, lifetimes, mtu),
        supervision=sum(one.bfd_mb for one in found),
        routing=sum(one.bgp_mb for one in found),
        keys=_ike_mb(timers.ike, min((one.heard_s for one in found), default=math.inf)),
        lists=_lists_mb(gateway, controller, network, timers, carries=carries),
        time=_time_mb(plan, site, gateway, carries=carries),
    )


@cache
def _served(resource: tuple[str, str], mtu: int) -> float:
    """Megabytes a month of one resource inside of a tunnel of `mtu`, each packet acknowledged."""
    return sum(
        one.a_month * (in_esp(packet) + in_esp(ACK)) / MEGABYTE
        for one in MESSAGES[resource]
        for packet in one.packets(mtu)
    )


@dataclass(frozen=True, slots=True)
class _Session:
    """A BGP session and the BFD beside it, megabytes a month.

    Attributes:
        heard_s: longest silence of it inside of the tunnel; infinite where it is outside.
    """

    bfd_mb: float
    bgp_mb: float
    heard_s: float


@cache
def _session(tunnelled: bool, profile: BfdProfile | None, keepalive_s: int) -> _Session:
    def on_the_line(packet: int) -> int:
        return in_esp(packet) if tunnelled else packet

    keepalives = 2 * _MONTH_S / keepalive_s / MEGABYTE
    bgp = keepalives * (on_the_line(KEEPALIVE_PACKET) + on_the_line(ACK))
    if profile is None:
        return _Session(0.0, bgp, math.inf)
    every_s = profile.interval_ms / 1000
    packets = 2 * _MONTH_S / (_BFD_JITTER * every_s) / MEGABYTE
    bfd = packets * on_the_line(BFD_PACKET)
    return _Session(bfd, bgp, every_s if tunnelled else math.inf)


def sessions(
    plan: Plan, gateway: Device, network: Network, timers: Timers
) -> Iterator[tuple[bool, BfdProfile | None]]:
    """Yield the BGP sessions on the line, each with the BFD beside it.

    With the hub in the tunnel (True), and on A with the PE in clear.
    """
    profiles = {profile.name: profile for profile in timers.bfd}
    for instance in gateway.router.bgp if gateway.router else ():
        for neighbor in instance.neighbors:
            tunnelled = neighbor.device == names.ON[network].hub_ce
            at_pe = network is Network.A and plan.device(neighbor.device).function is Function.PE
            if tunnelled or at_pe:
                yield tunnelled, profiles.get(neighbor.bfd or "")


@cache
def _ike_mb(timers: IkeTimers, heard_s: float) -> float:
    """Rekeying; and liveness checks, which what is heard in ESP makes needless (T9)."""
    rekeyed = _MONTH_S / timers.rekey_esp_s + _MONTH_S / timers.rekey_ike_s
    checks = 0.0 if heard_s < timers.dpd_delay_s else 2 * _MONTH_S / timers.dpd_delay_s
    return (rekeyed * REKEY + checks * LIVENESS) / MEGABYTE


def _time_mb(plan: Plan, site: SitePlan, gateway: Device, *, carries: bool) -> float:
    """Questions to every time server and answers: the gateway's own; where it carries, the LAN's too."""
    sizes = [
        (gateway, NTP_PACKET),
        *([(plan.device(site.controller), in_esp(NTP_PACKET))] if carries else []),
    ]
    servers = ((len(one.clock.servers) if one.clock else 0, octets) for one, octets in sizes)
    return sum(2 * count * octets * _MONTH_S / _NTP_LEAST_S for count, octets in servers) / MEGABYTE


def _lists_mb(
    gateway: Device, controller: Device, network: Network, timers: Timers, *, carries: bool
) -> float:
    """Pulls of revocation lists: one on both networks asks over the other only while the first is down (T15).

    That is counted wherever the line carries the traffic, and so are the controller's, in the tunnel.
    """
    asked = [connection.network for connection in gateway.ipsec]
    asks = network in asked and (carries or network is asked[0])
    own = CRL_POLL if asks and gateway.crl_source else 0
    inside = CRL_POLL + CRL_POLL_PACKETS * (in_esp(ACK) - ACK)
    of_controller = inside if carries and controller.crl_source else 0
    return (own + of_controller) * _MONTH_S / timers.crl_poll_s / MEGABYTE
