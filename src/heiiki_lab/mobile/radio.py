"""What stands in for the radio interface: frames over UDP between a UE and the eNB, on a link of their own.

There is no PHY, MAC, RLC, PDCP or RRC. One frame carries one NAS message or one user packet. `context` is
what a C-RNTI is on the air: the eNB's name for the connection, 0 while there is none. A supervision frame
every 200 ms takes the place of measurements; three unanswered ones are a radio link failure, and a
connection whose context both ends still know goes on when the radio is back (RRC re-establishment that
always succeeds).
"""

import struct
from dataclasses import dataclass
from enum import IntEnum

PORT = 4997
MAXIMUM = 2048
SUPERVISION_SECONDS = 0.2
SUPERVISION_LOST = 3

IN_SERVICE = b"\x01"
BARRED = b"\x00"

_HEADER = struct.Struct("!BI")


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
