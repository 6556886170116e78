"""The operator's side of the program, on a socket of the machine: JSON over HTTP."""

import json
import os
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from pathlib import Path

from aiohttp import web

from heiiki_agent.errors import AgentError
from heiiki_agent.openadr.vtn.operator import OrderError, parse, written
from heiiki_agent.openadr.vtn.server import Server

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@web.middleware
async def _errors(request: web.Request, handler: _Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except OrderError as error:
        return web.Response(status=HTTPStatus.CONFLICT, text=str(error))
    except AgentError as error:
        return web.Response(status=HTTPStatus.BAD_REQUEST, text=str(error))


class Control:
    """GET and POST `/VTN/events`; GET, PUT and DELETE `/VTN/events/EVENT`; GET `/health`."""

    def __init__(self, servers: Mapping[str, Server]) -> None:
        """Work on `servers`, by their vtnID."""
        self._servers = servers
        application = web.Application(middlewares=[_errors])
        application.router.add_get("/health", self._health)
        application.router.add_get("/{vtn}/events", self._list)
        application.router.add_post("/{vtn}/events", self._order)
        application.router.add_get("/{vtn}/events/{event}", self._show)
        application.router.add_put("/{vtn}/events/{event}", self._modify)
        application.router.add_delete("/{vtn}/events/{event}", self._cancel)
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

    def _server(self, request: web.Request) -> Server:
        name = request.match_info["vtn"]
        if name not in self._servers:
            raise AgentError(f"VTN {name} is not known; use {', '.join(self._servers)}")
        return self._servers[name]

    async def _health(self, _request: web.Request) -> web.Response:
        states = {}
        for name, server in self._servers.items():
            registered = await server.desk.call(server.operator.registered)
            states[name] = {"vens": len(server.settings.vens), "registered": registered}
        return web.json_response(states)

    async def _list(self, request: web.Request) -> web.Response:
        server = self._server(request)
        return _json(written(await server.desk.call(server.operator.events)))

    async def _order(self, request: web.Request) -> web.Response:
        server, order = self._server(request), parse(await request.text(), "order")
        await server.desk.call(lambda: server.operator.order(order))
        return await self._state(server, order.event_id)

    async def _show(self, request: web.Request) -> web.Response:
        return await self._state(self._server(request), request.match_info["event"])

    async def _modify(self, request: web.Request) -> web.Response:
        server, order = self._server(request), parse(await request.text(), "order")
        if order.event_id != request.match_info["event"]:
            raise AgentError(
                f"order: event_id: is not {request.match_info['event']}, which the address names"
            )
        await server.desk.call(lambda: server.operator.modify(order))
        return await self._state(server, order.event_id)

    async def _cancel(self, request: web.Request) -> web.Response:
        server, event_id = self._server(request), request.match_info["event"]
        await server.desk.call(lambda: server.operator.cancel(event_id))
        return await self._state(server, event_id)

    async def _state(self, server: Server, event_id: str) -> web.Response:
        state = await server.desk.call(lambda: server.operator.show(event_id))
        (document,) = json.loads(written((state,)))
        return _json(json.dumps(document))


def _json(text: str) -> web.Response:
    return web.Response(text=text, content_type="application/json")
