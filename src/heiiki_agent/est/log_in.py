"""What the registration authority logs in with at the Vault server: a key of its own, and its certificate.

The operator has the server take the certificate (`heiiki est`). Before one ends another is made, and the one
before is used until the server takes the new one.
"""

import os
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from cryptography.x509.oid import ExtendedKeyUsageOID

from heiiki_agent import files
from heiiki_agent.errors import AgentError
from heiiki_agent.pki.names import Names
from heiiki_agent.pki.x509 import Certificate, now, self_signed

LIFE_DAYS = 90
_LEAST = timedelta(days=60)
"""With less than that left there is a new one: the operator's renewals come every few days."""


@dataclass(frozen=True, slots=True)
class LogIn:
    """A key, and its certificate."""

    certificate: Path
    key: Path

    def pem(self) -> str:
        """Return the certificate."""
        return self.certificate.read_text(encoding="ascii")

    def ends(self) -> timedelta:
        """Return how long it is still good."""
        return Certificate.read(self.pem()).not_after - now()


class LogIns:
    """The keys of a folder, the newest first."""

    def __init__(self, folder: Path, host: str) -> None:
        """Keep them in `folder`, for the host of that name.

        Raises:
            AgentError: the folder cannot be used.
        """
        self._folder, self._host = folder, host
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise AgentError(f"{folder}: {error.strerror}: no key can be kept there") from error

    def usable(self) -> list[LogIn]:
        """Return what is good, the newest first; where that has not long to go, a new one is made.

        Raises:
            AgentError: a file is no certificate, or cannot be written.
        """
        try:
            found = self._good()
            if not found or found[0].ends() < _LEAST:
                self._make()
                found = self._good()
        except (OSError, ValueError) as error:
            raise AgentError(f"{self._folder}: cannot be used: {error}") from error
        return found

    def _good(self) -> list[LogIn]:
        every = [
            LogIn(one, one.with_suffix(".key")) for one in sorted(self._folder.glob("*.pem"), reverse=True)
        ]
        for one in every:
            if one.ends() < timedelta(0):
                one.certificate.unlink()
                one.key.unlink(missing_ok=True)
        return [one for one in every if one.certificate.exists()]

    def _make(self) -> None:
        """Write a key, then its certificate: one without the other is none."""
        key, certificate = self_signed(Names((self._host,)), LIFE_DAYS, ExtendedKeyUsageOID.CLIENT_AUTH)
        name = f"{now():%Y%m%d%H%M%S}-{os.getpid()}"
        files.write(self._folder / f"{name}.key", key, 0o600)
        files.write(self._folder / f"{name}.pem", certificate)
