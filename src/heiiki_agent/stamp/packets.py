"""Test packets of STAMP: what a Session-Sender sends and what a Session-Reflector answers."""

import struct

PORT = 862
ONE_WAY = 0x4F57
"""Session identifier (RFC 8972) of packets that are recorded and not reflected."""

SENDER = struct.Struct("!IQHH28x")
REFLECTOR = struct.Struct("!IQHHQIQHxxBxxx")
SIZE = SENDER.size

_NTP_EPOCH = 2_208_988_800
_ERROR_ESTIMATE = 0x1601  # not synchronised, NTP format, 1 x 2^22 x 2^-32 s: about a millisecond


def ntp(realtime: float) -> int:
    """Return seconds since 1970 as a 64-bit NTP timestamp (RFC 5905)."""
    seconds = int(realtime)
    return ((seconds + _NTP_EPOCH) & 0xFFFFFFFF) << 32 | int((realtime - seconds) * (1 << 32))


def sender_packet(sequence: int, session: int, realtime: float) -> bytes:
    """Return a Session-Sender test packet (RFC 8762 4.2.1, RFC 8972 3): 44 bytes."""
    return SENDER.pack(sequence & 0xFFFFFFFF, ntp(realtime), _ERROR_ESTIMATE, session)


def reflection(packet: bytes, received: float, sent: float, ttl: int) -> bytes:
    """Return the stateless Session-Reflector's answer to `packet` (RFC 8762 4.3.1): 44 bytes."""
    sequence, stamp, error, session = SENDER.unpack(packet[:SIZE])
    return REFLECTOR.pack(
        sequence, ntp(sent), _ERROR_ESTIMATE, session, ntp(received), sequence, stamp, error, ttl
    )
