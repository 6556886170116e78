"""The configuration of the watch."""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Annotated


@dataclass(frozen=True, slots=True)
class Settings:
    """The file, parsed.

    Attributes:
        interface: port to the LAN.
        prefix: the LAN.
        source: the device's address on the LAN.
        targets: hosts that are asked.
        probe_ms: time from one probe to the next, milliseconds.
        lost: probes in a row without an answer after which the LAN counts as dead.
    """

    interface: Annotated[str, r"[^/]{1,15}"]
    prefix: IPv4Network
    source: IPv4Address
    targets: Annotated[tuple[IPv4Address, ...], 1]
    probe_ms: Annotated[int, range(10, 60_001)]
    lost: Annotated[int, range(2, 1_001)]

    @property
    def probe_ns(self) -> int:
        """Time from one probe to the next, nanoseconds."""
        return self.probe_ms * 1_000_000
