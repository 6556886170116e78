"""The scan between two network namespaces, through a real filter that drops, rejects and lets through."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import debian_packages
import pytest

from heiiki.plan.model import Plan
from heiiki.verify.probes import program
from heiiki.verify.probes import scan as probe
from heiiki.verify.scan import ports

from .test_capture_wire import begun

HERE, THERE, RUN, PORT = "10.16.1.20", "10.15.0.4", 0xFFFFFFFF, 20007
"""The number of the run is the one whose acknowledgement begins again at nought."""
ODD, COMPILED = 47113, Path(__file__).parents[3] / "golden" / "compile"
OPEN, SHUT, REJECTED, PROHIBITED, DROPPED, UDP_SHUT, UDP_DROPPED = 8443, 8444, 8445, 8446, 8447, 123, 124
RULES = f"""
table inet filter {{
    chain input {{
        type filter hook input priority filter; policy drop;
        ct state established accept
        tcp dport {{ {OPEN}, {SHUT} }} accept
        tcp dport {REJECTED} reject with tcp reset
        tcp dport {PROHIBITED} reject with icmp type admin-prohibited
        udp dport {UDP_SHUT} accept
    }}
}}
"""
SERVER = """
import socket, sys
listener = socket.create_server((sys.argv[1], int(sys.argv[2])))
print("ready", flush=True)
listener.accept()
print("accepted", flush=True)
"""
PACKAGES = ("nftables", "libnftables1", "libnftnl11", "libmnl0", "libjansson4", "libedit2", "libxtables12")
TCP, UDP = 6, 17


def why_not() -> str:
    if os.geteuid() != 0 or any(shutil.which(one) is None for one in ("ip", "ss", "nsenter", "unshare")):
        return "needs root, iproute2 and util-linux for namespaces"
    return "" if programs() is not None else "apt cannot fetch nftables"


def programs() -> Path | None:
    return debian_packages.unpacked("nftables", PACKAGES)


on_a_wire = pytest.mark.skipif(bool(why_not()), reason=why_not())


@dataclass(frozen=True)
class Host:
    """A network namespace with one end of a cable."""

    pid: int

    def argv(self, *argv: str) -> list[str]:
        return ["nsenter", "--target", str(self.pid), "--net", "--", *argv]

    def run(self, *argv: str, text: bytes = b"", env: dict[str, str] | None = None) -> bytes:
        return subprocess.run(
            self.argv(*argv), input=text, stdout=subprocess.PIPE, check=True, env=env
        ).stdout

    def nft(self, *argv: str, text: str = "") -> bytes:
        root = programs()
        assert root is not None
        libraries = ":".join(str(root / one) for one in ("usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu"))
        env = os.environ | {"LD_LIBRARY_PATH": libraries}
        return self.run(str(root / "usr/sbin/nft"), *argv, text=text.encode(), env=env)

    def filtered(self, rules: str) -> None:
        self.nft("-f", "-", text=rules)

    def likely(self) -> set[tuple[int, int]]:
        """What ``ss`` and ``nft`` say there."""
        names = ports.named(json.loads(self.nft("-j", "list", "ruleset")))
        return {*ports.listening(self.run("ss", "-Hlntu").decode()), *((TCP, port) for port in names)}

    def scan(self, parameters: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.run(sys.executable, "-", text=program("scan", parameters)))
        return found


@dataclass(frozen=True)
class Wire:
    client: Host
    server: Host
    stack: ExitStack

    def scan(self, packets: list[tuple[int, int]], again: list[tuple[int, int]], **other: Any) -> Any:
        """What the client and the server found."""
        way = {
            "key": "here",
            "interface": "w0",
            "via": THERE,
            "source": HERE,
            "port": PORT,
            "pace_s": 0.002,
            "packets": [[THERE, *one] for one in packets],
            "again": [[THERE, *one] for one in again],
        }
        times = {"run": RUN, "start_s": 1.5, "limit_s": 3.5, "listen_s": 4.0 + 0.003 * len(packets)}
        with ThreadPoolExecutor(2) as pool:
            server = pool.submit(self.server.scan, times | {"ways": [], "hears": [THERE]})
            client = pool.submit(self.client.scan, times | {"ways": [way | other], "hears": []})
            return client.result(), server.result()


@pytest.fixture
def wire() -> Iterator[Wire]:
    with ExitStack() as stack:
        apart = ("unshare", "--net", "sh", "-c", "echo ready; exec sleep 600")
        client, server = Host(begun(stack, *apart)), Host(begun(stack, *apart))
        cable = f"ip link add w0 netns {client.pid} type veth peer name lan0 netns {server.pid}"
        subprocess.run(cable.split(), check=True)
        for host, leg, own, other in ((client, "w0", HERE, THERE), (server, "lan0", THERE, HERE)):
            host.run("ip", "link", "set", "lo", "up")
            host.run("ip", "address", "add", own, "peer", other, "dev", leg)
            host.run("ip", "link", "set", leg, "up")
        # A site in other hands has a filter of its own, or one that drops what it did not ask for.
        client.filtered("table inet own { chain input { type filter hook input priority 0; policy drop; }; }")
        yield Wire(client, server, stack)


def answers(found: Any) -> set[tuple[int, int, str]]:
    ((_, way),) = found["ways"].items()
    assert {(origin, destination) for origin, destination, *_ in way["answers"]} <= {(THERE, THERE)}
    return {(protocol, port, how) for _, _, protocol, port, how in way["answers"]}


def half_open(host: Host) -> list[str]:
    table = host.run("cat", "/proc/net/tcp").decode().splitlines()[1:]
    return [line for line in table if line.split()[3] == "03"]  # TCP_SYN_RECV


@on_a_wire
def test_whoever_answers_is_seen_and_silence_is_known_to_have_been_asked(wire: Wire) -> None:
    begun(wire.stack, *wire.server.argv(sys.executable, "-c", SERVER, THERE, str(OPEN)))
    wire.server.filtered(RULES)
    packets = [*((TCP, port) for port in range(OPEN - 20, OPEN + 20)), (UDP, UDP_SHUT), (UDP, UDP_DROPPED)]
    client, server = wire.scan(packets, [(TCP, OPEN), (TCP, DROPPED)])
    assert answers(client) == {
        (TCP, OPEN, "syn-ack"),
        (TCP, SHUT, "reset"),
        (TCP, REJECTED, "reset"),
        (TCP, PROHIBITED, "unreachable/13"),
        (UDP, UDP_SHUT, "unreachable/3"),
    }
    (way,) = client["ways"].values()
    assert (way["sent"], way["left"], way["error"]) == ({THERE: 42}, 0, "")
    assert server["arrived"] == [[HERE, PORT, THERE, 42]]
    assert (client["arrived"], client["dropped"], server["dropped"]) == ([], 0, 0)


@on_a_wire
def test_nothing_is_left_half_open(wire: Wire) -> None:
    """The client's kernel says nothing: its filter drops what nobody there asked for."""
    begun(wire.stack, *wire.server.argv(sys.executable, "-c", SERVER, THERE, str(OPEN)))
    wire.server.filtered(RULES)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(wire.scan, [(TCP, OPEN)] * 3, [])
        while not running.done():
            seen = half_open(wire.server)
            time.sleep(0.05)
        client, _ = running.result()
    assert answers(client) == {(TCP, OPEN, "syn-ack")}
    assert seen == half_open(wire.server) == []


