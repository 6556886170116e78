"""What crosses a site's line in a month, in octets of IP packets as they are on the wire.

Each message of the report's tables is a record of TLS, whose sizes do not say so; one that the programs write
longer than its table counts as long as they write it. Left out, each below a megabyte a month: ARP, renewals
of certificates, retransmissions, answers to what is sent once a day. Left out too: the session that each
order of direct control has of its own (M5).
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from functools import cache

from heiiki.design import sessions as programs
from heiiki.design.sessions import RECORD
from heiiki.plan import names
from heiiki.plan.model import (
    ETHERNET_MTU,
    BfdProfile,
    BgpNeighbor,
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
_RARE_S = 3600
"""What comes less often is rare."""

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
        sent: records of TLS in which the programs send it, octets each at most.
    """

    what: str
    octets: int
    a_month: int
    up: bool
    within_s: int
    packet: bool
    sent: tuple[int, ...]

    def on_line(self, mtu: int, signature: int = 0) -> int:
        """Return the octets of it on the line, each packet in the tunnel of `mtu` acknowledged.

        Args:
            mtu: the largest packet in the tunnel.
            signature: octets that sign it, as a part of OpenADR's messages may.
        """
        packets = (*self.counted(mtu), *_packets((signature,), mtu))
        return sum(in_esp(packet) + in_esp(ACK) for packet in packets)

    def counted(self, mtu: int) -> tuple[int, ...]:
        """Return the sizes of its IP packets, by its table or as it is sent: whichever is more."""
        by_table = tuple(self.packets(mtu))
        return max(by_table, tuple(_packets(self.sent, mtu)), key=sum)

    def packets(self, mtu: int) -> Iterator[int]:
        """Yield the sizes of its IP packets by its table, where the largest may have `mtu` octets.

        In TLS: of MMS one record, of HTTP its head and its body.
        """
        if self.packet:
            yield self.octets + RECORD
            return
        yield from _packets((self.octets + 2 * RECORD,), mtu)


