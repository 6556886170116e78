"""A VTN without a network: bytes of a peer in, bytes of an answer out; what they say is on the disk."""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from heiiki_agent.openadr import messages as m
from heiiki_agent.openadr.codec import LIMIT, decode, encode
from heiiki_agent.openadr.errors import Code, Malformed, NotXml, Refused, TooLarge
from heiiki_agent.openadr.kept import digest, new_id
from heiiki_agent.openadr.parts import EiResponse
from heiiki_agent.openadr.vtn import event_service, opt_service, parties, report_service
from heiiki_agent.openadr.vtn.context import Context

log = logging.getLogger(__name__)

Handler = Callable[[Context, str, Any], m.Message]
"""Takes the venID and a message of its own type."""

HANDLERS: Mapping[type[m.Message], Handler] = {
    m.QueryRegistration: parties.query,
    m.CreatePartyRegistration: parties.register,
    m.CancelPartyRegistration: parties.cancel,
    m.Poll: event_service.poll,
    m.RequestEvent: event_service.request,
    m.CreatedEvent: event_service.created,
    m.CreateOpt: opt_service.create,
    m.CancelOpt: opt_service.cancel,
    m.RegisterReport: report_service.register,
    m.CreatedReport: report_service.acknowledged,
    m.CanceledReport: report_service.acknowledged,
    m.UpdateReport: report_service.update,
}
ANY_SERVICE = ""
"""Service of a request that came by a transport with one address for all of them."""
REPEATABLE = (m.CreatePartyRegistration, m.CancelPartyRegistration, m.CreateOpt, m.CancelOpt)
REPEATABLE_REPORTS = (m.RegisterReport, m.UpdateReport)
"""Messages that change something and bear a requestID: the answer is kept, and a repetition gets it again."""
_UNREGISTERED = (m.QueryRegistration, m.CreatePartyRegistration)


@dataclass(frozen=True)
class Request:
    """What a peer sent.

    Attributes:
        peer: name in the certificate that it proved to have; who it is, whatever the message says.
        service: last part of the path, such as `EiEvent`, or `ANY_SERVICE`.
    """

    peer: str
    service: str
    body: bytes


@dataclass(frozen=True)
class Reply:
    """What it gets: a status of HTTP and a message."""

    status: HTTPStatus
    body: bytes


class Vtn:
    """Answers peers. One call at a time."""

    def __init__(self, context: Context, limit: int = LIMIT) -> None:
        """Serve the VENs of `context` messages of up to `limit` bytes."""
        self.context = context
        self._limit = limit

    def answer(self, requests: Sequence[Request]) -> list[Reply]:
        """Answer requests, all of them committed at once before the first answer is returned.

        One that is refused or fails changes nothing; the others count.
        """
        with self.context.database.transaction():
            return [self._answer(request) for request in requests]

    def _answer(self, request: Request) -> Reply:
        try:
            message = decode(request.body, self._limit)
        except Malformed as error:
            log.warning("%s: %s: %r", request.peer, request.service, error.description)
            return unreadable(error)
        try:
            with self.context.database.part():
                answer = self._handled(request, message)
        except Refused as error:
            log.warning("%s: %s refused: %r", request.peer, message.NAME, error.description)
            answer = refusal(self.context, message, error)
        except Exception:
            # One message that cannot be dealt with takes no other with it; the peer will try again.
            log.exception("%s: %s failed", request.peer, message.NAME)
            answer = refusal(self.context, message, Refused(Code.OTHER_ERROR, "failed here; try again later"))
            return Reply(HTTPStatus.INTERNAL_SERVER_ERROR, encode(answer))
        return Reply(HTTPStatus.OK, answer if isinstance(answer, bytes) else encode(answer))

    def _handled(self, request: Request, message: m.Message) -> m.Message | bytes:
        if type(message) not in _taken_at(request.service):
            raise Refused(Code.COMPLIANCE_ERROR, f"{message.NAME} is not for service {request.service}")
        ven_id = self._ven(request.peer, message)
        if not isinstance(message, _UNREGISTERED) and not self._is_known(ven_id, message):
            return m.RequestReregistration(ven_id=ven_id)
        handler = HANDLERS[type(message)]
        if isinstance(message, REPEATABLE + REPEATABLE_REPORTS):
            return self._once(handler, ven_id, message, message.request_id)
        return handler(self.context, ven_id, message)

    def _ven(self, peer: str, message: m.Message) -> str:
        ven_id = self.context.identity.vens.get(peer)
        if ven_id is None:
            raise Refused(Code.NOT_AUTHORIZED, f"no VEN of this VTN has a certificate for {peer}")
        if getattr(message, "ven_id", None) not in (None, "", ven_id):
            raise Refused(Code.NOT_AUTHORIZED, f"the certificate for {peer} does not speak for that venID")
        return ven_id

    def _is_known(self, ven_id: str, message: m.Message) -> bool:
        if isinstance(message, m.CancelPartyRegistration):
            # Repeated, it comes when the registration is gone: its answer is kept.
            return True
        return parties.registration_of(self.context, ven_id) is not None

    def _once(self, handler: Handler, ven_id: str, message: m.Message, request_id: str) -> bytes:
        database, told = self.context.database, digest(message)
        row = database.row(
            "SELECT digest, body FROM answer WHERE ven_id = ? AND kind = ? AND request_id = ?",
            ven_id,
            message.NAME,
            request_id,
        )
        if row and row["digest"] != told:
            raise Refused(Code.INVALID_ID, f"requestID {request_id} was used for another {message.NAME}")
        if row:
            return bytes(row["body"])
        body = encode(handler(self.context, ven_id, message))
        database.execute(
            "INSERT INTO answer VALUES (?, ?, ?, ?, ?, ?)",
            ven_id,
            message.NAME,
            request_id,
            told,
            body,
            self.context.stamp(),
        )
        return body


def _taken_at(service: str) -> Collection[type[m.Message]]:
    return HANDLERS if service == ANY_SERVICE else m.SERVICES.get(service, ())


def unreadable(error: Malformed) -> Reply:
    """Return the answer to bytes that are no message."""
    status = HTTPStatus.OK
    if isinstance(error, TooLarge):
        status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    elif isinstance(error, NotXml):
        status = HTTPStatus.BAD_REQUEST
    response = EiResponse(code=error.code, description=error.description)
    return Reply(status, encode(m.Response(response=response)))


def refusal(context: Context, message: m.Message, error: Refused) -> m.Message:
    """Return the message that answers one which is refused, of the kind that the VEN waits for."""
    request_id = getattr(message, "request_id", "")
    response = EiResponse(code=error.code, description=error.description, request_id=request_id)
    vtn_id = context.identity.vtn_id
    match message:
        case m.QueryRegistration() | m.CreatePartyRegistration():
            return parties.created(context.identity, response)
        case m.CancelPartyRegistration():
            return m.CanceledPartyRegistration(response=response)
        case m.RequestEvent():
            return m.DistributeEvent(response=response, request_id=new_id(), vtn_id=vtn_id)
        case _:
            return _refused_data(message, response)


def _refused_data(message: m.Message, response: EiResponse) -> m.Message:
    match message:
        case m.CreateOpt():
            return m.CreatedOpt(response=response, opt_id=message.opt_id)
        case m.CancelOpt():
            return m.CanceledOpt(response=response, opt_id=message.opt_id)
        case m.RegisterReport():
            return m.RegisteredReport(response=response)
        case m.UpdateReport():
            return m.UpdatedReport(response=response)
        case _:
            return m.Response(response=response)
