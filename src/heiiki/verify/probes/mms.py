"""Probe: try whom controllers let in by MMS, as the device that it runs on, or as one who must be refused.

Each server is asked for a connection of COTP, the layer above TLS, which it confirms to DRAS alone.
"""

import socket
import ssl
from typing import Any

from heiiki_agent import tls_attempt

_WAIT_S = 5.0
_REQUEST = bytes.fromhex("0300000b06e00000000100")
"""A connection request (X.224 13.3) in its TPKT (RFC 1006)."""
_KIND, _REASON = 5, 10
_CONFIRM, _DISCONNECT = 0xD0, 0x80


def main(parameters: dict[str, Any]) -> dict[str, Any]:
    """Return what came of each of ``attempts`` at each of ``places``, and after them of the device itself."""
    asked = [*parameters["attempts"], {"name": "again"}]
    return {"attempts": {one["name"]: _everywhere(one, parameters["places"]) for one in asked}}


def _everywhere(attempt: dict[str, Any], places: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        f"{place['device']} by {version}": _came_of(place, context)
        for place in places
        for version, context in tls_attempt.contexts(attempt)
    }


def _came_of(place: dict[str, Any], context: ssl.SSLContext) -> dict[str, str]:
    stage = "connect"
    try:
        with socket.create_connection((place["address"], place["port"]), _WAIT_S) as plain:
            stage = "tls"
            with context.wrap_socket(plain, server_hostname=place["name"]) as line:
                # By TLS 1.3 it is only now that a server's alert about a certificate is read.
                line.sendall(_REQUEST)
                return _answered(line.recv(100))
    except ssl.SSLError as error:
        return {"stage": stage, "cause": (error.reason or str(error)).lower().replace("_", " ")}
    except OSError as error:
        return {"stage": stage, "cause": str(error) or type(error).__name__}


def _answered(frame: bytes) -> dict[str, str]:
    if len(frame) <= _REASON:
        return {"stage": "association", "cause": f"no answer of COTP: {frame.hex() or 'it hung up'}"}
    if frame[_KIND] & 0xF0 == _CONFIRM:
        return {"taken": "client"}
    if frame[_KIND] & 0xF0 == _DISCONNECT:
        return {"stage": "association", "cause": f"disconnect request, reason {frame[_REASON]}"}
    return {"stage": "association", "cause": f"no answer of COTP: {frame.hex()}"}
