"""The configuration of the watch."""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Annotated

FAULT = Path("/run/heiiki/vrrp_fault")
"""What keepalived tracks: 0 lets this gateway hold the virtual address, 1 forbids it."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The file, parsed.

    Attributes:
        interface: port to the LAN.
        prefix: the LAN.
        source: the device's address on the LAN.
        targets: hosts that are asked.
        beyond: the network that the hosts of the LAN talk to through this gateway.
        probe_ms: time from one probe to the next, milliseconds.
        lost: probes in a row without an answer after which the LAN counts as dead; after as many intervals
            without a route the network beyond it counts as out of reach.
    """

    interface: Annotated[str, r"[^/]{1,15}"]
    prefix: IPv4Network
    source: IPv4Address
    targets: Annotated[tuple[IPv4Address, ...], 1]
    beyond: IPv4Network
    probe_ms: Annotated[int, range(10, 60_001)]
    lost: Annotated[int, range(2, 1_001)]

    @property
    def probe_ns(self) -> int:
        """Time from one probe to the next, nanoseconds."""
        return self.probe_ms * 1_000_000
