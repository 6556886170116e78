"""A book that is kept on two hosts: which transaction changed a row last, and who wrote in which epoch.

A row is sent as it is, not as it became so: what is sent twice changes nothing, and a host that was away for
long is sent each row once. So the same few statements confirm one transaction, send a whole book, and undo on
a host that wrote before what no other host has confirmed.
"""

import base64
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from heiiki_agent.database import Database
from heiiki_agent.errors import AgentError
from heiiki_agent.openadr.vtn.doubled.exchange import Epoch, Given, Name, PeerError, Rows

_OWN = """
CREATE TABLE IF NOT EXISTS doubled_place (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    seq INTEGER NOT NULL,
    horizon INTEGER NOT NULL,
    counts INTEGER NOT NULL,
    host TEXT NOT NULL
) STRICT;

CREATE TABLE IF NOT EXISTS doubled_epoch (
    number INTEGER PRIMARY KEY,
    writer TEXT NOT NULL,
    after INTEGER NOT NULL
) STRICT;

CREATE TABLE IF NOT EXISTS doubled_row (
    kind TEXT NOT NULL,
    number INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    gone INTEGER NOT NULL,
    PRIMARY KEY (kind, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS doubled_row_seq ON doubled_row (seq);
CREATE INDEX IF NOT EXISTS doubled_row_gone ON doubled_row (seq) WHERE gone;
INSERT INTO doubled_place VALUES (1, 0, 0, 0, '') ON CONFLICT DO NOTHING;
"""
_MARK = """
CREATE TEMP TRIGGER doubled_{table}_{verb} AFTER {verb} ON main.{table} BEGIN
    INSERT OR REPLACE INTO doubled_row
    VALUES ('{table}', {row}.rowid, (SELECT seq + 1 FROM doubled_place), {gone});
END
"""
_STRAY = -1
"""In place of a transaction: written here, and confirmed by no other host."""
_SLICE, _OCTETS = 500, 8 * 1024 * 1024
"""Rows, and octets in Base64, that are sent at once to a host which does not count yet."""


