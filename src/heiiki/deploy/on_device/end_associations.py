"""Ends a verifier's IKE SAs with a revoked device, and sees to it that the device is refused from then on."""

import json
import re
import socket
import struct
import subprocess
import time
from collections.abc import Iterable
from typing import Any

_POLL_S = 0.1
_WATCH_POLL_S = 0.5
_VICI = "/run/charon.vici"


def main(parameters: dict[str, Any]) -> dict[str, Any]:
    """Take one of three steps; returns what changed and what went wrong.

    Without more than ``connections`` and ``wait_s`` the connections are withdrawn and their SAs end, for
    which nothing but this node is needed.

    Args:
        parameters: ``connections``: IKE connections with the device;
            ``wait_s``: how long their SAs may take to end;
            ``pull``: argv that fetches the CRLs, with
            ``status``: argv that tells which serials are refused;
            ``serials``: those of the device, all of which must be;
            ``watch_s``: the connections come back, for the lists refuse the device now; and for so long no SA
            may come up. The answer's ``watched_s`` is how long none did.
    """
    verifier = _Verifier(parameters)
    if "pull" in parameters:
        verifier.load_lists(parameters)
    elif "watch_s" in parameters:
        verifier.refuse(parameters["watch_s"])
    else:
        verifier.end()
    error = "; ".join(verifier.problems)
    return {"changed": verifier.changed, "error": error, "watched_s": verifier.watched_s}


class _Verifier:
    """The IKE daemon of this node, and its connections with one device."""

    def __init__(self, parameters: dict[str, Any]) -> None:
        self._connections = parameters["connections"]
        self._wait_s = parameters["wait_s"]
        self._vici = parameters.get("vici", _VICI)
        self.changed: list[str] = []
        self.problems: list[str] = []
        self.watched_s = 0.0

    def end(self) -> None:
        """Withdraw every connection first, so that no SA comes back, then end the SAs."""
        for name in self._connections:
            self._withdraw(name)
        for name in self._connections:
            self._end(name)

    def load_lists(self, parameters: dict[str, Any]) -> None:
        """Fetch the lists, and see that those in use refuse the device."""
        if self._fetched(parameters["pull"]) and parameters["serials"]:
            self._see_listed(parameters["status"], parameters["serials"])

    def refuse(self, watch_s: float) -> None:
        """Let the connections back in, and watch that none of them has an SA again."""
        self._restore()
        if back := self._watched(watch_s):
            self.problems.append(f"IKE SA {back} came up again although its certificate is on the list")
            self._stay_withdrawn()

    def _stay_withdrawn(self) -> None:
        self.end()
        self.problems.append(f"connection {', '.join(self._connections)} stays withdrawn")

    def _fetched(self, argv: list[str]) -> bool:
        code, said, complaint = _run(argv)
        if code:
            self.problems.append(f"the CRL was not fetched: {complaint.strip()[-500:]}")
            return False
        self.problems += json.loads(said)["refused"]
        return True

    def _see_listed(self, argv: list[str], serials: Iterable[str]) -> None:
        """See whether the lists that are loaded, not those that came, have every serial."""
        code, said, complaint = _run(argv)
        refused = json.loads(said).get("refused_serials") if not code else None
        if refused is None:
            self.problems.append(f"which lists are loaded cannot be asked: {complaint.strip()[-500:]}")
        elif missing := sorted(set(serials) - set(refused)):
            self.problems.append(f"no list that is loaded has {', '.join(missing)}")

    def _withdraw(self, name: str) -> None:
        """Take a connection out of the daemon: with the CRL that it has, it would accept the peer again.

        The connection's file stays; `_restore` loads it again.
        """
        command, value = b"unload-conn", name.encode()
        message = bytes([0, len(command)]) + command + bytes([3, 4]) + b"name"
        message += struct.pack("!H", len(value)) + value
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as daemon:
                daemon.settimeout(5)
                daemon.connect(self._vici)
                daemon.sendall(struct.pack("!I", len(message)) + message)
                daemon.recv(4096)  # that it was withdrawn before is no error
        except OSError as error:
            self.problems.append(f"connection {name} cannot be withdrawn: {error}")

    def _restore(self) -> None:
        """Load connections that were withdrawn: the CRL refuses the peer now, and says why."""
        code, said, complaint = _run(["swanctl", "--list-conns"])
        there = (re.search(rf"^{re.escape(name)}:", said, re.MULTILINE) for name in self._connections)
        if not code and not all(there):
            code, _, complaint = _run(["swanctl", "--load-conns"])
        if code:
            self.problems.append(f"the connections cannot be loaded again: {complaint.strip()[-500:]}")

    def _watched(self, watch_s: float) -> str:
        """Return the first connection that has an SA again while the peer tries, or nothing."""
        begun = time.monotonic()
        while time.monotonic() - begun < watch_s:
            for name in self._connections:
                if _established(name) is not False:
                    return str(name)
            time.sleep(_WATCH_POLL_S)
        self.watched_s = time.monotonic() - begun
        return ""

    def _end(self, name: str) -> None:
        if _established(name):
            self.changed.append(f"IKE SA {name}")
            _run(["swanctl", "--terminate", "--ike", name, "--force", "--timeout", "2"])
        until = time.monotonic() + self._wait_s
        while (left := _established(name)) and time.monotonic() < until:
            time.sleep(_POLL_S)
        if left is not False:
            self.problems.append(f"IKE SA {name} {'is still there' if left else 'cannot be asked about'}")


def _run(argv: list[str]) -> tuple[int, str, str]:
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return -1, "", f"{type(error).__name__}: {error}"
    return done.returncode, done.stdout, done.stderr


def _established(name: str) -> bool | None:
    """Whether there is an SA (a peer that is refused is CONNECTING); None when the daemon cannot be asked."""
    code, said, _ = _run(["swanctl", "--list-sas", "--ike", name])
    return (
        None if code else re.search(rf"^{re.escape(name)}: #\d+, ESTABLISHED", said, re.MULTILINE) is not None
    )
