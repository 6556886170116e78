"""Probe: fill a tunnel for some seconds, and tell what came out of it here, and how its BFD session lives.

The packets are as large as the tunnel takes, for the other end's own address and the discard port, which the
packet filter there drops. They are sent through a packet socket (AF_PACKET), into the tunnel's own queue.
"""

import errno
import ipaddress
import json
import socket
import struct
import subprocess
import time
from pathlib import Path
from typing import Any

_IPV4, _UDP, _DISCARD, _SOURCE_PORT = 0x0800, 17, 9, 49862
_WHOLE, _HOPS = 0x4000, 64
_SO_SNDBUFFORCE, _BUFFER = 32, 64 << 20
"""As one sender's, a small buffer would wait for the queue, which real load does not."""
_STEP_S, _LOOK_S, _AFTER_S = 0.01, 0.1, 1.0


def main(parameters: dict[str, Any]) -> dict[str, Any]:
    """Send ``octets`` in packets of ``size`` within ``seconds``, evenly; wait ``before_s`` first.

    Further parameters: ``interface``, ``source``, ``destination``, and ``peer``, that of the BFD session.
    The answer has, as seconds and octets, how much had come out of the tunnel by then.

    Raises:
        OSError: a packet cannot be sent, for another reason than a full queue.
    """
    told = [_bfd(parameters["peer"])]
    time.sleep(float(parameters["before_s"]))
    load = Load(parameters)
    load.run(float(parameters["seconds"]))
    told.append(_bfd(parameters["peer"]))
    return {"sent": load.sent, "refused": load.refused, "received": load.received, "bfd": told}


class Load:
    """What one end of a tunnel sends, and what it sees come out."""

    def __init__(self, parameters: dict[str, Any]) -> None:
        """Open the socket."""
        self._packet, self._interface = encoded(parameters), parameters["interface"]
        self._total = parameters["octets"] // parameters["size"]
        self._wire = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
        self._wire.setsockopt(socket.SOL_SOCKET, _SO_SNDBUFFORCE, _BUFFER)
        self._wire.settimeout(0)
        self.sent = self.refused = 0
        self.received: list[tuple[float, int]] = []

    def run(self, seconds: float) -> None:
        """Send for `seconds`; look a while longer, for the other end may have begun later."""
        began = time.monotonic()
        while (passed := time.monotonic() - began) < seconds + _AFTER_S:
            if passed < seconds:
                self._catch_up(int(self._total * passed / seconds) + 1)
            if not self.received or passed >= self.received[-1][0] + _LOOK_S:
                self.received.append((passed, _received(self._interface)))
            time.sleep(_STEP_S)
        self._wire.close()

    def _catch_up(self, due: int) -> None:
        for _ in range(due - self.sent - self.refused):
            left = _sent(self._wire, self._packet, self._interface)
            self.sent, self.refused = self.sent + left, self.refused + (not left)


def _sent(wire: socket.socket, packet: bytes, interface: str) -> bool:
    """Send; a queue that is full loses the packet, as it does any other sender's."""
    try:
        wire.sendto(packet, (interface, _IPV4, 0, 0, b""))
    except OSError as error:
        if error.errno not in (errno.ENOBUFS, errno.EAGAIN):
            raise
        return False
    return True


def encoded(parameters: dict[str, Any]) -> bytes:
    """Return the packet: UDP, not to be fragmented, of ``size`` octets."""
    source, destination = (ipaddress.IPv4Address(parameters[end]).packed for end in ("source", "destination"))
    body = bytes(parameters["size"] - 28)
    datagram = struct.pack("!HHHH", _SOURCE_PORT, _DISCARD, 8 + len(body), 0) + body
    head = (
        struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(datagram), 0, _WHOLE, _HOPS, _UDP, 0)
        + source
        + destination
    )
    total = sum(struct.unpack("!10H", head))
    total = (total & 0xFFFF) + (total >> 16)
    return head[:10] + struct.pack("!H", ~(total + (total >> 16)) & 0xFFFF) + head[12:] + datagram


def _received(interface: str) -> int:
    """Return how many octets of IP packets came out of a tunnel so far."""
    return int(Path(f"/sys/class/net/{interface}/statistics/rx_bytes").read_text(encoding="ascii"))


def _bfd(peer: str) -> dict[str, Any]:
    """Return state and age of a BFD session; the age in seconds is that since it last came up."""
    done = subprocess.run(
        ("vtysh", "-c", "show bfd peers json"), capture_output=True, text=True, timeout=20, check=True
    )
    mine = [one for one in json.loads(done.stdout) if one["peer"] == peer]
    return (
        {"status": mine[0]["status"], "uptime": mine[0].get("uptime", 0)} if mine else {"status": "missing"}
    )
