"""Every flood of the plan, a flood inside of the carrier, and one that nothing holds.

A flood's verdict is the product's own (`heiiki.verify.faults.flooding`). Every test leaves the lab as it
found it.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from waiting import awaited

from heiiki.plan.model import ElementKind, Plan
from heiiki.render.templates import meters
from heiiki.verify.faults.flooding import Flood, Packets, flood, sent
from heiiki.verify.fleet import Fleet, fleet
from heiiki.verify.network import Exit

from .service import SITE, Service, in_service
from .test_filter import address, counters

BEMS, GATEWAY = "umeda-bems", "umeda-ce-a"
GTP_UNKNOWN = "4063000400000100"
"""A message of a type that nobody answers (TS 29.274 6.1): an answer would be a flood of the sender."""
ADVERTISE = """
import socket, struct, sys
wire = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
out = struct.pack("4s4si", bytes(4), bytes(4), socket.if_nametoindex("lan0"))
wire.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, out)
ends = socket.inet_aton(sys.argv[1]) + socket.inet_aton("224.0.0.18")
packet = struct.pack("!BBHHHBBH", 0x45, 0, 24, 0, 0, 255, 112, 0) + ends + bytes.fromhex("31330000")
for _ in range(int(sys.argv[2])):
    wire.sendto(packet, ("224.0.0.18", 0))
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


@pytest.fixture
def devices(service: Service) -> Iterator[Fleet]:
    with fleet(service.transport, len(service.plan.devices)) as found:
        yield found


def named(plan: Plan, name: str) -> Flood:
    return next(flood(plan, one) for one in plan.faults if one.name == name)


def gtp_c(plan: Plan) -> Flood:
    """Of the SGW, which speaks for all SIMs."""
    pgw, sgw = plan.device("b-pgw"), plan.mobile.sgw_address
    target = pgw.interface("s5").addresses[0].ip
    limit, _ = meters(pgw, plan)["gtp_c"]
    packets = Packets(17, "udp dport 2123", 2123, GTP_UNKNOWN)
    return Flood("gtp_c", Exit("b-sgw", "b", "s5", target), sgw, target, pgw.name, limit, packets)


def floods(plan: Plan) -> Iterator[tuple[str, Flood]]:
    yield from ((one.name, flood(plan, one)) for one in plan.faults if one.kind is ElementKind.FLOOD)
    yield "gtp_c", gtp_c(plan)


@pytest.mark.long
def test_a_flood_costs_its_sender_alone(
    service: Service, devices: Fleet, record_property: Callable[[str, object], None]
) -> None:
    """Whatever is flooded: the sender's budget holds, and no path of any site is silent for long."""
    for name, one in floods(service.plan):
        with in_service(service) as longest:
            found = sent(devices, one)
        record_property(name, f"{found.said}; longest silence of any path {longest[0]:.2f} s")
        assert (found.wrong, found.doubts) == ((), ()), name


@pytest.mark.representative
def test_a_flood_that_nothing_holds_is_told_from_one_that_is_held(service: Service, devices: Fleet) -> None:
    one = named(service.plan, f"{BEMS}/echo-flood")
    service.run("dras", "nft", "flush", "chain", "inet", "heiiki", "limits")
    try:
        found = sent(devices, one)
    finally:
        service.run("dras", "nft", "-f", "/etc/nftables.conf")
    assert len(found.wrong) == 1, found
    assert "its budget allows" in found.wrong[0]
    assert sent(devices, one).wrong == ()
    assert "heiiki_flood" not in service.run("dras", "nft", "list", "tables")


@pytest.mark.representative
def test_what_reaches_nothing_is_no_flood(service: Service, devices: Fleet) -> None:
    """A site's router drops what is in another site's name: nothing of it arrives, so nothing is proven."""
    one = replace(named(service.plan, f"{BEMS}/stamp-flood"), source=address(service, "sakai-bems"))
    found = sent(devices, one)
    assert (found.wrong, len(found.doubts)) == ((), 1)
    assert "that is no flood" in found.doubts[0]


@pytest.mark.representative
def test_a_multicast_packet_is_counted_once(service: Service) -> None:
    """As many at once as the budget allows: counted twice, a third of them would be dropped."""
    limit, _ = meters(service.plan.device(GATEWAY), service.plan)["vrrp"]
    source = str(service.plan.device(SITE).interface("lan0").addresses[0].ip)
    before = counters(service, GATEWAY)["limited_vrrp"]
    service.run(BEMS, "python3", "-c", ADVERTISE, source, str(limit.burst * 3 // 4))
    assert counters(service, GATEWAY)["limited_vrrp"] == before


@pytest.mark.representative
def test_one_host_holds_few_connections_to_the_vault_server(service: Service) -> None:
    target = str(address(service, "vault"))

    def connected(host: str, count: int) -> int:
        return int(service.run(host, "python3", "-c", CONNECT, target, str(count)))

    # A flood of this very host in the scenario before may still hold its connections, half open for a minute.
    awaited("one connection is let in", lambda: connected(BEMS, 1), 90)
    before = counters(service, "vault")["limited_vault"]
    held = connected(BEMS, 24)
    assert 0 < held <= 16, service.run("vault", "nft", "list", "table", "inet", "heiiki")
    assert counters(service, "vault")["limited_vault"] > before
    assert connected("sakai-bems", 1) == 1
