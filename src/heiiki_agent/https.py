"""HTTPS for one application, whose certificate and revocation lists are renewed while it listens."""

import asyncio
import logging
import socket
from collections.abc import Coroutine
from contextlib import suppress

from aiohttp import web

from heiiki_agent.errors import AgentError
from heiiki_agent.tls import AsyncioContext

log = logging.getLogger(__name__)

REQUEST_S = 5.0
"""How long a request may take to arrive, and how much longer a connection lasts that must end."""
_HANDSHAKE_S = 10.0
_WAITING = 1024
"""Connections that the kernel holds until they are accepted: a fleet that comes back together."""
_PAUSE_S = 0.5


class Https:
    """A listening socket that stays, and the connections through it, each under the newest credentials.

    It accepts by itself: a server of asyncio has one TLS context, and a new one would mean a new socket: who
    comes between the two is refused, and who had just been accepted is never answered.
    """

    def __init__(self, application: web.Application, address: str, port: int, keep_alive_s: float) -> None:
        """Serve `application` at an address, once it is open; an idle connection stays for `keep_alive_s`."""
        application.on_response_prepare.append(_unnamed)
        self._address, self._port = address, port
        self._runner = web.AppRunner(
            application, access_log=None, keepalive_timeout=keep_alive_s, shutdown_timeout=REQUEST_S
        )
        self._tls: AsyncioContext | None = None
        self._accepting: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self, tls: AsyncioContext) -> None:
        """Listen; one that listens already goes on with `tls`, and ends every connection.

        What a peer's certificate was worth when it connected is not what it is worth now.

        Raises:
            AgentError: the address cannot be listened on.
        """
        before, self._tls = self._tls, tls
        if before is not None:
            before.superseded = True
            self._hang_up()
            return
        try:
            listening = socket.create_server((self._address, self._port), backlog=_WAITING)
        except OSError as error:
            raise AgentError(f"{self._address} port {self._port}: cannot listen: {error.strerror}") from error
        listening.settimeout(0)
        await self._runner.setup()
        self._accepting = asyncio.create_task(self._accept(listening))

    async def close(self) -> None:
        """Listen no more, and end every connection."""
        if self._accepting is not None:
            self._accepting.cancel()
            await asyncio.wait([self._accepting])
            self._hang_up()
        await self._runner.cleanup()

    def _hang_up(self) -> None:
        assert self._runner.server is not None  # noqa: S101 - it is open
        for connection in self._runner.server.connections:
            self._beside(_end(connection))

    def _beside(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        with listening:
            while True:
                try:
                    line, _ = await loop.sock_accept(listening)
                except OSError as error:
                    log.warning("port %s: a connection was not accepted: %s", self._port, error.strerror)
                    await asyncio.sleep(_PAUSE_S)
                else:
                    self._beside(self._secure(line))

    async def _secure(self, line: socket.socket) -> None:
        """Shake hands; from then on the connection is the application's."""
        assert self._runner.server is not None  # noqa: S101 - it is open
        loop, to_application = asyncio.get_running_loop(), self._runner.server
        with suppress(OSError):
            await loop.connect_accepted_socket(
                to_application, line, ssl=self._tls, ssl_handshake_timeout=_HANDSHAKE_S
            )


async def _unnamed(_request: web.Request, response: web.StreamResponse) -> None:
    """Do not tell what program answers, and of which version (RFC 9110 10.2.4): no client needs it."""
    response.headers.pop("Server", None)


async def _end(connection: web.RequestHandler) -> None:
    """End a connection: at once where it is idle, else after the request that it has."""
    connection.close()
    await connection.shutdown(REQUEST_S)
