"""The one exception tree of Heiiki: every message says where, what is wrong, and what to do."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class VaultFault(StrEnum):
    """What stood in the way of a call to the Vault server."""

    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    TLS = "tls"
    UNINITIALISED = "uninitialised"
    SEALED = "sealed"
    STANDBY = "standby"
    TOKEN = "token"  # noqa: S105  # the name of a fault, not a token
    FORBIDDEN = "forbidden"
    REJECTED = "rejected"
    MISSING = "missing"


class HeiikiError(Exception):
    """Base of every error that Heiiki raises on purpose."""


class LabError(HeiikiError):
    """The lab (kernel, root, guest, node or fault) could not do what was asked."""


class RenderError(HeiikiError):
    """A device's configuration could not be rendered from the plan."""


class PlatformError(HeiikiError):
    """Configuration text cannot be read as one of its platform, or no rules know the platform."""


class TransportError(HeiikiError):
    """A device could not be reached, or its answer could not be read."""


class SecretError(HeiikiError):
    """A secret named in the intent could not be had from its source."""


class StateError(HeiikiError):
    """The state of a service on the controller belongs to another service's folder, or cannot be written."""


class VaultError(HeiikiError):
    """The Vault server could not be reached, or would not do what a step needs of it.

    Attributes:
        fault: what it was: see `VaultFault`.
    """

    def __init__(self, message: str, fault: VaultFault) -> None:
        """Keep the fault beside the message, for who decides by it."""
        self.fault = fault
        super().__init__(message)


class CertificateError(HeiikiError):
    """A certificate, a request for one, or a revocation list is not what the plan says."""


class ManagementError(HeiikiError):
    """No package that is installed knows how the devices of the service are reached."""


class RevocationError(HeiikiError):
    """A device cannot be revoked or reinstated, or its entry in ``revoked.yml`` cannot be written."""


class SnapshotError(HeiikiError):
    """A snapshot of the Vault server cannot be taken or kept, is not whole, or is not the server's."""


class RotationError(HeiikiError):
    """The replacement of a CA cannot go on: devices are not ready for it, or another one is in progress."""


class FolderError(HeiikiError):
    """An output folder holds what a person wrote, is in use by another run, or cannot be written."""


class SourceError(HeiikiError):
    """What sites are imported from cannot be read, or the site files cannot be written."""


class EvidenceError(HeiikiError):
    """Verdicts or their evidence could not be written, or what was read is not what was written."""


def printable(text: str) -> str:
    r"""Return `text` with characters that could steer a terminal written as escapes, such as ``\x1b``.

    A byte of a file's name that is not of the system's encoding is written as one, such as ``\x8a``.
    """
    return "".join(c if c.isprintable() else _escaped(c) for c in text)


def _escaped(char: str) -> str:
    if _FIRST_BYTE <= ord(char) <= _LAST_BYTE:
        return f"\\x{ord(char) - _BYTES:02x}"
    return char.encode("unicode_escape", "surrogatepass").decode()


_BYTES, _FIRST_BYTE, _LAST_BYTE = 0xDC00, 0xDC80, 0xDCFF
"""Where `os.fsdecode` puts bytes that it cannot decode (PEP 383)."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in the written intent, or in what it is imported from, as a person must see it.

    Attributes:
        file: the file that holds the mistake; the address of an object that is no file, as text.
        line: line of the mistake, from 1; 0 when the whole file is meant.
        column: column of the mistake, from 1; 0 when the whole file is meant. Of a CSV file the cell's.
        where: path of the key inside the file, such as ``a.circuit``.
        what: what is wrong.
        fix: what to do.
    """

    file: Path | str
    line: int
    column: int
    where: str
    what: str
    fix: str

    def __str__(self) -> str:
        """One line: ``file:line:column: where: what is wrong, what to do``, safe to show on a terminal."""
        where = f"{self.where}: " if self.where else ""
        place = f"{self.file}:{self.line}:{self.column}" if isinstance(self.file, Path) else self.file
        return printable(f"{place}: {where}{self.what}; {self.fix}")

    @property
    def order(self) -> tuple[Path, int, int, str, str, str]:
        """The place among others: by file, line and column."""
        return Path(self.file), self.line, self.column, self.where, self.what, self.fix


class IntentError(HeiikiError):
    """The written intent has mistakes; all of them stand in `problems`, in file order."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        """Keep every problem, sorted by file and line."""
        self.problems = tuple(sorted(set(problems), key=lambda problem: problem.order))
        super().__init__("\n".join(str(problem) for problem in self.problems))
