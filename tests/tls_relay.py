"""A relay between the ends of a TLS connection, which notes what records pass, and can read none of them."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

_HEAD = 5
"""Type, version and length of a record (RFC 8446 5.1)."""
APPLICATION_DATA = 23
_HELLO = b"\x16\x03"
"""How the first record begins."""


@dataclass
class Flight:
    """What went one way, record by record.

    Attributes:
        records: type and whole size on the wire of each.
        plain: octets before TLS, where it begins on request (STARTTLS).
    """

    records: list[tuple[int, int]] = field(default_factory=list)
    plain: int = 0
    _rest: bytes = b""

    def add(self, data: bytes) -> None:
        """Note what came next."""
        data = self._rest + data
        if not self.records and not data.startswith(_HELLO):
            before, hello, rest = data.partition(_HELLO)
            self.plain, data = self.plain + len(before), hello + rest
        while len(data) >= _HEAD:
            size = _HEAD + int.from_bytes(data[3:_HEAD])
            if len(data) < size:
                break
            self.records.append((data[0], size))
            data = data[size:]
        self._rest = data

    @property
    def octets(self) -> int:
        """All of them."""
        return sum(size for _, size in self.records)

    @property
    def encrypted(self) -> list[int]:
        """Sizes of the records that are; in TLS 1.3 most of the handshake is among them."""
        return [size for kind, size in self.records if kind == APPLICATION_DATA]


@dataclass
class Passed:
    """One connection, in both directions, as its client has them."""

    up: Flight = field(default_factory=Flight)
    down: Flight = field(default_factory=Flight)


class Relay:
    """Listens on a port of its own, and has a connection with `target` for each that it gets."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self.passed: list[Passed] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        # Closing alone would leave the thread in accept(), and the socket open.
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listening.accept()
                passed = Passed()
                self.passed.append(passed)
                threading.Thread(target=self._join, args=(near, passed), daemon=True).start()

    def _join(self, near: socket.socket, passed: Passed) -> None:
        """Carry both ways until both ends have said all."""
        with near, suppress(OSError), socket.create_connection(("127.0.0.1", self._target)) as far:
            for line in (near, far):
                line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            up = threading.Thread(target=_carry, args=(near, far, passed.up), daemon=True)
            up.start()
            _carry(far, near, passed.down)
            up.join()


def _carry(source: socket.socket, target: socket.socket, flight: Flight) -> None:
    with suppress(OSError):
        while data := source.recv(65_536):
            flight.add(data)
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


@contextmanager
def relayed(target: int) -> Iterator[Relay]:
    """Relay to a port of the loopback."""
    relay = Relay(target)
    try:
        yield relay
    finally:
        relay.close()
