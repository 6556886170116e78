"""State in SQLite: what is committed is on the disk, and nothing else counts."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from heiiki_agent.errors import AgentError

Row = sqlite3.Row


class Database:
    """One file, one writer.

    A transaction that is left by an exception changes nothing. WAL with synchronous=FULL: when a commit
    returns, the journal is on the disk, so what a peer is told after it outlives a loss of power.
    """

    def __init__(self, file: Path, schema: str) -> None:
        """Open `file`, and make what the schema names and is not there.

        Raises:
            AgentError: it cannot be opened, or is no database.
        """
        try:
            # Calls come one after the other, though not from one thread: who answers is a pool of one.
            self._connection = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
            self._connection.row_factory = sqlite3.Row
            for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
                self._connection.execute(f"PRAGMA {pragma}")
            self._connection.executescript(schema)
        except sqlite3.Error as error:
            raise AgentError(f"{file}: cannot be used as a database: {error}") from error

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit what happens inside; nothing of it, if it raises."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    @contextmanager
    def part(self) -> Iterator[None]:
        """Undo what happens inside, if it raises; the transaction around it goes on."""
        self._connection.execute("SAVEPOINT part")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK TO part")
            raise
        finally:
            self._connection.execute("RELEASE part")

    def execute(self, statement: str, *values: Any) -> int:
        """Run a statement; return how many rows it changed."""
        return self._connection.execute(statement, values).rowcount

    def rows(self, statement: str, *values: Any) -> list[Row]:
        """Return what a query finds."""
        return self._connection.execute(statement, values).fetchall()

    def row(self, statement: str, *values: Any) -> Row | None:
        """Return the first row that a query finds."""
        found: Row | None = self._connection.execute(statement, values).fetchone()
        return found

    def close(self) -> None:
        """Close the file; a transaction that is open is undone."""
        self._connection.close()


class OthersDatabase(Database):
    """The state of a program that may run, to be read by its account."""

    def __init__(self, file: Path) -> None:
        """Open `file`; if this process is root, it becomes the account that the file belongs to.

        What SQLite puts beside a database belongs to who opens it, and the program must be able to use it.

        Raises:
            AgentError: it cannot be opened, or is no database.
        """
        try:
            owner = file.stat()
            if os.geteuid() == 0:
                os.setgroups(())
                os.setgid(owner.st_gid)
                os.setuid(owner.st_uid)
            self._connection = sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)
            self._connection.row_factory = sqlite3.Row
            self.rows("SELECT name FROM sqlite_master")
        except (OSError, sqlite3.Error) as error:
            raise AgentError(f"{file}: cannot be read as a database: {error}") from error
