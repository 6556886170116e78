"""R-ISO-MALICE/flood, live: one site floods a service that others share, and the packet filter holds it.

A pass needs the flood itself as its positive: more packets reached the flooded device than the sender's
budget there allows. What was dropped is read from the counter of the budget's own rule; no more may have
passed than it allows, and meanwhile no site's traffic was silent for longer than the bound.
"""

import json
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from ipaddress import IPv4Address

from heiiki.errors import HeiikiError
from heiiki.plan.model import Device, Fault, Function, Limit, Network, Plan, SitePlan
from heiiki.render.templates import meters, multicast_copy
from heiiki.verify.faults.lived import Lived
from heiiki.verify.fleet import Fleet, printed, reading
from heiiki.verify.isolation.spoofing import read_counters
from heiiki.verify.network import (
    Exit,
    by_gateway,
    gateway,
    host,
    hub_ce,
    lan_address,
    servers,
    underlay,
    uplink,
)

FLOOD_S = 3.0
RATE = 2000
"""Packets a second that the sender tries to send: twice and more of the largest budget's burst meanwhile."""
OWN = 20
"""Packets a second that a peer itself may send beside the flood, in its own name."""
_TIMEOUT_S = 60.0

_VRRP_GROUP = IPv4Address("224.0.0.18")
_SYN = "tcp flags & (syn | ack) == syn"
_VRRP_HEAD = "31330000"
_IKE_SA_INIT = f"{'01' * 8}{'00' * 8}21202208000000000000001c"
"""A header alone (RFC 7296 3.1): as much as a flood needs."""


@dataclass(frozen=True, slots=True)
class Packets:
    """The packets of a flood.

    Attributes:
        protocol: its number.
        match: the packets that count against the budget, in the words of nftables.
        port: destination port; 0 where there is none.
        body: what is in them, in hexadecimal digits.
    """

    protocol: int
    match: str
    port: int = 0
    body: str = ""


_PACKETS = {
    "echo": Packets(1, "icmp type echo-request", body="00" * 16),
    "stamp": Packets(17, "udp dport 862", 862, "00" * 44),
    "vault": Packets(6, f"tcp dport 8200 {_SYN}", 8200),
    "bgp": Packets(6, f"tcp dport 179 {_SYN}", 179),
    "vrrp": Packets(112, "ip protocol 112", body=_VRRP_HEAD),
    "ike": Packets(17, "udp dport 500", 500, _IKE_SA_INIT),
}


_BEFORE_BUDGET = {"vrrp": ("refused_vrrp",)}
"""Counters of rules that drop what is forged before a budget counts it."""


@dataclass(frozen=True, slots=True)
class Flood:
    """Who sends what where.

    Attributes:
        out: how it leaves the sender.
        flooded: the device that has to hold it.
        limit: its budget for this source.
        copies: the packets that come in there a second time, in the words of nftables; empty: none do.
    """

    service: str
    out: Exit
    source: IPv4Address
    destination: IPv4Address
    flooded: str
    limit: Limit
    packets: Packets
    copies: str = ""


@dataclass(frozen=True, slots=True)
class Count:
    """What was counted.

    Attributes:
        sent: packets that left the sender.
        arrived: those that reached the flooded device, before any of its rules.
        dropped: those that its budget's rule dropped, or one before it that knows them as forged.
        seconds: between the two readings of the counters.
    """

    sent: int
    arrived: int
    dropped: int
    seconds: float


def flood(plan: Plan, fault: Fault) -> Flood:
    """Return the flood that a row of the plan stands for; KeyError where the plan has no such service."""
    site = plan.site(fault.sites[0])
    sender = plan.device(fault.target)
    if sender.name == site.controller:
        out, source, destination, flooded = _from_controller(plan, site, fault.service)
    else:
        out, source, destination, flooded = _from_gateway(plan, sender, fault)
    limit, _ = meters(flooded, plan)[fault.service]
    packets, copies = _PACKETS[fault.service], multicast_copy(flooded)
    return Flood(fault.service, out, source, destination, flooded.name, limit, packets, copies)


_Ends = tuple[Exit, IPv4Address, IPv4Address, Device]


def _from_controller(plan: Plan, site: SitePlan, service: str) -> _Ends:
    """To the hub in its own name; to a gateway in the name of the other one."""
    near = gateway(plan, site, site.primary)
    _, near_address = lan_address(near, site.lan)
    out = next(one for one in by_gateway(plan, site) if one.via == near_address)
    if service in {"bgp", "vrrp"}:
        (other,) = (plan.device(name) for name in site.gateways if name != near.name)
        _, forged = lan_address(other, site.lan)
        return out, forged, _VRRP_GROUP if service == "vrrp" else near_address, near
    target = host(plan, Function.VAULT) if service == "vault" else servers(plan)[0]
    return out, site.controller_address, target.addresses[0], target


