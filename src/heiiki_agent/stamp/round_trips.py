"""Round-trip times to a Session-Reflector."""

import os
import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from heiiki_agent.stamp.packets import PORT, REFLECTOR, SIZE, sender_packet


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
