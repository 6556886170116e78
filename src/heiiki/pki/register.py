"""Certificates that were revoked, kept by the controller: a server that is restored may not know them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

from heiiki import files
from heiiki.errors import StateError
from heiiki.pki.revoke import revoked_since
from heiiki.pki.server.connection import Vault
from heiiki.plan.model import Pki

_MODE = 0o600


class Register:
    """One file for each certificate, in a folder of its own; one that has expired is removed."""

    def __init__(self, folder: Path) -> None:
        """Keep them in `folder`, which is made when there is one to keep."""
        self._folder = folder

    def add(self, certificates: Mapping[str, str]) -> None:
        """Keep certificates, PEM by serial number.

        Raises:
            StateError: the folder cannot be written.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            for serial, pem in certificates.items():
                if not (path := self._file(serial)).exists():
                    files.replace(path, pem.encode("ascii"), _MODE)
        except OSError as error:
            raise StateError(
                f"{self._folder}: {error.strerror}: the certificates that were revoked cannot be kept there"
            ) from error

    def all(self) -> dict[str, str]:
        """Return every certificate that has not expired, PEM by serial number.

        Raises:
            StateError: a file is no certificate.
        """
        found = {}
        for path in sorted(self._folder.glob("*.pem")):
            pem = path.read_text(encoding="ascii", errors="replace")
            try:
                ended = expired(pem)
            except ValueError as error:
                raise StateError(
                    f"{path} is no certificate ({error}): get it from a backup of the state, or remove it"
                ) from error
            if ended:
                path.unlink(missing_ok=True)
            else:
                found[path.stem.replace("-", ":")] = pem
        return found

    def _file(self, serial: str) -> Path:
        return self._folder / f"{serial.replace(':', '-')}.pem"

    def __contains__(self, serial: str) -> bool:
        return self._file(serial).exists()


def expired(pem: str) -> bool:
    """Tell whether a certificate, PEM, has expired; ValueError: it is none."""
    return x509.load_pem_x509_certificate(pem.encode()).not_valid_after_utc < datetime.now(UTC)


def remember(vault: Vault, trust: Pki, register: Register) -> None:
    """Keep every certificate that the server says is revoked, by an officer too.

    Args:
        vault: a session of AppRole auditor, revoker or enroller.
        trust: the service's.
        register: keeps them.

    Raises:
        VaultError: the server does not give one.
        StateError: one cannot be kept.
    """
    new = [serial for serial in revoked_since(vault, trust) if serial not in register]
    register.add(certificates(vault, trust, new))


def certificates(vault: Vault, trust: Pki, serials: list[str]) -> dict[str, str]:
    """Return certificates that the issuing CA keeps, PEM by serial number, without those it has not."""
    said = vault.each(lambda one: vault.read(f"{trust.issuing_mount}/cert/{one}"), serials)
    return {serial: one["certificate"] for serial, one in zip(serials, said, strict=True) if one}
