"""One of the two hosts of a VTN: what it may answer, and what it does about the other one.

At most one host answers. The writer's answers wait until the standby has what they rest on, also where they
change nothing: a confirmation says that no one has taken over, too. Where the standby is away nothing is
answered, until somebody says that a host goes on alone, which begins an epoch. A later epoch counts more than
an earlier one, and what two hosts wrote in epochs that do not know of one another is put together by no one.
"""

import logging
from typing import Protocol

from heiiki_agent.errors import AgentError
from heiiki_agent.openadr.statuses import DoubledState
from heiiki_agent.openadr.vtn.doubled.book import Book
from heiiki_agent.openadr.vtn.doubled.exchange import (
    Epoch,
    Given,
    Introduction,
    NotServingError,
    PeerError,
    Position,
    Rows,
    SupersededError,
)

log = logging.getLogger(__name__)

_NOT_YET = "it has not been asked yet"


class Link(Protocol):
    """The way to the other host. Each method raises `PeerError` or `SupersededError`."""

    def epoch(self) -> int:
        """Return the number of the last epoch that it knows; 0: none."""

    def introduce(self, introduction: Introduction) -> Position:
        """Begin as its writer, and return how far its book goes."""

    def give(self, rows: Rows) -> None:
        """Return once it has committed rows."""


