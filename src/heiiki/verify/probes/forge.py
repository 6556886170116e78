"""Probe: forge frames on a LAN, and watch whether this device holds an address meanwhile.

Frames leave through a packet socket (AF_PACKET), which bypasses the sender's own filter: a host in other
hands keeps no rule of ours.
"""

import socket
import time
from typing import Any

_PACE_S = 0.002
_LOOK_S = 0.02


def main(parameters: dict[str, Any]) -> dict[str, Any]:
    """Send ``frames`` (hexadecimal digits) out of ``interface`` after ``start_s``; end after ``seconds``.

    Returns how many frames left, why not all did, and, where an address is to be watched (``watch``), each
    answer to whether the device holds it that differed from the one before.
    """
    began = time.monotonic()
    watched = _Watched(parameters.get("watch"))
    watched.until(began + parameters["start_s"])
    sent, error = 0, ""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as wire:
        wire.bind((parameters["interface"], 0))
        for frame in parameters["frames"]:
            try:
                wire.send(bytes.fromhex(frame))
            except OSError as failed:
                error = f"{parameters['interface']}: {failed.strerror}"
                break
            sent += 1
            watched.until(time.monotonic() + _PACE_S)
    watched.until(began + parameters["seconds"])
    return {"sent": sent, "error": error, "holds": watched.answers, "ended": time.monotonic() - began}


class _Watched:
    """Whether the device holds an address, from time to time."""

    def __init__(self, address: str | None) -> None:
        self._address = address
        self._due = 0.0
        self.answers: list[bool] = []

    def until(self, end: float) -> None:
        """Look every now and then until `end`, on the monotonic clock."""
        while True:
            if self._address and time.monotonic() >= self._due:
                self._look(self._address)
            left = min(end, self._due if self._address else end) - time.monotonic()
            if time.monotonic() >= end:
                return
            time.sleep(max(0.0, left))

    def _look(self, address: str) -> None:
        holds = held(address)
        self._due = time.monotonic() + _LOOK_S
        if self.answers[-1:] != [holds]:
            self.answers.append(holds)


def held(address: str) -> bool:
    """Tell whether an address is one of this device's own: only then a socket may have it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        try:
            one.bind((address, 0))
        except OSError:
            return False
    return True
