"""The control socket of the IKE daemon (strongSwan's VICI)."""

import socket
import struct
import time
from pathlib import Path
from typing import Any, Self

from heiiki_agent.ready import readable

SOCKET = "/run/charon.vici"
TIMEOUT_S = 20.0
_REQUEST, _RESPONSE, _REGISTER, _CONFIRM, _EVENT = 0, 1, 3, 5, 7
_SECTION, _SECTION_END, _VALUE, _LIST, _ITEM, _LIST_END = 1, 2, 3, 4, 5, 6


def encode(message: dict[str, Any]) -> bytes:
    """Return a message of nested mappings, lists and texts as VICI has it."""
    data = b""
    for key, value in message.items():
        name = key.encode()
        head = bytes([len(name)]) + name
        if isinstance(value, dict):
            data += bytes([_SECTION]) + head + encode(value) + bytes([_SECTION_END])
        elif isinstance(value, list):
            items = (_binary(item) for item in value)
            body = b"".join(bytes([_ITEM]) + struct.pack("!H", len(item)) + item for item in items)
            data += bytes([_LIST]) + head + body + bytes([_LIST_END])
        else:
            body = _binary(value)
            data += bytes([_VALUE]) + head + struct.pack("!H", len(body)) + body
    return data


def _binary(value: Any) -> bytes:
    """Return a value as it is sent; ``{"file": path}`` is the file's content."""
    if isinstance(value, dict):
        return Path(value["file"]).read_bytes()
    return value if isinstance(value, bytes) else str(value).encode()


def decode(data: bytes) -> dict[str, Any]:
    """Return a message as nested mappings, lists and texts; what is no text is left in as hexadecimal."""
    found: dict[str, Any] = {}
    stack: list[Any] = [found]
    at = 0
    while at < len(data):
        kind, at = data[at], at + 1
        name = value = ""
        if kind in (_SECTION, _VALUE, _LIST):
            name, at = data[at + 1 : at + 1 + data[at]].decode(), at + 1 + data[at]
        if kind in (_VALUE, _ITEM):
            size = struct.unpack_from("!H", data, at)[0]
            value, at = _text(data[at + 2 : at + 2 + size]), at + 2 + size
        if kind in (_SECTION, _LIST):
            inner: Any = {} if kind == _SECTION else []
            stack[-1][name] = inner
            stack.append(inner)
        elif kind in (_SECTION_END, _LIST_END):
            stack.pop()
        elif kind == _VALUE:
            stack[-1][name] = value
        else:
            stack[-1].append(value)
    return found


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.hex()


class Session:
    """One connection to the daemon."""

    def __init__(self) -> None:
        """Connect to `SOCKET`; OSError when nothing listens."""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(TIMEOUT_S)
        try:
            self._socket.connect(SOCKET)
        except OSError:
            self._socket.close()
            raise
        self.events: list[tuple[float, str, dict[str, Any]]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def _send(self, kind: int, name: str, body: bytes = b"") -> None:
        packet = bytes([kind, len(name)]) + name.encode() + body
        self._socket.sendall(struct.pack("!I", len(packet)) + packet)

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = self._socket.recv(size - len(data))
            if not more:
                raise ConnectionError("the IKE daemon hung up")
            data += more
        return data

    def _packet(self) -> tuple[int, bytes]:
        """Return the next packet; an event is noted with the time at which it came."""
        packet = self._exactly(struct.unpack("!I", self._exactly(4))[0])
        if packet[0] == _EVENT:
            name = packet[2 : 2 + packet[1]].decode()
            self.events.append((time.monotonic(), name, decode(packet[2 + packet[1] :])))
        return packet[0], packet[1:]

    def _receive(self) -> tuple[int, bytes]:
        """Return the next packet that is no event."""
        while (packet := self._packet())[0] == _EVENT:
            pass
        return packet

    def register(self, event: str) -> None:
        """Have events called `event` come from now on."""
        self._send(_REGISTER, event)
        if self._receive()[0] != _CONFIRM:
            raise ConnectionError(f"the IKE daemon knows no event {event}")

    def request(self, name: str, message: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the answer to a command."""
        self._send(_REQUEST, name, encode(message or {}))
        kind, data = self._receive()
        if kind != _RESPONSE:
            raise ConnectionError(f"the IKE daemon knows no command {name}")
        return decode(data)

    def streamed(self, name: str, event: str, message: dict[str, Any] | None = None) -> list[dict[str, Any]]:
        """Return the events that a listing command sends before its answer."""
        self.register(event)
        before = len(self.events)
        self.request(name, message)
        return [said for _, kind, said in self.events[before:] if kind == event]

    def wait(self, seconds: float, told: socket.socket, enough: bytes) -> None:
        """Note the events of so many seconds, or until `told` hears the word `enough`."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            ready = readable([self._socket, told], left)
            if self._socket in ready:
                self._packet()
            elif told in ready and told.recv(len(enough)) == enough:
                return
