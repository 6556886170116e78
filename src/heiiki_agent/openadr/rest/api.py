"""The REST API on the network: HTTPS with client certificates, JSON, problems as RFC 9457 has them."""

import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from aiohttp import web

from heiiki_agent.https import Https
from heiiki_agent.limits import Rate
from heiiki_agent.openadr.rest import description, problems
from heiiki_agent.openadr.rest.book import EspBook
from heiiki_agent.openadr.rest.operations import OPERATIONS, PREFIX, Operation, as_json
from heiiki_agent.openadr.rest.problems import RefusedError
from heiiki_agent.openadr.rest.request import LIMIT, asked
from heiiki_agent.openadr.rest.settings import RestSettings
from heiiki_agent.openadr.vtn.context import Context
from heiiki_agent.openadr.vtn.desk import Desk
from heiiki_agent.openadr.vtn.doubled.exchange import NotServingError
from heiiki_agent.openadr.vtn.peers import peer_of
from heiiki_agent.tls import AsyncioContext

log = logging.getLogger(__name__)

_KEEP_ALIVE_S = 60.0
_RETRY_AFTER_S = 5
"""When a host that does not answer now may: its standby may be back."""
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Api:
    """Serves the ESPs of one VTN, from its book and by its thread."""

    def __init__(self, settings: RestSettings, address: str, context: Context, desk: Desk) -> None:
        """Serve `settings` at `address` from `context`, on the thread of `desk`."""
        self._desk = desk
        self._esps = {
            one.certificate_name: EspBook(context, one.name, settings.vens(one), settings.live_events)
            for one in settings.esps
        }
        self._rate = Rate(settings.requests_per_s, settings.burst)
        self._description = description.text().encode()
        application = web.Application(client_max_size=LIMIT, middlewares=[self._guarded])
        application.router.add_get(f"{PREFIX}/openapi.json", self._described)
        for one in OPERATIONS:
            application.router.add_route(one.method, PREFIX + one.path, self._handler(one))
        self._https = Https(application, address, settings.port, _KEEP_ALIVE_S)

    async def open(self, tls: AsyncioContext) -> None:
        """Listen with these certificates and revocation lists; who is connected is hung up on.

        Raises:
            AgentError: the address cannot be listened on.
        """
        await self._https.open(tls)

    async def close(self) -> None:
        """Listen no more."""
        await self._https.close()

    def _handler(self, operation: Operation) -> _Handler:
        async def handle(request: web.Request) -> web.Response:
            book = self._esps[_peer(request, self._esps)]
            wanted = await asked(request, operation)
            answer = await self._desk.call(lambda: operation.work(book, wanted))
            body = answer if isinstance(answer, bytes) else as_json(answer)
            return _answered(operation.status, body)

        return handle

    async def _described(self, _request: web.Request) -> web.Response:
        return _answered(HTTPStatus.OK, self._description)

    @web.middleware
    async def _guarded(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        """Let who is known ask, so often; what goes wrong is a problem, and tells nothing of the inside."""
        peer = _peer(request, self._esps)
        try:
            self._admit(peer)
            return await handler(request)
        except RefusedError as error:
            log.warning("%s: %s %s: %s: %r", peer, request.method, request.path, error.status, error.detail)
            return _refused(error)
        except NotServingError as error:
            return _refused(
                RefusedError(HTTPStatus.SERVICE_UNAVAILABLE, str(error), retry_after_s=_RETRY_AFTER_S)
            )
        except web.HTTPException as error:
            return _refused(
                RefusedError(HTTPStatus(error.status), _routed(error)), error.headers.get("Allow")
            )
        except Exception:
            log.exception("%s: %s %s failed", peer, request.method, request.path)
            status = HTTPStatus.INTERNAL_SERVER_ERROR
            return _refused(
                RefusedError(status, "failed here; try again later, an event under the same Idempotency-Key")
            )

    def _admit(self, peer: str) -> None:
        if peer not in self._esps:
            raise RefusedError(
                HTTPStatus.FORBIDDEN, f"{peer}: is no ESP of this service; see `esps` in its service.yml"
            )
        if wait := self._rate.wait_s(peer):
            raise RefusedError(
                HTTPStatus.TOO_MANY_REQUESTS, f"too many requests; ask again in {wait} s", retry_after_s=wait
            )


def _peer(request: web.Request, known: dict[str, EspBook]) -> str:
    return peer_of(request.get_extra_info("peercert") or {}, known)


def _routed(error: web.HTTPException) -> str:
    if isinstance(error, web.HTTPMethodNotAllowed):
        return f"{error.method}: is not for this path; use {', '.join(sorted(error.allowed_methods))}"
    return "there is nothing at this path; see /v1/openapi.json"


def _answered(status: HTTPStatus, body: bytes) -> web.Response:
    return web.Response(
        status=status, body=body, content_type="application/json", headers={"Cache-Control": "no-store"}
    )


def _refused(error: RefusedError, allowed: str | None = None) -> web.Response:
    """Return the answer; to a method that a path does not have, with those that it has (RFC 9110 15.5.6)."""
    headers = {"Cache-Control": "no-store", **({"Allow": allowed} if allowed else {})}
    if error.retry_after_s is not None:
        headers["Retry-After"] = str(error.retry_after_s)
    body = problems.written(error.status, error.detail)
    return web.Response(status=error.status, body=body, content_type=problems.CONTENT_TYPE, headers=headers)
