"""Queueing disciplines of tunnels: as the kernel lists them, and what turns them into the wanted ones."""

import json
import struct
from collections.abc import Iterable

import pytest

from heiiki.plan.sizes import in_esp
from heiiki_agent import netlink
from heiiki_agent.errors import AgentError
from heiiki_agent.links import model, queues
from heiiki_agent.links.difference import difference
from heiiki_agent.links.model import Link, State, Tunnel
from heiiki_agent.links.queues import Discipline, changes, parsed, shaped
from heiiki_agent.links.settings import parse

NAMES = {7: "tun-a", 8: "lan0"}
ROOT, INGRESS = 0xFFFFFFFF, 0xFFFFFFF1
BANDS = "1 1 1 1 1 1 1 0 1 1 1 1 1 1 1 1"
MADE = (
    "qdisc add dev tun-a root handle 1: tbf rate 9000kbit burst 22500 limit 22500 overhead 61",
    f"qdisc add dev tun-a parent 1:1 handle 2: prio bands 2 priomap {BANDS}",
    "qdisc add dev tun-a parent 2:1 handle 3: pfifo limit 100",
    "qdisc add dev tun-a parent 2:2 handle 4: fq_codel limit 1000",
)


def told(index: int, kind: str, handle: int, parent: int, options: bytes = b"") -> bytes:
    """The body of an RTM_NEWQDISC message (linux/rtnetlink.h, struct tcmsg)."""
    values = [(1, kind.encode() + b"\0"), *([(2, options)] if options else [])]
    return struct.pack("=4BiIII", 0, 0, 0, 0, index, handle, parent, 2) + netlink.attributes(values)


def tbf(octets: int, overhead: int) -> bytes:
    """TCA_TBF_PARMS: struct tc_tbf_qopt, two rates and three numbers."""
    rate = struct.pack("=BBHhHI", 3, 1, overhead, -1, 0, octets)
    return netlink.attributes([(1, rate + bytes(12) + struct.pack("=III", 22500, 1000, 0)), (6, bytes(4))])


def as_wanted(octets: int = 1_125_000, overhead: int = 61, control: int = 7) -> list[bytes]:
    band = [int(priority != control) for priority in range(16)]
    return [
        told(7, "tbf", 0x10000, ROOT, tbf(octets, overhead)),
        told(7, "prio", 0x20000, 0x10001, struct.pack("=i16B", 2, *band)),
        told(7, "pfifo", 0x30000, 0x20001, struct.pack("=I", 100)),
        told(
            7, "fq_codel", 0x40000, 0x20002, netlink.attributes([(1, bytes(4)), (2, struct.pack("=I", 1000))])
        ),
    ]


def lines(kbps: int | None, answers: Iterable[bytes]) -> tuple[str, ...]:
    return tuple(changes("tun-a", kbps, 1386, parsed(answers, NAMES).get("tun-a", frozenset())))


def test_a_tunnel_as_wanted_is_left_alone() -> None:
    assert parsed(as_wanted(), NAMES) == {"tun-a": shaped(9000)}
    assert lines(9000, as_wanted()) == ()


def test_a_tunnel_without_any_is_shaped() -> None:
    assert lines(9000, [told(7, "noqueue", 0, ROOT)]) == MADE


@pytest.mark.parametrize(
    "answers",
    [
        as_wanted(octets=1_125_001),
        as_wanted(overhead=0),
        as_wanted(control=6),
        as_wanted()[:3],
        [*as_wanted()[:3], told(7, "pfifo", 0x40000, 0x20002, struct.pack("=I", 1000))],
        [told(7, "netem", 0x80010000, ROOT, bytes(24))],
        [told(7, "fq_codel", 0x10000, ROOT, netlink.attributes([(2, struct.pack("=I", 1000))]))],
    ],
)
def test_what_differs_in_anything_is_made_again(answers: list[bytes]) -> None:
    assert lines(9000, answers) == ("qdisc delete dev tun-a root", *MADE)


def test_what_looks_at_packets_that_come_in_is_no_queue() -> None:
    """It delays nothing; that nobody planned it is said of the host (R-MINIMAL)."""
    assert lines(9000, [*as_wanted(), told(7, "clsact", 0xFFFF0000, INGRESS)]) == ()


def test_a_tunnel_of_which_no_rate_is_known_any_more() -> None:
    assert lines(None, as_wanted()) == ("qdisc delete dev tun-a root",)
    assert lines(None, [told(7, "netem", 0x80010000, ROOT, bytes(24))]) == ()
    assert lines(None, []) == ()


def test_a_slow_line_still_takes_the_largest_packet_at_once() -> None:
    (first, *_) = changes("tun-a", 57, 1386, frozenset())
    assert f"burst {2 * (1386 + 61)} " in first


def test_the_overhead_is_what_gre_and_esp_add_at_the_most() -> None:
    assert max(in_esp(packet) - packet for packet in range(20, 9000)) == queues.OVERHEAD


GRE = {
    "name": "tun-a",
    "kind": "gre",
    "mtu": 1386,
    "gre": {"local": "10.64.0.11", "remote": "10.1.0.2"},
    "rate_kbps": 9000,
}


def wanted(**changes: object) -> model.Wanted:
    return parse(json.dumps({"interfaces": [GRE | changes]}), "links.json")


def test_a_tunnel_that_is_made_again_is_shaped_again() -> None:
    """Its disciplines went with it."""
    there = Link("tun-a", "gre", 1386, gre=Tunnel("10.64.0.11", "10.1.0.2"))
    state = State({"tun-a": there}, owned={"tun-a": "gre"}, queues={"tun-a": shaped(9000)})
    assert difference(wanted(), state) == model.Difference()
    gone = State({}, queues={})
    assert difference(wanted(), gone).queues == MADE
    assert difference(wanted(), gone).changes[-4:] == MADE


def test_a_port_is_not_shaped() -> None:
    with pytest.raises(AgentError, match=r"interface lan0.rate_kbps: only a tunnel \(kind gre\) is shaped"):
        parse(json.dumps({"interfaces": [{"name": "lan0", "kind": "ethernet", "rate_kbps": 9000}]}), "F")


def test_what_waits_at_a_port_is_left_alone() -> None:
    plan = parse(json.dumps({"interfaces": [{"name": "lan0", "kind": "ethernet"}]}), "F")
    there = frozenset({Discipline("tbf", 0x10000, ROOT, (1000, 0))})
    assert difference(plan, State({"lan0": Link("lan0", "ethernet")}, queues={"lan0": there})).queues == ()


def test_what_tc_refuses_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(AgentError, match=r"^tc -batch: "):
        queues.apply(("qdisc add dev tun-a root tbf",))
