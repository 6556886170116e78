"""Where a host of a VTN takes the book from the other one, and from no one else."""

import json
import logging
import sqlite3
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from aiohttp import web

from heiiki_agent import config
from heiiki_agent.errors import AgentError
from heiiki_agent.https import Https
from heiiki_agent.openadr.vtn.doubled.exchange import Introduction, PeerError, Rows, SupersededError, written
from heiiki_agent.openadr.vtn.doubled.link import EPOCH, POSITION, ROWS
from heiiki_agent.openadr.vtn.doubled.node import Node
from heiiki_agent.openadr.vtn.doubled.settings import DoubledSettings
from heiiki_agent.openadr.vtn.doubled.thread import Thread
from heiiki_agent.openadr.vtn.peers import peer_of
from heiiki_agent.tls import AsyncioContext

log = logging.getLogger(__name__)

_KEEP_ALIVE_S = 60.0
_LARGEST = 64 * 1024 * 1024
"""Octets of rows at most: a batch of requests is far below it, and so is a slice of a book."""
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Receiver:
    """GET `/epoch`; POST `/position` and `/rows`."""

    def __init__(self, settings: DoubledSettings, address: str, node: Node, thread: Thread) -> None:
        """Take for `node`, on the thread of its book."""
        self._peer, self._node, self._thread = settings.peer.name, node, thread
        application = web.Application(client_max_size=_LARGEST, middlewares=[self._guarded])
        application.router.add_get(EPOCH, self._epoch)
        application.router.add_post(POSITION, self._position)
        application.router.add_post(ROWS, self._rows)
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

    async def _epoch(self, _request: web.Request) -> web.Response:
        return web.Response(text=json.dumps(self._node.state().epoch))

    async def _position(self, request: web.Request) -> web.Response:
        asked = config.parse(Introduction, await request.text(), "position")
        if not asked.epochs:
            raise PeerError("position: epochs: give at least 1")
        # Not on the thread, which may wait for an answer of who asks.
        self._node.refuse(asked.epochs[-1].number, asked.epochs[-1].writer)
        found = await self._thread.apart(lambda: self._node.introduced(asked))
        return web.Response(body=written(found), content_type="application/json")

    async def _rows(self, request: web.Request) -> web.Response:
        asked = config.parse(Rows, await request.text(), "rows")
        self._node.refuse(asked.epoch, self._peer)
        await self._thread.apart(lambda: self._node.given(asked))
        return web.Response()

    @web.middleware
    async def _guarded(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        """Let the other host in, and say in a sentence what is refused."""
        peer = peer_of(request.get_extra_info("peercert") or {}, {self._peer})
        if peer != self._peer:
            log.warning("%s is not the other host of this VTN", peer)
            return _refused(HTTPStatus.FORBIDDEN, f"{peer} is not the other host of this VTN")
        try:
            return await handler(request)
        except SupersededError as error:
            return _refused(HTTPStatus.CONFLICT, str(error))
        except AgentError as error:
            return _refused(HTTPStatus.UNPROCESSABLE_ENTITY, str(error))
        except sqlite3.Error as error:
            log.exception("what the other host gave is not committed")
            return _refused(HTTPStatus.INSUFFICIENT_STORAGE, f"its book cannot be written: {error}")


def _refused(status: HTTPStatus, text: str) -> web.Response:
    return web.Response(status=status, text=text)
