"""What the packet filter alone holds when something else is lost: IPsec's policies, an interface unknown.

Every test leaves the lab as it found it.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from waiting import awaited

from heiiki.cli.new_service import generate
from heiiki.intent import load
from heiiki.plan import build
from heiiki.plan.model import Gre
from heiiki.render import compile_plan

from .service import HUB, SITE, Service, changed

PACKETS = 10
ELSEWHERE = "radio0"
"""An interface of the gateway on which the plan has no IP packets: it stands for any that is not planned."""

SEND = """
import socket, struct, sys
interface, mac, outer, inner, count = sys.argv[1:]
outer, inner = ([socket.inet_aton(one) for one in pair.split("-")] for pair in (outer, inner))

def ip(protocol, ends, payload):
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 0, 0, 64, protocol, 0, *ends)
    total = sum(struct.unpack("!10H", head))
    total = (total & 0xFFFF) + (total >> 16)
    return head[:10] + struct.pack("!H", ~(total + (total >> 16)) & 0xFFFF) + head[12:] + payload

packet = ip(47, outer, struct.pack("!HH", 0, 0x0800) + ip(17, inner, struct.pack("!HHHH", 4711, 4711, 8, 0)))
wire = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
for _ in range(int(count)):
    wire.sendto(packet, (interface, 0x0800, 0, 0, bytes.fromhex(mac.replace(":", ""))))
"""
COUNT = "table ip arrived {{ chain here {{ type filter hook prerouting priority -400; {match} counter; }}; }}"


def counters(service: Service, device: str) -> dict[str, int]:
    said = json.loads(service.run(device, "nft", "-j", "list", "counters", "table", "inet", "heiiki"))
    return {
        item["counter"]["name"]: item["counter"]["packets"] for item in said["nftables"] if "counter" in item
    }


@contextmanager
def without_policies(service: Service, device: str) -> Iterator[None]:
    """Let the kernel of a device whose path only stands by lose what charon told it."""
    service.run(device, "ip", "xfrm", "policy", "flush")
    try:
        yield
    finally:
        service.run(device, "systemctl", "restart", "strongswan")
        awaited("the tunnel is up again", lambda: service.associations(HUB, "s0017"))


def tunnel(service: Service) -> Gre:
    gre = service.plan.device(SITE).interface("tun-b").gre
    assert gre
    return gre


def address(service: Service, device: str) -> IPv4Address:
    return service.plan.device(device).addresses[0]


def arrivals(service: Service, device: str) -> int:
    said = json.loads(service.run(device, "nft", "-j", "list", "table", "ip", "arrived"))
    (rule,) = (item["rule"] for item in said["nftables"] if "rule" in item)
    (count,) = (word["counter"]["packets"] for word in rule["expr"] if "counter" in word)
    return int(count)


@contextmanager
def counted(service: Service, device: str, match: str) -> Iterator[list[int]]:
    """Count the packets that reach `device`, before any of its rules; the number is there in the end."""
    service.run(device, "nft", "-f", "-", stdin=COUNT.format(match=match))
    found: list[int] = []
    try:
        yield found
        found += [arrivals(service, device)]
    finally:
        service.run(device, "nft", "delete", "table", "ip", "arrived")


def test_nothing_comes_in_by_an_interface_that_the_plan_does_not_know(service: Service) -> None:
    """GRE in clear from the hub's address, by the radio's port, while IPsec's policies are lost."""
    gre, dras, bems = tunnel(service), address(service, "dras"), address(service, "umeda-bems")
    mac = service.run(SITE, "cat", f"/sys/class/net/{ELSEWHERE}/address").strip()
    shot = ("ue0017", mac, f"{gre.remote}-{gre.local}", f"{dras}-{bems}", str(PACKETS))
    with without_policies(service, SITE), counted(service, "umeda-bems", "udp dport 4711") as arrived:
        before = counters(service, SITE)
        service.run("b-enb", "python3", "-c", SEND, *shot)
        awaited(
            "the filter counts them all",
            lambda: counters(service, SITE)["unknown_interface"] >= before["unknown_interface"] + PACKETS,
        )
    assert arrived == [0]