class Node:
    """Works on the thread of the book, but for `refuse` and `state`, which read what was committed."""

    def __init__(self, book: Book, name: str, peer: str, link: Link) -> None:
        """Be the host `name`, whose other host is `peer`."""
        self._book, self._name, self._peer, self._link = book, name, peer, link
        self._at: int | None = None
        self._problem = _NOT_YET
        self._stopped = ""
        self._read()

    @property
    def writes(self) -> bool:
        """Whether this host is the writer of the last epoch that it knows."""
        return bool(self._epochs) and self._epochs[-1].writer == self._name

    @property
    def is_sending(self) -> bool:
        """Whether the standby is there and is sent the book."""
        return self.writes and not self._counts and self._at is not None

    @property
    def is_apart(self) -> bool:
        """Whether the other host was not reached the last time."""
        return self._at is None

    def state(self) -> DoubledState:
        """Return how it is."""
        last = self._epochs[-1] if self._epochs else None
        return DoubledState(
            host=self._name,
            writer=last.writer if last else None,
            epoch=last.number if last else 0,
            peer=self._peer,
            counts=self._counts,
            problem=self._stopped or self._trouble() or None,
        )

    # What the writer does.

    def ready(self) -> None:
        """Return if this host may answer, as far as it knows.

        Raises:
            NotServingError: it may not.
        """
        if self._stopped:
            raise NotServingError(self._stopped)
        if not self.writes:
            raise NotServingError(self._instead())
        if self._counts and self._at is None:
            raise NotServingError(self._trouble())

    def confirm(self) -> None:
        """Return when the standby has all that is in the book, and knows no other writer.

        Raises:
            NotServingError: it does not say so: nothing of the book may be told.
        """
        # Twice: a connection that was kept may have ended, or the answer to the first was lost.
        for _ in range(2):
            if not self._counts:
                return
            try:
                self._at = self._given_all()
            except PeerError as error:
                self._lost(error)
            except SupersededError as error:
                self._stop(str(error))
                break
            else:
                return
        raise NotServingError(self._stopped or self._trouble())

    def tend(self) -> None:
        """Do what is due about the standby: find it, send it a part of the book, or hear that it is there."""
        if not self.writes:
            return
        try:
            self._at = self._given_all() if self._counts else self._given_slice()
            self._problem = self._stopped = ""
        except PeerError as error:
            self._lost(error)
        except SupersededError as error:
            self._stop(str(error))

    def take_over(self) -> None:
        """Begin an epoch in which this host writes alone, until the other one has the whole book.

        Raises:
            NotServingError: its book is not whole, or the other host knows a later epoch.
        """
        self.tend()
        if self.writes and not self._stopped and not (self._counts and self._at is None):
            return
        if self._epochs and not self.writes and not self._counts:
            raise NotServingError(f"{self._name} cannot take over: its book is not whole: {self._instead()}")
        self._ask_peer()
        self._book.begin(self._name)
        self._read()
        self._at, self._stopped = None, ""
        log.warning("%s writes alone, in epoch %s", self._name, self._epochs[-1].number)
        self.tend()

    def forget(self) -> None:
        """Forget which rows were deleted, as far as the standby knows it."""
        if self._counts and self._at is not None:
            self._book.forget(self._at)

    # What the standby does.

    def refuse(self, epoch: int, writer: str) -> None:
        """Return if this host would follow that writer, as far as it knows.

        Raises:
            SupersededError: it knows of another one.
        """
        last = self._epochs[-1] if self._epochs else None
        if last is None or epoch > last.number or (epoch == last.number and writer == last.writer):
            return
        if epoch == last.number:
            self._stop(
                f"{last.writer} and {writer} were both made the writer of epoch {epoch}: neither answers; say"
                " on one of them that it takes over, and move the book of the other one away"
            )
            raise SupersededError(self._stopped)
        raise SupersededError(f"{last.writer} is the writer of epoch {last.number}")

    def introduced(self, introduction: Introduction) -> Position:
        """Follow a writer, and return how far the book goes.

        Raises:
            SupersededError: there is another writer.
            PeerError: this book has what is in no epoch of that writer's.
        """
        last = introduction.epochs[-1]
        self.refuse(last.number, last.writer)
        try:
            self._book.adopt(introduction.epochs, introduction.horizon)
        except AgentError as error:
            what = f"{self._name} cannot follow {last.writer}: {error}; move its book away to have it follow"
            self._stop(what)
            raise PeerError(what) from error
        self._read()
        self._stopped = ""
        return Position(self._book.seq, self._counts, self._book.strays())

    def given(self, rows: Rows) -> None:
        """Have rows of the writer, committed.

        Raises:
            SupersededError: there is another writer.
            PeerError: other rows are due, or these do not fit.
        """
        self.refuse(rows.epoch, self._peer)
        if self.writes or not self._epochs or rows.epoch != self._epochs[-1].number:
            raise PeerError(f"{self._name} does not know epoch {rows.epoch} yet")
        if rows.after != self._book.seq:
            raise PeerError(f"{self._name} has transaction {self._book.seq}, not {rows.after}")
        if rows.rows or rows.counts != self._counts or rows.horizon != self._book.horizon:
            self._book.take(rows)
            self._read()

    # Within.

    def _read(self) -> None:
        self._epochs: tuple[Epoch, ...] = self._book.epochs()
        self._counts = self._book.counts

    def _place(self) -> int:
        """Return how far the standby's book goes, where it follows this host."""
        if self._at is not None:
            return self._at
        position = self._introduced()
        if self._counts and not position.counts:
            # It says itself that it cannot take over, so no one but this host can answer.
            self._book.begin(self._name)
            self._read()
            log.warning("%s has no whole book: writing alone, epoch %s", self._peer, self._epochs[-1].number)
            position = self._introduced()
        if position.strays:
            here = self._book.as_here(position.strays, position.seq)
            self._link.give(self._rows(position.seq, position.seq, here))
        return position.seq

    def _introduced(self) -> Position:
        position = self._link.introduce(Introduction(self._epochs, self._book.horizon))
        if position.seq > self._book.seq:
            raise SupersededError(
                f"{self._peer} has transaction {position.seq}, and the book of {self._name} ends with"
                f" {self._book.seq}: it is an older copy; have {self._peer} take over"
            )
        return position

    def _given_all(self) -> int:
        """Give the standby all that it lacks, or hear that it lacks nothing; return how far its book goes."""
        place = self._place()
        if not self._counts:
            return place
        seq, rows = self._book.changed(place)
        self._link.give(self._rows(place, seq, rows))
        return seq

    def _given_slice(self) -> int:
        """Give a standby that does not count a part of the book; it counts with the last one."""
        place = self._place()
        seq, rows = self._book.slice(place)
        if seq == self._book.seq:
            # First here: from now on no answer leaves without it, whether it hears of that or not.
            self._book.count()
            self._read()
        self._link.give(self._rows(place, seq, rows))
        if self._counts:
            log.info("%s has the whole book", self._peer)
        return seq

    def _rows(self, after: int, seq: int, rows: tuple[Given, ...]) -> Rows:
        return Rows(self._epochs[-1].number, after, seq, self._counts, self._book.horizon, rows)

    def _ask_peer(self) -> None:
        try:
            known = self._link.epoch()
        except (PeerError, SupersededError) as error:
            log.warning("takes over unasked: %s", error)
            return
        if known > (self._epochs[-1].number if self._epochs else 0):
            raise NotServingError(f"{self._name} cannot take over: {self._peer} knows epoch {known}")

    def _lost(self, error: PeerError) -> None:
        self._at = None
        if str(error) != self._problem:
            log.warning("%s", error)
        self._problem = str(error)

    def _stop(self, why: str) -> None:
        self._at = None
        if why != self._stopped:
            log.error("%s", why)
        self._stopped = why

    def _instead(self) -> str:
        if not self._epochs:
            return f"neither {self._name} nor {self._peer} has been made the writer: have one take over"
        last = self._epochs[-1]
        return f"{self._name} is the standby of {last.writer}, the writer of epoch {last.number}"

    def _trouble(self) -> str:
        """Return what is not as it should be; nothing where all is well."""
        if not self._epochs:
            return self._instead()
        if not self.writes:
            return "" if self._counts else f"{self._name} does not have the whole book yet"
        if not self._counts:
            why = f": {self._problem}" if self._problem else ", and is sent it"
            return f"{self._name} writes alone: {self._peer} does not have the whole book{why}"
        if self._at is None:
            return (
                f"the standby {self._peer} is away: {self._problem}; nothing is answered until it is back, or"
                f" somebody has {self._name} take over to write alone"
            )
        return ""