@on_a_wire
def test_a_rate_is_held_and_a_scan_that_takes_too_long_ends(wire: Wire) -> None:
    packets = [(TCP, port) for port in range(1, 101)]
    client, server = wire.scan(packets, [], pace_s=0.01)
    assert client["seconds"] >= 0.9
    assert server["arrived"] == [[HERE, PORT, THERE, 100]]
    client, server = wire.scan(packets, [(TCP, 1)], pace_s=1e9)
    (way,) = client["ways"].values()
    assert (way["sent"], way["left"]) == ({THERE: 1}, 100)


@on_a_wire
def test_what_cannot_be_sent_says_why(wire: Wire) -> None:
    client, _ = wire.scan([(TCP, OPEN)], [], via="10.15.0.9")
    (way,) = client["ways"].values()
    assert (way["error"], way["sent"]) == ("no neighbour 10.15.0.9 on w0", {})
    client, _ = wire.scan([(TCP, OPEN)], [], interface="none", via=None)
    (way,) = client["ways"].values()
    assert (way["error"], way["sent"]) == (f"none to {THERE}: No such device", {})


@on_a_wire
def test_dras_as_it_is_compiled_answers_what_is_planned_and_a_hole_besides(wire: Wire, plan: Plan) -> None:
    wire.server.filtered((COMPILED / "dras/etc/nftables.conf").read_text(encoding="utf-8"))
    begun(wire.stack, *wire.server.argv(sys.executable, "-c", SERVER, THERE, str(OPEN)))
    asked = sorted({*ports._planned(plan), *((TCP, port) for port in (1, 22, ODD, 65535))})
    # STAMP and NTP are open to sites, and nothing is there now.
    planned = {(TCP, OPEN, "syn-ack"), (UDP, 862, "unreachable/3"), (UDP, 123, "unreachable/3")}
    client, server = wire.scan(asked, [])
    assert answers(client) == planned
    assert server["arrived"] == [[HERE, PORT, THERE, len(asked)]]
    wire.server.filtered(f'insert rule inet heiiki input tcp dport {ODD} accept comment "openadr"')
    named = wire.server.likely()
    assert {(TCP, ODD), (TCP, OPEN), (TCP, 862)} <= named
    client, _ = wire.scan(asked, [], port=PORT + 1)
    assert answers(client) == {*planned, (TCP, ODD, "reset")}
    begun(wire.stack, *wire.server.argv(sys.executable, "-c", SERVER, THERE, str(ODD)))
    client, _ = wire.scan(asked, [], port=PORT + 2)
    assert answers(client) == {*planned, (TCP, ODD, "syn-ack")}


