"""STAMP test packets (RFC 8762, unauthenticated mode) between the hub's hosts and the sites' controllers.

    stamp serve CONFIG                    the daemon: reflects for known peers, streams, records
    stamp stream start|stop               one-way streams to every peer
    stamp gaps --since T --until T        longest silence from each peer; T is CLOCK_MONOTONIC, seconds
    stamp rtt --peer ADDRESS --count N    round-trip times, seconds
    stamp status                          exit 0 when the daemon answers

The configuration is JSON: {"address": own address, "interval_ms": 20, "peers": [{"site", "address"}, ...]}.

A test packet whose session identifier (RFC 8972) is `ONE_WAY` is recorded and not reflected: the receiver
measures the silence on its own clock, so no direction can hide behind the other. Arrival times come from
the kernel's own receive timestamps; a daemon that wakes up late reads old packets, not late ones. Late
wake-ups are kept as stalls.
"""

import argparse
import gc
import ipaddress
import json
import os
import selectors
import socket
import struct
import sys
import time
from array import array
from bisect import bisect_left
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

PORT = 862
CONTROL = "/run/heiiki/stamp.sock"
CONFIG = "/etc/heiiki/stamp.json"
ONE_WAY = 0x4F57

SENDER = struct.Struct("!IQHH28x")
REFLECTOR = struct.Struct("!IQHHQIQHxxBxxx")
SIZE = SENDER.size

RING = 9000
STREAM_LIMIT_S = 3600.0
STALL_S = 0.05
STALLS_KEPT = 1000

_NTP_EPOCH = 2_208_988_800
_ERROR_ESTIMATE = 0x1601  # not synchronised, NTP format, 1 x 2^22 x 2^-32 s: about a millisecond
_IP_FREEBIND = 15
_IP_RECVTTL = 12
_SO_TIMESTAMPNS = 35
_TIMESPEC = struct.Struct("@qq")
_QUEUE_LIMIT_S = 30.0
_BURST = 256
_QUESTION_LIMIT = 1 << 20
_ANSWER_S = 0.2


def ntp(realtime: float) -> int:
    """Return seconds since 1970 as a 64-bit NTP timestamp (RFC 5905)."""
    seconds = int(realtime)
    return ((seconds + _NTP_EPOCH) & 0xFFFFFFFF) << 32 | int((realtime - seconds) * (1 << 32))


def sender_packet(sequence: int, session: int, realtime: float) -> bytes:
    """Return a Session-Sender test packet (RFC 8762 4.2.1, RFC 8972 3): 44 bytes."""
    return SENDER.pack(sequence & 0xFFFFFFFF, ntp(realtime), _ERROR_ESTIMATE, session)


def reflection(packet: bytes, received: float, sent: float, ttl: int) -> bytes:
    """Return the stateless Session-Reflector's answer to `packet` (RFC 8762 4.3.1): 44 bytes."""
    sequence, stamp, error, session = SENDER.unpack(packet[:SIZE])
    return REFLECTOR.pack(
        sequence, ntp(sent), _ERROR_ESTIMATE, session, ntp(received), sequence, stamp, error, ttl
    )


@dataclass(frozen=True)
class Silence:
    """The longest interval without arrival: start and length, seconds; None when none began in the window."""

    start: float | None
    seconds: float | None


def longest_silence(times: Sequence[float], since: float, until: float, now: float) -> Silence:
    """Return the longest silence that begins in [`since`, `until`).

    A silence lasts from one arrival to the next, whenever that comes; the last is open and lasts to `now`.
    A silence belongs to the window in which it begins, so that two windows side by side never cut one in two.

    Args:
        times: arrivals, ascending, CLOCK_MONOTONIC seconds.
        since: start of the window.
        until: end of the window.
        now: the time of asking.
    """
    best = Silence(None, None)
    for index in range(bisect_left(times, since), bisect_left(times, until)):
        end = times[index + 1] if index + 1 < len(times) else now
        if best.seconds is None or end - times[index] > best.seconds:
            best = Silence(times[index], end - times[index])
    return best


