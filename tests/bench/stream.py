"""How late a TCP stream of a message a second is when its path is away: `python tests/bench/stream.py`.

A network may be back within its bound, and TCP sends again only when its next timer says so, each twice as
long as the one before (RFC 6298 5.5). Sender, router and receiver are network namespaces of this machine; the
router forwards nothing while the path is away, and nobody is told. Sizes and pace are those of a battery's
measurements (TR-1072 table 5.8).
"""

import argparse
import json
import os
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import click

MESSAGE, EVERY_S, BEFORE, AFTER = struct.Struct("!Id"), 1.0, 2, 5
OCTETS = 400 - 64
"""Without the 64 octets of headers that the table counts."""
OUTAGES_S = (0.5, 1.0, 1.3, 1.5, 1.9, 2.6)
SENDER, RECEIVER, PORT = "198.18.0.1", "198.18.1.1", 5000
_LONGEST = "net/ipv4/tcp_rto_max_ms"
_INSIDE, _LONGEST_MS = "HEIIKI_STREAM_INSIDE", "HEIIKI_STREAM_LONGEST_MS"
"""What this program's parts tell one another, in the environment."""


def _set(name: str, value: int) -> None:
    Path("/proc/sys", name).write_text(str(value), encoding="ascii")


def send() -> None:
    """Send a message a second with the time at which it was due; a line each tells when one is sent."""
    with socket.create_connection((RECEIVER, PORT)) as line:
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        began = time.monotonic()
        for number in range(BEFORE + AFTER):
            due = began + number * EVERY_S
            time.sleep(max(0.0, due - time.monotonic()))
            line.sendall(MESSAGE.pack(number, due).ljust(OCTETS))
            click.echo(number)
        line.shutdown(socket.SHUT_WR)
        line.recv(1)


def receive() -> None:
    """Print, as JSON, by how many seconds each message was late."""
    with socket.create_server((RECEIVER, PORT)) as listening:
        click.echo("listening")
        line, _ = listening.accept()
    late = []
    with line, line.makefile("rb") as stream:
        while message := stream.read(OCTETS):
            _, due = MESSAGE.unpack_from(message)
            late.append(round(time.monotonic() - due, 3))
    click.echo(json.dumps(late))


def _end(role: str, address: str, within: ExitStack) -> subprocess.Popen[str]:
    """Start an end in a namespace of its own, and lay a cable to it."""
    command = ("unshare", "--net", sys.executable, __file__, "--role", role)
    end = within.enter_context(
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    )
    assert end.stdout is not None
    assert end.stdin is not None
    end.stdout.readline()
    name, router = f"to-{role}", address.rpartition(".")[0] + ".254"
    commands = (
        f"link add {name} type veth peer name eth0 netns {end.pid}",
        f"address add {router}/24 dev {name}",
        f"link set {name} up",
    )
    for one in commands:
        subprocess.run(("ip", *one.split()), check=True)
    end.stdin.write(f"{address} {router}\n")
    end.stdin.flush()
    return end


def _ready(role: str) -> None:
    """At an end: wait for the cable, and use it."""
    click.echo("here")
    address, router = sys.stdin.readline().split()
    for one in (f"address add {address}/24 dev eth0", "link set eth0 up", f"route add default via {router}"):
        subprocess.run(("ip", *one.split()), check=True)
    if longest := os.environ.get(_LONGEST_MS):
        _set(_LONGEST, int(longest))
    {"send": send, "receive": receive}[role]()


def lateness(outage_s: float) -> list[float]:
    """Return by how many seconds each message was late, from the first that the outage took."""
    with ExitStack() as within:
        _set("net/ipv4/ip_forward", 1)
        receiver = _end("receive", RECEIVER, within)
        assert receiver.stdout is not None
        receiver.stdout.readline()
        sender = _end("send", SENDER, within)
        assert sender.stdout is not None
        for _ in range(BEFORE):
            sender.stdout.readline()
        # The next one is due in a second; the path goes a moment before it.
        time.sleep(EVERY_S - 0.1)
        _set("net/ipv4/ip_forward", 0)
        time.sleep(outage_s)
        _set("net/ipv4/ip_forward", 1)
        late: list[float] = json.loads(receiver.stdout.readline())
    for name in ("to-send", "to-receive"):
        subprocess.run(("ip", "link", "delete", name), check=False, stderr=subprocess.DEVNULL)
    return late[BEFORE:]


def _settings() -> Iterator[tuple[str, str]]:
    yield "as Linux is", ""
    if Path("/proc/sys", _LONGEST).exists():
        yield "tcp_rto_max_ms=1000", "1000"


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--role", choices=("send", "receive"), help=argparse.SUPPRESS)
    role = parser.parse_args().role
    if role:
        _ready(role)
        return
    if not os.environ.get(_INSIDE):
        command = ("unshare", "--user", "--map-root-user", "--net", sys.executable, __file__)
        sys.exit(subprocess.run(command, env=os.environ | {_INSIDE: "1"}, check=False).returncode)
    for setting, longest in _settings():
        os.environ[_LONGEST_MS] = longest
        click.echo(f"{setting}: seconds by which the messages are late from the outage on")
        for outage_s in OUTAGES_S:
            click.echo(f"  away {outage_s} s: {', '.join(f'{one:.2f}' for one in lateness(outage_s))}")


if __name__ == "__main__":
    main()
