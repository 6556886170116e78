"""The LAN watch: the verdict by a fake clock, packets, the report, and once the kernel itself (root only)."""

import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest
from waiting import awaited

import heiiki_agent
from heiiki_agent import config, netlink, status
from heiiki_agent.__main__ import main
from heiiki_agent.errors import AgentError
from heiiki_agent.lan_watch.arp import Arp, Port
from heiiki_agent.lan_watch.beyond import leads_into, runs
from heiiki_agent.lan_watch.decision import Fitness, Watch
from heiiki_agent.lan_watch.route import route_body
from heiiki_agent.lan_watch.settings import Settings

MS = 1_000_000
OURS, PEER, CONTROLLER = (IPv4Address(f"10.17.0.{host}") for host in (2, 3, 4))
GOOD = {
    "interface": "lan0",
    "prefix": "10.17.0.0/28",
    "source": "10.17.0.2",
    "targets": ["10.17.0.3", "10.17.0.4"],
    "beyond": "10.15.0.0/28",
    "probe_ms": 100,
    "lost": 6,
}
BEYOND = IPv4Network("10.15.0.0/28")
CONFIG = Settings("lan0", IPv4Network("10.17.0.0/28"), OURS, (PEER, CONTROLLER), BEYOND, 100, 6)


def test_file_is_read() -> None:
    assert config.parse(Settings, json.dumps(GOOD), "F") == CONFIG


def test_every_mistake_is_named_at_once() -> None:
    wrong = {"interface": "", "prefix": "10.17.0.2/28", "targets": [], "probe_ms": 5, "lost": 1.5, "more": 1}
    with pytest.raises(AgentError) as caught:
        config.parse(Settings, json.dumps(wrong), "F")
    assert str(caught.value).splitlines() == [
        "F: more: is not known here; remove it",
        "F: source: is missing; add it",
        "F: beyond: is missing; add it",
        "F: interface: is wrong: must not be empty",
        "F: prefix: is wrong: 10.17.0.2/28 has host bits set",
        "F: targets: is wrong: give at least 1",
        "F: probe_ms: is wrong: 5 is not a whole number from 10 to 60000",
        "F: lost: is wrong: must be a whole number",
    ]


# --- the verdict


class Clock:
    """Ticks a watch at its times, or late, and keeps what it said."""

    def __init__(self, *, alive: bool | None = True) -> None:
        self.now = 0
        self.watch = Watch(100 * MS, 6, due=0, alive=alive)
        self.tick()

    def tick(self, *, heard: bool = False, late_ms: int = 0, running: bool = True) -> bool | None:
        self.now = self.watch.due + late_ms * MS
        if heard:
            self.watch.answer(PEER, self.now)
        self.watch.tick(self.now, running=running)
        return self.watch.alive


def test_six_silent_probes_make_the_lan_dead_and_two_answered_ones_bring_it_back() -> None:
    clock = Clock()
    assert [clock.tick() for _ in range(7)] == [True] * 5 + [False] * 2
    assert clock.now == 700 * MS
    assert [clock.tick(heard=True) for _ in range(3)] == [False, True, True]


def test_one_answer_starts_the_count_anew() -> None:
    clock = Clock()
    heard = [False] * 5 + [True] + [False] * 5
    assert {clock.tick(heard=each) for each in heard} == {True}
    assert clock.tick() is False


def test_a_lone_answer_does_not_bring_it_back() -> None:
    clock = Clock(alive=False)
    assert {clock.tick(heard=each) for each in (True, False, True, False)} == {False}


def test_before_the_first_verdict_there_is_none() -> None:
    clock = Clock(alive=None)
    assert [clock.tick(heard=True) for _ in range(2)] == [None, True]
    clock = Clock(alive=None)
    assert [clock.tick() for _ in range(6)] == [None] * 5 + [False]


def test_a_probe_during_a_stall_of_this_process_does_not_count() -> None:
    clock = Clock()
    for _ in range(5):
        clock.tick()
    assert clock.tick(late_ms=51) is True
    assert clock.tick() is False