def ends() -> bytes:
    return bytes((10, 16, 1, 20, 10, 15, 0, 4))


@pytest.mark.parametrize("protocol", [TCP, UDP])
def test_an_arrival_is_known_by_its_run(protocol: int) -> None:
    data = probe.encoded(ends(), protocol, (PORT, OPEN), RUN)
    segment = data[20:]
    assert probe.checksum(data[:20]) == 0
    assert probe.checksum(ends() + bytes((0, protocol)) + len(segment).to_bytes(2) + segment) == 0
    assert probe.arrived(RUN, data) == (HERE, PORT, THERE, protocol, OPEN)
    assert probe.arrived(RUN - 1, data) is None


def test_a_segment_that_acknowledges_something_else_is_no_answer() -> None:
    head = probe.encoded(ends()[4:] + ends()[:4], TCP, (OPEN, PORT), 7)[:20]
    for acknowledged, flags, found in (
        (0, 0x12, "syn-ack"),
        (0, 0x14, "reset"),
        (1, 0x12, ""),
        (0, 0x10, ""),
    ):
        body = OPEN.to_bytes(2) + PORT.to_bytes(2) + bytes(4) + acknowledged.to_bytes(4)
        said = probe.answer(RUN, head + body + bytes((5 << 4, flags)) + bytes(6))
        assert said == ((PORT, (THERE, TCP, OPEN), found) if found else None)


@pytest.mark.parametrize(
    "quoted", [b"", b"\x45" + bytes(8) + b"\x01" + bytes(14), b"\x4f" + bytes(8) + b"\x06" + bytes(14)]
)
def test_an_error_that_quotes_no_port_is_no_answer(quoted: bytes) -> None:
    head = probe.encoded(ends(), UDP, (1, 1), 7)[:9] + b"\x01" + bytes(10)
    assert probe.answer(RUN, head + b"\x03\x03" + bytes(6) + quoted) is None