class Ring:
    """Arrivals from one peer: the last `RING` of them, in a fixed amount of memory."""

    def __init__(self, size: int = RING) -> None:
        """Keep `size` arrivals."""
        self._size = size
        self._times = array("d")
        self._sequences = array("L")
        self._head = 0

    def add(self, at: float, sequence: int) -> None:
        """Keep one arrival; the oldest one makes room."""
        if len(self._times) < self._size:
            self._times.append(at)
            self._sequences.append(sequence)
            return
        self._times[self._head] = at
        self._sequences[self._head] = sequence
        self._head = (self._head + 1) % self._size

    def times(self) -> list[float]:
        """Return the arrivals in ascending order."""
        return sorted([*self._times[self._head :], *self._times[: self._head]])

    def window(self, since: float, until: float, now: float) -> dict[str, Any]:
        """Return what is known of [`since`, `until`): longest silence, start, arrivals, the last of all."""
        times = self.times()
        silence = longest_silence(times, since, until, now)
        return {
            "gap": silence.seconds,
            "start": silence.start,
            "count": bisect_left(times, until) - bisect_left(times, since),
            "last": times[-1] if times else None,
            "truncated": len(times) == self._size and times[0] > since,
        }


@dataclass
class Stream:
    """The one-way streams of this host: to whom, how often, until when."""

    interval: float
    peers: list[str] = field(default_factory=list)
    until: float = 0.0
    next: float = 0.0
    sequence: int = 0
    unsent: int = 0

    def start(self, peers: list[str], interval: float, now: float, limit: float) -> None:
        """Send to `peers` every `interval` seconds, for `limit` seconds at most."""
        self.peers, self.interval, self.until, self.next = peers, interval, now + limit, now

    def stop(self) -> None:
        """Send no more."""
        self.peers = []

    def due(self, now: float) -> tuple[bool, float]:
        """Tell whether it is time to send, and how late it is, seconds; move on to the next time."""
        if not self.peers or now < self.next:
            return False, 0.0
        if now >= self.until:
            self.stop()
            return False, 0.0
        late = now - self.next
        self.next = self.next + self.interval if late < self.interval else now + self.interval
        self.sequence += 1
        return True, late


class Daemon:
    """Reflects, streams, records and answers on the control socket, in one thread."""

    def __init__(self, config: dict[str, Any], control: str = CONTROL, port: int = PORT) -> None:
        """Open the sockets that `config` asks for."""
        self._port = port
        self._sites = {str(peer["address"]): str(peer["site"]) for peer in config["peers"]}
        self._rings = {address: Ring() for address in self._sites}
        self._interval = float(config.get("interval_ms", 20)) / 1000
        self._stream = Stream(self._interval)
        self._stalls: deque[tuple[float, float]] = deque(maxlen=STALLS_KEPT)
        self._counters = {"reflected": 0, "recorded": 0, "unknown_senders": 0, "malformed": 0}
        self._selector = selectors.DefaultSelector()
        self._socket = _test_socket(str(config["address"]), port)
        self._control = _control_socket(control)
        self._selector.register(self._socket, selectors.EVENT_READ, self._receive)
        self._selector.register(self._control, selectors.EVENT_READ, self._accept)

    def run(self) -> None:
        """Serve for ever."""
        while True:
            self.step()

    def step(self) -> None:
        """Wait for what comes first, a packet, a question or the next time to send, and do it."""
        now = time.monotonic()
        wait = max(0.0, self._stream.next - now) if self._stream.peers else 1.0
        for key, _events in self._selector.select(wait):
            key.data(key.fileobj)
        self._tick()

    def close(self) -> None:
        """Close the sockets."""
        self._selector.close()
        self._socket.close()
        self._control.close()

    def _tick(self) -> None:
        due, late = self._stream.due(time.monotonic())
        if not due:
            return
        if late > STALL_S:
            self._stalls.append((time.monotonic(), late))
        for peer in self._stream.peers:
            try:
                packet = sender_packet(self._stream.sequence, ONE_WAY, time.time())
                self._socket.sendto(packet, (peer, self._port))
            except OSError:
                self._stream.unsent += 1

    def _receive(self, _socket: object) -> None:
        for _ in range(_BURST):
            try:
                packet, ancillary, _flags, sender = self._socket.recvmsg(2048, 256)
            except BlockingIOError:
                return
            except OSError:
                continue
            self._take(packet, ancillary, sender)

    def _take(self, packet: bytes, ancillary: list[tuple[int, int, bytes]], sender: tuple[str, int]) -> None:
        if sender[0] not in self._sites:
            self._counters["unknown_senders"] += 1
            return
        if len(packet) < SIZE:
            self._counters["malformed"] += 1
            return
        age = _age(ancillary, time.time())
        sequence, _stamp, _error, session = SENDER.unpack(packet[:SIZE])
        if session == ONE_WAY:
            self._rings[sender[0]].add(time.monotonic() - age, sequence)
            self._counters["recorded"] += 1
            return
        now = time.time()
        with suppress(OSError):
            self._socket.sendto(reflection(packet, now - age, now, _ttl(ancillary)), sender)
        self._counters["reflected"] += 1

    def _accept(self, _socket: object) -> None:
        connection, _ = self._control.accept()
        connection.settimeout(0)
        # On a busy machine the question comes when it comes: packets do not wait for it.
        self._selector.register(connection, selectors.EVENT_READ, partial(self._hear, bytearray()))

    def _hear(self, question: bytearray, connection: socket.socket) -> None:
        try:
            more = connection.recv(_QUESTION_LIMIT)
        except BlockingIOError:
            return
        except OSError:
            more = b""
        question += more
        if more and b"\n" not in more and len(question) < _QUESTION_LIMIT:
            return
        self._selector.unregister(connection)
        with connection, suppress(OSError):
            connection.settimeout(_ANSWER_S)
            connection.sendall(json.dumps(self._answer(bytes(question))).encode() + b"\n")

    def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            question = json.loads(line)
            return self._do(str(question["do"]), question)
        except (ValueError, KeyError, TypeError) as error:
            return {"error": f"not a question that is known here: {type(error).__name__}: {error}"}

    def _do(self, name: str, question: dict[str, Any]) -> dict[str, Any]:
        if name == "start":
            return self._start(question)
        if name == "stop":
            self._stream.stop()
        elif name == "gaps":
            return self._gaps(float(question["since"]), float(question["until"]))
        elif name != "status":
            raise ValueError(name)
        return {
            "now": time.monotonic(),
            "streams": len(self._stream.peers),
            "unsent": self._stream.unsent,
            **self._counters,
        }

    def _start(self, question: dict[str, Any]) -> dict[str, Any]:
        wanted = [str(peer) for peer in question.get("peers") or self._sites]
        strangers = sorted(set(wanted) - set(self._sites))
        if strangers:
            raise ValueError(f"no peers of this host: {', '.join(strangers)}")
        interval = float(question.get("interval_ms", self._interval * 1000)) / 1000
        limit = float(question.get("limit_s", STREAM_LIMIT_S))
        self._stream.start(wanted, interval, time.monotonic(), limit)
        return {"now": time.monotonic(), "streams": len(wanted)}

    def _gaps(self, since: float, until: float) -> dict[str, Any]:
        now = time.monotonic()
        peers = {
            address: {"site": self._sites[address], **ring.window(since, until, now)}
            for address, ring in self._rings.items()
        }
        stalls = [{"at": at, "late": late} for at, late in self._stalls if at >= since]
        return {"now": now, "peers": peers, "stalls": stalls, **self._counters}


