"""The ledger of evidence: the records that this controller made; an edited or a foreign one does not count.

Each entry has the digest of one record, and an authentication code (HMAC-SHA-256, RFC 2104) over itself and
the entry before it. The key is in the service's state, as is the head of the chain, so that a ledger that was
cut short is noticed. What it proves: the record is the newest that a holder of this state made of its
subject. A person who can read the state can forge it, and it cannot be checked without the state.
"""

import fcntl
import hashlib
import hmac
import json
import logging
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cached_property

from heiiki.errors import EvidenceError, SecretError
from heiiki.report.header import iso, utc_now
from heiiki.state import ServiceState

_KEY, _HEAD = "evidence/key", "evidence/head"
_START = "0" * 64
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Entry:
    at: str
    subject: str
    sha256: str
    mac: str


class Ledger:
    """The ledger of one service, in its state."""

    def __init__(self, state: ServiceState) -> None:
        """Nothing is read or made yet."""
        self._path = state.folder / "evidence" / "ledger.jsonl"
        self._secrets = state.secrets

    def add(self, subject: str, sha256: str) -> None:
        """Enter the newest record of `subject`.

        A ledger that was altered is put aside and a new one begun: what the old one vouched for counts no
        more.

        Raises:
            EvidenceError: it cannot be written.
        """
        try:
            with self._alone():
                entries, broken = self._read()
                if broken:
                    aside = self._path.with_name(f"ledger.altered-{secrets.token_hex(4)}.jsonl")
                    self._path.rename(aside)
                    _LOG.warning("%s; it was put aside as %s", broken, aside.name)
                    entries = ()
                entry = self._sealed(entries, iso(utc_now()), subject, sha256)
                with self._path.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(asdict(entry)) + "\n")
                self._secrets.write(_HEAD, {"entries": str(len(entries) + 1), "mac": entry.mac})
        except OSError as error:
            raise EvidenceError(f"{self._path}: cannot be written: {error.strerror}") from error

    def flaw(self, subject: str, sha256: str) -> str:
        """Return why the record with this digest is not the newest of `subject`; empty if it is."""
        entries, broken = self._read()
        if broken:
            return broken
        mine = [entry.sha256 for entry in entries if entry.subject == subject]
        if not mine:
            return "is not in this controller's ledger: it was copied here, or an earlier release made it"
        if mine[-1] == sha256:
            return ""
        if sha256 in mine:
            return "is older than the newest record of its subject: it was put back"
        return "was edited since it was recorded"

    @contextmanager
    def _alone(self) -> Iterator[None]:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self._path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _read(self) -> tuple[tuple[_Entry, ...], str]:
        """Return the entries, and what is wrong with the chain."""
        entries: list[_Entry] = []
        try:
            lines = self._path.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            lines = []
        for number, line in enumerate(lines, start=1):
            entry = _parsed(line)
            if entry is None or self._sealed(entries, entry.at, entry.subject, entry.sha256) != entry:
                return (), f"the ledger of evidence was altered at {self._path}:{number}"
            entries.append(entry)
        return tuple(entries), self._cut_short(entries)

    def _cut_short(self, entries: Sequence[_Entry]) -> str:
        if not self._secrets.has(_HEAD):
            return ""
        try:
            head = self._secrets.fields(_HEAD)
            count = int(head["entries"])
        except (SecretError, KeyError, ValueError) as error:
            return f"the head of the ledger of evidence cannot be read ({error})"
        # One entry more than the head says: the run was killed between the two.
        if count <= len(entries) and count > 0 and entries[count - 1].mac == head["mac"]:
            return ""
        return f"the ledger of evidence at {self._path} was cut short or put back"

    def _sealed(self, before: Sequence[_Entry], at: str, subject: str, sha256: str) -> _Entry:
        text = json.dumps([before[-1].mac if before else _START, at, subject, sha256])
        return _Entry(at, subject, sha256, hmac.new(self._key, text.encode(), hashlib.sha256).hexdigest())

    @cached_property
    def _key(self) -> bytes:
        self._secrets.create(_KEY, {"key": secrets.token_hex(32)})
        return bytes.fromhex(self._secrets.read(_KEY, "key"))


def _parsed(line: str) -> _Entry | None:
    try:
        return _Entry(**json.loads(line))
    except (ValueError, TypeError):
        return None
