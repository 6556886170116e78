"""What the two hosts of a VTN say to one another, as JSON: no statement of SQL is ever one of a peer's."""

import json
from dataclasses import asdict, dataclass
from typing import Any

from heiiki_agent.errors import AgentError


class NotServingError(AgentError):
    """This host answers no one now; what was asked may be done or not, and is to be asked again."""


class PeerError(AgentError):
    """The other host does not answer, or does not take what it was given."""


class SupersededError(AgentError):
    """There is another writer, of this epoch or of a later one."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """A time in which one host writes.

    Attributes:
        number: it is raised where a writer begins, and where one begins to write alone.
        writer: name of the host.
        after: the last transaction before it.
    """

    number: int
    writer: str
    after: int


@dataclass(frozen=True, slots=True)
class Introduction:
    """How a writer begins.

    Attributes:
        epochs: all of them; the last one is its own.
        horizon: rows that were deleted up to this transaction have been forgotten.
    """

    epochs: tuple[Epoch, ...]
    horizon: int


@dataclass(frozen=True, slots=True)
class Name:
    """A row: its table, and its rowid."""

    table: str
    number: int


@dataclass(frozen=True, slots=True)
class Position:
    """How far the book of a standby goes.

    Attributes:
        seq: the last transaction that it has.
        counts: it has all that was answered, and may take over.
        strays: rows that it wrote itself and no other host has confirmed.
    """

    seq: int
    counts: bool
    strays: tuple[Name, ...] = ()


@dataclass(frozen=True, slots=True)
class Given:
    """A row as it is at the writer.

    Attributes:
        seq: the transaction that changed it last.
        values: of all columns, octets as a list of one text in Base64; None: there is no such row.
    """

    table: str
    number: int
    seq: int
    values: tuple[Any, ...] | None


@dataclass(frozen=True, slots=True)
class Rows:
    """Every row that has changed since a transaction.

    Attributes:
        epoch: of the writer.
        after: the transaction that the standby must have had before.
        seq: the one that it has then.
        counts: these are all: from now on no answer leaves that the standby has not confirmed.
        horizon: as in an introduction.
    """

    epoch: int
    after: int
    seq: int
    counts: bool
    horizon: int
    rows: tuple[Given, ...]


def written(message: Any) -> bytes:
    """Return a message as it is sent."""
    return json.dumps(asdict(message)).encode()
