"""What the registration authority keeps: digests of secrets, why devices are trusted, what was issued."""

import hashlib
import hmac
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from heiiki_agent.database import Database, Row
from heiiki_agent.pki.x509 import Certificate

State = Literal["open", "used", "withdrawn"]


def written(moment: datetime) -> str:
    """Return a time as it is kept: such texts compare as the times do."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def digest(secret: str) -> str:
    """Return what is kept of a secret: it is random and long, so that one digest is enough."""
    return hashlib.sha256(secret.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret that was made for a device's first certificate.

    Attributes:
        trust: why the device is trusted before its first certificate.
        made, ends: since when and until when it may be used.
        key: of the request that it was used for; empty before.
    """

    number: int
    device: str
    trust: str
    made: str
    ends: str
    state: State
    key: str


@dataclass(frozen=True, slots=True)
class Kept:
    """A key that a certificate was asked for.

    Attributes:
        secret: number of the secret that let it be asked for; None: the device's present certificate did.
        asked: when that began.
        issued: when it came; empty while what came of it is not known.
        pem: the certificate.
    """

    key: str
    device: str
    secret: int | None
    asked: str
    issued: str
    serial: str
    pem: str


class Book:
    """The state of the registration authority; each change is on the disk when its method returns."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        """Keep it in `database`; `clock` tells the time."""
        self._database, self._clock = database, clock

    def now(self) -> str:
        """Return the time as it is kept."""
        return written(self._clock())

    def before(self, ago: timedelta) -> str:
        """Return the time of so long ago as it is kept."""
        return written(self._clock() - ago)

    def make(self, device: str, digest: str, trust: str, ends: str) -> Secret:
        """Keep a new secret of a device; one that is open is withdrawn by it."""
        with self._database.transaction():
            self._withdraw(device)
            now = self.now()
            self._database.execute(
                "INSERT INTO secret (device, digest, trust, made, ends, state, changed) "
                "VALUES (?, ?, ?, ?, ?, 'open', ?)",
                *(device, digest, trust, now, ends, now),
            )
        found = self.open_secret(device)
        assert found is not None  # noqa: S101 - it was made just now
        return found

    def withdraw(self, device: str) -> bool:
        """Have no secret of a device be good any more; tells whether one was."""
        with self._database.transaction():
            return self._withdraw(device)

    def withdraw_others(self, devices: Collection[str]) -> tuple[str, ...]:
        """Have secrets of no other than `devices` be good; returns whose were."""
        gone = tuple(device for device in self.waiting() if device not in devices)
        for device in gone:
            self.withdraw(device)
        return gone

    def _withdraw(self, device: str) -> bool:
        return bool(
            self._database.execute(
                "UPDATE secret SET state = 'withdrawn', changed = ? WHERE device = ? AND state = 'open'",
                *(self.now(), device),
            )
        )

    def waiting(self) -> tuple[str, ...]:
        """Return the devices that have a secret which was not used."""
        rows = self._database.rows("SELECT device FROM secret WHERE state = 'open' ORDER BY device")
        return tuple(row["device"] for row in rows)

    def open_secret(self, device: str) -> Secret | None:
        """Return the secret of a device that was not used, ended or not."""
        row = self._database.row("SELECT * FROM secret WHERE device = ? AND state = 'open'", device)
        return _secret(row) if row else None

    def secret(self, device: str, said: str) -> Secret | None:
        """Return the secret of a device that is `said`, whatever became of it."""
        known, wanted = None, digest(said)
        for row in self._database.rows("SELECT * FROM secret WHERE device = ? ORDER BY number", device):
            if hmac.compare_digest(row["digest"], wanted):
                known = _secret(row)
        return known

    def secrets(self, device: str) -> tuple[Secret, ...]:
        """Return every secret of a device, the first one first."""
        rows = self._database.rows("SELECT * FROM secret WHERE device = ? ORDER BY number", device)
        return tuple(map(_secret, rows))

    def certificates(self, device: str) -> tuple[Kept, ...]:
        """Return every certificate of a device that was issued, the first one first."""
        rows = self._database.rows(
            "SELECT * FROM certificate WHERE device = ? AND issued IS NOT NULL ORDER BY issued", device
        )
        return tuple(map(_kept, rows))

    def count(self, device: str, since: timedelta) -> int:
        """Return how many certificates a device was asked for lately."""
        row = self._database.row(
            "SELECT count(*) AS number FROM certificate WHERE device = ? AND asked > ?",
            *(device, self.before(since)),
        )
        return int(row["number"]) if row else 0

    def kept(self, key: str) -> Kept | None:
        """Return what is known of a key."""
        row = self._database.row("SELECT * FROM certificate WHERE key = ?", key)
        return _kept(row) if row else None

    def begin(self, key: str, device: str, secret: int | None) -> None:
        """Note that a certificate is asked for: from now on the secret is for this key."""
        with self._database.transaction():
            self._database.execute(
                "INSERT INTO certificate (key, device, secret, asked) VALUES (?, ?, ?, ?)",
                *(key, device, secret, self.now()),
            )
            self._database.execute("UPDATE secret SET key = ? WHERE number = ?", key, secret)

    def finish(self, key: str, made: Certificate) -> None:
        """Keep the certificate of a key: the secret that let it be asked for is used."""
        now = self.now()
        with self._database.transaction():
            self._database.execute(
                "UPDATE certificate SET issued = ?, serial = ?, pem = ? WHERE key = ?",
                *(now, made.serial, made.pem, key),
            )
            self._database.execute(
                "UPDATE secret SET state = 'used', changed = ? "
                "WHERE number = (SELECT secret FROM certificate WHERE key = ?)",
                *(now, key),
            )

    def forget(self, key: str) -> None:
        """Note that a key has no certificate: it was refused, or never arrived."""
        with self._database.transaction():
            self._database.execute("UPDATE secret SET key = NULL WHERE key = ? AND state = 'open'", key)
            self._database.execute("DELETE FROM certificate WHERE key = ? AND issued IS NULL", key)

    def close(self) -> None:
        """Close the file."""
        self._database.close()


def _secret(row: Row) -> Secret:
    return Secret(
        number=row["number"],
        device=row["device"],
        trust=row["trust"],
        made=row["made"],
        ends=row["ends"],
        state=row["state"],
        key=row["key"] or "",
    )


def _kept(row: Row) -> Kept:
    return Kept(
        key=row["key"],
        device=row["device"],
        secret=row["secret"],
        asked=row["asked"],
        issued=row["issued"] or "",
        serial=row["serial"] or "",
        pem=row["pem"] or "",
    )