def test_a_process_that_stalls_again_and_again_still_gives_up_a_silent_lan() -> None:
    clock = Clock()
    late = [0, 0, 51] * 3
    assert [clock.tick(late_ms=each) for each in late] == [True] * 7 + [False] * 2


def test_a_little_late_is_no_stall() -> None:
    clock = Clock()
    assert [clock.tick(late_ms=49) for _ in range(6)] == [True] * 5 + [False]


def test_answers_that_waited_through_a_stall_count() -> None:
    clock = Clock(alive=False)
    assert [clock.tick(heard=True, late_ms=5000) for _ in range(2)] == [False, True]


def test_probes_keep_their_pace_and_do_not_catch_up_after_a_stall() -> None:
    clock = Clock()
    clock.tick(late_ms=20)
    assert clock.watch.due == 200 * MS
    clock.tick(late_ms=5000)
    assert clock.watch.due == 5300 * MS


def test_a_port_without_carrier_is_dead_at_once_and_needs_two_answers() -> None:
    clock = Clock()
    assert clock.tick(heard=True, running=False) is False
    assert [clock.tick(), clock.tick(heard=True), clock.tick(heard=True)] == [False, False, True]


# --- the gateway


def judged(fitness: Fitness, *intervals: tuple[bool | None, bool]) -> list[bool | None]:
    said = []
    for alive, route in intervals:
        fitness.tick(alive=alive, route=route)
        said.append(fitness.fit)
    return said


def test_a_gateway_that_starts_is_fit_once_the_lan_answers_and_there_is_a_route() -> None:
    begins = ((None, False), (None, True), (True, False), (True, False), (True, True))
    assert judged(Fitness(3), *begins) == [None, None, False, False, True]


def test_a_route_that_is_being_replaced_is_no_reason_to_resign_and_one_that_stays_away_is() -> None:
    fitness = Fitness(3, fit=True)
    assert judged(fitness, (True, False), (True, False), (True, True)) == [True] * 3
    assert judged(fitness, *[(True, False)] * 3, (True, True)) == [True, True, False, True]


def test_a_dead_lan_is_handed_over_at_once() -> None:
    assert judged(Fitness(3, fit=True), (False, True), (True, True)) == [False, True]


def bgp_route(
    destination: str, *, table: int = 254, protocol: int = 186, kind: int = 1, flags: int = 0
) -> bytes:
    network = IPv4Network(destination)
    head = struct.pack("=8BI", socket.AF_INET, network.prefixlen, 0, 0, table, protocol, 0, kind, flags)
    return head + netlink.attributes(((15, bytes(4)), (1, network.network_address.packed)))


def test_only_a_usable_route_of_bgp_leads_to_the_other_side() -> None:
    pool = IPv4Network("10.16.0.0/18")
    assert leads_into(bgp_route("10.15.0.0/28"), BEYOND)
    assert leads_into(bgp_route("10.16.1.16/28"), pool)
    others = (
        bgp_route("10.15.0.0/28", table=100),
        bgp_route("10.15.0.0/28", protocol=2),
        bgp_route("10.15.0.0/28", kind=7),
        bgp_route("10.15.0.0/28", flags=0x10),
        bgp_route("10.15.0.0/28", flags=0x1),
        bgp_route("10.15.0.16/28"),
        bgp_route("0.0.0.0/0"),
    )
    assert not any(leads_into(route, BEYOND) for route in others)


def test_a_daemon_runs_while_its_process_is_there(tmp_path: Path) -> None:
    file = tmp_path / "zebra.pid"
    assert not runs(file)
    with subprocess.Popen(["true"]) as gone:
        gone.wait()
    for text, expected in (("", False), ("1\n", True), (f"{os.getpid()}\n", True), (f"{gone.pid}\n", False)):
        file.write_text(text)
        assert runs(file) is expected


# --- packets

MAC, PEER_MAC = b"\x02\0\0\0\0\2", b"\x02\0\0\0\0\3"


