"""Probe: try whom controllers let in by MMS, as the device that it runs on, or as one who must be refused.

Each server is asked for a connection of COTP, the layer above TLS, which it confirms to DRAS alone.
"""

import ssl
from typing import Any

from heiiki_agent import tls_attempt

_WAIT_S = 5.0
_REQUEST = bytes.fromhex("0300000b06e00000000100")
"""A connection request (X.224 13.3) in its TPKT (RFC 1006)."""
_KIND, _REASON = 5, 10
_CONFIRM, _DISCONNECT = 0xD0, 0x80


def main(parameters: dict[str, Any]) -> dict[str, Any]:
    """Return what came of each of ``attempts`` at each of ``places``; see `tls_attempt.everywhere`."""
    return tls_attempt.everywhere(parameters, _WAIT_S, _asked)


def _asked(line: ssl.SSLSocket) -> dict[str, str]:
    # By TLS 1.3 it is only now that a server's alert about a certificate is read.
    line.sendall(_REQUEST)
    return _answered(line.recv(100))


def _answered(frame: bytes) -> dict[str, str]:
    if len(frame) <= _REASON:
        return {"stage": "association", "cause": f"no answer of COTP: {frame.hex() or 'it hung up'}"}
    if frame[_KIND] & 0xF0 == _CONFIRM:
        return {"taken": "client"}
    if frame[_KIND] & 0xF0 == _DISCONNECT:
        return {"stage": "association", "cause": f"disconnect request, reason {frame[_REASON]}"}
    return {"stage": "association", "cause": f"no answer of COTP: {frame.hex()}"}
