"""Shuts a device out where it runs: what a verifier, the HSS and the PGW have to do about a theft at once."""

import json
import os
import re
import socket
import struct
import subprocess
import time
from pathlib import Path
from typing import Any

_PULL = ["python3", "/usr/local/lib/heiiki/heiiki-agent.pyz", "credentials", "pull"]
_POLL_S = 0.1
_VICI = "/run/charon.vici"


def main(parameters: dict[str, Any]) -> dict[str, Any]:
    """Do what `parameters` name, in this order, and return what changed and what went wrong.

    Args:
        parameters: ``pull``: argv that fetches the CRLs, or true for the device's own program;
            ``connections``: IKE connections whose SAs end; ``file`` and ``imsi``: subscriber that is taken
            out of that file; ``sessions``: status file that must soon show no session of ``imsi``;
            ``wait_s``: how long that may take.
    """
    problems: list[str] = []
    changed: list[str] = []
    fetched = True
    if pull := parameters.get("pull"):
        fetched = _fetch(_PULL if pull is True else pull, problems)
    connections = parameters.get("connections", ())
    if fetched:
        _restore(connections, changed)
    for name in connections:
        if not fetched:
            _withdraw(name, parameters.get("vici", _VICI), changed, problems)
        _end(name, parameters["wait_s"], changed, problems)
    if "file" in parameters:
        _leave_out(Path(parameters["file"]), parameters["imsi"], changed)
    if "sessions" in parameters:
        _await_end(Path(parameters["sessions"]), parameters, problems)
    return {"changed": changed, "problems": problems}


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


def _withdraw(name: str, path: str, changed: list[str], problems: list[str]) -> None:
    """Take a connection out of the daemon: by the list that is there, the peer would be let in again.

    Its file stays as it is; the next call that has a list loads it.
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
        problems.append(f"connection {name} cannot be withdrawn: {error}")
        return
    if b"success\x00\x03yes" in answer:
        changed.append(f"connection {name} withdrawn until a list is fetched")


def _restore(names: list[str], changed: list[str]) -> None:
    """Load what was withdrawn: the list refuses the peer now, and says why."""
    code, said, _ = _run(["swanctl", "--list-conns"])
    if code or all(re.search(rf"^{re.escape(name)}:", said, re.MULTILINE) for name in names):
        return
    if _run(["swanctl", "--load-conns"])[0] == 0:
        changed.append("connections as configured")


def _established(name: str) -> bool | None:
    """Whether the peer is let in (one that asks again and again is CONNECTING); None when nobody knows."""
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


def _leave_out(path: Path, imsi: str, changed: list[str]) -> None:
    document = json.loads(path.read_text(encoding="utf-8"))
    kept = [entry for entry in document["subscribers"] if entry["imsi"] != imsi]
    if len(kept) == len(document["subscribers"]):
        return
    changed.append(f"subscriber {imsi}")
    fresh = path.with_suffix(".new")
    mode = path.stat().st_mode & 0o777
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w") as stream:
        stream.write(_text({**document, "subscribers": kept}))
        stream.flush()
        os.fsync(stream.fileno())
    fresh.replace(path)


def _text(document: dict[str, Any]) -> str:
    """The form in which such a file is compiled, so that the next run finds nothing to change."""
    return (
        "{\n" + ",\n".join(f" {json.dumps(key)}: {_item(item)}" for key, item in document.items()) + "\n}\n"
    )


def _item(item: Any) -> str:
    if isinstance(item, list) and item:
        return "[\n" + ",\n".join(f"  {json.dumps(entry)}" for entry in item) + "\n ]"
    return json.dumps(item)


def _await_end(status: Path, parameters: dict[str, Any], problems: list[str]) -> None:
    until = time.monotonic() + parameters["wait_s"]
    while True:
        try:
            sessions = json.loads(status.read_text(encoding="utf-8"))["sessions"]
        except (OSError, ValueError, KeyError) as error:
            left, why = True, f"{status} cannot be read: {error}"
        else:
            left = any(session["imsi"] == parameters["imsi"] for session in sessions)
            why = f"the session of {parameters['imsi']} goes on"
        if not left:
            return
        if time.monotonic() > until:
            problems.append(why)
            return
        time.sleep(_POLL_S)
