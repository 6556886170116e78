"""Probe: try whom servers of TLS let in, whatever they serve, as the device that it runs on or as another.

Nothing is said once the handshake is over: a server that has a word against the certificate says it then, by
TLS 1.3 too, and one that has none waits for ours.
"""

import ssl
from typing import Any

from heiiki_agent import tls_attempt

_CONNECT_S, _SILENCE_S = 3.0, 0.5


def main(parameters: dict[str, Any]) -> dict[str, Any]:
    """Return what came of each of ``attempts`` at each of ``places``; see `tls_attempt.everywhere`."""
    return tls_attempt.everywhere(parameters, _CONNECT_S, _heard)


def _heard(line: ssl.SSLSocket) -> dict[str, str]:
    line.settimeout(_SILENCE_S)
    try:
        said = line.recv(1)
    except TimeoutError:
        return {"taken": "client"}
    return {"taken": "client"} if said else {"stage": "closed", "cause": "it hung up"}