class FakeSocket:
    def __init__(self, *packets: Arp) -> None:
        self.incoming = [packet.pack() for packet in packets]
        self.sent: list[tuple[Arp | None, bytes]] = []

    def recv(self, _size: int) -> bytes:
        if not self.incoming:
            raise BlockingIOError
        return self.incoming.pop(0)

    def sendto(self, data: bytes, address: tuple[str, int, int, int, bytes]) -> None:
        self.sent.append((Arp.unpack(data), address[4]))

    def getsockname(self) -> tuple[str, int, int, int, bytes]:
        return ("lan0", 0x0806, 0, 1, MAC)


def port_with(monkeypatch: pytest.MonkeyPatch, *packets: Arp) -> tuple[Port, FakeSocket]:
    port, fake = Port(CONFIG), FakeSocket(*packets)
    monkeypatch.setattr(port, "_socket", fake)
    return port, fake


REPLY = Arp(2, PEER_MAC, PEER, MAC, OURS)
QUESTION = Arp(1, PEER_MAC, PEER, bytes(6), OURS)


def test_arp_on_the_wire() -> None:
    assert QUESTION.pack() == bytes.fromhex("0001080006040001 020000000003 0a110003 000000000000 0a110002")
    assert Arp.unpack(QUESTION.pack() + bytes(18)) == QUESTION
    assert Arp.unpack(b"short") is None
    assert Arp.unpack(b"\0\6" + QUESTION.pack()[2:]) is None


def test_only_replies_to_our_own_questions_count(monkeypatch: pytest.MonkeyPatch) -> None:
    other_host = Arp(2, PEER_MAC, IPv4Address("10.17.0.9"), MAC, OURS)
    to_another = Arp(2, PEER_MAC, PEER, b"\x02\0\0\0\0\x09", OURS)
    announcement = Arp(2, PEER_MAC, PEER, PEER_MAC, PEER)
    poll = Arp(1, PEER_MAC, PEER, MAC, OURS)
    port, fake = port_with(monkeypatch, other_host, to_another, announcement, QUESTION, poll, REPLY)
    assert list(port.answers(stand_in=False)) == [PEER]
    assert fake.sent == []


def test_known_neighbour_is_asked_alone_and_a_silent_one_at_large(monkeypatch: pytest.MonkeyPatch) -> None:
    port, fake = port_with(monkeypatch, REPLY)
    list(port.answers(stand_in=False))
    port.probe()
    port.probe()
    asked = [(packet.target, mac) for packet, mac in fake.sent if packet]
    everyone = b"\xff" * 6
    assert asked == [(PEER, PEER_MAC), (CONTROLLER, everyone), (PEER, everyone), (CONTROLLER, everyone)]


def test_questions_are_answered_while_the_route_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    port, fake = port_with(monkeypatch, QUESTION)
    assert list(port.answers(stand_in=True)) == []
    assert fake.sent == [(Arp(2, MAC, OURS, PEER_MAC, PEER), PEER_MAC)]


def test_missing_port_is_not_running() -> None:
    port = Port(config.parse(Settings, json.dumps(GOOD | {"interface": "no-such-port"}), "F"))
    assert port.running() is False
    assert port.fileno() is None
    port.probe()


def test_route_message_is_what_rtnetlink_expects() -> None:
    message = netlink.message(netlink.DELETE_ROUTE, 0, route_body(CONFIG, 7))
    length, kind, flags = struct.unpack_from("=IHH", message)
    assert (length, kind, flags) == (len(message), 25, 5)
    assert message[16:28] == bytes([socket.AF_INET, 28, 0, 0, 254, 210, 253, 1, 0, 0, 0, 0])
    assert message[28:] == (
        struct.pack("=HH4s", 8, 1, CONFIG.prefix.network_address.packed)
        + struct.pack("=HHI", 8, 4, 7)
        + struct.pack("=HH4s", 8, 7, OURS.packed)
    )


# --- the command line


def test_wrong_usage_and_wrong_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match=r"^2$"):
        main(["lan-watch"])
    assert main(["lan-watch", str(tmp_path / "none.json")]) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.endswith(f"'{tmp_path}/none.json'; apply the device's build first")


