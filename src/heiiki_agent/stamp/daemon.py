"""The process that reflects, sends streams and records arrivals while a measurement lasts."""

import json
import selectors
import socket
import struct
import sys
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from heiiki_agent.stamp.control import CONTROL, listen
from heiiki_agent.stamp.packets import ONE_WAY, PORT, SENDER, SIZE, reflection, sender_packet
from heiiki_agent.stamp.silence import Ring

STALL_S = 0.05
STALLS_KEPT = 1000

_INTERVAL_MS = 20
_IP_FREEBIND = 15
_IP_RECVTTL = 12
_SO_TIMESTAMPNS = 35
_TIMESPEC = struct.Struct("@qq")
_QUEUE_LIMIT_S = 30.0
_BURST = 256
_QUESTION_LIMIT = 1 << 20
_ANSWER_S = 0.2


@dataclass(frozen=True)
class Settings:
    """What a measurement asks of this host.

    Attributes:
        address: own address.
        peers: addresses that are recorded, reflected for, and may be sent streams.
        session: name of the measurement; a question of another one is refused.
        lease_s: seconds without a question after which the process ends.
    """

    address: str
    peers: tuple[str, ...]
    session: str
    lease_s: float


@dataclass
class Stream:
    """The one-way streams of this host: to whom, how often."""

    interval: float
    peers: list[str] = field(default_factory=list)
    next: float = 0.0
    sequence: int = 0
    unsent: int = 0

    def start(self, peers: list[str], interval: float, now: float) -> None:
        """Send to `peers` every `interval` seconds."""
        self.peers, self.interval, self.next = peers, interval, now

    def due(self, now: float) -> tuple[bool, float]:
        """Tell whether it is time to send, and how late it is, seconds; move on to the next time."""
        if not self.peers or now < self.next:
            return False, 0.0
        late = now - self.next
        self.next = self.next + self.interval if late < self.interval else now + self.interval
        self.sequence += 1
        return True, late


class Daemon:
    """Reflects, streams, records and answers on the control socket, in one thread."""

    def __init__(self, settings: Settings, control: str = CONTROL, port: int = PORT) -> None:
        """Open the sockets; the lease begins now.

        Raises:
            OSError: the port is taken, or a socket cannot be opened.
        """
        self._settings = settings
        self._port = port
        self._rings = {address: Ring() for address in settings.peers}
        self._stream = Stream(_INTERVAL_MS / 1000)
        self._stalls: deque[tuple[float, float]] = deque(maxlen=STALLS_KEPT)
        self._counters = {"reflected": 0, "recorded": 0, "unknown_senders": 0, "malformed": 0}
        self._until = time.monotonic() + settings.lease_s
        self._selector = selectors.DefaultSelector()
        self._socket = _test_socket(settings.address, port)
        self._control = listen(control)
        self._selector.register(self._socket, selectors.EVENT_READ, self._receive)
        self._selector.register(self._control, selectors.EVENT_READ, self._accept)

    @property
    def over(self) -> bool:
        """Whether the measurement was ended, or was not heard of for the time of its lease."""
        return time.monotonic() >= self._until

    def run(self) -> None:
        """Serve until the measurement is over."""
        while not self.over:
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
        if sender[0] not in self._rings:
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
        if sender[1] == self._port:
            # Only reflectors and streams use this port: two reflectors must never answer each other.
            self._counters["malformed"] += 1
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
            connection.sendall(json.dumps(self.answer(bytes(question))).encode() + b"\n")

    def answer(self, line: bytes) -> dict[str, Any]:
        """Return the answer to a question; an error where it is none, or of another measurement."""
        try:
            question = json.loads(line)
            return self._do(str(question["do"]), question)
        except (ValueError, KeyError, TypeError) as error:
            return {"error": f"{type(error).__name__}: {error}"}

    def _do(self, name: str, question: dict[str, Any]) -> dict[str, Any]:
        if question["session"] != self._settings.session:
            raise ValueError("this STAMP process was started by another measurement")
        self._until = time.monotonic() + (0 if name == "end" else self._settings.lease_s)
        if name == "start":
            return self._start(question)
        if name == "gaps":
            return self._gaps(float(question["since"]), float(question["until"]))
        if name not in ("status", "end"):
            raise ValueError(name)
        return {
            "now": time.monotonic(),
            "streams": len(self._stream.peers),
            "unsent": self._stream.unsent,
            **self._counters,
        }

    def _start(self, question: dict[str, Any]) -> dict[str, Any]:
        wanted = [str(peer) for peer in question.get("peers") or self._rings]
        unknown = sorted(set(wanted) - set(self._rings))
        if unknown:
            raise ValueError(f"no peers of this host: {', '.join(unknown)}")
        interval = float(question.get("interval_ms", _INTERVAL_MS)) / 1000
        self._stream.start(wanted, interval, time.monotonic())
        return {"now": time.monotonic(), "streams": len(wanted)}

    def _gaps(self, since: float, until: float) -> dict[str, Any]:
        now = time.monotonic()
        peers = {address: ring.window(since, until, now) for address, ring in self._rings.items()}
        stalls = [{"at": at, "late": late} for at, late in self._stalls if at >= since]
        return {"now": now, "peers": peers, "stalls": stalls, **self._counters}


def _age(ancillary: list[tuple[int, int, bytes]], realtime: float) -> float:
    """Return how long the packet waited in the socket, seconds; 0 when unknown or the clock was set."""
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