def test_gre_leaves_in_clear_by_no_interface(service: Service) -> None:
    """A route over another interface, while IPsec's policies are lost."""
    gre, hub = tunnel(service), service.plan.device(SITE).interface("tun-b").addresses[0].network[1]
    rule = ("to", str(gre.remote), "lookup", "4711", "pref", "10")
    service.run(SITE, "ip", "route", "add", "default", "dev", ELSEWHERE, "table", "4711")
    try:
        with without_policies(service, SITE):
            before = counters(service, SITE)["clear_out"]
            service.run(SITE, "ip", "rule", "add", *rule)
            try:
                service.transport.run(SITE, ("ping", "-c", "3", "-i", "0.2", "-W", "1", str(hub)))
            finally:
                service.run(SITE, "ip", "rule", "del", *rule)
            assert counters(service, SITE)["clear_out"] >= before + 3
    finally:
        service.run(SITE, "ip", "route", "del", "default", "table", "4711")


@pytest.mark.long
def test_a_rule_that_was_put_in_by_hand_is_shown_and_put_right(service: Service) -> None:
    """`site.yml` compares what the kernel has, not only the file: in check mode it shows the rule."""
    device, only = "hub-ce-a", ("--limit", "hub-ce-a")
    service.run(device, "nft", "insert", "rule", "inet", "heiiki", "forward", "accept")
    try:
        said = service.play("site", "--check", "--diff", *only)
        assert changed(said) == {device: 1}
        assert "\n-\t\taccept\n" in said
        assert changed(service.play("site", *only)) == {device: 1}
        rules = service.run(device, "nft", "list", "chain", "inet", "heiiki", "forward")
        assert "accept" not in {line.strip() for line in rules.splitlines()}
        assert changed(service.play("site", *only)) == {device: 0}
    finally:
        service.run(device, "nft", "-f", "/etc/nftables.conf")


@pytest.mark.long
def test_nft_takes_the_filters_of_fifty_sites(service: Service, tmp_path: Path) -> None:
    """One of each function: the hub's know every site, and a site's are alike."""
    for name, text in generate("large", 50, 1).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    plan = build(load(tmp_path))
    alike = {plan.device(one.device).function: one for one in compile_plan(plan)}
    hubs = [one for one in compile_plan(plan) if one.device in {"hub-ce-a", HUB}]
    for one in (*alike.values(), *hubs):
        if (rules := one.contents.get("/etc/nftables.conf")) is not None:
            service.run("dras", "unshare", "-n", "nft", "-c", "-f", "-", stdin=rules)


FLOWS = 1000
FLOOD = """
import socket, sys, time
for port in range(20000, 20000 + int(sys.argv[2])):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as flow:
        flow.bind(("", port))
        flow.sendto(b"", (sys.argv[1], 4712))
    time.sleep(0.001)
"""


def tracked(service: Service, device: str) -> int:
    return int(service.run(device, "cat", "/proc/sys/net/netfilter/nf_conntrack_count"))


def test_what_one_site_sends_fills_no_table_of_the_hub(service: Service) -> None:
    """A flow for every port: none of them is tracked where they are only forwarded."""
    routers = ("umeda-ce-a", "hub-ce-a")
    before = {device: tracked(service, device) for device in routers}
    with counted(service, "dras", "udp dport 4712"):
        service.run("umeda-bems", "python3", "-c", FLOOD, str(address(service, "dras")), str(FLOWS))
        # On a busy machine some are lost on the way: those that came are flows enough.
        awaited("the flows reach the hub", lambda: arrivals(service, "dras") >= FLOWS // 2)
    for device in routers:
        assert tracked(service, device) < before[device] + FLOWS // 10, device
