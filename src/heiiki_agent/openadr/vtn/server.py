"""A VTN on the network: simple HTTP, pull, TLS with client certificates, and XMPP (OpenADR 2.0b)."""

import asyncio
import logging
import time
from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING

from aiohttp import web

from heiiki_agent.database import Database
from heiiki_agent.errors import AgentError
from heiiki_agent.https import REQUEST_S, Https
from heiiki_agent.openadr.codec import LIMIT
from heiiki_agent.openadr.envelope import envelope
from heiiki_agent.openadr.errors import Malformed, TooLarge
from heiiki_agent.openadr.places import CONTENT_TYPE, PATH
from heiiki_agent.openadr.rest.api import Api
from heiiki_agent.openadr.statuses import LOGGED_IN, VtnState
from heiiki_agent.openadr.vtn.context import Context
from heiiki_agent.openadr.vtn.desk import Desk
from heiiki_agent.openadr.vtn.doubled.book import Book, alone
from heiiki_agent.openadr.vtn.doubled.exchange import NotServingError
from heiiki_agent.openadr.vtn.doubled.host import Host
from heiiki_agent.openadr.vtn.engine import Reply, Request, Vtn, unreadable
from heiiki_agent.openadr.vtn.operator import Operator
from heiiki_agent.openadr.vtn.peers import peer_of
from heiiki_agent.openadr.vtn.schema import SCHEMA
from heiiki_agent.openadr.vtn.settings import VtnSettings
from heiiki_agent.tls import AsyncioContext

if TYPE_CHECKING:
    from heiiki_agent.openadr.vtn.push import Push

log = logging.getLogger(__name__)

_KEEP_ALIVE_S = 120.0


class Server:
    """One VTN and its sockets."""

    def __init__(self, settings: VtnSettings) -> None:
        """Open the state of a VTN.

        Raises:
            AgentError: it cannot be used.
        """
        self.settings = settings
        database, self.host = _kept(settings)
        self.context = Context(database, settings.identity, news=self._news)
        self.operator = Operator(self.context)
        self.desk = Desk(Vtn(self.context), self.host.node if self.host else None)
        self._push = self._by_xmpp(settings)
        self._api = Api(settings.rest, settings.address, self.context, self.desk) if settings.rest else None
        self._envelope = envelope(settings.security)
        self.problem = "it does not listen yet"
        self._heard: dict[str, float] = {}
        application = web.Application(client_max_size=LIMIT)
        application.router.add_post(f"{PATH}{{service}}", self._post)
        self._https = Https(application, settings.address, settings.port, _KEEP_ALIVE_S)

    async def open(self) -> None:
        """Listen, with the certificate and the revocation lists that are there now.

        Files that cannot be used are noted as a problem: one that listens goes on with those of before, and
        one that does not is called again when there are others, as when the device is enrolled.

        Raises:
            AgentError: an address cannot be listened on.
        """
        try:
            tls = AsyncioContext.of(self.settings.credentials)
            self._envelope.renew(self.settings.credentials)
        except AgentError as error:
            self.problem = str(error)
            log.error("%s: %s", self.settings.vtn_id, error)  # noqa: TRY400 - the text says it all
            return
        if self.host is not None:
            await self.host.open(tls, self.settings.address, self.desk)
        await self._https.open(tls)
        if self._push is not None:
            self._push.open()
        if self._api is not None:
            await self._api.open(tls)
        self.problem = ""

    def state(self) -> VtnState:
        """Return whether it listens, and when each VEN was heard."""
        now = time.monotonic()
        ages = {ven: round(now - heard, 1) for ven, heard in self._heard.items()}
        vens = self.context.identity.vens.values()
        silent_s = {ven: ages.get(ven) for ven in vens}
        by_xmpp = (self._push.problem or LOGGED_IN) if self._push is not None else None
        doubled = self.host.node.state() if self.host is not None else None
        return VtnState(problem=self.problem or None, silent_s=silent_s, xmpp=by_xmpp, doubled=doubled)

    async def take_over(self) -> None:
        """Have this host write.

        Raises:
            AgentError: it has no second one.
            NotServingError: it must not.
        """
        if self.host is None:
            raise AgentError(f"VTN {self.settings.vtn_id} has no second host; see its configuration")
        await self.host.take_over()

    async def forget(self) -> None:
        """Drop what is kept no longer.

        Raises:
            NotServingError: this host does not write.
        """
        keep = timedelta(days=self.settings.keep_days)
        while await self.desk.call(lambda: self.operator.forget(keep)):
            pass
        if self.host is not None:
            await self.desk.apart(self.host.node.forget)

    async def close(self) -> None:
        """Hang up and close the state."""
        await self._https.close()
        if self._push is not None:
            await self._push.close()
        if self._api is not None:
            await self._api.close()
        if self.host is not None:
            await self.host.close()
        await self.desk.close()
        self.context.database.close()

    def _by_xmpp(self, settings: VtnSettings) -> "Push | None":
        if settings.xmpp is None:
            return None
        # A VTN without XMPP has no package for it.
        from heiiki_agent.openadr.vtn.push import Push  # noqa: PLC0415

        return Push(settings, settings.xmpp, self.context, self.desk, self._hear)

    def _news(self) -> None:
        if self._push is not None:
            self._push.news()

    def _hear(self, ven_id: str) -> None:
        self._heard[ven_id] = time.monotonic()

    async def _post(self, request: web.Request) -> web.Response:
        certificate = request.get_extra_info("peercert") or {}
        peer = peer_of(certificate, self.context.identity.vens)
        if peer in self.context.identity.vens:
            self._hear(self.context.identity.vens[peer])
        try:
            async with asyncio.timeout(REQUEST_S):
                body = await request.read()
        except TimeoutError:
            log.warning("%s: a request did not arrive within %s s", peer, REQUEST_S)
            return web.Response(status=HTTPStatus.REQUEST_TIMEOUT)
        except web.HTTPRequestEntityTooLarge:
            log.warning("%s: a request above %s bytes", peer, LIMIT)
            reply = unreadable(TooLarge(f"a message has at most {LIMIT} bytes"))
        else:
            try:
                reply = await self._answer(peer, request, body)
            except NotServingError as error:
                return web.Response(status=HTTPStatus.SERVICE_UNAVAILABLE, text=str(error))
        sealed = self._envelope.sealed(reply.body)
        return web.Response(status=reply.status, body=sealed, content_type=CONTENT_TYPE)

    async def _answer(self, peer: str, request: web.Request, body: bytes) -> Reply:
        secure = request.get_extra_info("ssl_object")
        try:
            message = self._envelope.opened(body, secure.getpeercert(binary_form=True))
        except Malformed as error:
            log.warning("%s: %s: %r", peer, request.match_info["service"], error.description)
            return unreadable(error)
        return await self.desk.answer(Request(peer, request.match_info["service"], message))


def _kept(settings: VtnSettings) -> tuple[Database, Host | None]:
    if settings.doubled is None:
        return alone(settings.database, SCHEMA), None
    book = Book(settings.database, SCHEMA, settings.doubled.name)
    return book, Host(settings.doubled, settings.credentials, book)
