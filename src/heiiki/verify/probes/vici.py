"""Probe: ask the IKE daemon through its control socket (strongSwan's VICI), and have it try connections.

What is asked lists only. An attempt loads a connection and a key of its own, lives under a name of its own,
and is unloaded whatever comes of it; no file is written.
"""

import select
import socket
import struct
import time
from contextlib import closing
from pathlib import Path
from typing import Any

_SOCKET = "/run/charon.vici"
_REQUEST, _RESPONSE, _UNKNOWN, _REGISTER, _CONFIRM, _NO_EVENT, _EVENT = 0, 1, 2, 3, 5, 6, 7
_SECTION, _SECTION_END, _VALUE, _LIST, _ITEM, _LIST_END = 1, 2, 3, 4, 5, 6
_TIMEOUT_S = 20.0
_POLL_S = 0.1
_ENOUGH = b"enough"


def main(parameters: dict[str, Any]) -> dict[str, Any]:
    """Do what ``do`` says: ``ask`` (default), ``listen``, ``tell``, ``attempt`` or ``without``."""
    work = {"ask": _ask, "listen": _listen, "tell": _tell, "attempt": _attempts, "without": _without}
    return work[parameters.get("do", "ask")](parameters)


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

    def __init__(self, path: str = _SOCKET) -> None:
        """Connect; OSError when nothing listens."""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(_TIMEOUT_S)
        self._socket.connect(path)
        self.events: list[tuple[float, str, dict[str, Any]]] = []

    def close(self) -> None:
        """Hang up."""
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

    def wait(self, seconds: float, told: socket.socket) -> None:
        """Note the events of so many seconds, or until `told` that there are enough of them."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            ready = select.select([self._socket, told], [], [], left)[0]
            if self._socket in ready:
                self._packet()
            elif told in ready and told.recv(len(_ENOUGH)) == _ENOUGH:
                return


def _ask(parameters: dict[str, Any]) -> dict[str, Any]:
    """Return each of ``lists``: name: [command, event, message], or [command] for one with a plain answer."""
    with closing(Session()) as session:
        return {
            name: session.streamed(command, *rest) if rest else session.request(command)
            for name, (command, *rest) in parameters["lists"].items()
        }


def _listen(parameters: dict[str, Any]) -> dict[str, Any]:
    """Return what the daemon logs, with the time (CLOCK_MONOTONIC) of each line.

    It ends after ``seconds``, or when ``tell`` tells the listener called ``name``. Peers' certificates of
    before are forgotten first: the daemon would try, and log, those too.
    """
    with closing(Session()) as session, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        session.request("flush-certs", {"type": "x509"})
        session.register("log")
        began = time.monotonic()
        told.bind(_listener(parameters["name"]))
        session.wait(parameters["seconds"], told)
        lines = [[at, said.get("msg", "")] for at, name, said in session.events if name == "log"]
        return {"began": began, "ended": time.monotonic(), "lines": lines}


def _listener(name: str) -> str:
    """Return the address of a listener: abstract, so that no file is left behind."""
    return f"\0heiiki-vici-{name}"


def _tell(parameters: dict[str, Any]) -> dict[str, Any]:
    """Wait until the listener called ``name`` listens; with ``enough``, tell it to end."""
    until = time.monotonic() + parameters["seconds"]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        while True:
            try:
                line.sendto(_ENOUGH if parameters["enough"] else b"", _listener(parameters["name"]))
            except ConnectionRefusedError:
                if time.monotonic() > until:
                    return {"listens": False}
                time.sleep(_POLL_S)
            else:
                return {"listens": True}


def _attempts(parameters: dict[str, Any]) -> dict[str, Any]:
    """Try each of ``attempts`` in order; then, with ``again``, have that connection authenticate anew."""
    found = {}
    for one in parameters["attempts"]:
        found[one["name"]] = _attempt(one)
        time.sleep(parameters["pause_s"])
    return {"attempts": found, "again": _again(parameters["again"])}


def _attempt(one: dict[str, Any]) -> dict[str, Any]:
    """Load ``connection`` and ``key`` (None: a loaded one is used), initiate its only child, unload."""
    (name,) = one["connection"]
    with closing(Session()) as session:
        key = ""
        try:
            if one.get("key"):
                key = session.request("load-key", {"type": "any", "data": one["key"]}).get("id", "")
            loaded = session.request("load-conn", one["connection"])
            if loaded.get("success") != "yes":
                return {"error": f"the connection was not taken: {loaded.get('errmsg')}"}
            return _initiated(session, name, one)
        finally:
            session.request("unload-conn", {"name": name})
            if key:
                session.request("unload-key", {"id": key})


def _initiated(session: Session, name: str, one: dict[str, Any]) -> dict[str, Any]:
    """Initiate what was loaded; whatever was let in is thrown out again."""
    (child,) = one["connection"][name]["children"]
    began = time.monotonic()
    session.register("control-log")
    order = {"child": child, "ike": name, "timeout": one["timeout_ms"], "loglevel": 1}
    answer = session.request("initiate", order)
    log = [said.get("msg", "") for _, kind, said in session.events if kind == "control-log"]
    up = answer.get("success") == "yes"
    if up:
        session.request("terminate", {**one["terminate"], "timeout": 2000})
    return {"up": up, "said": answer.get("errmsg", ""), "log": log, "began": began, "ended": time.monotonic()}


def _again(connection: str) -> dict[str, Any]:
    """Have the peers of a connection authenticate anew, the new SA first; wait until it stands."""
    with closing(Session()) as session:
        began = time.monotonic()
        before = {sa["uniqueid"] for sa in _named(session, connection)}
        if not before:
            return {"error": f"{connection} is not up"}
        session.request("rekey", {"ike": connection, "reauth": "yes"})
        up = False
        while not up and time.monotonic() - began < _TIMEOUT_S / 2:
            time.sleep(_POLL_S)
            new = [sa for sa in _named(session, connection) if sa["uniqueid"] not in before]
            up = any(sa["state"] == "ESTABLISHED" for sa in new)
        ended = time.monotonic()
        return {"up": up, "began": began, "ended": ended, "seconds": round(ended - began, 3)}


def _named(session: Session, connection: str) -> list[dict[str, Any]]:
    return [sas[connection] for sas in session.streamed("list-sas", "list-sa", {}) if connection in sas]


def _without(parameters: dict[str, Any]) -> dict[str, Any]:
    """Forget ``connection`` and end its SAs here and at the peer; loading it again is the caller's part."""
    name = parameters["connection"]
    with closing(Session()) as session:
        session.request("unload-conn", {"name": name})
        session.request("terminate", {"ike": name, "timeout": 3000})
        return {"left": [sa["uniqueid"] for sa in _named(session, name)], "at": time.monotonic()}
