"""Probe: try whom servers of TLS let in, whatever they serve, as the device that it runs on or as another.

Nothing is said once the handshake is over: a server that has a word against the certificate says it then, by
TLS 1.3 too, and one that has none waits for ours.
"""

import socket
import ssl
from collections.abc import Mapping
from typing import Any

from heiiki_agent import tls_attempt

_CONNECT_S, _SILENCE_S = 3.0, 0.5


def main(parameters: dict[str, Any]) -> dict[str, Any]:
    """Return what came of each of ``attempts`` at each of ``places``; see `tls_attempt.tried`."""
    return tls_attempt.tried(parameters, lambda one: _everywhere(one, parameters["places"]))


def _everywhere(attempt: Mapping[str, Any], places: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        f"{place['device']} by {version}": _came_of(place, context)
        for place in places
        for version, context in tls_attempt.contexts(attempt)
    }


def _came_of(place: dict[str, Any], context: ssl.SSLContext) -> dict[str, str]:
    stage = "connect"
    try:
        with socket.create_connection((place["address"], place["port"]), _CONNECT_S) as plain:
            stage = "tls"
            with context.wrap_socket(plain, server_hostname=place["name"]) as line:
                line.settimeout(_SILENCE_S)
                try:
                    said = line.recv(1)
                except TimeoutError:
                    return {"taken": "client"}
                return {"taken": "client"} if said else {"stage": "closed", "cause": "it hung up"}
    except ssl.SSLError as error:
        return {"stage": stage, "cause": (error.reason or str(error)).lower().replace("_", " ")}
    except OSError as error:
        return {"stage": stage, "cause": str(error) or type(error).__name__}