# --- the kernel itself

RUN = """
import sys, pathlib
from heiiki_agent import config
from heiiki_agent.lan_watch.daemon import Daemon
from heiiki_agent.lan_watch.settings import Settings
file, state, fault, zebra = map(pathlib.Path, sys.argv[1:])
Daemon(file, config.read(Settings, file), state, fault, zebra).run()
"""


def ip(*words: str) -> str:
    return subprocess.run(["ip", *words], capture_output=True, text=True, check=True).stdout


@pytest.fixture
def lan() -> Iterator[tuple[str, str]]:
    """Two namespaces with a wire between them: ours and the peer's."""
    ours, peer = (f"heiiki-test-{side}-{os.getpid()}" for side in ("ours", "peer"))
    try:
        for name in (ours, peer):
            ip("netns", "add", name)
        ip("-n", ours, "link", "add", "lan0", "type", "veth", "peer", "lan0", "netns", peer)
        for name, address in ((ours, OURS), (peer, PEER)):
            ip("-n", name, "address", "add", f"{address}/32", "dev", "lan0")
            ip("-n", name, "link", "set", "lan0", "up")
        yield ours, peer
    finally:
        for name in (ours, peer):
            subprocess.run(["ip", "netns", "del", name], check=False)


@pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("ip") is None, reason="needs root and iproute2 for network namespaces"
)
def test_route_follows_the_peer_and_outlives_the_watch(lan: tuple[str, str], tmp_path: Path) -> None:
    ours, peer = lan
    names = ("lan_watch.json", "state.json", "vrrp_fault", "zebra.pid")
    file, state, fault, zebra = (tmp_path / name for name in names)
    zebra.write_text(f"{os.getpid()}\n")
    file.write_text(json.dumps(GOOD | {"probe_ms": 50, "lost": 4}))
    source = str(Path(heiiki_agent.__file__).parents[1])
    command = ["ip", "netns", "exec", ours, sys.executable, "-c", RUN, *map(str, (file, state, fault, zebra))]

    def stands() -> bool:
        return ip("-n", ours, "route", "show", "10.17.0.0/28") != ""

    def fit() -> bool:
        return fault.exists() and fault.read_text() == "0\n"

    with subprocess.Popen(command, env=os.environ | {"PYTHONPATH": source}) as watch:
        try:
            awaited("the route stands", stands)
            awaited("the gateway has no way on", lambda: fault.exists() and not fit())
            for number in range(300):  # of other tables and protocols: the kernel sends none of them
                ip("-n", ours, "route", "add", "unreachable", f"10.99.{number // 250}.{number % 250}/32")
            beyond = ("10.15.0.0/28", "dev", "lan0", "proto", "bgp")
            ip("-n", ours, "route", "add", *beyond)
            awaited("the gateway is fit", fit)
            zebra.unlink()
            awaited("the gateway resigns", lambda: not fit())
            zebra.write_text(f"{os.getpid()}\n")
            awaited("the gateway is fit", fit)
            ip("-n", ours, "route", "delete", *beyond)
            awaited("the gateway resigns", lambda: not fit())
            ip("-n", ours, "route", "add", *beyond)
            awaited("the gateway is fit", fit)
            ip(
                "-n", peer, "address", "del", f"{PEER}/32", "dev", "lan0"
            )  # no host answers, the carrier stays
            awaited("the route is gone", lambda: not stands())
            awaited("the gateway resigns", lambda: not fit())
            awaited("the state says so", lambda: json.loads(state.read_text())["alive"] is False)
            ip("-n", peer, "address", "add", f"{PEER}/32", "dev", "lan0")
            awaited("the route stands", stands)
            ip("-n", peer, "link", "set", "lan0", "down")
            awaited("the route is gone", lambda: not stands())
            ip("-n", peer, "link", "set", "lan0", "up")
            awaited("the route stands", stands)
            assert status.problem(state, "d", time.monotonic()) == ""
        finally:
            watch.send_signal(signal.SIGTERM)
    assert watch.returncode == 0
    assert stands()