class Book(Database):
    """The state of a VTN that has a second host."""

    def __init__(self, file: Path, schema: str, host: str) -> None:
        """Open `file` on `host`; rows without a number get one, as a book that was kept alone has them.

        Raises:
            AgentError: it cannot be opened, or is no database.
        """
        super().__init__(file, schema + _OWN)
        self._columns: Mapping[str, tuple[str, ...]] = {
            name: self._columns_of(name) for name in self._tables()
        }
        for table in self._columns:
            for verb, row, gone in (("INSERT", "NEW", 0), ("UPDATE", "NEW", 0), ("DELETE", "OLD", 1)):
                self.execute(_MARK.format(table=table, verb=verb, row=row, gone=gone))
        if not self.row("SELECT 1 FROM doubled_row") and not self.epochs():
            self._number()
        self.execute("UPDATE doubled_place SET host = ? WHERE host <> ?", host, host)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit what happens inside, under a number of its own if it changed a row."""
        with super().transaction():
            yield
            self.execute(
                "UPDATE doubled_place SET seq = seq + 1"
                " WHERE EXISTS (SELECT 1 FROM doubled_row WHERE seq > doubled_place.seq)"
            )

    @property
    def seq(self) -> int:
        """Number of the last transaction."""
        return self._place("seq")

    @property
    def horizon(self) -> int:
        """Rows that were deleted up to this transaction have been forgotten."""
        return self._place("horizon")

    @property
    def counts(self) -> bool:
        """At the writer: the standby must confirm; at the standby: it has all that was answered."""
        return bool(self._place("counts"))

    def count(self) -> None:
        """Note that it is so."""
        with super().transaction():
            self.execute("UPDATE doubled_place SET counts = 1")

    def epochs(self) -> tuple[Epoch, ...]:
        """Return all of them, the last one last."""
        rows = self.rows("SELECT number, writer, after FROM doubled_epoch ORDER BY number")
        return tuple(Epoch(row["number"], row["writer"], row["after"]) for row in rows)

    def begin(self, writer: str) -> None:
        """Begin an epoch in which `writer` writes alone."""
        with super().transaction():
            self.execute(
                "INSERT INTO doubled_epoch"
                " SELECT ifnull(max(number), 0) + 1, ?, (SELECT seq FROM doubled_place) FROM doubled_epoch",
                writer,
            )
            self.execute("UPDATE doubled_place SET counts = 0")

    def adopt(self, epochs: Sequence[Epoch], horizon: int) -> None:
        """Follow a writer with these epochs; what was written here since their beginning is to be undone.

        Raises:
            AgentError: this book has answers which are in none of these epochs, or may have.
        """
        own = self.epochs()
        if own == tuple(epochs) and self.seq >= horizon:
            return
        if own and own[-1] not in epochs:
            raise AgentError(f"its epoch {own[-1].number} of {own[-1].writer} is not known here")
        if not own and self.seq:
            raise AgentError("it has a book that was kept alone")
        later = [one.after for one in epochs if not own or one.number > own[-1].number]
        shared = min([self.seq, *later])
        with self._unreferenced():
            if 0 < shared < horizon:
                self._clear()
                shared = 0
            self.execute("UPDATE doubled_row SET seq = ? WHERE seq > ?", _STRAY, shared)
            self.execute("UPDATE doubled_place SET seq = ?, horizon = ?, counts = 0", shared, horizon)
            self.execute("DELETE FROM doubled_epoch")
            for one in epochs:
                self.execute("INSERT INTO doubled_epoch VALUES (?, ?, ?)", one.number, one.writer, one.after)

    def strays(self) -> tuple[Name, ...]:
        """Return the rows that were written here and confirmed by no other host."""
        rows = self.rows("SELECT kind, number FROM doubled_row WHERE seq = ?", _STRAY)
        return tuple(Name(row["kind"], row["number"]) for row in rows)

    def changed(self, after: int, most: int | None = None) -> tuple[int, tuple[Given, ...]]:
        """Return the rows that have changed since a transaction, and the last one that they are of.

        Args:
            after: the transaction.
            most: so many rows are enough, once a transaction is whole; None: all.
        """
        last = self.seq
        if most is not None:
            row = self.row(
                "SELECT seq FROM doubled_row WHERE seq > ? ORDER BY seq LIMIT 1 OFFSET ?", after, most - 1
            )
            last = row["seq"] if row else last
        rows = self.rows(
            "SELECT kind, number, seq FROM doubled_row WHERE seq > ? AND seq <= ? ORDER BY seq", after, last
        )
        return last, tuple(self._given(Name(row["kind"], row["number"]), row["seq"]) for row in rows)

    def slice(self, after: int) -> tuple[int, tuple[Given, ...]]:
        """Return as many changed rows as are sent at once to a host that does not count yet."""
        last, rows = self.changed(after, _SLICE)
        octets = 0
        for one in rows:
            octets += sum(len(value[0]) for value in one.values or () if isinstance(value, list))
            if octets > _OCTETS and one.seq > rows[0].seq:
                return one.seq - 1, tuple(row for row in rows if row.seq < one.seq)
        return last, rows

    def as_here(self, names: Sequence[Name], seq: int) -> tuple[Given, ...]:
        """Return rows as they are here, or that they are not, as of a transaction.

        Raises:
            PeerError: there is no such table.
        """
        if unknown := {one.table for one in names} - self._columns.keys():
            raise PeerError(f"it has tables that are not known here: {', '.join(sorted(unknown))}")
        return tuple(self._given(name, seq) for name in names)

    def take(self, given: Rows) -> None:
        """Have rows as they are at the writer, committed at once.

        Raises:
            AgentError: a row does not fit the tables.
        """
        for one in given.rows:
            columns = self._columns.get(one.table)
            if columns is None or (one.values is not None and len(one.values) != len(columns)):
                raise AgentError(f"table {one.table} is another one here; install the same release on both")
        with self._unreferenced():
            for one in given.rows:
                self.execute(f"DELETE FROM {one.table} WHERE rowid = ?", one.number)  # noqa: S608
            for one in given.rows:
                self._put(one)
            self.execute("DELETE FROM doubled_row WHERE gone AND seq BETWEEN 0 AND ?", given.horizon)
            self.execute(
                "UPDATE doubled_place SET seq = ?, horizon = ?, counts = ?",
                given.seq,
                given.horizon,
                given.counts,
            )

    def forget(self, confirmed: int) -> None:
        """Forget which rows were deleted, up to a transaction that the other host has."""
        with super().transaction():
            self.execute("DELETE FROM doubled_row WHERE gone AND seq BETWEEN 0 AND ?", confirmed)
            self.execute("UPDATE doubled_place SET horizon = max(horizon, ?)", confirmed)

    @contextmanager
    def _unreferenced(self) -> Iterator[None]:
        """Commit what happens inside, whose references are whole at the writer, and here once all is here."""
        self.execute("PRAGMA foreign_keys = OFF")
        try:
            with super().transaction():
                yield
        finally:
            self.execute("PRAGMA foreign_keys = ON")

    def _put(self, one: Given) -> None:
        if one.values is not None:
            columns = self._columns[one.table]
            places = ", ".join("?" * len(columns))
            # A row in its way is another one at the writer, which is sent too, now or next.
            self.execute(
                f"INSERT OR REPLACE INTO {one.table} ({', '.join(columns)}) VALUES ({places})",  # noqa: S608
                *map(_from_json, one.values),
            )
        gone = one.values is None
        self.execute(
            "INSERT OR REPLACE INTO doubled_row VALUES (?, ?, ?, ?)", one.table, one.number, one.seq, gone
        )

    def _given(self, name: Name, seq: int) -> Given:
        columns = ", ".join(self._columns[name.table])
        row = self.row(f"SELECT {columns} FROM {name.table} WHERE rowid = ?", name.number)  # noqa: S608
        values = tuple(map(_as_json, row)) if row else None
        return Given(name.table, name.number, seq, values)

    def _tables(self) -> list[str]:
        rows = self.rows(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
            " AND name NOT LIKE 'doubled_%' ORDER BY name"
        )
        return [row["name"] for row in rows]

    def _columns_of(self, table: str) -> tuple[str, ...]:
        """Return the columns that a row is written by, the rowid too where no column is one name of it."""
        found = self.rows(f"PRAGMA table_info({table})")
        columns = tuple(row["name"] for row in found)
        keys = [row["type"] for row in found if row["pk"]]
        return columns if keys == ["INTEGER"] else ("rowid", *columns)

    def _number(self) -> None:
        """Number the rows of a book that was kept alone as if each had come in a transaction of its own."""
        with super().transaction():
            for table in self._columns:
                self.execute(
                    f"INSERT INTO doubled_row SELECT '{table}', rowid,"  # noqa: S608
                    f" (SELECT seq FROM doubled_place) + row_number() OVER (ORDER BY rowid), 0 FROM {table}"
                )
                self.execute("UPDATE doubled_place SET seq = (SELECT ifnull(max(seq), 0) FROM doubled_row)")

    def _clear(self) -> None:
        for table in self._columns:
            self.execute(f"DELETE FROM {table}")  # noqa: S608
        self.execute("DELETE FROM doubled_row")

    def _place(self, what: str) -> int:
        row = self.row(f"SELECT {what} FROM doubled_place")  # noqa: S608
        assert row  # noqa: S101  # it is there since the beginning
        return int(row[what])


def _as_json(value: Any) -> Any:
    return [base64.b64encode(value).decode()] if isinstance(value, bytes) else value


def _from_json(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    try:
        (text,) = value
        return base64.b64decode(text, validate=True)
    except (ValueError, TypeError) as error:
        raise AgentError(f"rows: {value!r:.100} is no list of one text in Base64") from error


def alone(file: Path, schema: str) -> Database:
    """Open a book that is kept on one host; that it was kept on two is forgotten.

    Otherwise a host that comes to it later would not be sent what was written meanwhile.

    Raises:
        AgentError: it cannot be opened, or the other host was the writer, which may have answered since.
    """
    database = Database(file, schema)
    tables = database.rows("SELECT name FROM sqlite_schema WHERE type = 'table' AND name LIKE 'doubled_%'")
    if not tables:
        return database
    last = database.row("SELECT writer FROM doubled_epoch ORDER BY number DESC LIMIT 1")
    own = database.row("SELECT host FROM doubled_place")
    if last and own and last["writer"] != own["host"]:
        database.close()
        raise AgentError(
            f"{file}: {last['writer']} is the writer of the last epoch, so it may lack what was answered"
            f" since; have {own['host']} take over before that host is left out, or move the book away"
        )
    with database.transaction():
        for table in tables:
            database.execute(f"DROP TABLE {table['name']}")
    return database
