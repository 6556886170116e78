"""What stands in for the radio interface (simulated Uu): Ethernet frames between a UE and the eNB.

They have a type of their own on a link of their own, so no IP stack or packet filter of a gateway sees them.
There is no PHY, MAC, RLC, PDCP or RRC. One frame carries one NAS message or one user packet. `context` is
what a C-RNTI is on the air: the eNB's name for the connection, 0 while there is none. A supervision frame
every 200 ms takes the place of measurements; three unanswered ones are a radio link failure, and a
connection whose context both ends still know goes on when the radio is back (RRC re-establishment that
always succeeds).
"""

import socket
import struct
from dataclasses import dataclass
from enum import IntEnum

ETHERTYPE = 0x88B5  # IEEE 802, local experimental
SUPERVISION_SECONDS = 0.2
SUPERVISION_LOST = 3

IN_SERVICE = b"\x01"
BARRED = b"\x00"

_HEADER = struct.Struct("!BI")
_BROADCAST = b"\xff" * 6


class Kind(IntEnum):
    """What a frame is."""

    NAS = 1
    DATA = 2
    SUPERVISE = 3
    ALIVE = 4
    RELEASE = 5


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame.

    `ALIVE` answers `SUPERVISE` with the context that the eNB holds for this radio, or 0, and with
    `IN_SERVICE` or `BARRED` (as system information says on the air, TS 36.331 6.2.2): without an MME no
    attach can be served.
    """

    kind: Kind
    context: int = 0
    payload: bytes = b""

    def encode(self) -> bytes:
        """Return the octets on the link."""
        return _HEADER.pack(self.kind, self.context) + self.payload


def decode(data: bytes) -> Frame:
    """Read a frame.

    Raises:
        ValueError: it is too short, or of no known kind.
    """
    if len(data) < _HEADER.size:
        raise ValueError(f"a radio frame has at least {_HEADER.size} bytes, this {len(data)}")
    kind, context = _HEADER.unpack_from(data)
    return Frame(Kind(kind), context, data[_HEADER.size :])


def open_link(interface: str) -> socket.socket:
    """Return a socket on the radio link alone; nothing is received from any other."""
    link = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETHERTYPE))
    link.bind((interface, ETHERTYPE))
    link.settimeout(0)
    return link


def transmit(link: socket.socket, interface: str, frame: Frame) -> None:
    """Send a frame on a link.

    Raises:
        OSError: the link is down.
    """
    link.sendto(frame.encode(), (interface, ETHERTYPE, 0, 0, _BROADCAST))
