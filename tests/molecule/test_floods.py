"""A flood of each protocol, from one site or from one device in other hands, to what all sites share.

The device that is flooded drops what is beyond the sender's own budget, and every other path goes on working.
Every test leaves the lab as it found it.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from heiiki.render.templates import meters

from .service import HUB, SITE, Service, in_service
from .test_filter import address, counted, counters

PACKETS = 4000
SEND = """
import socket, struct, sys, time
source, target, protocol, port, count, body = sys.argv[1:]
protocol, port, body = int(protocol), int(port), bytes.fromhex(body)
wire = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
if target.startswith("224."):
    out = struct.pack("4s4si", bytes(4), bytes(4), socket.if_nametoindex("lan0"))
    wire.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, out)
ends = socket.inet_aton(source) + socket.inet_aton(target)

def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF

def payload(number):
    own = 20000 + number % 40000
    if protocol == 1:
        head = struct.pack("!BBHHH", 8, 0, 0, 4711, number & 0xFFFF)
        return head[:2] + struct.pack("!H", checksum(head)) + head[4:]
    if protocol == 17:
        return struct.pack("!HHHH", own, port, 8 + len(body), 0) + body
    if protocol == 6:
        head = struct.pack("!HHIIBBHHH", own, port, number, 0, 0x50, 2, 1024, 0, 0)
        sum_ = checksum(ends + struct.pack("!BBH", 0, 6, 20) + head)
        return head[:16] + struct.pack("!H", sum_) + head[18:]
    return body

for number in range(int(count)):
    packet = payload(number)
    hops = 255 if protocol == 112 else 64
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(packet), 0, 0, hops, protocol, 0)
    wire.sendto(head + ends + packet, (target, 0))
    if number % 20 == 19:
        time.sleep(0.01)
"""
CONNECT = """
import socket, sys
kept = []
for _ in range(int(sys.argv[2])):
    try:
        kept.append(socket.create_connection((sys.argv[1], 8200), timeout=1))
    except TimeoutError:
        pass
print(len(kept))
"""
IKE_SA_INIT = "01" * 8 + "00" * 8 + "21202208" + "00000000" + "0000001c"
"""A header alone (RFC 7296 3.1): as much as a flood needs."""
GTP_UNKNOWN = "4063000400000100"
"""A message of a type that nobody answers (TS 29.274 6.1): an answer would be a flood of the sender."""


SYN = "tcp flags & (syn | ack) == syn"
"""Of TCP, attempts to open a connection are counted; the sender's own kernel refuses what is answered."""


@dataclass(frozen=True)
class Flood:
    """Who sends what where, and the limit that has to hold it.

    Attributes:
        source, target: addresses, from the service as it runs.
        match: the packets at the device that is flooded, in the words of nftables.
    """

    name: str
    sender: str
    flooded: str
    source: Callable[[Service], Any]
    target: Callable[[Service], Any]
    protocol: int
    match: str
    port: int = 0
    body: str = ""


def of(device: str, interface: str) -> Callable[[Service], Any]:
    return lambda service: service.plan.device(device).interface(interface).addresses[0].ip


def peer_of_site(service: Service) -> Any:
    gre = service.plan.device(SITE).interface("tun-b").gre
    assert gre
    return gre.remote


def hub_of_tunnel(service: Service) -> Any:
    return service.plan.device(SITE).interface("tun-b").addresses[0].network[1]


BEMS, GATEWAY = "umeda-bems", "umeda-ce-a"
FLOODS = (
    Flood("echo", BEMS, "dras", of(BEMS, "lan0"), of("dras", "lan0"), 1, "icmp type echo-request"),
    Flood("stamp", BEMS, "dras", of(BEMS, "lan0"), of("dras", "lan0"), 17, "udp dport 862", 862, "00" * 44),
    Flood("vault", BEMS, "vault", of(BEMS, "lan0"), of("vault", "lan0"), 6, f"tcp dport 8200 {SYN}", 8200),
    # The address of the other gateway, which every host of the LAN can write into a packet.
    Flood(
        "vrrp", BEMS, GATEWAY, of(SITE, "lan0"), lambda _: "224.0.0.18", 112, "ip protocol 112", 0, "31330000"
    ),
    Flood("bgp", BEMS, GATEWAY, of(SITE, "lan0"), of(GATEWAY, "lan0"), 6, f"tcp dport 179 {SYN}", 179),
    Flood("ike", SITE, HUB, of(SITE, "wwan0"), peer_of_site, 17, "udp dport 500", 500, IKE_SA_INIT),
    Flood("bgp", SITE, HUB, of(SITE, "tun-b"), hub_of_tunnel, 6, f"tcp dport 179 {SYN}", 179),
    Flood(
        "gtp_c",
        "b-sgw",
        "b-pgw",
        lambda service: service.plan.mobile.sgw_address,
        of("b-pgw", "s5"),
        17,
        "udp dport 2123",
        2123,
        GTP_UNKNOWN,
    ),
)


REPRESENTATIVE = frozenset({"vault", "ike"})
"""Those of `make test`, by what is limited; `make long` has all."""


def chosen() -> list[Any]:
    marks = {True: pytest.mark.representative, False: pytest.mark.long}
    return [
        pytest.param(one, id=f"{one.name} from {one.sender}", marks=marks[one.name in REPRESENTATIVE])
        for one in FLOODS
    ]


@pytest.mark.parametrize("flood", chosen())
def test_a_flood_costs_its_sender_alone(
    service: Service, flood: Flood, record_property: Callable[[str, object], None]
) -> None:
    limit, _ = meters(service.plan.device(flood.flooded), service.plan)[flood.name]
    source, target = str(flood.source(service)), str(flood.target(service))
    what = (source, target, str(flood.protocol), str(flood.port), str(PACKETS), flood.body)
    match = f"ip saddr {source} {flood.match}"
    with in_service(service) as longest, counted(service, flood.flooded, match) as arrived:
        before, began = counters(service, flood.flooded), time.monotonic()
        service.run(flood.sender, "python3", "-c", SEND, *what)
        after, seconds = counters(service, flood.flooded), time.monotonic() - began
    name = f"limited_{flood.name}"
    dropped = after[name] - before[name]
    record_property("arrived", arrived[0])
    record_property("dropped", dropped)
    record_property("seconds", round(seconds, 1))
    record_property("longest silence of any other path, s", round(longest[0], 3))
    assert dropped >= PACKETS // 10
    # What came in between the counts is of the peer itself: some packets a second.
    assert arrived[0] - dropped <= limit.burst + (limit.rate + 20) * (seconds + 1)


def test_one_host_holds_few_connections_to_the_vault_server(service: Service) -> None:
    target = str(address(service, "vault"))
    before = counters(service, "vault")["limited_vault"]
    held = int(service.run(BEMS, "python3", "-c", CONNECT, target, "24"))
    assert 0 < held <= 16
    assert counters(service, "vault")["limited_vault"] > before
    assert int(service.run("sakai-bems", "python3", "-c", CONNECT, target, "1")) == 1
