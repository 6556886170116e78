"""The capture on a real wire between two network namespaces, with the kernel's own segments of any size."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import Any

import pytest

from heiiki.verify.probes import program

from .test_capture_payloads import self_signed

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or any(shutil.which(one) is None for one in ("ip", "nsenter", "unshare")),
    reason="needs root, iproute2 and util-linux for namespaces",
)
HERE, THERE, PORT = "10.16.1.20", "10.15.0.4", "8443"
RULES = [
    ["openadr", "tcp", [int(PORT)], [f"{THERE}/32"], [f"{HERE}/32"], "tls"],
    ["arp", "arp", [], [], []],
]
BEGIN = """
import socket, ssl, sys, time
address, port, credentials = sys.argv[1:]
ANSWER = b"\\1\\xff" * 60000
"""
SERVER = (
    BEGIN
    + """
with socket.create_server((address, int(port))) as listener:
    print("ready", flush=True)
    end, _ = listener.accept()
if credentials:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(credentials)
    end = context.wrap_socket(end, server_side=True)
while end.recv(100):
    end.sendall(ANSWER)
"""
)
CLIENT = (
    BEGIN
    + """
end = socket.create_connection((address, int(port)))
if credentials:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(credentials)
    context.check_hostname = False
    end = context.wrap_socket(end)
said = False
while True:
    end.sendall(b"\\2\\xfe" * 20)
    left = len(ANSWER)
    while left:
        left -= len(end.recv(left))
    if not said:
        said = print("ready", flush=True) is None
    time.sleep(0.05)
"""
)
"""Asks over one connection, and is answered by more than a record or a segment holds."""


@dataclass(frozen=True)
class Host:
    """A network namespace with one end of a cable."""

    pid: int
    stack: ExitStack

    def argv(self, *argv: str) -> list[str]:
        return ["nsenter", "--target", str(self.pid), "--net", "--", *argv]

    def settle(self, own: str, other: str) -> None:
        # As every device of a plan has it; else the kernel says things of its own by IPv6.
        no_ipv6 = "echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6"
        for argv in (
            ("sh", "-c", no_ipv6),
            ("ip", "address", "add", own, "peer", other, "dev", "w0"),
            ("ip", "link", "set", "w0", "up"),
        ):
            subprocess.run(self.argv(*argv), check=True)

    def start(self, text: str, credentials: str) -> None:
        begun(self.stack, *self.argv(sys.executable, "-c", text, THERE, PORT, credentials))

    def capture(self, seconds: float) -> dict[str, Any]:
        text = program("capture", {"seconds": seconds, "interfaces": {"w0": RULES}})
        argv = self.argv(sys.executable, "-")
        done = subprocess.run(argv, input=text, stdout=subprocess.PIPE, check=True)
        found: dict[str, Any] = json.loads(done.stdout)["interfaces"]["w0"]
        return found


def begun(stack: ExitStack, *argv: str) -> int:
    """Start a program that ends with the test, and wait until it is ready."""
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for end in (process.wait, process.kill, process.stdout.close):
        stack.callback(end)
    assert process.stdout.readline() == "ready\n"
    return process.pid


@pytest.fixture
def hosts() -> Iterator[tuple[Host, Host]]:
    with ExitStack() as stack:
        apart = ("unshare", "--net", "sh", "-c", "echo ready; exec sleep 600")
        client, server = Host(begun(stack, *apart), stack), Host(begun(stack, *apart), stack)
        cable = f"ip link add w0 netns {client.pid} type veth peer name w0 netns {server.pid}"
        subprocess.run(cable.split(), check=True)
        client.settle(HERE, THERE)
        server.settle(THERE, HERE)
        yield client, server


def looked(*hosts: Host) -> list[dict[str, Any]]:
    """What each end sees of a connection that was there before; looked at for longer until it has crossed."""
    for seconds in (1.0, 3.0, 9.0, 27.0):
        with ThreadPoolExecutor(len(hosts)) as pool:
            found = list(pool.map(Host.capture, hosts, repeat(seconds)))
        if all(one["classes"].get("openadr", {}).get(side) for one in found for side in ("in", "out")):
            return found
    raise AssertionError("nothing crossed")


def test_a_connection_in_tls_is_followed_at_both_ends(hosts: tuple[Host, Host], tmp_path: Path) -> None:
    credentials = tmp_path / "both.pem"
    credentials.write_bytes(self_signed())
    hosts[1].start(SERVER, str(credentials))
    hosts[0].start(CLIENT, str(credentials))
    for one in looked(*hosts):
        assert (one["else"], one["samples"], one["undecided"], one["dropped"]) == (0, [], [], 0)
        assert one["records"]["openadr"]["in"] >= 1
        assert one["records"]["openadr"]["out"] >= 1


def test_the_same_without_tls_is_seen_at_both_ends(hosts: tuple[Host, Host]) -> None:
    hosts[1].start(SERVER, "")
    hosts[0].start(CLIENT, "")
    for one in looked(*hosts):
        assert one["else"] > 0
        assert all(said.endswith(": no records of TLS") for said, _ in one["samples"])
        assert len(one["samples"]) == 2, "each direction is one flow"