def _from_gateway(plan: Plan, sender: Device, fault: Fault) -> _Ends:
    """To the hub's router, below the tunnel or inside of it."""
    network = fault.network or Network.A
    inside = uplink(plan, sender, network)
    tunnel = sender.interface(inside.interface)
    if tunnel.gre is None:
        raise KeyError(fault.name)
    if fault.service == "ike":
        return underlay(plan, sender, network), tunnel.gre.local, tunnel.gre.remote, hub_ce(plan, network)
    own = tunnel.addresses[0]
    return inside, own.ip, next(one for one in own.network.hosts() if one != own.ip), hub_ce(plan, network)


def lived(plan: Plan, fleet: Fleet, fault: Fault) -> Lived:
    """Send the flood of a row of the plan, and return what the flooded device did with it."""
    return sent(fleet, flood(plan, fault))


def sent(fleet: Fleet, one: Flood) -> Lived:
    """Send a flood, and return what the flooded device did with it.

    Raises:
        HeiikiError: the flooded device cannot be read.
    """
    with _arrivals(fleet, one) as table:
        before, began = _dropped(fleet, one), time.monotonic()
        said = fleet.ask("flood", {one.out.device: _order(one)}, _TIMEOUT_S)[one.out.device]
        if said.error:
            return Lived(doubts=(f"no flood was sent: {said.error}",))
        arrived, after = _arrived(fleet, one, table), _dropped(fleet, one)
    with reading(one.out.device):
        count = Count(int(said.data["sent"]), arrived, after - before, time.monotonic() - began)
    return judged(one, count)


def judged(one: Flood, count: Count) -> Lived:
    """Return what a flood shows: that it was one, and that no more passed than its sender's budget."""
    notes = {"flood": asdict(one), "counted": asdict(count)}
    passed = count.arrived - count.dropped
    allowed = one.limit.burst + (one.limit.rate + OWN) * (count.seconds + 1)
    numbers = f"{count.sent:,} packets of {one.service} were sent, {count.arrived:,} came in at {one.flooded}"
    if passed > allowed:
        return Lived(
            (f"{numbers}, and {passed:,} passed; its budget allows {allowed:,.0f} in {count.seconds:.1f} s",),
            notes=notes,
        )
    if count.arrived <= allowed or not count.dropped:
        why = f"{numbers} in {count.seconds:.1f} s, no more than the sender's budget: that is no flood"
        return Lived(doubts=(why,), notes=notes)
    return Lived(
        notes=notes, said=f"{numbers} in {count.seconds:.1f} s, {passed:,} passed, the rest was dropped"
    )


def _order(one: Flood) -> Mapping[str, object]:
    return {
        "interface": one.out.interface,
        "via": one.out.neighbour,
        "source": str(one.source),
        "destination": str(one.destination),
        "protocol": one.packets.protocol,
        "port": one.packets.port,
        "body": one.packets.body,
        "seconds": FLOOD_S,
        "rate": RATE,
    }


def _dropped(fleet: Fleet, one: Flood) -> int:
    counters, failures = read_counters(fleet, [one.flooded])
    if failures:
        raise HeiikiError(failures[one.flooded])
    names = (f"limited_{one.service}", *_BEFORE_BUDGET.get(one.service, ()))
    return sum(counters[one.flooded][name] for name in names)


@contextmanager
def _arrivals(fleet: Fleet, one: Flood) -> Iterator[str]:
    """Count what arrives of the flood, in a table of its own that ends with the block."""
    table = f"heiiki_flood_{secrets.token_hex(4)}"
    once = f"{one.copies} return; " if one.copies else ""
    made = (
        f"table ip {table} {{ chain here {{ type filter hook prerouting priority -400; {once}"
        f"ip saddr {one.source} {one.packets.match} counter; }}; }}"
    )
    _nft(fleet, one.flooded, "nft", f"add {made}")
    try:
        yield table
    finally:
        _nft(fleet, one.flooded, "nft", f"delete table ip {table}")


def _arrived(fleet: Fleet, one: Flood, table: str) -> int:
    said = json.loads(_nft(fleet, one.flooded, "nft", "-j", f"list table ip {table}"))
    words = [word for item in said["nftables"] if "rule" in item for word in item["rule"]["expr"]]
    return sum(int(word["counter"]["packets"]) for word in words if "counter" in word)


def _nft(fleet: Fleet, device: str, *command: str) -> str:
    answer = fleet.ask("read", {device: {"commands": {"nft": list(command)}}})[device]
    return printed(answer, "nft")
