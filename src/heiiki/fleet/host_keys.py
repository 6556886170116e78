"""Host keys are pinned from first contact on, in one `known_hosts` file for each service."""

import fcntl
import os
from enum import StrEnum
from pathlib import Path

import asyncssh

from heiiki.fleet.errors import HostKeyError


class FirstContact(StrEnum):
    """What happens to the key of a device that was never seen."""

    PIN = "pin"
    REFUSE = "refuse"


class HostKeys:
    """The keys of a service's devices.

    The file is OpenSSH's, with lines `HOST TYPE KEY`: `ssh -o UserKnownHostsFile` reads it too. A
    key is never replaced here: a person removes the line of a device that was replaced.
    """

    def __init__(self, path: Path, first_contact: FirstContact = FirstContact.PIN) -> None:
        """Read the keys that are pinned.

        Raises:
            HostKeyError: the file cannot be read.
        """
        self.path = path
        self._first = first_contact
        try:
            lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        except (OSError, UnicodeError) as error:
            raise HostKeyError(f"{path}: the pinned host keys cannot be read: {error}") from error
        self._keys: dict[str, set[str]] = {}
        for line in lines:
            if len(words := line.split()) >= _FIELDS and not line.startswith("#"):
                self._keys.setdefault(words[0], set()).add(f"{words[1]} {words[2]}")

    def types(self, host: str, port: int) -> tuple[str, ...]:
        """Return the types of the keys that are pinned for a device; none for one that was never seen."""
        return tuple(sorted(key.split()[0] for key in self._keys.get(_place(host, port), ())))

    def examine(self, device: str, host: str, port: int, key: asyncssh.SSHKey) -> str:
        """Return what first contact with a key means, as a notice; the empty string for a pinned key.

        Raises:
            HostKeyError: it is another key than the pinned one, or none is pinned and first contact is
                refused.
        """
        place, shown = _place(host, port), _line(key)
        pinned = self._keys.get(place)
        if pinned is not None and shown in pinned:
            return ""
        if pinned is not None:
            raise HostKeyError(
                f"{device}: {place} shows the host key {key.get_fingerprint()}, which is not the pinned one: "
                f"somebody may stand between; if the device was replaced, remove its line from {self.path}"
            )
        if self._first is FirstContact.REFUSE:
            raise HostKeyError(
                f"{device}: no host key is pinned for {place}; it shows {key.get_fingerprint()}: compare it "
                f"with the device's own, then add it to {self.path}"
            )
        self._pin(place, shown)
        return f"first contact: pinned host key {key.get_fingerprint()}"

    def _pin(self, place: str, shown: str) -> None:
        """Append a key, unless another process has pinned one for the device meanwhile: that one counts."""
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with os.fdopen(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), "r+") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            stream.seek(0)
            others = {" ".join(words[1:3]) for line in stream if (words := line.split())[:1] == [place]}
            if others and shown not in others:
                self._keys[place] = others
                raise HostKeyError(
                    f"{place}: another run has pinned another host key at this moment; run again"
                )
            if not others:
                stream.write(f"{place} {shown}\n")
        self._keys[place] = {shown}


_FIELDS = 3
_SSH_PORT = 22
"""The port that OpenSSH does not write."""


def _place(host: str, port: int) -> str:
    return host if port == _SSH_PORT else f"[{host}]:{port}"


def _line(key: asyncssh.SSHKey) -> str:
    return " ".join(key.export_public_key("openssh").decode("ascii").split()[:2])
