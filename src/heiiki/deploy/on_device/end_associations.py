"""Fetches the CRLs on a verifier, and ends its IKE SAs with a device whose certificates are revoked."""

import json
import re
import socket
import struct
import subprocess
import time
from typing import Any

_POLL_S = 0.1
_VICI = "/run/charon.vici"


def main(parameters: dict[str, Any]) -> dict[str, Any]:
    """Fetch the lists, then end the connections that are named; returns what changed and what went wrong.

    Args:
        parameters: ``pull``: argv that fetches the CRLs;
            ``connections``: IKE connections whose SAs end; ``wait_s``: how long that may take.
    """
    problems: list[str] = []
    changed: list[str] = []
    fetched = _fetch(parameters["pull"], problems)
    connections = parameters.get("connections", ())
    if fetched and connections:
        _restore(connections, changed)
    for name in connections:
        if not fetched:
            _unload(name, parameters.get("vici", _VICI), changed, problems)
        _end(name, parameters["wait_s"], changed, problems)
    return {"changed": changed, "error": "; ".join(problems)}


def _run(argv: list[str]) -> tuple[int, str, str]:
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return -1, "", f"{type(error).__name__}: {error}"
    return done.returncode, done.stdout, done.stderr


def _fetch(argv: list[str], problems: list[str]) -> bool:
    code, said, complaint = _run(argv)
    if code:
        problems.append(f"the CRL was not fetched: {complaint.strip()[-500:]}")
        return False
    problems += json.loads(said)["refused"]
    return True


def _unload(name: str, path: str, changed: list[str], problems: list[str]) -> None:
    """Take a connection out of the daemon: with the CRL that it has, it would accept the peer again.

    The connection's file stays; the next call that can fetch a CRL loads it again.
    """
    command, value = b"unload-conn", name.encode()
    message = bytes([0, len(command)]) + command + bytes([3, 4]) + b"name"
    message += struct.pack("!H", len(value)) + value
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as daemon:
            daemon.settimeout(5)
            daemon.connect(path)
            daemon.sendall(struct.pack("!I", len(message)) + message)
            answer = daemon.recv(4096)
    except OSError as error:
        problems.append(f"connection {name} cannot be unloaded: {error}")
        return
    if b"success\x00\x03yes" in answer:
        changed.append(f"connection {name} unloaded until a CRL is fetched")


def _restore(names: list[str], changed: list[str]) -> None:
    """Load connections that were unloaded: the CRL refuses the peer now, and says why."""
    code, said, _ = _run(["swanctl", "--list-conns"])
    if code or all(re.search(rf"^{re.escape(name)}:", said, re.MULTILINE) for name in names):
        return
    if _run(["swanctl", "--load-conns"])[0] == 0:
        changed.append("connections as configured")


def _established(name: str) -> bool | None:
    """Whether there is an SA (a peer that is refused is CONNECTING); None when the daemon cannot be asked."""
    code, said, _ = _run(["swanctl", "--list-sas", "--ike", name])
    return (
        None if code else re.search(rf"^{re.escape(name)}: #\d+, ESTABLISHED", said, re.MULTILINE) is not None
    )


def _end(name: str, wait_s: float, changed: list[str], problems: list[str]) -> None:
    if _established(name):
        changed.append(f"IKE SA {name}")
        _run(["swanctl", "--terminate", "--ike", name, "--force", "--timeout", "2"])
    until = time.monotonic() + wait_s
    while (left := _established(name)) and time.monotonic() < until:
        time.sleep(_POLL_S)
    if left is not False:
        problems.append(f"IKE SA {name} {'is still there' if left else 'cannot be asked about'}")