def _age(ancillary: list[tuple[int, int, bytes]], realtime: float) -> float:
    """Return how long the packet waited in the socket, seconds; 0 when nobody knows or the clock was set."""
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPNS and len(data) >= _TIMESPEC.size:
            seconds, nanoseconds = _TIMESPEC.unpack(data[: _TIMESPEC.size])
            age = realtime - (seconds + nanoseconds / 1e9)
            return float(age) if 0 <= age < _QUEUE_LIMIT_S else 0.0
    return 0.0


def _ttl(ancillary: list[tuple[int, int, bytes]]) -> int:
    for level, kind, data in ancillary:
        if level == socket.IPPROTO_IP and kind == socket.IP_TTL and data:
            return data[0] if sys.byteorder == "little" else data[-1]
    return 0


def _test_socket(address: str, port: int) -> socket.socket:
    """Bind to `address` even while no interface has it yet."""
    test = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    test.setsockopt(socket.IPPROTO_IP, _IP_FREEBIND, 1)
    test.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 255)
    test.setsockopt(socket.IPPROTO_IP, _IP_RECVTTL, 1)
    test.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
    test.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    test.bind((address, port))
    test.settimeout(0)
    return test


def _control_socket(path: str) -> socket.socket:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).unlink(missing_ok=True)
    control = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    old = os.umask(0o177)
    try:
        control.bind(path)
    finally:
        os.umask(old)
    control.listen(16)
    return control


def _line(connection: socket.socket) -> bytes:
    data = b""
    while b"\n" not in data and len(data) < 1 << 20:
        more = connection.recv(65536)
        if not more:
            break
        data += more
    return data


