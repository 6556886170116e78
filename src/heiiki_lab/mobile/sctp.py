"""Kernel SCTP for S1AP: one-to-one sockets keep message borders, so Python needs no library (RFC 6458)."""

import contextlib
import socket
import struct
from ipaddress import IPv4Address

_IPPROTO_SCTP = 132
_NODELAY = 3
_DEFAULT_SEND_PARAM = 10


def connect(local: IPv4Address, remote: IPv4Address, port: int, payload_protocol: int) -> socket.socket:
    """Start a connection and return its non-blocking socket; it is up when it is writable without an error.

    Args:
        local: source address.
        remote: the MME.
        port: its port.
        payload_protocol: payload protocol identifier of everything sent (18 for S1AP).

    Raises:
        OSError: the kernel has no SCTP, or there is no route.
    """
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, _IPPROTO_SCTP)
    try:
        sock.setsockopt(_IPPROTO_SCTP, _NODELAY, 1)
        # struct sctp_sndrcvinfo: stream, ssn, flags, ppid (network order), context, ttl, tsn, cumtsn,
        # association.
        values = struct.pack("=HHHxxIIIIIi", 1, 0, 0, socket.htonl(payload_protocol), 0, 0, 0, 0, 0)
        sock.setsockopt(_IPPROTO_SCTP, _DEFAULT_SEND_PARAM, values)
        sock.settimeout(0)
        sock.bind((str(local), 0))
        with contextlib.suppress(BlockingIOError):
            sock.connect((str(remote), port))
    except OSError:
        sock.close()
        raise
    return sock