def _packets(writes: Iterable[int], mtu: int) -> Iterator[int]:
    """Yield the sizes of the IP packets of what is written to TCP, octets each time."""
    most = mtu - ACK
    for left in writes:
        yield from [mtu] * (left // most)
        if rest := left % most:
            yield rest + ACK


_UP, _DOWN = True, False
_MINUTE, _SECOND = 60, 1
_MINUTES, _SECONDS = 24 * 60, 24 * 3600
"""How many of them a day has."""


def _direct(*rows: tuple[str, int, int, bool, int]) -> tuple[Message, ...]:
    return tuple(
        Message(what, octets, MONTH_DAYS * a_day, up, within_s, packet=True, sent=_SENT[what])
        for what, octets, a_day, up, within_s in rows
    )


REQUEST, OPT, RESULT = "event request", "opt-in/out", "result report"
MEASUREMENT, ALARM, CONTROL = "measurement", "event", "control, setting"
RUNNING, SCHEDULE = "running schedule", "schedule"
_SENT = {
    REQUEST: (200, 2250),
    OPT: (200, 1100),
    RESULT: (200, 1500),
    MEASUREMENT: (260,),
    RUNNING: (950,),
    ALARM: (260,),
    CONTROL: (200,),
    SCHEDULE: (2450, 200),
}
"""In what records the programs send each: HTTP's head and body, what writes a schedule and what operates it.

Bounds, which `tests/service_octets.py` measures: an order has a name of 64 letters, an event one value. An
answer's head is a record of its own where the host's HTTP server writes it so, as Debian 12's does."""
_INDIRECT = tuple(
    Message(what, octets, MONTH_DAYS, up, _MINUTE, packet=False, sent=_SENT[what])
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
        keys: IKE: rekeying, and liveness checks.
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


@dataclass(frozen=True, slots=True)
class Flow:
    """Something that crosses a line again and again.

    Attributes:
        part: which part of the `Volume` it is.
        octets: of IP packets on the line each time, both directions.
        every_s: how often it comes on the average, seconds.
        inside: it is in the tunnel.
    """

    part: str
    octets: float
    every_s: float
    inside: bool

    @property
    def a_second(self) -> float:
        """Octets a second on the average."""
        return self.octets / self.every_s

    def most(self, seconds: float) -> float:
        """Return the octets that may fall into `seconds`: it may come once more than has room in them.

        Of what is rare that is its share, or a day's one event would count in each quarter of a minute.
        """
        share = seconds / self.every_s
        return self.octets * (share if self.every_s > _RARE_S else math.floor(share) + 1)


def volume(plan: Plan, site: SitePlan, network: Network, timers: Timers, *, carries: bool) -> Volume:
    """Return what crosses the line of `site` to `network` in a month; see `flows`."""
    parts = dict.fromkeys((one.name for one in fields(Volume)), 0.0)
    for flow in flows(plan, site, network, timers, carries=carries):
        parts[flow.part] += megabytes(flow.a_second)
    return Volume(**parts)


def megabytes(a_second: float) -> float:
    """Return the megabytes a month of so many octets a second."""
    return a_second * _MONTH_S / MEGABYTE


def megabytes_of(message: Message, octets: float) -> float:
    """Return the megabytes of a month's messages of one kind, where each takes so many octets."""
    return message.a_month * octets / MEGABYTE


def flows(plan: Plan, site: SitePlan, network: Network, timers: Timers, *, carries: bool) -> Iterator[Flow]:
    """Yield what crosses the line of `site` to `network`.

    Args:
        plan: the service.
        site: one of its sites.
        network: whose line it is.
        timers: the profile to count with.
        carries: the site's traffic takes this line.
    """
    gateway = plan.device(site.gateway(network))
    for tunnelled, profile in sessions(plan, gateway, network, timers):
        yield from _session(tunnelled, profile, timers.bgp_keepalive_s)
    yield from _ike(timers.ike)
    asked = [connection.network for connection in gateway.ipsec]
    # One on both networks asks for lists over the other only while the first is down (T15), which is counted
    # wherever the line carries the traffic.
    if gateway.crl_source and network in asked and (carries or network is asked[0]):
        yield Flow("lists", CRL_POLL, timers.crl_poll_s, inside=False)
    yield from _time(gateway, NTP_PACKET, inside=False)
    if carries:
        yield from _carried(
            plan, site, gateway.interface(names.ON[network].tunnel).mtu or ETHERNET_MTU, timers
        )


def _carried(plan: Plan, site: SitePlan, mtu: int, timers: Timers) -> Iterator[Flow]:
    """What is in the tunnel that carries the site's traffic."""
    controller, lifetimes = plan.device(site.controller), plan.pki.lifetimes
    for resource in site.resources:
        yield from _served(resource, mtu)
    for one in programs.openadr(controller, timers, lifetimes):
        yield Flow("openadr", one.exchange.octets(mtu), one.every_s, inside=True)
    for one in programs.mms(controller, lifetimes):
        yield Flow("mms", one.exchange.octets(mtu), one.every_s, inside=True)
    if controller.crl_source:
        pull = CRL_POLL + CRL_POLL_PACKETS * (in_esp(ACK) - ACK)
        yield Flow("lists", pull, timers.crl_poll_s, inside=True)
    yield from _time(controller, in_esp(NTP_PACKET), inside=True)


@cache
def _served(resource: tuple[str, str], mtu: int) -> tuple[Flow, ...]:
    """The messages of one resource inside of a tunnel of `mtu`, each packet acknowledged."""
    return tuple(
        Flow("service", one.on_line(mtu), _MONTH_S / one.a_month, inside=True) for one in MESSAGES[resource]
    )


@cache
def _session(tunnelled: bool, profile: BfdProfile | None, keepalive_s: int) -> tuple[Flow, ...]:
    """A BGP session and the BFD beside it, both of which either end speaks."""

    def both_ways(*packets: int) -> int:
        return 2 * sum(in_esp(one) if tunnelled else one for one in packets)

    bgp = Flow("routing", both_ways(KEEPALIVE_PACKET, ACK), keepalive_s, tunnelled)
    if profile is None:
        return (bgp,)
    every_s = _BFD_JITTER * profile.interval_ms / 1000
    return bgp, Flow("supervision", both_ways(BFD_PACKET), every_s, tunnelled)


def sessions(
    plan: Plan, gateway: Device, network: Network, timers: Timers
) -> Iterator[tuple[bool, BfdProfile | None]]:
    """Yield the BGP sessions of `neighbors`, each with the BFD beside it."""
    profiles = {profile.name: profile for profile in timers.bfd}
    for tunnelled, neighbor in neighbors(plan, gateway, network):
        yield tunnelled, profiles.get(neighbor.bfd or "")


def neighbors(plan: Plan, gateway: Device, network: Network) -> Iterator[tuple[bool, BgpNeighbor]]:
    """Yield with whom a gateway speaks BGP over its line: the hub in the tunnel (True), and on A the PE."""
    for instance in gateway.router.bgp if gateway.router else ():
        for neighbor in instance.neighbors:
            tunnelled = neighbor.device == names.ON[network].hub_ce
            at_pe = network is Network.A and plan.device(neighbor.device).function is Function.PE
            if tunnelled or at_pe:
                yield tunnelled, neighbor


def _ike(timers: IkeTimers) -> Iterator[Flow]:
    """Rekeying; and liveness checks, which one end makes for both (T9)."""
    for every_s in (timers.rekey_esp_s, timers.rekey_ike_s):
        yield Flow("keys", REKEY, every_s, inside=False)
    yield Flow("keys", LIVENESS, timers.dpd_delay_s, inside=False)


def _time(device: Device, packet: int, *, inside: bool) -> Iterator[Flow]:
    """Questions of a device to every time server, and the answers."""
    for _ in device.clock.servers if device.clock else ():
        yield Flow("time", 2 * packet, _NTP_LEAST_S, inside)
