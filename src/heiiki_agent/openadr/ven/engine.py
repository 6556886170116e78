"""A VEN without a network: one call of `step` sends, polls and does what has come, as far as it gets."""

import logging
from datetime import timedelta
from typing import Any

from heiiki_agent.openadr import messages as m
from heiiki_agent.openadr.codec import decode, encode
from heiiki_agent.openadr.errors import Code, Refused
from heiiki_agent.openadr.kept import new_id, stored
from heiiki_agent.openadr.parts import EiResponse, OptReason, OptType
from heiiki_agent.openadr.values import format_duration
from heiiki_agent.openadr.ven import events, reports
from heiiki_agent.openadr.ven.model import Unreachable, Ven
from heiiki_agent.openadr.ven.outbox import REGISTRATION, deliver, exchange, queue

log = logging.getLogger(__name__)

_POLL_EVERY = timedelta(seconds=10)


class Engine:
    """Runs a VEN. It may be killed at any point: the next `step` goes on from what is on the disk."""

    def __init__(self, ven: Ven) -> None:
        """Run `ven`."""
        self.ven = ven
        # What was pushed before it was killed may have left an event out.
        self._in_doubt = ven.jid is not None

    @property
    def ven_id(self) -> str | None:
        """The venID that the VTN gave; None while not registered."""
        row = self.ven.database.row("SELECT ven_id FROM registration")
        return str(row["ven_id"]) if row else None

    @property
    def poll_every(self) -> timedelta:
        """How often the VTN wants to be polled."""
        row = self.ven.database.row("SELECT poll_every_s FROM registration")
        return timedelta(seconds=row["poll_every_s"]) if row else _POLL_EVERY

    def step(self) -> None:
        """Do what is to be done now.

        Raises:
            Unreachable: the VTN or the resource is away; call again later.
        """
        errors = []
        # That one side is away keeps nothing from the other.
        for part in (self._talk, self._work, self._measure, self._send):
            try:
                part()
            except Unreachable as error:
                errors.append(error)
        if errors:
            raise errors[0]

    def pushed(self, data: bytes) -> bytes:
        """Take a message that the VTN sends by itself; return the oadrResponse to it once it is committed.

        What is to be answered beside, and done, is done by `go_on`.
        """
        try:
            message = decode(data)
            with self.ven.database.transaction():
                request_id = self._push_taken(message)
        except Refused as error:
            log.warning("a message that was pushed: %r", error.description)
            response = EiResponse(code=error.code, description=error.description)
        else:
            response = EiResponse(code=Code.OK, description="OK", request_id=request_id)
        return encode(m.Response(response=response, ven_id=self.ven_id))

    def go_on(self) -> None:
        """Send and do what has come.

        Raises:
            Unreachable: as `step`.
        """
        self._send()
        self._work()
        self._settle()

    def change(self, event_id: str, opt: OptType, reason: OptReason = "overrideStatus") -> bool:
        """Opt in or out of an event after it was answered; return whether there was something to change."""
        ven_id = self.ven_id
        if ven_id is None:
            return False
        with self.ven.database.transaction():
            return events.change(self.ven, ven_id, event_id, opt, reason)

    def forget(self, older_than: timedelta) -> None:
        """Drop events that ended before, and what was sent about them and in reports."""
        before = stored(self.ven.now() - older_than)
        database = self.ven.database
        with database.transaction():
            database.execute("DELETE FROM outbox WHERE state <> 'pending' AND queued < ?", before)
            database.execute(
                "DELETE FROM action WHERE done AND event_id IN (SELECT event_id FROM event WHERE ends < ?)",
                before,
            )
            database.execute("DELETE FROM event WHERE ends < ?", before)

    def _talk(self) -> None:
        if self.ven_id is None:
            self._ask_for_registration()
        self._send()
        if (ven_id := self.ven_id) is not None:
            self._poll(ven_id)
            self._settle()
            self._send()

    def _work(self) -> None:
        events.perform(self.ven)

    def _measure(self) -> None:
        if (ven_id := self.ven_id) is not None:
            reports.measure(self.ven, ven_id)

    def _send(self) -> None:
        deliver(self.ven, self._answered)

    def _ask_for_registration(self) -> None:
        with self.ven.database.transaction():
            self._queue_registration()

    def _queue_registration(self) -> None:
        pending = "SELECT 1 FROM outbox WHERE state = 'pending' AND about LIKE ?"
        if not self.ven.database.row(pending, f"{REGISTRATION}%"):
            message = m.CreatePartyRegistration(
                request_id=new_id(),
                ven_name=self.ven.name,
                signature=self.ven.signs,
                **_transport(self.ven.jid),
            )
            queue(self.ven, f"{REGISTRATION}{message.request_id}", message)

    def _poll(self, ven_id: str) -> None:
        answer = exchange(self.ven, "OadrPoll", encode(m.Poll(ven_id=ven_id)))
        with self.ven.database.transaction():
            self._answered(answer)

    def _settle(self) -> None:
        """Ask for all events where one that is known was not among those that were pushed."""
        if not self._in_doubt or (ven_id := self.ven_id) is None:
            return
        answer = exchange(self.ven, "EiEvent", encode(m.RequestEvent(request_id=new_id(), ven_id=ven_id)))
        with self.ven.database.transaction():
            self._answered(answer)
        # An error says nothing of the events: they are asked for again.
        self._in_doubt = not isinstance(answer, m.DistributeEvent) or not self._is_of_vtn(answer)

    def _answered(self, answer: m.Message) -> None:
        """Do what an answer asks for, inside a transaction."""
        match answer:
            case m.CreatedPartyRegistration() if answer.registration_id and answer.ven_id:
                self._registered(answer, answer.registration_id, answer.ven_id)
            case m.RequestReregistration():
                self.ven.database.execute("DELETE FROM registration")
                self._queue_registration()
            case m.Response() | m.UpdatedReport() | m.CreatedOpt() | m.CanceledOpt():
                pass
            case _ if (ven_id := self.ven_id) is not None:
                self._asked(ven_id, answer)
            case _:
                log.warning("%s came to a VEN that is not registered", answer.NAME)

    def _asked(self, ven_id: str, answer: m.Message) -> None:
        match answer:
            case m.DistributeEvent() if self._is_of_vtn(answer):
                events.take(self.ven, ven_id, answer)
            case m.RegisteredReport():
                reports.accept(self.ven, ven_id, answer.response.request_id, answer.requests)
            case m.CreateReport():
                reports.accept(self.ven, ven_id, answer.request_id, answer.requests)
            case m.CancelReport():
                reports.cancel(self.ven, ven_id, answer)
            case _:
                log.warning("%s is not done here", answer.NAME)

    def _push_taken(self, message: m.Message) -> str:
        """Take what a VTN may push, inside a transaction; return its requestID."""
        if not isinstance(message, m.DistributeEvent):
            raise Refused(Code.NOT_RECOGNIZED, f"{message.NAME} is not pushed to this VEN")
        if self.ven_id is None:
            raise Refused(Code.OUT_OF_SEQUENCE, "this VEN is not registered")
        if not self._is_of_vtn(message):
            raise Refused(Code.INVALID_ID, "that vtnID is not of the VTN at which this VEN is registered")
        if events.take_pushed(self.ven, self.ven_id, message):
            self._in_doubt = True
        return message.request_id

    def _is_of_vtn(self, message: m.DistributeEvent) -> bool:
        """Tell whether its VTN says by it which events there are: an error has none, and cancels none."""
        row = self.ven.database.row("SELECT vtn_id FROM registration")
        is_well = message.response is None or message.response.code.startswith("2")
        return is_well and row is not None and message.vtn_id == row["vtn_id"]

    def _registered(self, answer: m.CreatedPartyRegistration, registration_id: str, ven_id: str) -> None:
        every = answer.poll_every or _POLL_EVERY
        log.info("registered as %r at %r, polls every %s", ven_id, answer.vtn_id, format_duration(every))
        self.ven.database.execute(
            "INSERT OR REPLACE INTO registration VALUES (1, ?, ?, ?, ?)",
            registration_id,
            ven_id,
            answer.vtn_id,
            max(1, int(every.total_seconds())),
        )
        reports.offer(self.ven, ven_id, registration_id)


def _transport(jid: str | None) -> dict[str, Any]:
    if jid is None:
        return {"pull": True}
    return {"transport": "xmpp", "address": jid}
