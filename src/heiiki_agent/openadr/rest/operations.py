"""What the REST API does, in one table: its routes and its description are made of it."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from http import HTTPStatus
from typing import Any

from heiiki_agent.openadr.rest import documents as d
from heiiki_agent.openadr.rest.book import EspBook, Page

PREFIX = "/v1"
EVERYWHERE = (
    HTTPStatus.FORBIDDEN,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.SERVICE_UNAVAILABLE,
)
"""What every request may be refused with: another's certificate, too many requests, a failure here, a host
that is not the one which answers."""
_OF_A_BODY = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request asks for, checked.

    Attributes:
        path: parameters of the path.
        body: the document that was sent; None for an operation that takes none.
        key: its Idempotency-Key; empty for an operation that has none.
    """

    path: Mapping[str, str]
    page: Page
    body: Any = None
    key: str = ""


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One thing that may be asked.

    Attributes:
        work: does it, on the VTN's own thread; returns a document, or one that is written already.
        answer: type of the document that it returns, with `status`.
        takes: type of the document that it takes; with an Idempotency-Key.
        paged: its answer is a part of a list.
        refusals: statuses of its problems, beside those of every operation.
    """

    name: str
    method: str
    path: str
    summary: str
    work: Callable[[EspBook, Asked], Any]
    answer: type
    status: HTTPStatus = HTTPStatus.OK
    takes: type | None = None
    paged: bool = False
    refusals: tuple[HTTPStatus, ...] = ()

    @property
    def problems(self) -> tuple[HTTPStatus, ...]:
        """Every status by which it refuses."""
        body = _OF_A_BODY if self.takes else ()
        paged = (HTTPStatus.BAD_REQUEST,) if self.paged else ()
        return tuple(sorted({*EVERYWHERE, *body, *paged, *self.refusals}))


def as_json(document: Any) -> bytes:
    """Return a document as it is sent."""
    return json.dumps(asdict(document)).encode()


OPERATIONS = (
    Operation(
        name="listSites",
        method="GET",
        path="/sites",
        summary="The sites that this ESP may address.",
        work=lambda book, _asked: book.sites(),
        answer=d.Sites,
    ),
    Operation(
        name="listOpts",
        method="GET",
        path="/sites/{site}/opts",
        summary="What a site declared by itself: opts about events of this ESP, and availability.",
        work=lambda book, asked: book.opts(asked.path["site"], asked.page),
        answer=d.Opts,
        paged=True,
    ),
    Operation(
        name="listReports",
        method="GET",
        path="/sites/{site}/reports",
        summary="What a site measured.",
        work=lambda book, asked: book.reports(asked.path["site"], asked.page),
        answer=d.Reports,
        paged=True,
    ),
    Operation(
        name="listEvents",
        method="GET",
        path="/events",
        summary="The events that this ESP has sent.",
        work=lambda book, asked: book.events(asked.page),
        answer=d.Events,
        paged=True,
    ),
    Operation(
        name="sendEvent",
        method="POST",
        path="/events",
        summary="Send an event to sites. The same request again, after a lost answer, sends no second one.",
        work=lambda book, asked: book.send(asked.body, asked.key, as_json),
        answer=d.EventState,
        status=HTTPStatus.CREATED,
        takes=d.NewEvent,
        refusals=(HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY),
    ),
    Operation(
        name="showEvent",
        method="GET",
        path="/events/{event_id}",
        summary="An event, and what its sites answer.",
        work=lambda book, asked: book.event(asked.path["event_id"]),
        answer=d.EventState,
        refusals=(HTTPStatus.NOT_FOUND,),
    ),
    Operation(
        name="cancelEvent",
        method="POST",
        path="/events/{event_id}/cancel",
        summary="Cancel an event; it stays cancelled, however often it is asked.",
        work=lambda book, asked: book.cancel(asked.path["event_id"]),
        answer=d.EventState,
        refusals=(HTTPStatus.NOT_FOUND,),
    ),
)
"""Every operation."""