def ask(question: dict[str, Any], control: str = CONTROL) -> dict[str, Any]:
    """Ask the daemon on this host and return its answer.

    Raises:
        OSError: no daemon listens at `control`.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(5.0)
        connection.connect(control)
        connection.sendall(json.dumps(question).encode() + b"\n")
        answer: dict[str, Any] = json.loads(_line(connection))
    return answer


def quantile(samples: Sequence[float], share: float) -> float | None:
    """Return the smallest sample that `share` of all samples do not exceed; None without samples."""
    if not samples:
        return None
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, max(0, -(-int(share * 1000) * len(ordered) // 1000) - 1))]


def round_trips(peer: str, count: int, interval: float, wait: float, port: int = PORT) -> dict[str, Any]:
    """Send `count` test packets to `peer`; return the round-trip times, seconds, and how many were lost."""
    sent: dict[int, float] = {}
    samples: list[float] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as test:
        test.connect((peer, port))
        for sequence in range(count):
            sent[sequence] = time.monotonic()
            with suppress(OSError):
                test.send(sender_packet(sequence, os.getpid() & 0x3FFF, time.time()))
            _collect(test, sent, samples, time.monotonic() + interval, count)
        _collect(test, sent, samples, time.monotonic() + wait, count)
    return {
        "peer": peer,
        "sent": count,
        "lost": count - len(samples),
        "p50": quantile(samples, 0.50),
        "p99": quantile(samples, 0.99),
        "max": max(samples, default=None),
        "unit": "s",
    }


def _collect(
    test: socket.socket, sent: dict[int, float], samples: list[float], until: float, count: int
) -> None:
    while len(samples) < count and (left := until - time.monotonic()) > 0:
        test.settimeout(left)
        try:
            packet = test.recv(2048)
        except OSError:
            continue
        if len(packet) >= SIZE and (began := sent.pop(REFLECTOR.unpack(packet[:SIZE])[5], None)):
            samples.append(time.monotonic() - began)


def read_config(path: str) -> dict[str, Any]:
    """Return the configuration at `path`.

    Raises:
        SystemExit: the file is missing or is no such configuration; the message says what is wrong.
    """
    try:
        config: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
        for address in (config["address"], *(peer["address"] for peer in config["peers"])):
            ipaddress.IPv4Address(address)
        [str(peer["site"]) for peer in config["peers"]]
    except OSError as error:
        raise SystemExit(f"{path}: cannot be read: {error.strerror}; write it first") from error
    except (ValueError, KeyError, TypeError) as error:
        what = f"{type(error).__name__}: {error}"
        raise SystemExit(
            f'{path}: {what}; expected {{"address", "peers": [{{"site", "address"}}]}}'
        ) from error
    return config


def _serve(path: str) -> None:
    config = read_config(path)
    with suppress(OSError):
        # A prober that waits for its turn measures its own waiting.
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    daemon = Daemon(config)
    gc.collect()
    gc.freeze()
    daemon.run()


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="heiiki-agent stamp", description="STAMP test packets (RFC 8762) of this host"
    )
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve", help="run the daemon")
    serve.add_argument("config", nargs="?", default=CONFIG)
    stream = commands.add_parser("stream", help="start or stop the one-way streams")
    stream.add_argument("action", choices=("start", "stop"))
    gaps = commands.add_parser("gaps", help="longest silence from each peer")
    gaps.add_argument("--since", type=float, required=True)
    gaps.add_argument("--until", type=float, required=True)
    rtt = commands.add_parser("rtt", help="round-trip times to one peer")
    rtt.add_argument("--peer", required=True)
    rtt.add_argument("--count", type=int, default=50)
    rtt.add_argument("--interval-ms", type=float, default=20.0)
    commands.add_parser("status", help="what the daemon does now")
    return parser.parse_args(argv)


def _question(arguments: argparse.Namespace) -> dict[str, Any]:
    if arguments.command == "stream":
        return {"do": arguments.action}
    if arguments.command == "gaps":
        return {"do": "gaps", "since": arguments.since, "until": arguments.until}
    return {"do": "status"}


def main(argv: Sequence[str]) -> int:
    """Do what the command line asks; return the exit status."""
    arguments = _arguments(argv)
    if arguments.command == "serve":
        _serve(arguments.config)
    if arguments.command == "rtt":
        answer = round_trips(arguments.peer, arguments.count, arguments.interval_ms / 1000, 2.0)
    else:
        try:
            answer = ask(_question(arguments))
        except OSError as error:
            print(f"stamp: no daemon at {CONTROL}: {error.strerror}; start heiiki-stamp", file=sys.stderr)
            return 1
    print(json.dumps(answer))
    return 1 if "error" in answer else 0
