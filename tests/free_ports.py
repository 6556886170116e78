"""Ports for servers that a test starts later: below those that the kernel gives to outgoing connections.

One of those may be some connection's before the server listens, or while it starts again.
"""

import secrets
import socket
from contextlib import suppress
from pathlib import Path

_LOWEST = 10_000
_given: set[int] = set()


def free_port(host: str = "127.0.0.1") -> int:
    """Return a port that nobody has, and that this process was not given before.

    Args:
        host: the address at which it is to be free.
    """
    highest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii").split()[0])
    while True:
        port = _LOWEST + secrets.randbelow(highest - _LOWEST)
        if port not in _given and _is_free(host, port):
            _given.add(port)
            return port


def _is_free(host: str, port: int) -> bool:
    with suppress(OSError), socket.create_server((host, port)):
        return True
    return False
