"""The operator's side of a service program, on a socket of its host: JSON over HTTP."""

import os
from collections.abc import Awaitable, Callable, Iterable
from http import HTTPStatus
from pathlib import Path

from aiohttp import web

from heiiki_agent.errors import AgentError

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class OperatorSocket:
    """Answers the operator, and says in a sentence what is refused."""

    def __init__(self, routes: Iterable[web.RouteDef], conflict: tuple[type[AgentError], ...] = ()) -> None:
        """Prepare it.

        Args:
            routes: what is answered.
            conflict: errors of these kinds are answered by 409, and every other `AgentError` by 400.
        """

        @web.middleware
        async def errors(request: web.Request, handler: _Handler) -> web.StreamResponse:
            try:
                return await handler(request)
            except AgentError as error:
                status = HTTPStatus.CONFLICT if isinstance(error, conflict) else HTTPStatus.BAD_REQUEST
                return web.Response(status=status, text=str(error))

        application = web.Application(middlewares=[errors])
        application.add_routes(routes)
        self._runner = web.AppRunner(application, access_log=None)

    async def open(self, socket: Path) -> None:
        """Listen on `socket`, which only its owner may open."""
        await self._runner.setup()
        before = os.umask(0o177)
        try:
            await web.UnixSite(self._runner, str(socket)).start()
        finally:
            os.umask(before)

    async def close(self) -> None:
        """Stop listening."""
        await self._runner.cleanup()
